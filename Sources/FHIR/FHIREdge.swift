// The rooms that FHIR calls, and where its routes are put together (FHIR R4 Section 3.1).

package import Catalog
import DICOMCore
package import Encounters
import Foundation
package import Hummingbird
import Records
package import Retrieval
package import Web

/// What the routes need of the archive.
package struct FHIRServices: Sendable {
    package let catalog: CatalogStore
    package let retrieval: InstanceRetrieval
    package let encounters: Encounters
    /// How callers reach this server.
    package let address: PublicAddress
    package let work: BlockingWork
    /// Of this program.
    package let version: String
    /// Where DICOMweb is below the server's root.
    package let dicomwebPrefix: String
    /// When the server was started, microseconds since 1970.
    let started: Int64

    package init(
        catalog: CatalogStore, retrieval: InstanceRetrieval, encounters: Encounters, address: PublicAddress,
        work: BlockingWork, version: String, dicomwebPrefix: String
    ) {
        self.catalog = catalog
        self.retrieval = retrieval
        self.encounters = encounters
        self.address = address
        self.work = work
        self.version = version
        self.dicomwebPrefix = dicomwebPrefix
        started = encounters.records.now()
    }
}

/// The FHIR edge.
package enum FHIREdge {
    /// Where the service is below the server's root.
    package static let prefix = "/fhir/R4"

    /// Adds every resource to the root of the server.
    package static func addRoutes(to router: some RouterMethods<WebRequestContext>, services: FHIRServices) {
        let group = router.group("fhir/R4")
        let answers = FHIRAnswers(services)
        ReadRoutes(answers).add(to: group)
        WriteRoutes(answers).add(to: group)
    }
}
