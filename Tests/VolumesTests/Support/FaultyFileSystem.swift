// A file system over the real one that fails where a test says so, and counts what passes.

import Glibc
import Synchronization
import Volumes

/// How a chosen call fails.
enum Fault: Sendable, CaseIterable {
    case noSpace
    case inputOutput
    /// Writes and reads do half of what was asked; other calls are not touched.
    case short
    /// Only syncs fail.
    case failedSync
}

/// Fails calls number `first` to `last` (from 1), or all that need space while the disk is set full.
final class FaultyFileSystem: FileSystem {
    private struct State {
        var calls = 0
        var hits = 0
        var isFull = false
        var unreadable: Range<Int64> = 0..<0
        var unwritable: Range<Int64> = 0..<0
    }

    private let real = POSIXFileSystem()
    private let fault: Fault
    private let range: Range<Int>
    private let state = Mutex(State())
    /// Whether `fallocate` works in both forms.
    private let hasHoles: Bool
    /// Whether modes are of no consequence, as they are for root.
    private let isSuperuser: Bool
    /// Looks at the disk after each write.
    private let observer: @Sendable () -> Void

    init(
        _ fault: Fault = .inputOutput, calls range: Range<Int> = 0..<0, hasHoles: Bool = true,
        isSuperuser: Bool = true, observer: @escaping @Sendable () -> Void = {}
    ) {
        self.observer = observer
        self.fault = fault
        self.range = range
        self.hasHoles = hasHoles
        self.isSuperuser = isSuperuser
    }

    /// How many calls were made to fail.
    var hits: Int { state.withLock { $0.hits } }

    /// Whether as many calls were made.
    func reached(_ call: Int) -> Bool { state.withLock { $0.calls >= call } }

    /// A full disk refuses to grow anything and has nothing free.
    var isFull: Bool {
        get { state.withLock { $0.isFull } }
        set { state.withLock { $0.isFull = newValue } }
    }

    /// Bytes that no read gets past, in any file.
    var unreadable: Range<Int64> {
        get { state.withLock { $0.unreadable } }
        set { state.withLock { $0.unreadable = newValue } }
    }

    /// Bytes that no write may touch, in any file.
    var unwritable: Range<Int64> {
        get { state.withLock { $0.unwritable } }
        set { state.withLock { $0.unwritable = newValue } }
    }

    private enum Kind { case sync, transfer, other }

    /// Counts a call; true when it is to do its work by half.
    private func pass(_ operation: String, _ kind: Kind = .other, grows: Bool = false) throws(VolumeFailure) -> Bool {
        let (isChosen, isFull) = state.withLock { state in
            state.calls += 1
            return (range.contains(state.calls), state.isFull)
        }
        if grows && isFull { throw .noSpace }
        guard isChosen else { return false }
        let applies =
            switch fault {
            case .short: kind == .transfer
            case .failedSync: kind == .sync
            case .noSpace, .inputOutput: true
            }
        guard applies else { return false }
        state.withLock { $0.hits += 1 }
        switch fault {
        case .short: return true
        case .noSpace: throw .noSpace
        case .inputOutput, .failedSync: throw .io(errno: EIO, operation: operation)
        }
    }

    func open(_ path: String, _ access: FileAccess) throws(VolumeFailure) -> Int32 {
        _ = try pass("open", grows: access == .createNew || access == .replace)
        if !isSuperuser, access == .readWrite {
            let descriptor = try real.open(path, .read)
            defer { real.close(descriptor) }
            if try real.status(descriptor).isReadOnly { throw .io(errno: EACCES, operation: "open") }
        }
        return try real.open(path, access)
    }

    func close(_ descriptor: Int32) { real.close(descriptor) }

    func write(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int64) throws(VolumeFailure) -> Int {
        let isShort = try pass("pwrite", .transfer)
        if unwritable.overlaps(offset..<offset + Int64(bytes.count)) { throw .io(errno: EIO, operation: "pwrite") }
        let count = isShort ? max(1, bytes.count / 2) : bytes.count
        defer { observer() }
        return try real.write(descriptor, bytes.extracting(0..<count), at: offset)
    }

    func read(_ descriptor: Int32, count: Int, at offset: Int64) throws(VolumeFailure) -> [UInt8] {
        let isShort = try pass("pread", .transfer)
        if unreadable.overlaps(offset..<offset + Int64(count)) { throw .io(errno: EIO, operation: "pread") }
        return try real.read(descriptor, count: isShort ? max(1, count / 2) : count, at: offset)
    }

    // The real sync is left out: these tests lose no power, and a hundred of them should not take a minute.
    func synchronize(_ descriptor: Int32) throws(VolumeFailure) { _ = try pass("fdatasync", .sync) }

    func synchronizeDirectory(_ path: String) throws(VolumeFailure) { _ = try pass("fsync", .sync) }

    func startWriteback(_ descriptor: Int32, from offset: Int64, count: Int64) {}

    func allocate(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool {
        _ = try pass("fallocate", grows: true)
        return try hasHoles ? real.allocate(descriptor, from: offset, count: count) : false
    }

    func punchHole(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool {
        _ = try pass("punch")
        return try hasHoles ? real.punchHole(descriptor, from: offset, count: count) : false
    }

    func truncate(_ descriptor: Int32, to size: Int64) throws(VolumeFailure) {
        _ = try pass("ftruncate")
        try real.truncate(descriptor, to: size)
    }

    func lock(_ descriptor: Int32, waiting: Bool) throws(VolumeFailure) -> Bool {
        _ = try pass("flock")
        return try real.lock(descriptor, waiting: waiting)
    }

    func unlock(_ descriptor: Int32) { real.unlock(descriptor) }

    func status(_ descriptor: Int32) throws(VolumeFailure) -> FileStatus {
        _ = try pass("fstat")
        return try real.status(descriptor)
    }

    func nextData(_ descriptor: Int32, from offset: Int64) throws(VolumeFailure) -> Int64? {
        _ = try pass("lseek")
        return try real.nextData(descriptor, from: offset)
    }

    func setReadOnly(_ descriptor: Int32, _ isReadOnly: Bool) throws(VolumeFailure) {
        _ = try pass("fchmod")
        try real.setReadOnly(descriptor, isReadOnly)
    }

    func freeSpace(_ path: String) throws(VolumeFailure) -> Int64 {
        _ = try pass("statvfs")
        return isFull ? 0 : try real.freeSpace(path)
    }

    func names(in directory: String) throws(VolumeFailure) -> [String] {
        _ = try pass("readdir")
        return try real.names(in: directory)
    }

    func exists(_ path: String) -> Bool { real.exists(path) }

    func makeDirectory(_ path: String) throws(VolumeFailure) {
        _ = try pass("mkdir")
        try real.makeDirectory(path)
    }

    func link(_ path: String, to name: String) throws(VolumeFailure) {
        _ = try pass("link", grows: true)
        try real.link(path, to: name)
    }

    func rename(_ path: String, to name: String) throws(VolumeFailure) {
        _ = try pass("rename")
        try real.rename(path, to: name)
    }

    func unlink(_ path: String) throws(VolumeFailure) {
        _ = try pass("unlink")
        try real.unlink(path)
    }
}
