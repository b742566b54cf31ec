// The body of a store request: one object in one part, read as it is sent and no faster than the line may be used.

import Forwarding
import NIOCore
import Synchronization
import Web

/// Octets that were handed to the connection.
final class OctetCount: Sendable {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }
    func add(_ octets: Int) { count.wrappingAdd(Int64(octets), ordering: .relaxed) }
}

/// A multipart body of one object (PS3.18 Section 8.6.1.2, RFC 2387).
struct StowBody: AsyncSequence, Sendable {
    /// What is read from the volume at once, and what goes to the line at once.
    private static let read = 1 << 20
    private static let piece = 32 << 10

    private let object: OutgoingObject
    private let head: ByteBuffer
    private let tail: ByteBuffer
    private let pace: LinePace
    private let work: BlockingWork
    private let clock: any Clock<Duration>
    let sent = OctetCount()

    init(
        _ object: OutgoingObject, boundary: String, pace: LinePace, work: BlockingWork, clock: any Clock<Duration>
    ) {
        self.object = object
        self.pace = pace
        self.work = work
        self.clock = clock
        // Without the transfer syntax, which the file says: some servers pass over a part whose type has a parameter.
        head = ByteBuffer(string: "--\(boundary)\r\nContent-Type: application/dicom\r\n\r\n")
        tail = ByteBuffer(string: "\r\n--\(boundary)--\r\n")
    }

    var length: Int64 { Int64(head.readableBytes + tail.readableBytes) + object.length }

    func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    struct Iterator: AsyncIteratorProtocol {
        let body: StowBody
        private var waiting: ByteBuffer
        private var at: Int64 = 0
        private var isEnding = false

        init(body: StowBody) {
            self.body = body
            waiting = body.head
        }

        mutating func next() async throws -> ByteBuffer? {
            if waiting.readableBytes == 0 { try await fill() }
            guard let piece = waiting.readSlice(length: Swift.min(StowBody.piece, waiting.readableBytes)),
                piece.readableBytes > 0
            else { return nil }
            let pause = body.pace.take(piece.readableBytes)
            if pause > .zero { try await body.clock.sleep(for: pause) }
            body.sent.add(piece.readableBytes)
            return piece
        }

        private mutating func fill() async throws {
            let (object, start) = (body.object, at)
            if start < object.length {
                let count = Int(Swift.min(Int64(StowBody.read), object.length - start))
                let bytes = try await body.work.run(isBegun: true) { try object.read(from: start, count: count) }
                waiting = ByteBuffer(bytes: bytes)
                at += Int64(bytes.count)
            } else if !isEnding {
                isEnding = true
                waiting = body.tail
            }
        }
    }
}
