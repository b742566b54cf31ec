// The retrieve transaction.

import Hummingbird
import Web

struct RetrieveRoutes: Sendable {
    private let services: DICOMwebServices

    init(_ services: DICOMwebServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {}
}
