// First stop: an object's bytes as they come in, hashed on the way, in memory until they are too many.

import Crypto
import DICOMCore
import Volumes

/// Who sent an object and what the request said of it.
package struct Origin: Sendable {
    /// Calling AE title, or the way in ("import").
    package let source: String
    /// Identity that the request announced; the data set must not contradict it.
    package let announced: AnnouncedIdentity?

    package init(source: String, announced: AnnouncedIdentity? = nil) {
        self.source = source
        self.announced = announced
    }
}

/// SOP class, instance and transfer syntax as told by a C-STORE request (PS3.7 Section 9.3.1.1).
package struct AnnouncedIdentity: Sendable {
    package let sopClassUID: String
    package let sopInstanceUID: String
    package let transferSyntaxUID: String

    package init(sopClassUID: String, sopInstanceUID: String, transferSyntaxUID: String) {
        self.sopClassUID = sopClassUID
        self.sopInstanceUID = sopInstanceUID
        self.transferSyntaxUID = transferSyntaxUID
    }
}

/// One object on its way in. Dropped before it is accepted, it leaves nothing behind.
///
/// With an announced identity the bytes appended are a data set and a file header is put before them; without one
/// they are a Part 10 file.
package struct Arrival: ~Copyable {
    let origin: Origin
    /// The object so far while it is in memory; its beginning once it is streamed.
    var buffer: [UInt8]
    /// Streamed bytes that are not written yet.
    private var unwritten: [UInt8] = []
    /// Length of the file header that we put before a data set; nil when a whole file arrives.
    let ownHeaderLength: Int?
    var hash = SHA256()
    var length: Int64 = 0
    var stream: StreamedEntry?
    let budget: MemoryBudget
    let limits: IngestLimits
    private let openStream: @Sendable () throws(VolumeFailure) -> StreamedEntry

    init(
        origin: Origin, buffer: [UInt8], budget: MemoryBudget, limits: IngestLimits,
        openStream: @escaping @Sendable () throws(VolumeFailure) -> StreamedEntry
    ) {
        self.origin = origin
        self.buffer = buffer
        self.budget = budget
        self.limits = limits
        self.openStream = openStream
        if let announced = origin.announced {
            let header = Part10.header(
                sopClassUID: announced.sopClassUID, sopInstanceUID: announced.sopInstanceUID,
                transferSyntaxUID: announced.transferSyntaxUID)
            self.buffer.append(contentsOf: header)
            hash.update(data: header)
            ownHeaderLength = header.count
            length = Int64(header.count)
            budget.add(header.count)
        } else {
            ownHeaderLength = nil
        }
    }

    deinit { if stream == nil { budget.remove(buffer.count) } }

    /// Takes the next bytes: one copy, from the network's or the file's buffer into ours.
    package mutating func append(_ fragment: UnsafeRawBufferPointer) throws(IngestFailure) {
        guard length + Int64(fragment.count) <= limits.maximumObjectSize else {
            throw .tooLarge
        }
        unsafe hash.update(bufferPointer: fragment)
        length += Int64(fragment.count)
        if stream != nil {
            unsafe unwritten.append(contentsOf: fragment)
            if unwritten.count >= Self.streamedPiece { try flush() }
            return
        }
        unsafe buffer.append(contentsOf: fragment)
        budget.add(fragment.count)
        if buffer.count > spillThreshold { try spill() }
    }

    private static let streamedPiece = 1 << 20

    /// Writes what has come in since the last time.
    mutating func flush() throws(IngestFailure) {
        guard let stream, !unwritten.isEmpty else { return }
        do throws(VolumeFailure) { try stream.append(unwritten) } catch { throw IngestFailure(error) }
        unwritten.removeAll(keepingCapacity: true)
    }

    /// Objects leave memory earlier when many large ones come in at once.
    private var spillThreshold: Int {
        budget.isTight ? min(limits.streamThreshold, limits.tightStreamThreshold) : limits.streamThreshold
    }

    /// Moves the object to a volume of its own; the beginning stays in memory to be inspected.
    private mutating func spill() throws(IngestFailure) {
        do throws(VolumeFailure) {
            let opened = try openStream()
            try opened.append(buffer)
            stream = opened
        } catch { throw IngestFailure(error) }
        budget.remove(buffer.count)
        buffer = Array(buffer.prefix(limits.inspectedPrefix))
    }
}
