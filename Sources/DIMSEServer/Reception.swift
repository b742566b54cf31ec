// Greets callers: admits or refuses them, and hands each message to its service.

package import Access
package import Catalog
import DICOMCore
import DICOMNetwork
package import Encounters
package import Forwarding
package import Ingest
import Logging
import Records
package import Retrieval
import Synchronization

/// What the DIMSE edge calls.
package struct DIMSEServices: Sendable {
    let ingest: IngestPipeline
    let retrieval: InstanceRetrieval
    let catalog: CatalogStore
    let records: RecordStore
    let audit: AuditTrail
    let encounters: Encounters
    let worklist: WorklistPolicy
    let dialing: PeerDialing
    /// Takes what a destination reports of objects that were sent there, and the names of the peers that it may be. Blocks.
    let commitmentAnswered: @Sendable (CommitmentAnswer, Set<String>) throws(ForwardingFailure) -> Void

    package init(
        ingest: IngestPipeline, retrieval: InstanceRetrieval, catalog: CatalogStore, encounters: Encounters,
        worklist: WorklistPolicy, audit: AuditTrail, dialing: PeerDialing,
        commitmentAnswered: @escaping @Sendable (CommitmentAnswer, Set<String>) throws(ForwardingFailure) -> Void
    ) {
        self.dialing = dialing
        self.commitmentAnswered = commitmentAnswered
        self.encounters = encounters
        self.worklist = worklist
        self.audit = audit
        self.ingest = ingest
        self.retrieval = retrieval
        self.catalog = catalog
        records = encounters.records
    }
}

/// Serves every association, each on its own thread.
final class Reception: AssociationServer {
    private let services: DIMSEServices
    private let policy: AdmissionPolicy
    private let callers: Callers
    private let logger: Logger
    /// Open associations by caller.
    private let openByPeer = Mutex<[String: Int]>([:])

    init(services: DIMSEServices, policy: AdmissionPolicy, logger: Logger) {
        self.services = services
        self.policy = policy
        self.logger = logger
        callers = Callers(policy: policy, records: services.records)
    }

    func negotiate(_ request: AssociationRequest) -> NegotiationAnswer {
        switch callers.admission(of: request) {
        case .refused(let rejection, let reason):
            noteKnock(request, reason)
            return .reject(rejection)
        case .admitted(let peer):
            if isFull(request, peer) {
                noteKnock(request, "this caller has all its associations open already")
                return .reject(.localLimitExceeded)
            }
            return Negotiation.answer(request, acceptsUnknown: policy.acceptsUnknownSOPClasses)
        }
    }

    /// Only what a peer is given counts: the priority of its requests is not known yet.
    func isUrgent(_ request: AssociationRequest) -> Bool {
        guard case .admitted(let peer) = callers.admission(of: request) else { return false }
        return peer?.priority == .stat
    }

    func serve(_ association: Association) {
        var peer: KnownPeer?
        if case .admitted(let known) = callers.admission(of: association.request) { peer = known }
        if peer?.priority == .bulk { association.giveWay() }
        let caller = Self.caller(association.request, peer)
        let open = openByPeer.withLock { open in
            open[caller, default: 0] += 1
            return open[caller, default: 0]
        }
        defer {
            openByPeer.withLock { open in
                let left = open[caller, default: 1] - 1
                open[caller] = left > 0 ? left : nil
            }
        }
        // Several may have been admitted at the same moment, before any of them was counted.
        guard open <= limit(for: peer) else { return association.abort() }
        let trail = AssociationTrail(
            services.audit, peer: peer, callingAETitle: association.request.callingAETitle.trimmingSpaces,
            address: association.request.remoteAddress)
        do throws(NetworkError) {
            while let message = try association.nextMessage() {
                try serve(message, on: association, peer, trail)
            }
        } catch {
            // The listener reports how the association ended.
        }
    }

    func record(_ event: AssociationEvent) {
        switch event {
        case .accepted(let request):
            DIMSEMetrics.associations(.accepted)
            logger.debug("association accepted", metadata: ["from": "\(request.remoteAddress)"])
        case .rejected(let request, let rejection):
            DIMSEMetrics.associations(.rejected)
            logger.warning(
                "association rejected", metadata: ["from": "\(request.remoteAddress)", "why": "\(rejection)"])
        case .overLimit(let address, let rejection, let hungUp):
            DIMSEMetrics.associations(.overLimit)
            logger.warning(
                "too many associations",
                metadata: ["from": "\(address)", "why": "\(rejection)", "hungUp": "\(hungUp)"])
        case .failed(let address, let error):
            DIMSEMetrics.associations(.failed)
            logger.warning("no association", metadata: ["from": "\(address)", "why": "\(error.words)"])
        case .ended(let request, .some(let failure)):
            DIMSEMetrics.associations(.broken)
            logger.notice(
                "association ended badly", metadata: ["from": "\(request.remoteAddress)", "why": "\(failure.words)"])
        case .ended(let request, nil):
            DIMSEMetrics.associations(.released)
            logger.debug("association released", metadata: ["from": "\(request.remoteAddress)"])
        case .acceptFailed(let why):
            logger.error("cannot accept connections", metadata: ["why": "\(why)"])
        }
    }

