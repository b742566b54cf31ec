// The rooms that the pages and the viewer API call.

package import Catalog
import Encounters
package import Hummingbird
package import Logging
import Records
package import Retrieval
package import Web

/// What may be said about this archive.
package struct ServerFacts: Sendable {
    package let version: String
    package let aeTitle: String
    package let dicomPort: Int
    /// Whether an identity provider of the hospital signs people in.
    package let signsInElsewhere: Bool

    package init(version: String, aeTitle: String, dicomPort: Int, signsInElsewhere: Bool = false) {
        self.version = version
        self.aeTitle = aeTitle
        self.dicomPort = dicomPort
        self.signsInElsewhere = signsInElsewhere
    }
}

/// What the portal's routes need of the archive.
package struct PortalServices: Sendable {
    package let facts: ServerFacts
    package let catalog: CatalogStore
    package let retrieval: InstanceRetrieval
    package let events: EventFeed
    /// The viewer's files, nil when there are none.
    package let viewer: ViewerFiles?
    let studies: ViewerStudies
    let hospital: HospitalServices
    let forwarding: ForwardingServices
    package let work: BlockingWork
    package let logger: Logger

    package init(
        facts: ServerFacts, catalog: CatalogStore, retrieval: InstanceRetrieval, events: EventFeed,
        viewer: ViewerFiles?, hospital: HospitalServices, forwarding: ForwardingServices, work: BlockingWork,
        logger: Logger
    ) {
        self.facts = facts
        self.catalog = catalog
        self.retrieval = retrieval
        self.events = events
        studies = ViewerStudies(catalog: catalog, retrieval: retrieval) { [encounters = hospital.encounters] uid in
            try encounters.look { try $0.externalStudy(uid) }
        }
        self.viewer = viewer
        self.hospital = hospital
        self.forwarding = forwarding
        self.work = work
        self.logger = logger
    }
}

/// The portal's edge: the first page, the viewer's files, and the viewer API.
package enum PortalEdge {
    /// Adds every route to the root of the server.
    package static func addRoutes(to router: some RouterMethods<WebRequestContext>, services: PortalServices) {
        SiteRoutes(services).add(to: router)
        OHIFRoutes(viewer: services.viewer, work: services.work).add(to: router)
        let api = router.group("api/v1")
        ViewerRoutes(services).add(to: api)
        EventRoutes(services.events).add(to: api)
        OpenAPIRoutes().add(to: api)
        ReceptionEdge.addRoutes(to: api, services: services.hospital)
        ForwardingEdge.addRoutes(to: api, services: services.forwarding)
        DeepLinkRoutes(services.hospital).add(to: router)
    }
}
