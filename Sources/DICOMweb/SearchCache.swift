// Answers of searches kept until anything in the catalogue changes.

import Catalog
import Hummingbird
import NIOCore
import Synchronization
import Web

/// The answer to one search, ready to be sent.
struct SearchReply: Sendable {
    let status: HTTPResponse.Status
    let headers: HTTPFields
    let body: ByteBuffer
}

/// Keeps whole answers of one generation of the catalogue.
final class SearchCache: Sendable {
    /// What an answer depends on besides what is in the catalogue.
    struct Key: Hashable {
        let target: SearchTarget
        let query: String
        let mediaType: String
        let base: String
        let studies: Set<String>?
    }

    private struct Kept: ~Copyable {
        var generation: Int64 = -1
        var replies: [Key: SearchReply] = [:]
        var bytes = 0
    }

    private let kept = Mutex(Kept())
    private let mostBytes: Int
    /// What a key and the bookkeeping take besides the body.
    private static let overhead = 1_024

    init(mostBytes: Int = 64 << 20) { self.mostBytes = mostBytes }

    /// One at a time: whoever asks what is being answered already waits for that answer.
    private final class Lane: Sendable {
        let turn = Mutex(())
    }

    private let lanes = (0..<64).map { _ in Lane() }

    /// The answer to a search: a kept one, or one that is made once however many ask for it at the same moment.
    /// - Parameter generation: gives the generation of the catalogue of now.
    func reply(
        to key: Key, generation: () throws(Problem) -> Int64, making make: () throws(Problem) -> SearchReply
    ) throws(Problem) -> SearchReply {
        if let kept = known(key, at: try generation()) { return kept }
        let lane = lanes[Int(UInt(bitPattern: key.hashValue) % UInt(lanes.count))]
        return try lane.turn.withLock { (_) throws(Problem) -> SearchReply in
            // Asked before the answer is made, so that the answer is never older than what it is kept for.
            let moment = try generation()
            if let kept = known(key, at: moment) { return kept }
            let made = try make()
            keep(made, to: key, at: moment)
            return made
        }
    }

    private func known(_ key: Key, at generation: Int64) -> SearchReply? {
        kept.withLock { $0.generation == generation ? $0.replies[key] : nil }
    }

    /// Keeps an answer that was made after the catalogue had a generation.
    private func keep(_ reply: SearchReply, to key: Key, at generation: Int64) {
        let size = reply.body.readableBytes + key.query.utf8.count + Self.overhead + 64 * (key.studies?.count ?? 0)
        guard size <= mostBytes / 16 else { return }
        kept.withLock { kept in
            // Numbers only tell one state from another; an answer of a state that has passed makes way at the next look.
            if kept.generation != generation || kept.bytes + size > mostBytes {
                kept.replies.removeAll(keepingCapacity: true)
                kept.bytes = 0
                kept.generation = generation
            }
            if kept.replies.updateValue(reply, forKey: key) == nil { kept.bytes += size }
        }
    }
}