    private func isFull(_ request: AssociationRequest, _ peer: KnownPeer?) -> Bool {
        let caller = Self.caller(request, peer)
        return openByPeer.withLock { $0[caller, default: 0] } >= limit(for: peer)
    }

    private func limit(for peer: KnownPeer?) -> Int { peer?.maxAssociations ?? policy.maxAssociationsPerPeer }

    /// Who counts as one caller: a peer, or what calls itself by one title from one address.
    private static func caller(_ request: AssociationRequest, _ peer: KnownPeer?) -> String {
        peer?.name ?? "\(request.callingAETitle.trimmingSpaces)@\(request.remoteAddress)"
    }

    private func noteKnock(_ request: AssociationRequest, _ reason: String) {
        AssociationTrail(
            services.audit, peer: nil, callingAETitle: request.callingAETitle.trimmingSpaces,
            address: request.remoteAddress
        ).note(.refused, detail: "association: \(reason)")
        let asked = Set(
            request.contexts.map { context in
                SOPClass.name(of: context.abstractSyntax) ?? context.abstractSyntax
            })
        try? services.records.noteKnock(
            callingAETitle: request.callingAETitle.trimmingSpaces, calledAETitle: request.calledAETitle.trimmingSpaces,
            address: request.remoteAddress, reason: reason,
            asked: String(asked.sorted().joined(separator: ", ").prefix(200)))
    }

    private func serve(
        _ message: Message, on association: Association, _ peer: KnownPeer?, _ trail: AssociationTrail
    ) throws(NetworkError) {
        let service = ServiceTable.service(
            for: message.context.abstractSyntax, acceptsUnknown: policy.acceptsUnknownSOPClasses)
        let retrieve = RetrieveSCP(
            catalog: services.catalog, retrieval: services.retrieval, callers: callers, dialing: services.dialing,
            trail: trail, logger: logger)
        switch (message.command.field, service) {
        case (.cEchoRequest, .verification):
            try association.send(CommandSet(answering: message.command, status: .success), on: message.contextID)
        case (.cStoreRequest, .storage):
            let store = StoreSCP(ingest: services.ingest, callerPriority: peer?.priority, trail: trail, logger: logger)
            try store.serve(message, on: association)
        case (.cFindRequest, .find(let model)):
            let find = FindSCP(
                catalog: services.catalog, retrieval: services.retrieval, aeTitle: policy.aeTitle,
                characterSet: peer?.characterSet ?? policy.characterSet, trail: trail, logger: logger)
            try find.serve(message, model, on: association)
        case (.cFindRequest, .worklist):
            let worklist = WorklistSCP(
                encounters: services.encounters, policy: services.worklist,
                callingAETitle: association.request.callingAETitle.trimmingSpaces,
                characterSet: peer?.characterSet ?? policy.characterSet, trail: trail, logger: logger)
            try worklist.serve(message, on: association)
        case (_, .performedStep), (_, .performedStepRetrieve):
            try servePerformedStep(message, service, on: association, peer, trail)
        case (.nActionRequest, .commitment):
            let commitment = CommitmentSCP(
                desk: CommitmentDesk(services, aeTitle: policy.aeTitle),
                callingAETitle: association.request.callingAETitle.trimmingSpaces, peer: peer?.name ?? "", trail: trail,
                logger: logger)
            try commitment.serve(message, on: association)
        case (.nEventReportRequest, .commitment):
            let reports = CommitmentReportSCP(
                answered: services.commitmentAnswered, peers: callers.names(of: association.request), trail: trail,
                logger: logger)
            try reports.serve(message, on: association)
        case (.cMoveRequest, .move(let model)): try retrieve.serveMove(message, model, on: association)
        case (.cGetRequest, .get(let model)): try retrieve.serveGet(message, model, on: association)
        default: try refuse(message, on: association)
        }
        DIMSEMetrics.served(message.command.field)
    }

    private func servePerformedStep(
        _ message: Message, _ service: DIMSEService?, on association: Association, _ peer: KnownPeer?,
        _ trail: AssociationTrail
    ) throws(NetworkError) {
        let steps = PerformedStepSCP(
            encounters: services.encounters, peer: peer?.name ?? association.request.callingAETitle.trimmingSpaces,
            trail: trail, logger: logger)
        switch (message.command.field, service) {
        case (.nCreateRequest, .performedStep): try steps.create(message, on: association)
        case (.nSetRequest, .performedStep): try steps.set(message, on: association)
        case (.nGetRequest, .performedStepRetrieve): try steps.get(message, on: association)
        default: try refuse(message, on: association)
        }
    }

    private func refuse(_ message: Message, on association: Association) throws(NetworkError) {
        logger.warning("unexpected command", metadata: ["from": "\(association.request.remoteAddress)"])
        try association.discardDataSet()
        try association.send(
            CommandSet(answering: message.command, status: .unrecognizedOperation), on: message.contextID)
    }
}
