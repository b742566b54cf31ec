// The store transaction.

import Hummingbird
import Web

struct StoreRoutes: Sendable {
    private let services: DICOMwebServices

    init(_ services: DICOMwebServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {}
}
