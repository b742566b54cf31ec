// Proof of arrival: asked for once a study is sent, written into the ledger when it is given.

import Catalog
import DICOMCore
import Encounters
package import Records

/// An answer to a request for storage commitment that came on an association of the peer's own (PS3.4 J.3.3).
package struct CommitmentAnswer: Hashable, Sendable {
    /// Transaction UID (0008,1195).
    package let transactionUID: String
    /// Referenced SOP Instance UIDs of Referenced SOP Sequence (0008,1199).
    package let held: [String]
    /// Of Failed SOP Sequence (0008,1198), with their Failure Reason (0008,1197).
    package let failed: [String: Int]

    package init(transactionUID: String, held: [String], failed: [String: Int]) {
        self.transactionUID = transactionUID
        self.held = held
        self.failed = failed
    }
}

extension Outbox {
    /// How long an answer to a request for storage commitment is waited for before it is asked again, in microseconds: an
    /// hour, twice as long with every time, a day at most.
    static func patience(after times: Int) -> Int64 {
        min(3_600_000_000 << Int64(min(max(times, 0), 5)), Backoff.longest)
    }

    /// Before a destination that is at it is asked how far it is, in microseconds.
    private static let glance: Int64 = 2_000_000

    /// Writes down that proof is asked for, and says of what. Nil when there is nothing to prove, or the destination leads to
    /// another archive by now.
    package func ask(
        _ kind: ReceiptRecord.Kind, _ shipment: ShipmentRecord, of destination: DestinationRecord
    ) throws(ForwardingFailure) -> ProofRequest? {
        let contents = try StudyContents(shipment.studyInstanceUID, catalog)
        let classes = Dictionary(
            (contents?.instances ?? []).map { ($0.sopInstanceUID, $0.sopClassUID) },
            uniquingKeysWith: { first, _ in first })
        return try book.change(by: "rule") { desk in
            guard try desk.records.destination(destination.name)?.changedAt == destination.changedAt else { return nil }
            if !shipment.transform.deidentification.isEmpty {
                // Other objects under other names: nothing of these is there to be proven.
                try desk.records.postponeShipment(
                    shipment.id, until: RecordTransaction.never, answer: "sent de-identified", isRefused: false)
                return nil
            }
            let objects = try desk.records.shipped(shipment.id).compactMap { shipped in
                classes[shipped.sopInstanceUID].map {
                    ProofRequest.ProofObject(
                        sopClassUID: $0, sopInstanceUID: shipped.sopInstanceUID, digest: shipped.digest)
                }
            }
            if objects.isEmpty {
                try desk.records.postponeShipment(
                    shipment.id, until: RecordTransaction.never, answer: "it was deleted here before it was proven",
                    isRefused: false)
                return nil
            }
            let uid = UID.generate()
            try desk.records.askReceipt(kind, transactionUID: uid, instances: objects.count, of: shipment.id)
            return ProofRequest(
                shipment: shipment, transactionUID: uid,
                objects: objects.sorted { $0.sopInstanceUID < $1.sopInstanceUID })
        }
    }

    /// Writes down what came of a request.
    package func note(_ outcome: ProofOutcome?, of request: ProofRequest, chance: Double) throws(ForwardingFailure) {
        switch outcome {
        case nil:
            // It gives no proof of what leaves in this form: sent is the end.
            try postpone(request.shipment, by: nil, "the destination gives no proof")
        case .pending:
            // The answer may have come by itself meanwhile, and what it called missing may be sent again already.
            let isOpen = try book.look { try $0.receipt(transactionUID: request.transactionUID)?.answeredAt == nil }
            let wait = Self.patience(after: request.shipment.refusals)
            if isOpen { try postpone(request.shipment, by: wait, "asked for proof", isRefused: true) }
        case .unfinished:
            try postpone(request.shipment, by: Self.glance, "the destination is reading it again")
        case .answered(let held, let missing, let body, let words):
            try answered(request.transactionUID, held: held, missing: missing, body: body, words: words)
        case .failed(let why):
            // The line is judged by objects: what keeps no promise may still take them.
            let wait = Backoff.wait(after: request.shipment.refusals + 4, chance: chance)
            try postpone(request.shipment, by: wait, "no proof: \(why.words.prefix(300))", isRefused: true)
        }
    }

