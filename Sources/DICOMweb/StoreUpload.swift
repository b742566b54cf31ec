// One object on its way from a request into the archive.

import Access
import Catalog
import Ingest
import NIOCore
import Synchronization

/// What the resource and its caller ask of every instance of a request.
struct StoreRule: Sendable {
    let source: String
    let priority: IngestPriority
    /// The study of the resource.
    let study: String?
    let scope: StudyScope

    func check(_ facts: InstanceFacts) throws(StoreFault) {
        if let study, facts.studyInstanceUID != study { throw .otherStudy }
        guard scope.contains(facts.studyInstanceUID) else { throw .notPermitted }
    }
}

/// An object that arrives in pieces. Dropped before it is accepted, it leaves nothing behind. Its calls block.
final class StoreUpload: Sendable {
    private let ingest: IngestPipeline
    private let rule: StoreRule
    private let arrival = Mutex<Arrival?>(nil)

    init(ingest: IngestPipeline, rule: StoreRule) {
        self.ingest = ingest
        self.rule = rule
    }

    /// Takes the next pieces.
    func append(_ pieces: [ByteBuffer]) throws(IngestFailure) {
        let origin = Origin(source: rule.source, priority: rule.priority)
        try arrival.withLock { [ingest] arrival throws(IngestFailure) in
            if arrival == nil { arrival = ingest.begin(origin) }
            for piece in pieces {
                try unsafe Self.lend(piece) { bytes throws(IngestFailure) in try unsafe arrival?.append(bytes) }
            }
        }
    }

    /// Takes the last pieces and waits until the object is durable and enrolled.
    func accept(_ pieces: [ByteBuffer]) -> StoreOutcome {
        var facts: InstanceFacts?
        var refusal: StoreFault?
        let result: Result<Receipt.Outcome, StoreFault>
        do throws(IngestFailure) {
            try append(pieces)
            guard let arrival = arrival.withLock({ $0.take() }) else { throw .unreadable(reason: "no bytes") }
            let receipt = try ingest.accept(arrival) { found throws(IngestFailure) in
                facts = found
                do throws(StoreFault) { try rule.check(found) } catch {
                    refusal = error
                    throw .identifierMismatch(attribute: "StudyInstanceUID")
                }
            }
            result = .success(receipt.outcome)
        } catch {
            result = .failure(refusal ?? .ingest(error))
        }
        var outcome = StoreOutcome(result)
        outcome.sopClassUID = facts?.sopClassUID
        outcome.sopInstanceUID = facts?.sopInstanceUID
        outcome.studyInstanceUID = facts?.studyInstanceUID
        outcome.seriesInstanceUID = facts?.seriesInstanceUID
        return outcome
    }

    /// Lends the bytes of a buffer under the pipeline's own kind of failure.
    private static func lend(
        _ buffer: ByteBuffer, _ body: (UnsafeRawBufferPointer) throws(IngestFailure) -> Void
    ) throws(IngestFailure) {
        var failure: IngestFailure?
        unsafe buffer.withUnsafeReadableBytes { bytes in
            do throws(IngestFailure) { try unsafe body(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// Bytes of a part that wait to be carried on, in as few pieces as came.
struct Gathered: Sendable {
    private(set) var pieces: [ByteBuffer] = []
    private(set) var count = 0
    /// Shorter pieces are put together: each would hold on to a whole buffer of the network's.
    private static let short = 4 << 10

    mutating func add(_ piece: ByteBuffer) {
        count += piece.readableBytes
        guard piece.readableBytes < Self.short, let last = pieces.last, last.readableBytes < 4 * Self.short else {
            pieces.append(piece)
            return
        }
        pieces[pieces.count - 1].writeImmutableBuffer(piece)
    }

    mutating func take() -> [ByteBuffer] {
        defer { self = Gathered() }
        return pieces
    }
}
