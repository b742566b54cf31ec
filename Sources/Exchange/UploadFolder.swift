// Objects that have arrived in part: kept until the rest comes, within bounds.

package import Foundation
import Synchronization

/// How much of what has not arrived whole is kept.
package struct UploadLimits: Sendable {
    /// Octets of one station, and of all.
    package var stationOctets: Int64 = 8 << 30
    package var octets: Int64 = 32 << 30
    /// Objects of one station.
    package var stationObjects = 512
    /// Seconds since the last octet came.
    package var age: TimeInterval = 14 * 86_400
    /// Octets of a coded object.
    package var longest: Int64 = 64 << 30

    package init() {}
}

/// Why octets are not taken.
enum UploadFailure: Error, Hashable, Sendable {
    /// So much has arrived: the rest is wanted from there on.
    case offset(Int64)
    /// Another request goes on with this object.
    case superseded
    /// The disk, or the station's share of it, is full.
    case full
    case unreadable
}

/// The objects that have arrived in part, a folder for each station's account.
package final class UploadFolder: Sendable {
    private struct State {
        var active: [String: Upload] = [:]
        var octets: Int64 = 0
        var sweptAt = Date.distantPast
    }

    private let path: String
    private let limits: UploadLimits
    private let hasSpace: @Sendable () -> Bool
    private let state = Mutex(State())
    /// Seconds between two looks at what is too old.
    private static let sweepEvery: TimeInterval = 3_600

    /// - Parameter hasSpace: whether the disk takes new objects at all.
    package init(path: String, limits: UploadLimits = UploadLimits(), hasSpace: @escaping @Sendable () -> Bool) {
        self.path = path
        self.limits = limits
        self.hasSpace = hasSpace
    }

    var longest: Int64 { limits.longest }

    /// The object, be it begun or not; whoever had it before writes no more of it. Blocks.
    func take(station: Int64, digest: String, length: Int64) throws(UploadFailure) -> UploadTicket {
        sweep()
        let folder = path + "/\(station)"
        let file = folder + "/" + digest
        let upload: Upload
        if let known = state.withLock({ $0.active[file] }) {
            upload = known
        } else {
            guard hasSpace() else { throw .full }
            try makeRoom(folder)
            let found = Upload(path: file, length: length)
            upload = state.withLock { state in
                // Two requests may have come at once.
                let kept = state.active[file] ?? found
                state.active[file] = kept
                return kept
            }
        }
        guard upload.length == length else { throw .unreadable }
        return UploadTicket(folder: self, upload: upload, epoch: upload.supersede())
    }

    /// What has arrived of a station's objects, by digest; at most so many. Blocks.
    func partial(station: Int64, limit: Int) -> [String: Int64] {
        let folder = path + "/\(station)"
        var found: [String: Int64] = [:]
        for (file, upload) in state.withLock({ $0.active }) where file.hasPrefix(folder + "/") {
            found[String(file.dropFirst(folder.count + 1))] = upload.received
        }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where found.count < limit {
            if found[name] == nil { found[name] = Upload.size(folder + "/" + name) }
        }
        return found.filter { $0.value > 0 }
    }

    /// Nobody writes it any more: what has come goes to the disk, and waits there.
    func leave(_ upload: Upload) {
        try? upload.flush(reserving: reserve)
        state.withLock { state in _ = state.active.removeValue(forKey: upload.path) }
    }

    /// It is whole and in the archive, or worth nothing.
    func remove(_ upload: Upload) {
        let size = Upload.size(upload.path)
        try? FileManager.default.removeItem(atPath: upload.path)
        state.withLock { state in
            state.octets = max(0, state.octets - size)
            _ = state.active.removeValue(forKey: upload.path)
        }
    }

    /// Room for octets that are about to be written.
    func reserve(_ octets: Int) throws(UploadFailure) {
        guard hasSpace() else { throw .full }
        let isThere = state.withLock { state in
            guard state.octets + Int64(octets) <= limits.octets else { return false }
            state.octets += Int64(octets)
            return true
        }
        guard isThere else { throw .full }
    }

    // MARK: Bounds

    /// A station's oldest objects make way for its newest.
    private func makeRoom(_ folder: String) throws(UploadFailure) {
        let active = state.withLock { $0.active.keys.reduce(into: Set()) { $0.insert($1) } }
        guard active.count(where: { $0.hasPrefix(folder + "/") }) < limits.stationObjects else { throw .full }
        var files = Self.files(folder)
        var octets = files.reduce(Int64(0)) { $0 + $1.size }
        while files.count >= limits.stationObjects || octets > limits.stationOctets {
            guard let index = files.firstIndex(where: { !active.contains($0.path) }) else { throw .full }
            let oldest = files.remove(at: index)
            octets -= oldest.size
            discard(oldest)
        }
    }

    private func sweep() {
        let now = Date()
        let isFirst: Bool? = state.withLock { state in
            guard now.timeIntervalSince(state.sweptAt) > Self.sweepEvery else { return nil }
            defer { state.sweptAt = now }
            return state.sweptAt == .distantPast
        }
        guard let isFirst else { return }
        let stations = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let files = stations.flatMap { Self.files(path + "/" + $0) }
        if isFirst { state.withLock { $0.octets += files.reduce(0) { $0 + $1.size } } }
        let active = state.withLock { Set($0.active.keys) }
        for file in files where now.timeIntervalSince(file.changedAt) > limits.age && !active.contains(file.path) {
            discard(file)
        }
    }

    private struct PartialFile {
        let path: String
        let size: Int64
        let changedAt: Date
    }

    private func discard(_ file: PartialFile) {
        try? FileManager.default.removeItem(atPath: file.path)
        state.withLock { $0.octets = max(0, $0.octets - file.size) }
    }

    /// The oldest first.
    private static func files(_ folder: String) -> [PartialFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { name in
            guard let facts = try? FileManager.default.attributesOfItem(atPath: folder + "/" + name) else { return nil }
            return PartialFile(
                path: folder + "/" + name, size: (facts[.size] as? NSNumber)?.int64Value ?? 0,
                changedAt: facts[.modificationDate] as? Date ?? .distantPast)
        }.sorted { $0.changedAt < $1.changedAt }
    }
}

