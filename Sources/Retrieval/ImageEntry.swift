// What is known of an image between requests: where its frames lie and how they are shown.

import DICOMCore
import DICOMImaging
import Synchronization
import Volumes

/// An image whose header was read.
struct ImageEntry: Sendable {
    let identity: ObjectIdentity
    let source: PixelSource
    let attributes: ImageAttributes
    let table: FrameTable
    /// What the frames are encoded in: the stored syntax, or what is really there.
    let pixelSyntax: TransferSyntax
    /// Bytes of memory, about.
    let cost: Int

    /// Reads the header and finds the frames; of a deflated or big-endian object a copy is made that can be read by range.
    init(_ stored: PixelSource, _ identity: ObjectIdentity, scratch: String) throws(RetrievalFailure) {
        let source = try stored.readable(identity, scratch: scratch)
        try self.init(source, header: source.header(), identity)
    }

    init(_ source: PixelSource, header: Header, _ identity: ObjectIdentity) throws(RetrievalFailure) {
        self.identity = identity
        self.source = source
        do throws(ImagingFailure) {
            attributes = try ImageAttributes(header)
            var table = try FrameTable.make(
                header: header, transferSyntax: source.transferSyntax, objectLength: source.length
            ) { offset, count throws(ImagingFailure) in
                do throws(RetrievalFailure) { return try source.read(from: offset, count: count) } catch {
                    throw .unavailable("object cannot be read")
                }
            }
            table.isDirect = !source.isCopy
            self.table = table
            pixelSyntax = try Self.pixelSyntax(source, table)
            // A copy holds room on the disk and an open file: a large one is not kept, of small ones a few.
            let copy = source.isCopy ? 16 << 10 + Int(source.length / 64) : 0
            cost = table.cost + header.dataSet.bytes.count + 1_024 + copy
        } catch {
            throw RetrievalFailure(error, from: identity.transferSyntaxUID)
        }
    }

    /// Objects whose transfer syntax is not theirs are found now and then; what is there decides.
    private static func pixelSyntax(_ source: PixelSource, _ table: FrameTable) throws(ImagingFailure) -> TransferSyntax
    {
        if !table.isEncapsulated { return .explicitVRLittleEndian }
        if source.transferSyntax.isEncapsulated { return source.transferSyntax }
        guard let range = table.ranges(of: 1)?.first, let bytes = try? source.read(from: range.lowerBound, count: 4)
        else { throw .unavailable("object cannot be read") }
        switch bytes.prefix(2) {
        case [0xFF, 0xD8]: return .jpegBaseline
        case [0xFF, 0x4F], [0x00, 0x00]: return .jpeg2000
        default: return .rleLossless
        }
    }

    /// The bytes of a frame, frames of single bits moved to the first bit.
    func stored(_ number: Int) throws(RetrievalFailure) -> [UInt8] {
        guard let ranges = table.ranges(of: number) else { throw .absent }
        // One frame may be as large as a worker takes; what is larger is read by range.
        guard ranges.reduce(0, { $0 + $1.count }) <= FrameCodec.largestFrame else {
            throw .notConvertible(from: pixelSyntax.uid, reason: "frame is too large")
        }
        var bytes: [UInt8] = []
        for range in ranges {
            let part = try source.read(from: range.lowerBound, count: range.count)
            if bytes.isEmpty { bytes = part } else { bytes += part }
        }
        let shift = UInt8(table.bitOffset(of: number))
        let bits = attributes.layout.bitsPerFrame
        guard !table.isEncapsulated, shift > 0 || bits % 8 > 0 else { return bytes }
        var aligned = (0..<(bits + 7) / 8).map { index in
            bytes[index] >> shift | (shift > 0 && index + 1 < bytes.count ? bytes[index + 1] << (8 - shift) : 0)
        }
        if bits % 8 > 0 { aligned[aligned.count - 1] &= 1 << UInt8(bits % 8) - 1 }
        return aligned
    }
}

/// The images that were asked for last, up to a number of bytes.
final class ImageCache: Sendable {
    private struct Slot {
        var entry: ImageEntry
        var used: UInt64
    }
    private struct State {
        var slots: [Place: Slot] = [:]
        var clock: UInt64 = 0
        var cost = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int = 32 << 20) { self.limit = limit }

    /// The image that lies at a place: a number of the catalogue may be given anew, or come to mean another copy.
    func entry(
        _ id: Place, make: () throws(RetrievalFailure) -> ImageEntry
    ) throws(RetrievalFailure) -> ImageEntry {
        let known = state.withLock { state in
            state.clock += 1
            state.slots[id]?.used = state.clock
            return state.slots[id]?.entry
        }
        if let known { return known }
        let entry = try make()
        guard entry.cost < limit / 4 else { return entry }
        state.withLock { state in
            state.cost += entry.cost - (state.slots[id]?.entry.cost ?? 0)
            state.slots[id] = Slot(entry: entry, used: state.clock)
            guard state.cost > limit else { return }
            // A quarter goes at once, so that this is rare.
            for (key, slot) in state.slots.sorted(by: { $0.value.used < $1.value.used }) {
                if state.cost <= limit * 3 / 4 { break }
                state.slots[key] = nil
                state.cost -= slot.entry.cost
            }
        }
        return entry
    }
}
