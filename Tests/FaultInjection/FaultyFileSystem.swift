// A file system over the real one that fails where a test says so, and counts what passes.

import Glibc
import Synchronization
package import Volumes

/// How a chosen call fails.
package enum Fault: Sendable, CaseIterable {
    case noSpace
    case inputOutput
    /// Writes and reads do half of what was asked; other calls are not touched.
    case short
    /// Only syncs fail.
    case failedSync
    /// The first transfer does half of what was asked, and nothing works after it.
    case torn
}

/// Fails calls of a range of numbers (from 1), or all that need space while the disk is set full.
package final class FaultyFileSystem: FileSystem {
    private struct State {
        var fault: Fault
        var range: Range<Int>
        var calls = 0
        var hits = 0
        var refused: Set<String> = []
        var isTorn = false
        var failsNextSync = false
        /// Descriptors that take whole blocks only.
        var direct: Set<Int32> = []
        var isFull = false
        var unreadable: Range<Int64> = 0..<0
        var unwritable: Range<Int64> = 0..<0
    }

    private static let block = 512

    private let real = POSIXFileSystem()
    private let state: Mutex<State>
    /// Whether `fallocate` works in both forms.
    private let hasHoles: Bool
    /// Whether files can be opened for writing past the page cache.
    private let hasDirect: Bool
    /// Whether modes are of no consequence, as they are for root.
    private let isSuperuser: Bool
    /// Looks at the disk after each write.
    private let observer: @Sendable () -> Void

    package init(
        _ fault: Fault = .inputOutput, calls range: Range<Int> = 0..<0, hasHoles: Bool = true,
        hasDirect: Bool = true, isSuperuser: Bool = true, observer: @escaping @Sendable () -> Void = {}
    ) {
        self.observer = observer
        state = Mutex(State(fault: fault, range: range))
        self.hasHoles = hasHoles
        self.hasDirect = hasDirect
        self.isSuperuser = isSuperuser
    }

    /// How many calls were made to fail.
    package var hits: Int { state.withLock { $0.hits } }

    /// Whether as many calls were made.
    package func reached(_ call: Int) -> Bool { state.withLock { $0.calls >= call } }

    /// A full disk refuses to grow anything and has nothing free.
    package var isFull: Bool {
        get { state.withLock { $0.isFull } }
        set { state.withLock { $0.isFull = newValue } }
    }

    /// Bytes that no read gets past, in any file.
    package var unreadable: Range<Int64> {
        get { state.withLock { $0.unreadable } }
        set { state.withLock { $0.unreadable = newValue } }
    }

    /// Bytes that no write may touch, in any file.
    package var unwritable: Range<Int64> {
        get { state.withLock { $0.unwritable } }
        set { state.withLock { $0.unwritable = newValue } }
    }

    /// Counts anew and fails the calls whose numbers from here on are in `range`; a disk that failed is whole again.
    package func arm(_ fault: Fault, calls range: Range<Int>) {
        state.withLock {
            $0.fault = fault
            $0.range = range
            $0.calls = 0
            $0.hits = 0
            $0.refused = []
            $0.isTorn = false
        }
    }

    /// From here on none of these operations works, whatever its number (`punch`, `ftruncate` and so on).
    package func refuse(_ operations: Set<String>) { state.withLock { $0.refused = operations } }

    /// The next sync fails, and no later one.
    package func failNextSync() { state.withLock { $0.failsNextSync = true } }

    private enum Kind { case sync, transfer, other }

    /// Counts a call; true when it is to do its work by half.
    private func pass(_ operation: String, _ kind: Kind = .other, grows: Bool = false) throws(VolumeFailure) -> Bool {
        let (fault, isChosen, isRefused, isFull) = state.withLock { state in
            state.calls += 1
            let isChosen = state.range.contains(state.calls)
            return (state.fault, isChosen, state.refused.contains(operation), state.isFull)
        }
        if kind == .sync, state.withLock({ $0.failsNextSync.exchanged(for: false) }) {
            throw .io(errno: EIO, operation: operation)
        }
        if grows && isFull { throw .noSpace }
        if isRefused { throw .io(errno: EIO, operation: operation) }
        guard isChosen else { return false }
        switch fault {
        case .short where kind == .transfer:
            hit()
            return true
        case .torn where kind == .transfer && !state.withLock({ $0.isTorn }):
            hit()
            state.withLock { $0.isTorn = true }
            return true
        case .torn where !state.withLock({ $0.isTorn }), .short: return false
        case .failedSync where kind != .sync: return false
        case .noSpace:
            hit()
            throw .noSpace
        case .torn, .inputOutput, .failedSync:
            hit()
            throw .io(errno: EIO, operation: operation)
        }
    }

    private func hit() { state.withLock { $0.hits += 1 } }

    package func open(_ path: String, _ access: FileAccess) throws(VolumeFailure) -> Int32 {
        _ = try pass("open", grows: access == .createNew || access == .replace)
        if !isSuperuser, access == .readWrite || access == .direct {
            let descriptor = try real.open(path, .read)
            defer { real.close(descriptor) }
            if try real.status(descriptor).isReadOnly { throw .io(errno: EACCES, operation: "open") }
        }
        if !hasDirect, access == .direct { throw .io(errno: EINVAL, operation: "open") }
        let descriptor = try real.open(path, access)
        if access == .direct { state.withLock { _ = $0.direct.insert(descriptor) } }
        return descriptor
    }

    package func close(_ descriptor: Int32) {
        state.withLock { _ = $0.direct.remove(descriptor) }
        real.close(descriptor)
    }

    package func write(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int64) throws(VolumeFailure) -> Int {
        let isShort = try pass("pwrite", .transfer)
        if unwritable.overlaps(offset..<offset + Int64(bytes.count)) { throw .io(errno: EIO, operation: "pwrite") }
        let count = isShort ? half(of: bytes.count, descriptor) : bytes.count
        defer { observer() }
        return try real.write(descriptor, bytes.extracting(0..<count), at: offset)
    }

    /// Past the page cache a disk stops at the end of a block.
    private func half(of count: Int, _ descriptor: Int32) -> Int {
        let isDirect = state.withLock { $0.direct.contains(descriptor) }
        return isDirect ? min(count, max(Self.block, count / 2 / Self.block * Self.block)) : max(1, count / 2)
    }

    package func read(_ descriptor: Int32, count: Int, at offset: Int64) throws(VolumeFailure) -> [UInt8] {
        let isShort = try pass("pread", .transfer)
        if unreadable.overlaps(offset..<offset + Int64(count)) { throw .io(errno: EIO, operation: "pread") }
        return try real.read(descriptor, count: isShort ? max(1, count / 2) : count, at: offset)
    }

    package func read(
        _ descriptor: Int32, count: Int, at offset: Int64, into buffer: inout OutputRawSpan
    ) throws(VolumeFailure) -> Int {
        let isShort = try pass("pread", .transfer)
        if unreadable.overlaps(offset..<offset + Int64(count)) { throw .io(errno: EIO, operation: "pread") }
        return try real.read(descriptor, count: isShort ? max(1, count / 2) : count, at: offset, into: &buffer)
    }

    // The real sync is left out: these tests lose no power, and a hundred of them should not take a minute.
    package func synchronize(_ descriptor: Int32) throws(VolumeFailure) { _ = try pass("fdatasync", .sync) }

    package func synchronizeDirectory(_ path: String) throws(VolumeFailure) { _ = try pass("fsync", .sync) }

    package func startWriteback(_ descriptor: Int32, from offset: Int64, count: Int64) {}

    package func allocate(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool {
        _ = try pass("fallocate", grows: true)
        return try hasHoles ? real.allocate(descriptor, from: offset, count: count) : false
    }

    package func punchHole(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool {
        _ = try pass("punch")
        return try hasHoles ? real.punchHole(descriptor, from: offset, count: count) : false
    }

    package func truncate(_ descriptor: Int32, to size: Int64) throws(VolumeFailure) {
        _ = try pass("ftruncate")
        try real.truncate(descriptor, to: size)
    }

    package func lock(_ descriptor: Int32, waiting: Bool) throws(VolumeFailure) -> Bool {
        _ = try pass("flock")
        return try real.lock(descriptor, waiting: waiting)
    }

    package func unlock(_ descriptor: Int32) { real.unlock(descriptor) }

    package func status(_ descriptor: Int32) throws(VolumeFailure) -> FileStatus {
        _ = try pass("fstat")
        return try real.status(descriptor)
    }

    package func nextData(_ descriptor: Int32, from offset: Int64) throws(VolumeFailure) -> Int64? {
        _ = try pass("lseek")
        return try real.nextData(descriptor, from: offset)
    }

    package func setReadOnly(_ descriptor: Int32, _ isReadOnly: Bool) throws(VolumeFailure) {
        _ = try pass("fchmod")
        try real.setReadOnly(descriptor, isReadOnly)
    }

    package func freeSpace(_ path: String) throws(VolumeFailure) -> Int64 {
        _ = try pass("statvfs")
        return isFull ? 0 : try real.freeSpace(path)
    }

    package func names(in directory: String) throws(VolumeFailure) -> [String] {
        _ = try pass("readdir")
        return try real.names(in: directory)
    }

    package func exists(_ path: String) -> Bool { real.exists(path) }

    package func makeDirectory(_ path: String) throws(VolumeFailure) {
        _ = try pass("mkdir")
        try real.makeDirectory(path)
    }

    package func link(_ path: String, to name: String) throws(VolumeFailure) {
        _ = try pass("link", grows: true)
        try real.link(path, to: name)
    }

    package func rename(_ path: String, to name: String) throws(VolumeFailure) {
        _ = try pass("rename")
        try real.rename(path, to: name)
    }

    package func unlink(_ path: String) throws(VolumeFailure) {
        _ = try pass("unlink")
        try real.unlink(path)
    }
}

extension Bool {
    /// The old value, in whose place the new one is.
    fileprivate mutating func exchanged(for new: Bool) -> Bool {
        defer { self = new }
        return self
    }
}
