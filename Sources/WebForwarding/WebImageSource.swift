// Studies fetched from a DICOMweb server: searched, and their objects taken in one by one as they come.

import AsyncHTTPClient
import Catalog
import DICOMCore
import Dispatch
package import Forwarding
import Foundation
package import Ingest
import NIOCore
import NIOHTTP1
import Synchronization
import Web

/// A DICOMweb server as a source of studies: QIDO-RS and WADO-RS (PS3.18 Sections 10.4 and 10.6).
package struct WebImageSource: ImageSource {
    /// Objects that are fetched at a time.
    private static let together = 4

    /// Of the process, as its event loops are: it ends with it.
    private static let work = BlockingWork(threads: together)

    package let name: String
    private let destination: WebDestination

    package init(name: String, _ destination: WebDestination) {
        self.name = name
        self.destination = destination
    }

    // MARK: What is there

    package func studies(_ question: RemoteQuestion, limit: Int) throws(PullFailure) -> [RemoteStudy] {
        try waiting { try await WebSearch(destination).studies(question, limit: limit) }
    }

    package func listing(ofStudy uid: String) throws(PullFailure) -> RemoteListing {
        try waiting {
            let search = WebSearch(destination)
            var listing = RemoteListing()
            listing.instances = try await search.objects(of: uid).map {
                RemoteInstance(
                    seriesInstanceUID: $0.seriesInstanceUID, sopInstanceUID: $0.sopInstanceUID,
                    sopClassUID: $0.sopClassUID)
            }
            listing.bodyParts = try await search.bodyParts(of: uid)
            return listing
        }
    }

    // MARK: Fetching

    package func fetch(
        _ missing: [RemoteInstance], ofStudy uid: String, of listing: RemoteListing, into ingest: IngestPipeline
    ) throws(PullFailure) -> String {
        try waiting {
            try await withThrowingTaskGroup(of: String?.self) { group in
                var first = ""
                var waiting = missing[...]
                func start() {
                    guard let next = waiting.popFirst() else { return }
                    group.addTask { try await retrieve(next, ofStudy: uid, into: ingest) }
                }
                for _ in 0..<Self.together { start() }
                while let failure = try await group.next() {
                    if let failure, first.isEmpty { first = failure }
                    start()
                }
                return first
            }
        }
    }

    /// One object; why it did not come. What the server refuses, and what is not what it says, is the object's failure; a line that breaks is
    /// everybody's.
    private func retrieve(
        _ wanted: RemoteInstance, ofStudy study: String, into ingest: IngestPipeline
    ) async throws -> String? {
        let path = "/studies/\(study)/series/\(wanted.seriesInstanceUID)/instances/\(wanted.sopInstanceUID)"
        let request = destination.request(
            path, accept: "multipart/related; type=\"application/dicom\"; transfer-syntax=*")
        return try await destination.ask(request, within: 6 * 3_600) { response in
            try await take(response, wanted, ofStudy: study, into: ingest)
        }
    }

    private func take(
        _ response: HTTPClientResponse, _ wanted: RemoteInstance, ofStudy study: String, into ingest: IngestPipeline
    ) async throws -> String? {
        guard response.status == .ok else {
            return try await refusal(response, "it answers with \(response.status.code)")
        }
        let type = response.headers.first(name: "Content-Type").flatMap { ContentType($0) }
        guard let boundary = type?.parameters["boundary"], type?.essence == "multipart/related" else {
            return try await refusal(response, "its answer is not multipart/related")
        }
        let intake = ObjectIntake(ingest: ingest, source: name, study: study, sopInstanceUID: wanted.sopInstanceUID)
        do {
            var reader = try MultipartReader(boundary: boundary)
            var gathered: [ByteBuffer] = []
            var (count, parts) = (0, 0)
            for try await chunk in response.body {
                reader.append(chunk)
                while let event = try reader.next() {
                    switch event {
                    case .begin: parts += 1
                    case .bytes(let bytes) where parts == 1:
                        gathered.append(bytes)
                        count += bytes.readableBytes
                    case .bytes, .end: break
                    }
                }
                guard count >= 1 << 20 else { continue }
                let pieces = gathered
                (gathered, count) = ([], 0)
                try await Self.work.run(isBegun: true) { try intake.append(pieces) }
            }
            try reader.finish()
            guard parts == 1 else { return "it answers with \(parts) objects" }
            let pieces = gathered
            return try await Self.work.run(isBegun: true) { intake.accept(pieces) }
        } catch let failure as MultipartFailure {
            return failure.sentence
        } catch let failure as IngestFailure {
            return "not taken in: \(failure)"
        }
    }

    /// A server that is busy, or does not know us, is so for all objects; of one it may have none.
    private func refusal(_ response: HTTPClientResponse, _ words: String) async throws -> String? {
        var left = 64 << 10
        for try await chunk in response.body {
            left -= chunk.readableBytes
            if left < 0 { break }
        }
        switch response.status.code {
        case 401, 403: throw WebFailure(sentence: "our credential is not accepted", isRefusal: true)
        case 429, 500...: throw WebFailure(sentence: words)
        default: return words
        }
    }

    // MARK: From plain threads

    /// Waits on the thread of the caller, who is on none of the cooperative pool.
    private func waiting<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) throws(PullFailure) -> Value {
        let done = DispatchSemaphore(value: 0)
        let box = ResultBox<Value>()
        Task {
            do { box.put(.success(try await body())) } catch { box.put(.failure(Self.failure(error))) }
            done.signal()
        }
        done.wait()
        guard let result = box.take() else { throw .failed("stopped") }
        return try result.get()
    }

    private static func failure(_ error: any Error) -> PullFailure {
        switch error {
        case let failure as WebFailure: failure.isRefusal ? .refused(failure.sentence) : .failed(failure.sentence)
        case is Problem: .unavailable("The archive is busy")
        default:
            WebDestination.isUnreached(error)
                ? .unreached(WebDestination.words(error)) : .failed(WebDestination.words(error))
        }
    }
}

