// The rooms that DICOMweb calls, and where its routes are put together (PS3.18 Section 8).

package import Catalog
package import Hummingbird
package import Ingest
package import Logging
package import Retrieval
package import Web

/// What the routes need of the archive.
package struct DICOMwebServices: Sendable {
    package let catalog: CatalogStore
    package let ingest: IngestPipeline
    package let retrieval: InstanceRetrieval
    package let metadata: MetadataSource
    package let deletion: Deletion
    /// Moves when anything in the catalogue changes.
    package let generation: CatalogGeneration
    /// How callers reach this server.
    package let address: PublicAddress
    package let work: BlockingWork
    /// For frames, pictures and conversions: while all codecs are busy with slow images, searching, metadata and objects
    /// as they are stored go on.
    package let imaging = BlockingWork(threads: 4, longestQueue: 256)
    /// Folder for files that live no longer than a request.
    package let scratch: String
    package let logger: Logger
    /// Where the resources are below the server's root.
    package let prefix = "/dicom-web"
    /// What native frames go out as to callers that take whatever is stored; nil sends them as they are.
    package let compactFrames: String?

    package init(
        catalog: CatalogStore, ingest: IngestPipeline, retrieval: InstanceRetrieval, metadata: MetadataSource,
        deletion: Deletion, generation: CatalogGeneration, address: PublicAddress, work: BlockingWork,
        scratch: String, logger: Logger, compactFrames: String? = nil
    ) {
        self.catalog = catalog
        self.ingest = ingest
        self.retrieval = retrieval
        self.metadata = metadata
        self.deletion = deletion
        self.generation = generation
        self.address = address
        self.work = work
        self.scratch = scratch
        self.logger = logger
        self.compactFrames = compactFrames
    }
}

/// The DICOMweb edge.
package enum DICOMwebEdge {
    /// Adds every resource below a group, such as `/dicom-web`.
    package static func addRoutes(to group: RouterGroup<WebRequestContext>, services: DICOMwebServices) {
        SearchRoutes(services).add(to: group)
        RetrieveRoutes(services).add(to: group)
        StoreRoutes(services).add(to: group)
        DeleteRoutes(services).add(to: group)
        CapabilitiesRoutes(services).add(to: group)
        WADOURI(services).add("wado", to: group)
    }

    /// Adds WADO-URI at the path that its callers know (PS3.18 Section 9).
    package static func addWADOURI(to group: RouterGroup<WebRequestContext>, services: DICOMwebServices) {
        WADOURI(services).add("wado", to: group)
    }
}
