// Bundles: answers to searches, and what belongs together when it is sent (FHIR R4 Section 2.36).

/// Section 2.36.
struct Bundle: Codable, Sendable {
    struct Link: Codable, Sendable {
        var relation: String
        var url: String
    }

    struct Entry: Codable, Sendable {
        var fullUrl: String?
        var resource: Resource?
        var search: Search?
        var request: Request?
        var response: Response?
    }

    struct Search: Codable, Sendable {
        /// `match`, `include` or `outcome`.
        var mode: String
    }

    struct Request: Codable, Sendable {
        var method: String
        var url: String
        var ifMatch: String?
        var ifNoneExist: String?
    }

    struct Response: Codable, Sendable {
        var status: String
        var location: String?
        var etag: String?
        var lastModified: String?
        var outcome: OperationOutcome?
    }

    var resourceType = "Bundle"
    var type: String
    var total: Int?
    var link: [Link]?
    var entry: [Entry]?
}
