// The rooms that the exchange with stations calls, and where its routes are put together.

import Access
package import Catalog
package import Encounters
import Foundation
package import Hummingbird
package import Ingest
package import LineCoding
package import Logging
import Records
package import Volumes
package import Web

/// What the routes need of the archive.
package struct ExchangeServices: Sendable {
    let catalog: CatalogStore
    let volumes: VolumeStore
    let encounters: Encounters
    let corrections: Corrections
    let ingest: IngestPipeline
    let codecs: FrameCodecs
    let uploads: UploadFolder
    let key: ReceiptKey
    /// How this archive names itself.
    let name: String
    let version: String
    let logger: Logger
    let unsound = UnsoundCopies()
    let losses = LostDecodings()
    let proofs = ProofsInHand()
    /// For octets that come, and what is asked of one object; for studies that are offered; for objects taken to their end,
    /// each of which holds some frames in memory, emergencies on threads that others do not wait for; for objects that are
    /// read again, which takes long.
    let work = BlockingWork(threads: 8)
    let offering = BlockingWork(threads: 2, longestQueue: 64)
    let accepting = BlockingWork(threads: 6)
    let acceptingUrgent = BlockingWork(threads: 2)
    let proving = BlockingWork(threads: 2, longestQueue: 16)

    package init(
        catalog: CatalogStore, volumes: VolumeStore, encounters: Encounters, ingest: IngestPipeline,
        codecs: FrameCodecs, uploads: UploadFolder, key: ReceiptKey, name: String, version: String, logger: Logger
    ) {
        self.catalog = catalog
        self.volumes = volumes
        self.encounters = encounters
        corrections = Corrections(catalog: catalog, encounters: encounters)
        self.ingest = ingest
        self.codecs = codecs
        self.uploads = uploads
        self.key = key
        self.name = name
        self.version = version
        self.logger = logger
    }

    /// Reads or changes the records and the catalogue, away from the event loops.
    func run<Value: Sendable>(
        _ threads: BlockingWork? = nil, _ body: @escaping @Sendable (ExchangeServices) throws -> Value
    ) async throws -> Value {
        do {
            return try await (threads ?? work).run { try body(self) }
        } catch let failure as EncounterFailure {
            throw Problem(failure)
        } catch let failure as CatalogError {
            throw failure == .busy ? Problem.busy : Problem(.internalServerError, "The catalogue cannot be read.")
        }
    }
}

/// The edge that other archives of this kind talk to.
package enum ExchangeEdge {
    /// Adds every route to the root of the server.
    package static func addRoutes(to router: some RouterMethods<WebRequestContext>, services: ExchangeServices) {
        let group = router.group("api/v1/exchange")
        OfferRoutes(services).add(to: group)
        ObjectRoutes(services).add(to: group)
        ReceiptRoutes(services).add(to: group)
        ContactRoutes(services).add(to: group)
        FleetRoutes(services).add(to: router.group("api/v1"))
    }
}

extension WebRequestContext {
    /// The study of the path.
    func study() throws(Problem) -> String {
        let uid = parameters.get("uid") ?? ""
        guard ExchangeChecks.isUID(uid) else { throw Problem(.badRequest, "The study of the resource is no UID.") }
        return uid
    }

    /// Puts into the audit trail what a station did with a study.
    func note(_ caller: Caller, study: String, _ detail: String) {
        audit?.note(
            AuditEvent(
                .store, account: caller.account, credential: caller.credential, address: caller.address,
                studyInstanceUID: study, detail: detail))
    }
}
