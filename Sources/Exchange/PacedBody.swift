// A coded object as the body of a request: piece by piece, no faster than the line may be used.

import Forwarding
import LineCoding
import NIOCore
import Synchronization
import Web

/// Octets of a coded object from an offset on.
struct PacedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Octets at a time.
    private static let piece = 64 << 10
    /// Where there is a rate: small, so that it is smooth, lanes take turns, and something comes in every minute.
    private static let smallPiece = 1 << 10

    let object: CodedObject
    let offset: Int64
    let pace: LinePace
    let work: BlockingWork
    /// Octets that were handed to the connection.
    let sent: SentOctets

    var length: Int64 { object.length - offset }

    func makeAsyncIterator() -> Iterator { Iterator(body: self, at: offset) }

    struct Iterator: AsyncIteratorProtocol {
        let body: PacedBody
        var at: Int64

        mutating func next() async throws -> ByteBuffer? {
            let piece = body.pace.isLimited ? PacedBody.smallPiece : PacedBody.piece
            let count = Int(Swift.min(Int64(piece), body.object.length - at))
            guard count > 0 else { return nil }
            let (object, start) = (body.object, at)
            let bytes =
                object.isInMemory
                ? try object.read(from: start, count: count)
                : try await body.work.run { try object.read(from: start, count: count) }
            let wait = body.pace.take(count)
            if wait > .zero { try await Task.sleep(for: wait) }
            at += Int64(count)
            body.sent.add(count)
            return ByteBuffer(bytes: bytes)
        }
    }
}

/// Counts what went over the line for one object, every attempt.
final class SentOctets: Sendable {
    private let octets = Atomic<Int64>(0)

    func add(_ count: Int) { octets.wrappingAdd(Int64(count), ordering: .relaxed) }

    var count: Int64 { octets.load(ordering: .relaxed) }
}
