// Walks the fragments of encapsulated pixel data and says which belong to which frame (PS3.5 Section A.4).

/// The fragments of an object of strangers: every length is checked, every step goes forward.
struct FragmentScan {
    /// More than any object has.
    static let mostFragments = 2_000_000

    let objectLength: Int64
    /// Content of each fragment.
    private(set) var fragments: [Range<Int64>] = []
    /// Offsets of the Basic Offset Table, empty when there is none.
    private(set) var basicOffsets: [Int64] = []
    /// Where the item of the first fragment begins; offsets count from here.
    private var base: Int64 = 0
    /// Whether a fragment begins as a codestream does.
    private var beginsCodestream: [Bool] = []
    /// First byte after the pixel data, its delimitation item included.
    private(set) var end: Int64 = 0

    init(objectLength: Int64) { self.objectLength = objectLength }

    /// Part of the object that was read last.
    private struct Window {
        var start: Int64 = 0
        var bytes: [UInt8] = []

        func holds(_ range: Range<Int64>) -> Bool {
            range.lowerBound >= start && range.upperBound <= start + Int64(bytes.count)
        }
        subscript(_ offset: Int64) -> UInt8 { bytes[Int(offset - start)] }
        func uint32(at offset: Int64) -> UInt32 {
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(self[offset + Int64($1)]) << (8 * UInt32($1)) }
        }
    }

    mutating func run(
        from start: Int64, read: (Int64, Int) throws(ImagingFailure) -> [UInt8]
    ) throws(ImagingFailure) {
        var window = Window()
        var at = start
        var isTable = true
        var step: Int64 = 0
        while objectLength - at >= 8 {
            if !window.holds(at..<min(at + 20, objectLength)) {
                // Small fragments are walked in large windows; between large ones little is read.
                let size = step > 65_536 ? 4_096 : 65_536
                window = Window(start: at, bytes: try read(at, size))
                guard window.holds(at..<at + 8) else { throw .damaged("pixel data ends inside an item") }
            }
            let tag = window.uint32(at: at)
            guard tag == 0xE000_FFFE else {
                // The delimitation item, or something that is no item.
                if tag == 0xE0DD_FFFE { at += 8 }
                break
            }
            let length = Int64(window.uint32(at: at + 4))
            guard length != 0xFFFF_FFFF else { throw .damaged("a fragment of undefined length") }
            let content = at + 8..<min(at + 8 + length, objectLength)
            if isTable {
                isTable = false
                base = content.upperBound
                try readTable(content, read: read)
            } else {
                guard fragments.count < Self.mostFragments else { throw .damaged("too many fragments") }
                fragments.append(content)
                beginsCodestream.append(window.holds(at + 8..<at + 20) && Self.isBeginning(window, at + 8))
            }
            step = length
            at = content.upperBound
        }
        end = at
        guard !fragments.isEmpty else { throw .noPixels }
    }

    private mutating func readTable(
        _ content: Range<Int64>, read: (Int64, Int) throws(ImagingFailure) -> [UInt8]
    ) throws(ImagingFailure) {
        guard content.count >= 4, content.count <= Self.mostFragments * 4 else { return }
        let bytes = try read(content.lowerBound, content.count)
        basicOffsets = stride(from: 0, to: bytes.count / 4 * 4, by: 4).map { at in
            (0..<4).reduce(Int64(0)) { $0 | Int64(bytes[at + $1]) << (8 * $1) }
        }
    }

    /// SOI of JPEG and JPEG-LS, SOC and SIZ of JPEG 2000, or the signature box of JP2.
    private static func isBeginning(_ window: Window, _ at: Int64) -> Bool {
        switch (window[at], window[at + 1], window[at + 2]) {
        case (0xFF, 0xD8, 0xFF), (0xFF, 0x4F, 0xFF): true
        default: window.uint32(at: at + 4) == 0x2020_506A  // "jP  "
        }
    }

    /// For each frame the index of its first fragment: by an offset table that fits, one fragment each, or where
    /// codestreams begin.
    func frames(_ wanted: Int, extendedOffsets: [Int64]) throws(ImagingFailure) -> [Int] {
        if wanted == 1 { return [0] }
        if fragments.count == wanted { return Array(0..<wanted) }
        for offsets in [extendedOffsets, basicOffsets] where offsets.count == wanted {
            if let first = indices(of: offsets) { return first }
        }
        let beginnings = beginsCodestream.indices.filter { beginsCodestream[$0] }
        if beginnings.count == wanted, beginnings.first == 0 { return beginnings }
        // Cut off: what is whole so far can be shown, if frames and fragments go together.
        if fragments.count < wanted, beginnings.count == fragments.count || basicOffsets.count == wanted {
            return Array(fragments.indices)
        }
        throw .damaged("fragments do not match Number of Frames")
    }

    private func indices(of offsets: [Int64]) -> [Int]? {
        var indices: [Int] = []
        var index = 0
        for offset in offsets {
            // Offsets of the extended table are 64 bits of a stranger.
            guard (0...objectLength).contains(offset) else { return nil }
            while index < fragments.count, fragments[index].lowerBound - 8 < base + offset { index += 1 }
            guard index < fragments.count, fragments[index].lowerBound - 8 == base + offset, indices.last != index
            else { return nil }
            indices.append(index)
        }
        return indices.first == 0 ? indices : nil
    }
}
