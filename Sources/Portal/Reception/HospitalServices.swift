// What the desk at the door asks of the archive: people, visits, orders, links, messages. /api/v1

package import Access
package import Catalog
package import DIMSEServer
package import Encounters
import Hummingbird
package import Interop
import Records
package import Web

/// The rooms behind the routes of the reception.
package struct HospitalServices: Sendable {
    /// A station by its name as a peer, and what it would be told; nil for a peer that is not known. Blocks.
    package typealias Preview = @Sendable (String, WorklistQuestion) throws -> (KnownPeer, WorklistPreview)?

    let encounters: Encounters
    let follower: StudyFollower
    let intake: MessageIntake
    let access: AccessControl
    let catalog: CatalogStore
    let preview: Preview
    let work: BlockingWork

    package init(
        encounters: Encounters, follower: StudyFollower, intake: MessageIntake, access: AccessControl,
        catalog: CatalogStore, preview: @escaping Preview, work: BlockingWork
    ) {
        self.encounters = encounters
        self.follower = follower
        self.intake = intake
        self.access = access
        self.catalog = catalog
        self.preview = preview
        self.work = work
    }

    /// Of this site's patient codes.
    var issuer: String { encounters.settings.issuer }

    /// One unchanging view of the records.
    func look<Value: Sendable>(
        _ body: @escaping @Sendable (RecordTransaction) throws -> Value
    ) async throws -> Value {
        try await run { try $0.encounters.look(body) }
    }

    /// Everything that `body` does, or nothing, in the name of a caller.
    func change<Value: Sendable>(
        by caller: Caller, _ body: @escaping @Sendable (Desk) throws -> Value
    ) async throws -> Value {
        try await run { try $0.encounters.change(by: caller.account, body) }
    }

    /// Runs what blocks, and says in HTTP what fails.
    func run<Value: Sendable>(_ body: @escaping @Sendable (HospitalServices) throws -> Value) async throws -> Value {
        do { return try await work.run { try body(self) } } catch let failure as EncounterFailure {
            throw Problem(failure)
        }
    }

    /// What a study says of itself; 404 for one that is not here.
    func facts(of uid: String) async throws -> StudyFacts {
        guard let facts = try await run({ try $0.follower.facts(of: [uid])[uid] }) else { throw Problem.absent }
        return facts
    }
}

extension Problem {
    init(_ failure: EncounterFailure) {
        switch failure {
        case .invalid, .records(.invalid): self.init(.badRequest, failure.sentence)
        case .unknown: self.init(.notFound, failure.sentence)
        case .records(.notFound): self = .absent
        case .outdated, .merged, .conflict, .unlawful, .records(.nameTaken): self.init(.conflict, failure.sentence)
        case .records(.full), .records(.busy), .records(.corrupt), .records(.newerSchema), .records(.failed):
            self = .busy
        }
    }
}

/// The routes of the reception.
enum ReceptionEdge {
    static func addRoutes(to group: RouterGroup<WebRequestContext>, services: HospitalServices) {
        PatientRoutes(services).add(to: group)
        VisitRoutes(services).add(to: group)
        OrderRoutes(services).add(to: group)
        InboxRoutes(services).add(to: group)
        MessageRoutes(services).add(to: group)
        FacilityRoutes(services).add(to: group)
        InvitationRoutes(services).add(to: group)
    }
}