/// Hands a value from a task to a thread that waits for it.
private final class ResultBox<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, PullFailure>?>(nil)

    func put(_ value: Result<Value, PullFailure>) { result.withLock { $0 = value } }
    func take() -> Result<Value, PullFailure>? { result.withLock { $0.take() } }
}

/// An object on its way in. Its calls block; dropped before it is accepted it leaves nothing behind.
private final class ObjectIntake: Sendable {
    private let ingest: IngestPipeline
    private let source: String
    private let study: String
    private let sopInstanceUID: String
    private let arrival = Mutex<Arrival?>(nil)

    init(ingest: IngestPipeline, source: String, study: String, sopInstanceUID: String) {
        self.ingest = ingest
        self.source = source
        self.study = study
        self.sopInstanceUID = sopInstanceUID
    }

    func append(_ pieces: [ByteBuffer]) throws(IngestFailure) {
        let origin = Origin(source: source)
        try arrival.withLock { [ingest] arrival throws(IngestFailure) in
            if arrival == nil { arrival = ingest.begin(origin) }
            for piece in pieces {
                var failure: IngestFailure?
                unsafe piece.withUnsafeReadableBytes { bytes in
                    do throws(IngestFailure) { try unsafe arrival?.append(bytes) } catch { failure = error }
                }
                if let failure { throw failure }
            }
        }
    }

    /// Waits until the object is durable and enrolled.
    /// - Returns: why it is not; it must be the one that was asked for.
    func accept(_ pieces: [ByteBuffer]) -> String? {
        do throws(IngestFailure) {
            try append(pieces)
            guard let arrival = arrival.withLock({ $0.take() }) else { throw .unreadable(reason: "no bytes") }
            _ = try ingest.accept(arrival) { facts throws(IngestFailure) in
                guard facts.sopInstanceUID == sopInstanceUID else {
                    throw .identifierMismatch(attribute: "SOPInstanceUID")
                }
                guard facts.studyInstanceUID == study else {
                    throw .identifierMismatch(attribute: "StudyInstanceUID")
                }
            }
            return nil
        } catch { return "not taken in: \(error)" }
    }
}
