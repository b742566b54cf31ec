// An object that has arrived whole: looked at, restored, and taken in for good.

import Catalog
import Crypto
import Ingest
import LineCoding
import Volumes
import Web

/// Calls block.
struct ObjectArrival: Sendable {
    private let services: ExchangeServices
    private let object: AnnouncedObject
    private let ticket: UploadTicket
    private let source: String

    init(_ services: ExchangeServices, _ object: AnnouncedObject, _ ticket: UploadTicket, source: String) {
        self.services = services
        self.object = object
        self.ticket = ticket
        self.source = source
    }

    /// Success is durable and enrolled. What is worth nothing is thrown away, what can be taken later is kept.
    func accept() throws -> Receipt.Outcome {
        do {
            try checkCoded()
            guard services.volumes.hasSpace else { throw LineCodingFailure.outOfSpace }
            let receipt = try restore()
            if receipt.outcome == .duplicate {
                try HeldObjects(services).note(object.uid, digest: object.digest, as: receipt.storedDigest)
            }
            ticket.remove()
            return receipt.outcome
        } catch let failure as IngestFailure {
            switch failure {
            case .outOfSpace, .busy, .stopped, .storage: ticket.leave()
            case .unreadable, .invalidIdentifier, .identifierMismatch, .refused, .tooLarge: ticket.remove()
            }
            throw Problem(failure)
        } catch let failure as LineCodingFailure {
            throw Problem(settled(failure))
        } catch {
            ticket.leave()
            throw error
        }
    }

    /// What cannot be decoded is thrown away; what could not be decoded this time only when that happens again and again.
    private func settled(_ failure: LineCodingFailure) -> LineCodingFailure {
        switch failure {
        case .damaged: ticket.remove()
        case .lost:
            if services.losses.isHopeless(afterLossOf: object.codedDigest) {
                ticket.remove()
                return .damaged("decoders end over it")
            }
            ticket.leave()
        case .rotten, .busy, .outOfSpace, .unreadable: ticket.leave()
        }
        return failure
    }

    private func checkCoded() throws(LineCodingFailure) {
        var hash = SHA256()
        var at: Int64 = 0
        while at < ticket.length {
            let bytes = try read(at, 1 << 20)
            guard !bytes.isEmpty else { throw .unreadable("what has arrived") }
            hash.update(data: bytes)
            at += Int64(bytes.count)
        }
        guard Array(hash.finalize()) == object.codedDigest else { throw .damaged("its coded form has another digest") }
    }

    private func restore() throws -> Receipt {
        let ticket = ticket
        var decoder = try LineDecoder(
            codedLength: ticket.length, most: services.ingest.longestObject, codecs: services.codecs
        ) { offset, count throws(LineCodingFailure) in try Self.read(ticket, offset, count) }
        var arrival = services.ingest.begin(Origin(source: source, priority: object.priority))
        while let piece = try decoder.next() {
            let result = unsafe piece.withUnsafeBytes { bytes -> Result<Void, IngestFailure> in
                Result { () throws(IngestFailure) in try unsafe arrival.append(bytes) }
            }
            try result.get()
        }
        guard decoder.digest == object.digest else { throw LineCodingFailure.damaged("it has another digest") }
        let object = object
        return try services.ingest.accept(arrival) { facts throws(IngestFailure) in
            guard facts.sopInstanceUID == object.uid else { throw .identifierMismatch(attribute: "SOPInstanceUID") }
            guard facts.studyInstanceUID == object.study else {
                throw .identifierMismatch(attribute: "StudyInstanceUID")
            }
        }
    }

    private func read(_ offset: Int64, _ count: Int) throws(LineCodingFailure) -> [UInt8] {
        try Self.read(ticket, offset, count)
    }

    private static func read(
        _ ticket: UploadTicket, _ offset: Int64, _ count: Int
    ) throws(LineCodingFailure) -> [UInt8] {
        do throws(UploadFailure) { return try ticket.read(from: offset, count: count) } catch {
            throw .unreadable("what has arrived")
        }
    }
}
