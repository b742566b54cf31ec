// Memory in which an entry is put together, so that it goes to the disk as it lies there: the header's room, the body, padding.

import Glibc

/// A Part 10 file in memory, with room before it for the header blocks of its entry.
///
/// The memory begins on a page and the body on a block, as writing past the page cache demands, so that an entry is
/// written from where the network put it. One owner at a time: whoever fills it, then whoever writes it.
@safe package final class EntryBuffer: @unchecked Sendable {
    /// Where the body begins. Longer headers are possible and cost a copy.
    static let headerRoom = 4_096
    private static let page = 4_096
    /// Up to here memory is taken as it comes; above it in huge pages, which the disk reads in few pieces.
    private static let smallCapacity = 64 << 10
    private static let hugePage = 2 << 20

    private var memory: UnsafeMutableRawPointer?
    /// Bytes of memory, room for the header included.
    package private(set) var capacity = 0
    /// Bytes of the body so far.
    package private(set) var count = 0

    package init() { unsafe memory = nil }

    /// A buffer with a copy of these bytes.
    package convenience init(_ bytes: [UInt8]) {
        self.init()
        append(bytes.span)
    }

    deinit { unsafe free(memory) }

    /// Adds bytes to the body.
    package func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(count + bytes.count)
        unsafe memory?.advanced(by: Self.headerRoom + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// Adds bytes to the body.
    package func append(_ bytes: Span<UInt8>) { unsafe bytes.withUnsafeBytes { unsafe append($0) } }

    /// Takes its first huge page and touches it: the system clears fresh pages at less than a disk's pace, and what fills
    /// the buffer then need not wait for that.
    package func warm() {
        reserve(Self.smallCapacity)
        _ = unsafe memory.map { unsafe memset($0 + Self.headerRoom + count, 0, capacity - Self.headerRoom - count) }
    }

    /// Forgets all bytes; the memory is kept.
    package func removeAll() { count = 0 }

    /// A copy of the first bytes of the body.
    package func prefix(_ length: Int) -> [UInt8] {
        withBytes(0..<min(length, count)) { span in
            unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
        }
    }

    /// Lends bytes of the body.
    package func withBytes<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside the body")
        return try lend(Self.headerRoom + range.lowerBound, range.count, body)
    }

    /// Puts the header blocks before the body and zeros behind it up to the next block. False when the header is longer
    /// than its room.
    func enclose(header: [UInt8]) -> Bool {
        guard header.count <= Self.headerRoom else { return false }
        let padding = Int(TarBlock.padded(Int64(count))) - count
        reserve(count + padding)
        unsafe header.withUnsafeBytes { bytes in
            guard let source = bytes.baseAddress else { return }
            unsafe memory?.advanced(by: Self.headerRoom - bytes.count).copyMemory(
                from: source, byteCount: bytes.count)
        }
        _ = unsafe memory.map { unsafe memset($0 + Self.headerRoom + count, 0, padding) }
        return true
    }

    /// Lends the whole entry that `enclose` made.
    func withEntry<Failure: Error>(
        headerLength: Int, count length: Int, _ body: (Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        let start = Self.headerRoom - headerLength
        precondition(start >= 0 && start + length <= capacity, "outside the entry")
        try lend(start, length, body)
    }

    private func lend<Result, Failure: Error>(
        _ start: Int, _ length: Int, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let base = unsafe memory?.advanced(by: start).assumingMemoryBound(to: UInt8.self)
        return try unsafe body(UnsafeBufferPointer(start: base, count: base == nil ? 0 : length).span)
    }

    /// Makes room for a body of that many bytes and its padding.
    private func reserve(_ bodyLength: Int) {
        let needed = Self.headerRoom + Int(TarBlock.padded(Int64(bodyLength)))
        guard needed > capacity else { return }
        let isSmall = needed <= Self.smallCapacity
        let least = isSmall ? needed : max(needed, 2 * capacity)
        let unit = isSmall ? Self.page : Self.hugePage
        let larger = (least + unit - 1) / unit * unit
        var fresh: UnsafeMutableRawPointer?
        let code = unsafe posix_memalign(&fresh, unit, larger)
        // As everywhere in Swift, a process without memory ends.
        guard code == 0, let fresh = unsafe fresh else { fatalError("out of memory") }
        if !isSmall { _ = unsafe madvise(fresh, larger, MADV_HUGEPAGE) }
        if let memory = unsafe memory {
            unsafe fresh.copyMemory(from: memory, byteCount: Self.headerRoom + count)
            unsafe free(memory)
        }
        unsafe memory = fresh
        capacity = larger
    }
}
