// An object in its form for the line, in memory or, when it is long, in a file that nobody else sees.

import Crypto
package import Retrieval

/// A coded object.
package struct CodedObject: Sendable {
    fileprivate enum Place: Sendable {
        case memory([UInt8])
        case file(OwnFile)
    }

    private let place: Place
    /// SHA-256 of the coded form: its name on the line.
    package let digest: [UInt8]
    /// Octets of the coded form.
    package let length: Int64
    /// SHA-256 of the object.
    package let originalDigest: [UInt8]
    /// Octets of the object.
    package let originalLength: Int64

    /// Whether reading does not block.
    package var isInMemory: Bool {
        if case .memory = place { return true }
        return false
    }

    /// Octets from an offset, fewer at the end. Blocks.
    package func read(from offset: Int64, count: Int) throws(LineCodingFailure) -> [UInt8] {
        switch place {
        case .memory(let bytes):
            let start = Int(max(0, min(offset, length)))
            return Array(bytes[start..<min(start + count, bytes.count)])
        case .file(let file):
            do throws(RetrievalFailure) { return try file.read(from: offset, count: count) } catch {
                throw LineCodingFailure(error)
            }
        }
    }

    fileprivate init(
        _ place: Place, digest: [UInt8], length: Int64, originalDigest: [UInt8], originalLength: Int64
    ) {
        self.place = place
        self.digest = digest
        self.length = length
        self.originalDigest = originalDigest
        self.originalLength = originalLength
    }

    /// Longer ones go to a file.
    private static let inMemory = 1 << 20

    /// Puts a coded object together.
    struct Writer: ~Copyable {
        private let scratch: String
        private var memory: [UInt8] = []
        private var file: OwnFile?
        private var hash = SHA256()
        private var length: Int64 = 0

        init(scratch: String) { self.scratch = scratch }

        mutating func append(_ bytes: [UInt8]) throws(LineCodingFailure) {
            hash.update(data: bytes)
            length += Int64(bytes.count)
            do throws(RetrievalFailure) {
                if let file { return try Self.append(bytes, to: file) }
                guard memory.count + bytes.count > CodedObject.inMemory else {
                    memory += bytes
                    return
                }
                let made = try OwnFile(in: scratch)
                try Self.append(memory, to: made)
                try Self.append(bytes, to: made)
                file = made
                memory = []
            } catch { throw LineCodingFailure(error) }
        }

        private static func append(_ bytes: [UInt8], to file: OwnFile) throws(RetrievalFailure) {
            let result = unsafe bytes.withUnsafeBytes { bytes -> Result<Void, RetrievalFailure> in
                Result { () throws(RetrievalFailure) in try unsafe file.append(bytes) }
            }
            try result.get()
        }

        consuming func finish(originalDigest: [UInt8], originalLength: Int64) -> CodedObject {
            CodedObject(
                file.map(Place.file) ?? .memory(memory), digest: Array(hash.finalize()), length: length,
                originalDigest: originalDigest, originalLength: originalLength)
        }
    }
}

extension LineCodingFailure {
    package init(_ failure: RetrievalFailure) {
        switch failure {
        case .absent: self = .unreadable("the object was deleted meanwhile")
        case .outOfSpace: self = .outOfSpace
        case .busy: self = .busy
        case .notConvertible(_, let reason), .unreadable(let reason): self = .unreadable(reason)
        }
    }
}
