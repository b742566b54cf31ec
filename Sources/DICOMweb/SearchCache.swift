// Answers of searches kept until anything in the catalogue changes.

import Catalog
import Hummingbird
import NIOCore
import Synchronization

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

    func reply(to key: Key, at generation: Int64) -> SearchReply? {
        kept.withLock { $0.generation == generation ? $0.replies[key] : nil }
    }

    /// Keeps an answer that was made after the catalogue had a generation.
    func keep(_ reply: SearchReply, to key: Key, at generation: Int64) {
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