/// The right to write one object, until somebody else takes it.
struct UploadTicket: Sendable {
    private let folder: UploadFolder
    private let upload: Upload
    private let epoch: Int

    init(folder: UploadFolder, upload: Upload, epoch: Int) {
        self.folder = folder
        self.upload = upload
        self.epoch = epoch
    }

    var length: Int64 { upload.length }
    var received: Int64 { upload.received }

    /// Whether what waits in memory is enough to be written.
    func isDue(with count: Int) -> Bool { upload.pending + count >= Upload.piece }

    /// Takes octets that follow what has come. Blocks when `isDue`.
    func append(_ bytes: [UInt8]) throws(UploadFailure) {
        try upload.append(bytes, epoch: epoch, reserving: folder.reserve)
    }

    func read(from offset: Int64, count: Int) throws(UploadFailure) -> [UInt8] {
        try upload.read(from: offset, count: count)
    }

    /// What has come waits for the rest. Blocks.
    func leave() {
        if upload.isCurrent(epoch) { folder.leave(upload) }
    }

    /// Nothing of it is needed any more. Blocks.
    func remove() { folder.remove(upload) }
}

/// One object: a file, and behind it what is not written yet.
final class Upload: Sendable {
    private struct State {
        var epoch = 0
        var pending: [UInt8] = []
        var written: Int64
    }

    /// Octets that are written at once; what is lost when the process dies.
    static let piece = 64 << 10

    let path: String
    let length: Int64
    private let state: Mutex<State>

    init(path: String, length: Int64) {
        self.path = path
        self.length = length
        state = Mutex(State(written: Self.size(path)))
    }

    static func size(_ path: String) -> Int64 {
        let facts = try? FileManager.default.attributesOfItem(atPath: path)
        return (facts?[.size] as? NSNumber)?.int64Value ?? 0
    }

    var received: Int64 { state.withLock { $0.written + Int64($0.pending.count) } }
    var pending: Int { state.withLock { $0.pending.count } }

    /// Whoever wrote before writes no more.
    func supersede() -> Int {
        state.withLock { state in
            state.epoch += 1
            return state.epoch
        }
    }

    func isCurrent(_ epoch: Int) -> Bool { state.withLock { $0.epoch == epoch } }

    func append(
        _ bytes: [UInt8], epoch: Int, reserving: (Int) throws(UploadFailure) -> Void
    ) throws(UploadFailure) {
        let result = state.withLock { state -> Result<Void, UploadFailure> in
            Result { () throws(UploadFailure) in
                guard state.epoch == epoch else { throw .superseded }
                state.pending += bytes
                if state.pending.count >= Self.piece { try write(&state, reserving) }
            }
        }
        try result.get()
    }

    func flush(reserving: (Int) throws(UploadFailure) -> Void) throws(UploadFailure) {
        let result = state.withLock { state -> Result<Void, UploadFailure> in
            Result { () throws(UploadFailure) in try write(&state, reserving) }
        }
        try result.get()
    }

    private func write(_ state: inout State, _ reserving: (Int) throws(UploadFailure) -> Void) throws(UploadFailure) {
        guard !state.pending.isEmpty else { return }
        try reserving(state.pending.count)
        do {
            let file = try Self.open(path)
            defer { try? file.close() }
            try file.truncate(atOffset: UInt64(state.written))
            try file.write(contentsOf: state.pending)
        } catch { throw .full }
        state.written += Int64(state.pending.count)
        state.pending = []
    }

    private static func open(_ path: String) throws -> FileHandle {
        if let file = FileHandle(forUpdatingAtPath: path) { return file }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let file = FileHandle(forUpdatingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        return file
    }

    /// Octets from an offset; fewer at the end of what has come.
    func read(from offset: Int64, count: Int) throws(UploadFailure) -> [UInt8] {
        let result = state.withLock { state -> Result<[UInt8], UploadFailure> in
            Result { () throws(UploadFailure) in
                var bytes: [UInt8] = []
                if offset < state.written {
                    let wanted = Int(min(Int64(count), state.written - offset))
                    do {
                        guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileReadUnknown) }
                        defer { try? file.close() }
                        try file.seek(toOffset: UInt64(offset))
                        bytes = Array(try file.read(upToCount: wanted) ?? Data())
                    } catch { throw .unreadable }
                    guard bytes.count == wanted else { throw .unreadable }
                }
                let first = Int(max(0, offset + Int64(bytes.count) - state.written))
                if bytes.count < count, first < state.pending.count {
                    bytes += state.pending[first..<min(first + count - bytes.count, state.pending.count)]
                }
                return bytes
            }
        }
        return try result.get()
    }
}
