// The appending side of a store: which volume is written, when it is handed over, and what happens on failure.

import Dispatch
import Synchronization

/// The volumes that a store may append to. Used under the store's lock only.
struct Writer: Sendable {
    private let directory: VolumeDirectory
    private let options: VolumeOptions
    private let sealer: Sealer
    private let tell: @Sendable (VolumeTrouble) -> Void
    private let queue: DispatchQueue
    private let spare: SpareVolume

    private var active: OwnVolume?
    /// Recovered volumes that wait for their turn.
    private var idle: [OwnVolume] = []
    /// Volumes whose tail could not be cleared. Their locks are kept; the next start recovers them.
    private var abandoned: [OwnVolume] = []
    private var staging = Staging()
    private let activity = AppendActivity()
    private(set) var isClosed = false

    init(
        directory: VolumeDirectory, options: VolumeOptions, sealer: Sealer,
        tell: @escaping @Sendable (VolumeTrouble) -> Void
    ) {
        self.directory = directory
        self.options = options
        self.sealer = sealer
        self.tell = tell
        queue = DispatchQueue(label: "phim.volumes.ahead", qos: .utility)
        spare = SpareVolume(directory: directory, options: options, activity: activity, queue: queue)
    }

    /// Tails of the volumes that this process holds.
    var tails: [Int: Int64] {
        let volumes = idle + abandoned + (active.map { [$0] } ?? [])
        return Dictionary(uniqueKeysWithValues: volumes.map { ($0.number, $0.tail) })
    }

    /// Takes a recovered volume into the rota.
    mutating func adopt(_ file: VolumeFile, nonce: String, tail: Int64, size: Int64) throws(VolumeFailure) {
        let volume = try OwnVolume(
            file: file, nonce: nonce, tail: tail, size: size, in: directory, options: options, activity: activity,
            queue: queue)
        idle.append(volume)
    }

    /// See `VolumeStore.append`.
    mutating func append(
        _ entries: [NewEntry], placed: ([Place]) -> Void, written: () -> Void
    ) throws(VolumeFailure) -> [Place] {
        guard !isClosed else { throw .closed }
        guard !entries.isEmpty else { return [] }
        let free = try directory.fileSystem.freeSpace(directory.path)
        guard free >= options.reserve else { throw .noSpace }
        if active == nil { active = try nextVolume() }
        guard var volume = active else { return [] }
        var plan = try BatchPlan(entries, for: volume)
        if !volume.fits(plan.length, options: options) {
            // The successor first: while there is none, smaller batches still find room in the old one.
            let successor = try nextVolume()
            sealer.seal(volume)
            volume = successor
            active = successor
            plan = try BatchPlan(entries, for: volume)
        }
        try volume.makeRoom(for: plan.length, free: free, options: options)
        active = volume
        placed(plan.places)
        let start = volume.tail
        do throws(VolumeFailure) {
            try volume.append(plan, staging: &staging, written: written)
        } catch {
            undo(from: start, length: plan.length)
            throw error
        }
        active = volume
        if volume.tail > options.volumeSize / 4 * 3 { spare.prepare() }
        return plan.places
    }

    private mutating func undo(from start: Int64, length: Int64) {
        do throws(VolumeFailure) {
            try active?.rollBack(to: start, end: start + length)
        } catch {
            // The disk refuses even zeros here. Nothing more is appended behind bytes that may be torn.
            abandon(for: error)
        }
    }

    private mutating func abandon(for failure: VolumeFailure) {
        guard let volume = active.take() else { return }
        volume.zeroAhead?.stop()
        abandoned.append(volume)
        tell(.abandoned(volume: volume.number, failure))
    }

    /// See `VolumeStore.prepare`.
    mutating func prepare() {
        guard !isClosed, active == nil, idle.isEmpty else { return }
        spare.prepare()
    }

    private mutating func nextVolume() throws(VolumeFailure) -> OwnVolume {
        if !idle.isEmpty { return idle.removeFirst() }
        if let volume = spare.take() { return volume }
        return try SpareVolume.make(in: directory, options: options, activity: activity, queue: queue)
    }

    /// Hands all volumes back: reserved space is released, locks too.
    mutating func close() {
        isClosed = true
        spare.stop()
        for volume in idle + (active.map { [$0] } ?? []) { volume.release(in: directory) }
        for volume in abandoned { volume.zeroAhead?.stop() }
        queue.sync {}
        idle = []
        abandoned = []
        active = nil
    }
}

/// The next volume, made ready ahead of need.
final class SpareVolume: Sendable {
    private struct State: Sendable {
        var volume: OwnVolume?
        var isMaking = false
        var isStopped = false
    }

    private let directory: VolumeDirectory
    private let options: VolumeOptions
    private let activity: AppendActivity
    private let queue: DispatchQueue
    private let state = Mutex(State())

    init(directory: VolumeDirectory, options: VolumeOptions, activity: AppendActivity, queue: DispatchQueue) {
        self.directory = directory
        self.options = options
        self.activity = activity
        self.queue = queue
    }

    /// A new volume, locked and empty.
    static func make(
        in directory: VolumeDirectory, options: VolumeOptions, activity: AppendActivity, queue: DispatchQueue
    ) throws(VolumeFailure) -> OwnVolume {
        let (file, nonce) = try directory.createVolume()
        do throws(VolumeFailure) {
            return try OwnVolume(
                file: file, nonce: nonce, tail: 0, size: 0, in: directory, options: options, activity: activity,
                queue: queue)
        } catch {
            try? directory.fileSystem.unlink(file.path)
            throw error
        }
    }

    /// Starts making a volume in background, unless there is one. Failure is left to the moment of need.
    func prepare() {
        let starts = state.withLock { state in
            guard state.volume == nil, !state.isMaking, !state.isStopped else { return false }
            state.isMaking = true
            return true
        }
        guard starts else { return }
        queue.async {
            let made = self.makeWithRoom()
            let surplus = self.state.withLock { state -> OwnVolume? in
                state.isMaking = false
                if state.isStopped { return made }
                state.volume = made
                return nil
            }
            surplus?.release(in: self.directory)
        }
    }

    private func makeWithRoom() -> OwnVolume? {
        guard let free = try? directory.fileSystem.freeSpace(directory.path),
            free - options.reserve > 2 * options.volumeSize,
            var volume = try? Self.make(in: directory, options: options, activity: activity, queue: queue)
        else { return nil }
        try? volume.makeRoom(for: 0, free: free, options: options)
        return volume
    }

    /// The volume that is ready, if any; waits for one that is being made, so that numbers are used in order.
    func take() -> OwnVolume? {
        if state.withLock({ $0.isMaking }) { queue.sync {} }
        return state.withLock { $0.volume.take() }
    }

    /// Removes a volume that was made for nothing; none is made any more.
    func stop() {
        let volume = state.withLock { state in
            state.isStopped = true
            return state.volume.take()
        }
        volume?.release(in: directory)
    }
}