    /// - Parameter wait: nil: for good.
    private func postpone(
        _ shipment: ShipmentRecord, by wait: Int64?, _ words: String, isRefused: Bool = false
    ) throws(ForwardingFailure) {
        try book.change(by: "rule") { desk in
            guard try desk.records.shipment(id: shipment.id).state == .sent else { return }
            try desk.records.postponeShipment(
                shipment.id, until: wait.map { desk.records.now + $0 } ?? RecordTransaction.never, answer: words,
                isRefused: isRefused)
        }
    }

    /// An answer that came by itself. Throws `.unknown` for a transaction that was never asked for, `.conflict` for one that
    /// was answered before.
    /// - Parameter peers: names of the peers that the caller may be; only the one that was asked may answer.
    package func committed(_ answer: CommitmentAnswer, by peers: Set<String>) throws(ForwardingFailure) {
        try book.look { records in
            guard let receipt = try records.receipt(transactionUID: answer.transactionUID) else {
                throw EncounterFailure.unknown(what: "transaction")
            }
            guard receipt.answeredAt == nil else {
                throw EncounterFailure.conflict(reason: "This transaction was answered before")
            }
            let name = try records.shipment(id: receipt.shipment).destination
            guard let peer = try records.destination(name)?.settings.peer,
                peers.contains(where: { $0.lowercased() == peer.lowercased() })
            else { throw EncounterFailure.unknown(what: "transaction") }
        }
        let reasons = Set(answer.failed.values).sorted().map { "\(String($0, radix: 16))H" }.joined(separator: " ")
        try answered(
            answer.transactionUID, held: answer.held, missing: answer.failed.keys.sorted(),
            body: answer.failed.isEmpty ? "" : "failed: \(reasons)", words: "storage commitment")
    }

    /// All that is named held is proven; what is missing there is sent again, at once.
    private func answered(
        _ transactionUID: String, held: [String], missing: [String], body: String, words: String
    ) throws(ForwardingFailure) {
        try book.change(by: "rule") { desk in
            let records = desk.records
            guard let receipt = try records.receipt(transactionUID: transactionUID) else {
                throw EncounterFailure.unknown(what: "transaction")
            }
            // Who was asked is not who the destination is now: that is asked anew.
            let name = try records.shipment(id: receipt.shipment).destination
            guard let destination = try records.destination(name), receipt.askedAt > destination.changedAt else {
                try records.answerReceipt(receipt, held: [], missing: [], body: body)
                let shipment = try records.shipment(id: receipt.shipment)
                guard shipment.state == .sent else { return }
                return try records.postponeShipment(
                    shipment.id, until: records.now + Backoff.wait(after: 6, chance: 0),
                    answer: "the destination was changed: it is to be proven anew", isRefused: false)
            }
            // What was taken after it was asked is not spoken of.
            let shipped = Set(
                try records.shipped(receipt.shipment).filter { $0.at <= receipt.askedAt }.map(\.sopInstanceUID))
            let lost = missing.filter(shipped.contains)
            try records.answerReceipt(receipt, held: held.filter(shipped.contains), missing: lost, body: body)
            let shipment = try records.shipment(id: receipt.shipment)
            let proven = try records.proven(shipment.id)
            if !lost.isEmpty {
                try lose(lost, of: shipment, records)
            } else if proven.committed >= shipment.instances, held.count >= receipt.instances {
                try records.commitShipment(shipment.id, proof: "\(words) \(transactionUID)")
            } else if shipment.state == .sent {
                let wait = Backoff.wait(after: shipment.refusals + 6, chance: 0)
                try records.postponeShipment(
                    shipment.id, until: records.now + wait,
                    answer: "proven of \(proven.committed) of \(shipment.instances)", isRefused: true)
            }
        }
    }

    /// They are sent again; not at once, for a destination may need its time, and never in a circle without a pause.
    private func lose(_ lost: [String], of shipment: ShipmentRecord, _ records: RecordTransaction) throws {
        let times = try records.receipts(ofShipment: shipment.id).filter { $0.failed > 0 }.count
        let wait = Backoff.wait(after: times + 2, chance: 0)
        for uid in lost {
            try records.noteUnshipped(
                uid, answer: "the destination does not hold it", refusals: times, dueAt: records.now + wait,
                of: shipment.id)
        }
        if [.sent, .committed].contains(shipment.state) {
            try records.setShipment(shipment.id, .waiting, answer: "the destination does not hold \(lost.count)")
        }
    }
}
