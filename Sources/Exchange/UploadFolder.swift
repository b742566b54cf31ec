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
package enum UploadFailure: Error, Hashable, Sendable {
    /// So much has arrived: the rest is wanted from there on.
    case offset(Int64)
    /// Another request goes on with this object.
    case superseded
    /// It has arrived whole, and is being taken in.
    case accepting
    /// The disk, or the station's share of it, is full.
    case full
    case unreadable
}

/// The objects that have arrived in part, a folder for each station's account. Calls block.
///
/// What is decided about files is done to them under one lock. Whoever holds the lock of an `Upload` may take that one, never
/// the other way round.
package final class UploadFolder: Sendable {
    private struct Partial {
        let station: Int64
        var size: Int64
        var changedAt: Date
    }

    private struct State {
        /// By path; those that are written now are in `active` too.
        var files: [String: Partial] = [:]
        var active: [String: Upload] = [:]
        var isRead = false
        var sweptAt = Date.distantPast

        func octets(of station: Int64) -> Int64 {
            files.values.reduce(0) { $0 + ($1.station == station ? $1.size : 0) }
        }

        var octets: Int64 { files.values.reduce(0) { $0 + $1.size } }

        /// The file of a station that was left longest ago.
        func oldest(of station: Int64) -> String? {
            files.filter { $0.value.station == station && active[$0.key] == nil }
                .min { $0.value.changedAt < $1.value.changedAt }?.key
        }

        /// The station whose files that nobody writes are the most.
        var largestUser: Int64? {
            var sizes: [Int64: Int64] = [:]
            for (path, file) in files where active[path] == nil { sizes[file.station, default: 0] += file.size }
            return sizes.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
        }
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

    /// Octets of an object, at most: it has to fit into a station's share.
    package var longest: Int64 { min(limits.longest, limits.stationOctets) }

    /// The object, be it begun or not; whoever had it before writes no more of it.
    package func take(station: Int64, digest: String, length: Int64) throws(UploadFailure) -> UploadTicket {
        let file = path + "/\(station)/" + digest
        while true {
            let upload = try Self.value(
                state.withLock { state in
                    Result { () throws(UploadFailure) in try find(file, station, length, &state) }
                })
            guard upload.length == length else { throw .unreadable }
            // Nil: it was let go in the meantime.
            if let epoch = try upload.supersede() { return UploadTicket(upload: upload, epoch: epoch) }
        }
    }

    private func find(
        _ file: String, _ station: Int64, _ length: Int64, _ state: inout State
    ) throws(UploadFailure) -> Upload {
        sweep(&state)
        if let known = state.active[file] { return known }
        guard hasSpace() else { throw .full }
        let active = state.active.keys.count { Self.station(of: $0) == station }
        guard active < limits.stationObjects else { throw .full }
        // What is longer than all of it is nothing of it.
        if let known = state.files[file], known.size > length { Self.discard(file, &state) }
        let upload = Upload(folder: self, path: file, length: length, written: state.files[file]?.size ?? 0)
        state.active[file] = upload
        // Those of the station that were left longest ago make way, this one never.
        while state.files.values.count(where: { $0.station == station }) >= limits.stationObjects
            && state.files[file] == nil
        {
            guard let oldest = state.oldest(of: station) else {
                state.active[file] = nil
                throw .full
            }
            Self.discard(oldest, &state)
        }
        return upload
    }

    private static func value<Value>(
        _ result: Result<Value, UploadFailure>
    ) throws(UploadFailure) -> Value { try result.get() }

    /// What has arrived of a station's objects, by digest; at most so many.
    package func partial(station: Int64, limit: Int) -> [String: Int64] {
        let prefix = path + "/\(station)/"
        let (active, files) = state.withLock { state in
            sweep(&state)
            return (state.active, state.files.filter { $0.value.station == station })
        }
        var found: [String: Int64] = [:]
        for (file, upload) in active where file.hasPrefix(prefix) {
            found[String(file.dropFirst(prefix.count))] = upload.received
        }
        for (file, partial) in files where found.count < limit && active[file] == nil {
            found[String(file.dropFirst(prefix.count))] = partial.size
        }
        return found.filter { $0.value > 0 }
    }

    /// The object is here: what has arrived of it is of no use, unless somebody is at it.
    package func discard(station: Int64, digest: String) {
        let file = path + "/\(station)/" + digest
        state.withLock { state in
            sweep(&state)
            if state.active[file] == nil, state.files[file] != nil { Self.discard(file, &state) }
        }
    }

    // MARK: What uploads do, under their own lock

    /// Room for octets that are about to be written behind what there is.
    func reserve(_ octets: Int64, for file: String) throws(UploadFailure) {
        guard hasSpace() else { throw .full }
        try Self.value(
            state.withLock { state in
                Result { () throws(UploadFailure) in
                    guard let station = Self.station(of: file) else { throw .full }
                    while state.octets(of: station) + octets > limits.stationOctets {
                        guard let oldest = state.oldest(of: station) else { throw .full }
                        Self.discard(oldest, &state)
                    }
                    // Whoever has left the most makes way.
                    while state.octets + octets > limits.octets {
                        guard let user = state.largestUser, let oldest = state.oldest(of: user) else { throw .full }
                        Self.discard(oldest, &state)
                    }
                    var partial = state.files[file] ?? Partial(station: station, size: 0, changedAt: Date())
                    partial.size += octets
                    partial.changedAt = Date()
                    state.files[file] = partial
                }
            })
    }

    /// Nobody writes it any more; so much of it is there.
    func release(_ file: String, size: Int64) {
        state.withLock { state in
            state.active[file] = nil
            state.files[file]?.size = size
            if size == 0 { Self.discard(file, &state) }
        }
    }

    private static func station(of file: String) -> Int64? {
        file.split(separator: "/").dropLast().last.flatMap { Int64($0) }
    }

    // MARK: Bounds

    private static func discard(_ file: String, _ state: inout State) {
        try? FileManager.default.removeItem(atPath: file)
        state.files[file] = nil
    }

    private func sweep(_ state: inout State) {
        if !state.isRead {
            state.isRead = true
            for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
                guard let station = Int64(name) else { continue }
                read(path + "/" + name, station, &state)
            }
        }
        let now = Date()
        guard now.timeIntervalSince(state.sweptAt) > Self.sweepEvery else { return }
        state.sweptAt = now
        for (file, partial) in state.files
        where now.timeIntervalSince(partial.changedAt) > limits.age && state.active[file] == nil {
            Self.discard(file, &state)
        }
    }

    private func read(_ folder: String, _ station: Int64, _ state: inout State) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let file = folder + "/" + name
            guard let facts = try? FileManager.default.attributesOfItem(atPath: file) else { continue }
            state.files[file] = Partial(
                station: station, size: (facts[.size] as? NSNumber)?.int64Value ?? 0,
                changedAt: facts[.modificationDate] as? Date ?? .distantPast)
        }
    }
}
