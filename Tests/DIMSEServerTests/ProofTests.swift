// Storage commitment asked for: told on the same association, later, in part, or not at all (PS3.4 Annex J).

import DICOMCore
import DICOMNetwork
import DIMSEServer
import Encounters
import Forwarding
import Testing

@Suite("Proof by storage commitment", .timeLimit(.minutes(2))) struct ProofTests {
    private static let commitment = "1.2.840.10008.1.20.1"
    let bench: CarrierBench
    let centre = FarCentre()
    let listener: AssociationListener

    init() throws {
        bench = try CarrierBench()
        listener = try centre.listening()
    }

    private var request: ProofRequest {
        ProofRequest(
            shipment: bench.shipment, transactionUID: "2.25.99",
            objects: (1...3).map {
                ProofRequest.ProofObject(
                    sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: "2.25.77.\($0)", digest: [])
            })
    }

    /// The references of a request, and its answer with a status.
    @Sendable private static func answer(
        _ association: Association, _ message: Message, status: Status = .success
    ) throws -> (transaction: String, instances: [String]) {
        let bytes = try association.readDataSet(limit: 1 << 20)
        let syntax = TransferSyntax(message.context.transferSyntax)
        let dataSet = try HeaderReader.read(bytes, transferSyntax: syntax).dataSet
        try association.send(CommandSet(answering: message.command, status: status), on: message.contextID)
        return (
            dataSet.string(.transactionUID) ?? "",
            dataSet.items(.referencedSOPSequence).compactMap { $0.string(.referencedSOPInstanceUID) }
        )
    }

    /// Reports as a peer does, on the association of the request.
    @Sendable private static func report(
        _ association: Association, _ message: Message, transaction: String, held: [String], failed: [String]
    ) throws -> Status {
        var writer = DataSetWriter(
            transferSyntax: TransferSyntax(message.context.transferSyntax), characterSet: .ascii)
        func items(_ uids: [String], _ reason: Int? = nil) -> [DataSetWriter] {
            uids.map { uid in
                var item = writer.makeItem()
                item.put(.referencedSOPClassUID, SOPClass.ctImageStorage)
                item.put(.referencedSOPInstanceUID, uid)
                if let reason { item.put(.failureReason, .US, ints: [reason]) }
                return item
            }
        }
        writer.put(.transactionUID, transaction)
        if !failed.isEmpty { writer.put(.failedSOPSequence, items: items(failed, 0x0112)) }
        if !held.isEmpty { writer.put(.referencedSOPSequence, items: items(held)) }
        var command = CommandSet(.nEventReportRequest)
        command.messageID = association.nextMessageID()
        command.affectedSOPClassUID = commitment
        command.affectedSOPInstanceUID = "1.2.840.10008.1.20.1.1"
        command.eventTypeID = failed.isEmpty ? 1 : 2
        try association.send(command, on: message.contextID, dataSet: writer.finish())
        var cancelled = false
        return try association.response(to: command.messageID, cancelled: &cancelled).command.status
    }

    @Test("a peer that is not to be asked is not asked")
    func notAsked() async {
        defer { listener.stop(grace: .zero) }
        #expect(await bench.carrier(port: listener.port).prove(request) == nil)
        #expect(centre.requests.isEmpty)
    }

    @Test("told on the same association: what is held, and what is missing, with its reason")
    func sameAssociation() async throws {
        defer { listener.stop(grace: .zero) }
        centre.behave {
            $0.commitment = { association, message in
                let asked = try Self.answer(association, message)
                let status = try Self.report(
                    association, message, transaction: asked.transaction, held: Array(asked.instances.prefix(2)),
                    failed: Array(asked.instances.suffix(1)))
                #expect(status == .success)
            }
        }
        let outcome = await bench.carrier(port: listener.port, commits: true).prove(request)
        guard case .answered(let held, let missing, _, let words) = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(held == ["2.25.77.1", "2.25.77.2"])
        #expect(missing == ["2.25.77.3"])
        #expect(words == "storage commitment of 2 objects, not of 1 no such object instance")
    }

    @Test("a peer that takes the request and leaves reports later")
    func later() async throws {
        defer { listener.stop(grace: .zero) }
        centre.behave {
            $0.commitment = { association, message in
                _ = try Self.answer(association, message)
                association.abort()
            }
        }
        let outcome = await bench.carrier(port: listener.port, commits: true).prove(request)
        guard case .pending = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
    }

    @Test("a report of another transaction is no proof of this one, and its sender is told so")
    func otherTransaction() async throws {
        defer { listener.stop(grace: .zero) }
        centre.behave {
            $0.commitment = { association, message in
                let asked = try Self.answer(association, message)
                let status = try Self.report(
                    association, message, transaction: "2.25.98", held: asked.instances, failed: [])
                #expect(status == .invalidArgumentValue)
            }
        }
        let outcome = await bench.carrier(port: listener.port, commits: true).prove(request)
        guard case .pending = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
    }

    @Test("a peer that gives no storage commitment, or not now, says so")
    func refused() async throws {
        centre.behave { $0.refused = [Self.commitment] }
        let carrier = bench.carrier(port: listener.port, commits: true)
        guard case .some(.failed(.refused(let words))) = await carrier.prove(request) else {
            Issue.record("not refused")
            return
        }
        #expect(words.contains("no storage commitment"))
        centre.behave {
            $0.refused = []
            $0.commitment = { association, message in
                _ = try Self.answer(association, message, status: .resourceLimitation)
            }
        }
        guard case .some(.failed(.failed(_))) = await carrier.prove(request) else {
            Issue.record("not failed")
            return
        }
        listener.stop(grace: .zero)
        guard case .some(.failed(.unreached(_))) = await carrier.prove(request) else {
            Issue.record("not unreached")
            return
        }
    }
}
