// Addresses of DICOMweb resources (PS3.18 Section 10.4.1), without scheme and host, so that they hold behind a proxy.

/// Where the resources of one study are.
struct ViewerAddresses: Sendable {
    private let base: String
    private let api: String
    private let uid: String

    init(studyInstanceUID uid: String) {
        self.uid = uid
        base = "/dicom-web/studies/\(uid)"
        api = "/api/v1"
    }

    var study: String { base }
    var metadata: String { base + "/metadata" }
    var priors: String { "\(api)/studies/\(uid)/priors" }
    var events: String { "\(api)/events?study=\(uid)" }

    func series(_ series: String) -> String { "\(base)/series/\(series)" }

    func instance(_ series: String, _ instance: String) -> String {
        "\(base)/series/\(series)/instances/\(instance)"
    }
}
