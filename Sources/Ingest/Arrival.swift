// First stop: an object's bytes as they come in, hashed on the way, in memory until they are too many.

import Catalog
import Crypto
import DICOMCore
import Volumes

/// Who sent an object and what the request said of it.
package struct Origin: Sendable {
    /// Calling AE title, or the way in ("import").
    package let source: String
    /// Identity that the request announced; the data set must not contradict it.
    package let announced: AnnouncedIdentity?
    package let priority: IngestPriority

    package init(source: String, announced: AnnouncedIdentity? = nil, priority: IngestPriority = .routine) {
        self.source = source
        self.announced = announced
        self.priority = priority
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
    /// The object so far, as long as it is in memory.
    private(set) var buffer: EntryBuffer
    /// The beginning of an object that is streamed.
    private(set) var head: [UInt8] = []
    /// Streamed bytes that are not written yet.
    private var unwritten: [UInt8] = []
    /// Length of the file header that we put before a data set; nil when a whole file arrives.
    let ownHeaderLength: Int?
    var hash = SHA256()
    var length: Int64 = 0
    var stream: StreamedEntry?
    /// Copies of this object that were there when it began to arrive; nil when that is not known.
    let known: [StoredCopy]?
    private let memory: BufferPool
    private let limits: IngestLimits
    private let openStream: @Sendable () throws(VolumeFailure) -> StreamedEntry

    init(
        origin: Origin, known: [StoredCopy]?, memory: BufferPool, limits: IngestLimits,
        openStream: @escaping @Sendable () throws(VolumeFailure) -> StreamedEntry
    ) {
        self.origin = origin
        self.known = known
        self.memory = memory
        self.limits = limits
        self.openStream = openStream
        buffer = memory.take()
        if let announced = origin.announced {
            let header = Part10.header(
                sopClassUID: announced.sopClassUID, sopInstanceUID: announced.sopInstanceUID,
                transferSyntaxUID: announced.transferSyntaxUID)
            buffer.append(header.span)
            hash.update(data: header)
            ownHeaderLength = header.count
            length = Int64(header.count)
            memory.add(header.count)
        } else {
            ownHeaderLength = nil
        }
    }

    deinit {
        memory.remove(head.count)
        memory.give(buffer)
    }

    /// Takes the next bytes. Copies that an object goes through in this process: from the socket to the toolkit's buffer of
    /// one PDU; from there to ours, here, in the processor's cache right after the digest; its header once more to be
    /// read. From our buffer the disk fetches it by itself. Objects below 128 KiB are put side by side before that.
    package mutating func append(_ fragment: UnsafeRawBufferPointer) throws(IngestFailure) {
        do throws(IngestFailure) { try unsafe take(fragment) } catch {
            IngestMetrics.refused(error, source: origin.source)
            throw error
        }
    }

    private mutating func take(_ fragment: UnsafeRawBufferPointer) throws(IngestFailure) {
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
        unsafe buffer.append(fragment)
        memory.add(fragment.count)
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
        memory.isTight ? min(limits.streamThreshold, limits.tightStreamThreshold) : limits.streamThreshold
    }

    /// Moves the object to a volume of its own; the beginning stays in memory to be inspected.
    private mutating func spill() throws(IngestFailure) {
        do throws(VolumeFailure) {
            let opened = try openStream()
            try buffer.withBytes(0..<buffer.count) { bytes throws(VolumeFailure) in try opened.append(bytes) }
            stream = opened
        } catch { throw IngestFailure(error) }
        head = buffer.prefix(memory.isTight ? limits.inspectedPrefix / 8 : limits.inspectedPrefix)
        memory.add(head.count)
        memory.give(buffer)
        buffer = EntryBuffer()
    }

    /// Reads the header: from as much of the object as that takes.
    func reading() throws(IngestFailure) -> Inspected.Reading {
        if stream != nil { return try reading(of: head, isWhole: false) }
        var count = 64 << 10
        while true {
            let isWhole = count >= buffer.count
            do throws(IngestFailure) {
                let reading = try reading(of: buffer.prefix(count), isWhole: isWhole)
                if isWhole || reading.reachedPixelData { return reading }
            } catch {
                if isWhole { throw error }
            }
            count *= 8
        }
    }

    private func reading(of bytes: [UInt8], isWhole: Bool) throws(IngestFailure) -> Inspected.Reading {
        try Inspected.reading(
            of: bytes, isWhole: isWhole, dataSetOffset: ownHeaderLength, announced: origin.announced)
    }
}
