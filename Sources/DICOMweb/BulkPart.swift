// Bulk data of a request, kept on disk until the object around it can be written: memory stays flat.

import Ingest
import NIOCore
import Retrieval

/// One bulk part of a request.
struct BulkPart: Sendable {
    /// Media type, in lower case.
    let type: String
    /// Transfer syntax that the part names.
    let transferSyntax: String?
    /// Content-Location: what the metadata call it.
    let location: String?
    /// Where it lies in the file of the request.
    let range: Range<Int64>

    var count: Int64 { range.upperBound - range.lowerBound }
}

extension OwnFile {
    /// Adds pieces that came over the network.
    func append(_ pieces: [ByteBuffer]) throws(IngestFailure) {
        for piece in pieces {
            let result = unsafe piece.withUnsafeReadableBytes { bytes -> Result<Void, RetrievalFailure> in
                Result { () throws(RetrievalFailure) in try unsafe append(bytes) }
            }
            do throws(RetrievalFailure) { try result.get() } catch { throw IngestFailure(file: error) }
        }
    }

    /// Bytes of a range.
    func read(_ range: Range<Int64>) throws(IngestFailure) -> [UInt8] {
        do throws(RetrievalFailure) {
            return try read(from: range.lowerBound, count: Int(range.upperBound - range.lowerBound))
        } catch { throw IngestFailure(file: error) }
    }
}

extension IngestFailure {
    /// What became of a temporary file, for who stores.
    init(file failure: RetrievalFailure) {
        switch failure {
        case .outOfSpace: self = .outOfSpace
        case .absent, .notConvertible, .unreadable, .busy: self = .storage(reason: "bulk data: \(failure)")
        }
    }
}
