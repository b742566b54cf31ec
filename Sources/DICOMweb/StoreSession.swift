// Takes the parts of one store request in: the next one is read while those before it are written.

import Hummingbird
import Ingest
import Web

/// One request's way through the archive.
struct StoreSession: Sendable {
    let ingest: IngestPipeline
    let lanes: StoreLanes
    let rule: StoreRule

    /// What is gathered of a part before a thread takes it: all of a common slice.
    private static let piece = 1 << 20
    /// Objects of one request that wait for the disk at once, so that they go there together.
    private static let window = 8

    private typealias Numbered = (number: Int, outcome: StoreOutcome)

    /// A part that is being read.
    private struct Part {
        let number: Int
        /// Nil when it is passed over.
        let upload: StoreUpload?
        var fault: StoreFault?
        var gathered = Gathered()
    }

    /// A multipart body. Its failures come after everything whole before them has been stored.
    /// - Parameter root: the media type of its parts, for those that do not say.
    func receive(_ body: RequestBody, boundary: String, root: String) async throws -> [StoreOutcome] {
        var reader = try Self.reading { () throws(MultipartFailure) in try MultipartReader(boundary: boundary) }
        return try await withThrowingTaskGroup(of: Numbered.self) { group in
            var outcomes: [Int: StoreOutcome] = [:]
            var (begun, running) = (0, 0)
            var part: Part?
            for try await chunk in body {
                reader.append(chunk)
                while let event = try Self.reading({ () throws(MultipartFailure) in try reader.next() }) {
                    switch event {
                    case .begin(let header):
                        part = open(begun, header, root)
                        begun += 1
                    case .bytes(let bytes): try await add(bytes, to: &part)
                    case .end:
                        guard let ended = part.take() else { continue }
                        if running >= Self.window, let done = try await group.next() {
                            outcomes[done.number] = done.outcome
                            running -= 1
                        }
                        running += 1
                        group.addTask { try await finish(ended) }
                    }
                }
            }
            try Self.reading { () throws(MultipartFailure) in try reader.finish() }
            for try await done in group { outcomes[done.number] = done.outcome }
            return outcomes.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    /// A body that is one object.
    /// - Parameter length: what the request says of its length; a body that ends sooner was cut off.
    func receive(_ body: RequestBody, length: Int) async throws -> StoreOutcome {
        var part: Part? = Part(number: 0, upload: StoreUpload(ingest: ingest, rule: rule))
        var count = 0
        for try await chunk in body {
            count += chunk.readableBytes
            try await add(chunk, to: &part)
        }
        guard count == length, let part else { throw Problem(.badRequest, "The body ends before its length.") }
        return try await finish(part).outcome
    }

    private func open(_ number: Int, _ header: PartHeader, _ root: String) -> Part {
        switch header.contentType?.essence ?? root {
        case "application/dicom", "application/octet-stream":
            Part(number: number, upload: StoreUpload(ingest: ingest, rule: rule))
        default: Part(number: number, upload: nil, fault: .unsupportedMedia)
        }
    }

    private func add(_ bytes: ByteBuffer, to part: inout Part?) async throws {
        guard let upload = part?.upload, part?.fault == nil else { return }
        part?.gathered.add(bytes)
        guard let count = part?.gathered.count, count >= Self.piece, let pieces = part?.gathered.take() else { return }
        do {
            try await lanes.appending.run { try upload.append(pieces) }
        } catch let failure as IngestFailure {
            // The rest of the part is passed over; the parts behind it are not lost.
            part?.fault = .ingest(failure)
        }
    }

    private func finish(_ part: Part) async throws -> Numbered {
        guard let upload = part.upload, part.fault == nil else {
            return (part.number, StoreOutcome(.failure(part.fault ?? .unsupportedMedia)))
        }
        let pieces = part.gathered.pieces
        return (part.number, try await lanes.accepting.run { upload.accept(pieces) })
    }

    private static func reading<Value>(_ step: () throws(MultipartFailure) -> Value) throws -> Value {
        do throws(MultipartFailure) { return try step() } catch {
            throw Problem(error == .tooManyParts ? .contentTooLarge : .badRequest, error.sentence)
        }
    }
}
