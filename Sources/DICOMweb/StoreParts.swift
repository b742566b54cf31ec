// The parts of one store request as they come: objects go straight into the archive, bulk data wait for their metadata.

import Foundation
import Hummingbird
import Ingest
import Retrieval
import Web

/// A part that is being read.
struct StorePart: Sendable {
    enum Kind: Sendable {
        /// A whole object.
        case object(StoreUpload)
        /// DICOM JSON, or the Native DICOM Model in XML.
        case metadata(isXML: Bool)
        /// What metadata refer to, or an image, document or video by itself.
        case bulk(type: String, transferSyntax: String?, location: String?, start: Int64)
        case refused
    }

    let kind: Kind
    let number: Int
    var fault: StoreFault?
    var gathered = Gathered()
}

/// What a request has brought that is no object yet.
struct StoreMaterial: Sendable {
    var metadata: [(bytes: [UInt8], isXML: Bool)] = []
    /// Bytes of all metadata.
    var metadataCount = 0
    var bulks: [BulkPart] = []
    /// The bulk parts, one after the other.
    var spool: OwnFile?

    var isEmpty: Bool { metadata.isEmpty && bulks.isEmpty }
}

extension StoreSession {
    /// What is gathered of a part before a thread takes it: all of a common slice.
    private static let piece = 1 << 20
    private static let mostMetadata = 32 << 20
    static let mostBulks = 10_000

    /// What a media type makes of a part; nil for one that cannot be stored.
    static func isBulk(_ type: String) -> Bool {
        type.hasPrefix("image/") || type == "application/pdf" || type == "video/mp4"
    }

    func open(
        _ number: Int, _ header: PartHeader, root: String, _ material: inout StoreMaterial
    ) throws -> StorePart {
        let type = header.contentType
        let essence = type?.essence ?? root
        switch essence {
        case "application/dicom",
            "application/octet-stream" where root == "application/dicom":
            return StorePart(kind: .object(StoreUpload(ingest: ingest, rule: rule)), number: number)
        case "application/dicom+json": return StorePart(kind: .metadata(isXML: false), number: number)
        case "application/dicom+xml": return StorePart(kind: .metadata(isXML: true), number: number)
        case _ where Self.isBulk(essence), "application/octet-stream":
            guard material.bulks.count < Self.mostBulks else { throw Self.tooMuch }
            if material.spool == nil { material.spool = try spool() }
            let kind = StorePart.Kind.bulk(
                type: essence, transferSyntax: type?.parameters["transfer-syntax"],
                location: header["content-location"], start: material.spool?.length ?? 0)
            return StorePart(kind: kind, number: number)
        default: return StorePart(kind: .refused, number: number, fault: .unsupportedMedia)
        }
    }

    func spool() throws -> OwnFile {
        do throws(RetrievalFailure) { return try OwnFile(in: scratch) } catch { throw Problem.busy }
    }

    func add(_ bytes: ByteBuffer, to part: inout StorePart?, _ material: StoreMaterial) async throws {
        guard let kind = part?.kind, part?.fault == nil else { return }
        part?.gathered.add(bytes)
        let count = part?.gathered.count ?? 0
        do {
            switch kind {
            case .object(let upload):
                guard count >= Self.piece, let pieces = part?.gathered.take() else { return }
                try await lanes.appending.run { try upload.append(pieces) }
            case .bulk:
                guard count >= Self.piece, let pieces = part?.gathered.take() else { return }
                try await lanes.appending.run { [spool = material.spool] in try spool?.append(pieces) }
            case .metadata: if material.metadataCount + count > Self.mostMetadata { throw Self.tooMuch }
            case .refused: return
            }
        } catch let failure as IngestFailure {
            // The rest of the part is passed over; the parts behind it are not lost.
            part?.fault = .ingest(failure)
        }
    }

    /// Keeps a part that is no object by itself; false when it is one, or when it was refused.
    func keep(_ part: StorePart, _ material: inout StoreMaterial) async throws -> Bool {
        guard part.fault == nil else { return false }
        let pieces = part.gathered.pieces
        switch part.kind {
        case .object, .refused: return false
        case .metadata(let isXML):
            guard material.metadata.count < Self.mostBulks else { throw Self.tooMuch }
            material.metadata.append((pieces.flatMap { Array($0.readableBytesView) }, isXML))
            material.metadataCount += part.gathered.count
        case .bulk(let type, let transferSyntax, let location, let start):
            guard let spool = material.spool else { return false }
            do { try await lanes.appending.run { try spool.append(pieces) } } catch is IngestFailure {
                throw Problem.busy
            }
            material.bulks.append(
                BulkPart(type: type, transferSyntax: transferSyntax, location: location, range: start..<spool.length))
        }
        return true
    }

    static let tooMuch = Problem(.contentTooLarge, "The metadata or bulk data of the request are too many.")
}
