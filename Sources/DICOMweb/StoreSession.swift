// Takes the parts of one store request in: the next one is read while those before it are written.

import Hummingbird
import Ingest
import Web

/// One request's way through the archive.
struct StoreSession: Sendable {
    let ingest: IngestPipeline
    let lanes: StoreLanes
    let rule: StoreRule
    /// Where bulk data wait for their metadata.
    let scratch: String
    /// For objects that are made here; asked for once there is one. It blocks.
    let defaults: @Sendable () -> WrapDefaults

    /// Objects of one request that wait for the disk at once, so that they go there together.
    private static let window = 8

    private typealias Numbered = (number: Int, outcome: StoreOutcome)

    /// A multipart body. Its failures come after everything whole before them has been stored.
    /// - Parameter root: the media type of its parts, for those that do not say.
    func receive(_ body: RequestBody, boundary: String, root: String) async throws -> [StoreOutcome] {
        var reader = try Self.reading { () throws(MultipartFailure) in try MultipartReader(boundary: boundary) }
        var material = StoreMaterial()
        var outcomes = try await withThrowingTaskGroup(of: Numbered.self) { group in
            var outcomes: [Int: StoreOutcome] = [:]
            var (begun, running) = (0, 0)
            var part: StorePart?
            for try await chunk in body {
                reader.append(chunk)
                while let event = try Self.reading({ () throws(MultipartFailure) in try reader.next() }) {
                    switch event {
                    case .begin(let header):
                        part = try open(begun, header, root: root, &material)
                        begun += 1
                    case .bytes(let bytes): try await add(bytes, to: &part, material)
                    case .end:
                        guard let ended = part.take(), try await !keep(ended, &material) else { continue }
                        if running >= Self.window, let done = try await group.next() {
                            outcomes[done.number] = done.outcome
                            running -= 1
                        }
                        running += 1
                        group.addTask { (ended.number, try await finish(ended)) }
                    }
                }
            }
            try Self.reading { () throws(MultipartFailure) in try reader.finish() }
            for try await done in group { outcomes[done.number] = done.outcome }
            return outcomes.sorted { $0.key < $1.key }.map(\.value)
        }
        outcomes += try await assemble(material)
        return outcomes
    }

    /// A body that is one part.
    /// - Parameter length: what the request says of its length; a body that ends sooner was cut off.
    func receive(_ body: RequestBody, type: String, length: Int) async throws -> [StoreOutcome] {
        var material = StoreMaterial()
        var part: StorePart? = try open(0, PartHeader(["content-type": type]), root: type, &material)
        var count = 0
        for try await chunk in body {
            count += chunk.readableBytes
            try await add(chunk, to: &part, material)
        }
        guard count == length, let part else { throw Problem(.badRequest, "The body ends before its length.") }
        if try await keep(part, &material) { return try await assemble(material) }
        return [try await finish(part)]
    }

    private func finish(_ part: StorePart) async throws -> StoreOutcome {
        guard case .object(let upload) = part.kind, part.fault == nil else {
            return StoreOutcome(.failure(part.fault ?? .unsupportedMedia))
        }
        let pieces = part.gathered.pieces
        return try await lanes.accepting.run { upload.accept(pieces) }
    }

    private static func reading<Value>(_ step: () throws(MultipartFailure) -> Value) throws -> Value {
        do throws(MultipartFailure) { return try step() } catch {
            throw Problem(error == .tooManyParts ? .contentTooLarge : .badRequest, error.sentence)
        }
    }
}
