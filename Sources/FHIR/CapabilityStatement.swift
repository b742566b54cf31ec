// What this server can do, written from the table that it goes by (FHIR R4 Section 2.28).

import Foundation

struct CapabilityStatement: Encodable, Sendable {
    struct Software: Encodable, Sendable {
        let name = "Phim"
        let version: String
    }

    struct Implementation: Encodable, Sendable {
        let description: String
        let url: String
    }

    struct Code: Encodable, Sendable {
        let code: String
    }

    struct Parameter: Encodable, Sendable {
        let name: String
        let type: String
        let documentation: String
    }

    struct Resource: Encodable, Sendable {
        let type: String
        let interaction: [Code]
        let versioning = "versioned"
        let readHistory = false
        let updateCreate = false
        let conditionalCreate: Bool
        let conditionalRead = "not-match"
        let conditionalUpdate: Bool
        let conditionalDelete = "not-supported"
        let referencePolicy: [String]
        let searchInclude: [String]?
        let searchRevInclude: [String]?
        let searchParam: [Parameter]
    }

    struct Security: Encodable, Sendable {
        let cors = true
        let description: String
    }

    struct Rest: Encodable, Sendable {
        let mode = "server"
        let documentation: String
        let security: Security
        let resource: [Resource]
        let interaction: [Code]
    }

    let resourceType = "CapabilityStatement"
    let status = "active"
    let date: String
    let kind = "instance"
    let software: Software
    let implementation: Implementation
    let fhirVersion = "4.0.1"
    let format = ["json", "application/fhir+json"]
    let rest: [Rest]

    /// - Parameters:
    ///   - base: of the FHIR service.
    ///   - started: when the program that says so was started, microseconds since 1970.
    init(version: String, base: String, started: Int64) {
        date = FHIRDate.instant(started)
        software = Software(version: version)
        implementation = Implementation(description: "Imaging archive", url: base)
        rest = [
            Rest(
                documentation: "Patients, visits and orders of the hospital, and the studies that are linked to them.",
                security: Security(
                    description: "Authorization: Bearer TOKEN. Every answer holds what the caller may see."),
                resource: ResourceDefinition.all.map(Resource.init),
                interaction: BundleKind.allCases.map { Code(code: $0.rawValue) })
        ]
    }
}

extension CapabilityStatement.Resource {
    init(_ definition: ResourceDefinition) {
        type = definition.type
        interaction = definition.interactions.map { .init(code: $0.rawValue) }
        conditionalCreate = definition.interactions.contains(.create)
        conditionalUpdate = definition.interactions.contains(.update)
        referencePolicy = ["literal", "logical"]
        searchInclude = definition.includes.unlessEmpty
        searchRevInclude = definition.revincludes.unlessEmpty
        searchParam = definition.parameters.map {
            .init(name: $0.name, type: $0.kind.rawValue, documentation: $0.words)
        }
    }
}

/// Bundles that are taken.
enum BundleKind: String, CaseIterable, Sendable {
    case transaction, batch
}
