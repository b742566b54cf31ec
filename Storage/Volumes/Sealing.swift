// What becomes of a full volume: cut to a proper end, made read-only, digested and listed in a manifest, in background.

import Crypto
import Foundation
import Glibc
import Synchronization

/// The manifest of a sealed volume, `NNNNNN.json`.
struct Manifest: Codable {
    let volume: Int
    /// Size of the file.
    let bytes: Int64
    /// SHA-256 of the whole file, hexadecimal.
    let sha256: String
    /// Number of entries, deleted ones included.
    let entries: Int
    let sealedAt: Date
}

/// Seals volumes on a thread of its own, which yields to ingest: it digests a gigabyte at a time.
final class Sealer: Sendable {
    private static let chunk = 1 << 20

    private let directory: VolumeDirectory
    private let queue = QuietQueue(name: "phim-sealer")
    private let isCancelled = Atomic(false)
    private let failure = Mutex<VolumeFailure?>(nil)
    private let tell: @Sendable (VolumeTrouble) -> Void
    /// How many erasures of this process work on a volume. No digest stands in their way: each lists the volume after.
    private let erasures = Mutex<[Int: Int]>([:])

    init(directory: VolumeDirectory, tell: @escaping @Sendable (VolumeTrouble) -> Void) {
        self.directory = directory
        self.tell = tell
    }

    /// Seals a volume that takes no more entries. Its lock goes with it and is released at the end; what is left
    /// undone by a crash is done by the next recovery and the next `refresh`.
    func seal(_ volume: OwnVolume) {
        volume.zeroAhead?.stop()
        let file = volume.file
        let size = TarBlock.archiveSize(tail: volume.tail)
        queue.async {
            self.attempt(file, file.number) { () throws(VolumeFailure) in
                try self.finish(file, size: size)
                try self.writeManifest(of: file, number: file.number)
            }
        }
    }

    /// Lists a volume that is read-only already and that the caller has locked, in background.
    func list(_ file: VolumeFile, number: Int) {
        queue.async {
            self.attempt(file, number) { () throws(VolumeFailure) in try self.writeManifest(of: file, number: number) }
        }
    }

    /// Called before entries of a volume are erased.
    func beginErasing(_ number: Int) {
        erasures.withLock { $0[number, default: 0] += 1 }
    }

    /// Called after that, failed or not: the volume is listed anew in background if it lacks its manifest now.
    func endErasing(_ number: Int) {
        let isLast = erasures.withLock { erasures in
            erasures[number, default: 1] -= 1
            guard erasures[number] == 0 else { return false }
            erasures[number] = nil
            return true
        }
        guard isLast, !directory.fileSystem.exists(directory.manifestPath(number)) else { return }
        queue.async {
            self.attempt(number) { () throws(VolumeFailure) in
                try self.listIfMissing(number) { (file) throws(VolumeFailure) in try self.lockPatiently(file) }
            }
        }
    }

    private func isErasing(_ number: Int) -> Bool { erasures.withLock { $0[number] != nil } }

    /// Tries for a lock that others hold for moments only, in steps, so that `cancel` need not wait for them.
    private func lockPatiently(_ file: VolumeFile) throws(VolumeFailure) -> Bool {
        for _ in 0..<500 {
            if isCancelled.load(ordering: .relaxed) { throw .closed }
            if try directory.fileSystem.lock(file.descriptor, waiting: false) { return true }
            usleep(20_000)
        }
        return false
    }

    /// Waits for all that is queued; the first failure since the last call is thrown.
    func wait() throws(VolumeFailure) {
        queue.drain()
        let first = failure.withLock { $0.take() }
        if let first { throw first }
    }

    /// Gives up what is queued and returns when nothing runs any more.
    func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        queue.drain()
    }

    private func attempt(_ file: VolumeFile, _ number: Int, _ work: () throws(VolumeFailure) -> Void) {
        defer { directory.fileSystem.unlock(file.descriptor) }
        attempt(number, work)
    }

    private func attempt(_ number: Int, _ work: () throws(VolumeFailure) -> Void) {
        guard !isCancelled.load(ordering: .relaxed) else { return }
        do throws(VolumeFailure) {
            try work()
        } catch {
            guard error != .closed else { return }
            failure.withLock { if $0 == nil { $0 = error } }
            tell(.unsealed(volume: number, error))
        }
    }

    private func finish(_ file: VolumeFile, size: Int64) throws(VolumeFailure) {
        try directory.fileSystem.truncate(file.descriptor, to: size)
        try file.synchronize()
        try directory.fileSystem.setReadOnly(file.descriptor, true)
    }

    /// Writes the manifests that are missing: after a crash between sealing and listing, and after erasures.
    func refresh() throws(VolumeFailure) {
        for number in try directory.numbers() {
            do throws(VolumeFailure) {
                try listIfMissing(number) { (file) throws(VolumeFailure) in
                    try directory.fileSystem.lock(file.descriptor, waiting: true)
                }
            } catch {
                // Given up for an erasure, which lists the volume itself.
                if error != .closed || isCancelled.load(ordering: .relaxed) { throw error }
            }
        }
    }

    private func listIfMissing(
        _ number: Int, locked: (VolumeFile) throws(VolumeFailure) -> Bool
    ) throws(VolumeFailure) {
        if directory.fileSystem.exists(directory.manifestPath(number)) { return }
        do throws(VolumeFailure) {
            let file = try directory.open(number, .read)
            guard try file.status().isReadOnly, try locked(file) else { return }
            defer { directory.fileSystem.unlock(file.descriptor) }
            if directory.fileSystem.exists(directory.manifestPath(number)) { return }
            try writeManifest(of: file, number: number)
        } catch {
            // Taken back by its owner between the listing of the folder and now.
            if error != .notFound(volume: number) { throw error }
        }
    }

    /// Reads the whole volume. The caller holds the lock of `file`, so no erasure comes between digest and manifest.
    private func writeManifest(of file: VolumeFile, number: Int) throws(VolumeFailure) {
        let status = try file.status()
        // Taken back while this waited for the lock: a manifest without its volume would say what is not true.
        guard status.links > 0 else { return }
        let size = status.size
        var scan = VolumeScan(file: file, size: size, nonce: try directory.nonce(of: number))
        let entries = try scan.count()
        var digest = SHA256()
        var offset: Int64 = 0
        while offset < size {
            if isCancelled.load(ordering: .relaxed) || isErasing(number) { throw .closed }
            let bytes = try file.read(at: offset, count: Int(min(Int64(Self.chunk), size - offset)))
            if bytes.isEmpty { throw .corrupt(volume: number, offset: offset, reason: "file ends early") }
            digest.update(data: bytes)
            offset += Int64(bytes.count)
        }
        let manifest = Manifest(
            volume: number, bytes: size, sha256: EntryHeader.hex(digest.finalize()), entries: entries,
            sealedAt: Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded()))
        try write(manifest, to: directory.manifestPath(number))
    }

    private func write(_ manifest: Manifest, to path: String) throws(VolumeFailure) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.dateEncodingStrategy = .iso8601
        guard let json = try? encoder.encode(manifest) else { throw .io(errno: EINVAL, operation: "encode manifest") }
        let fresh = path + ".new"
        do {
            let file = try VolumeFile(number: 0, path: fresh, access: .replace, fileSystem: directory.fileSystem)
            try file.write(Array(json + [UInt8(ascii: "\n")]).span, at: 0)
            try file.synchronize()
        }
        try directory.fileSystem.rename(fresh, to: path)
        try directory.fileSystem.synchronizeDirectory(directory.path)
    }
}
