// What becomes of a full volume: cut to a proper end, made read-only, digested and listed in a manifest, in background.

import Crypto
import Dispatch
import Foundation
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

/// Seals volumes on a queue of its own, so that ingest does not wait.
final class Sealer: Sendable {
    private static let chunk = 1 << 20

    private let directory: VolumeDirectory
    private let queue = DispatchQueue(label: "phim.volumes.seal", qos: .utility)
    private let isCancelled = Atomic(false)
    private let failure = Mutex<VolumeFailure?>(nil)

    init(directory: VolumeDirectory) {
        self.directory = directory
    }

    /// Seals a volume that takes no more entries. Its lock goes with it and is released at the end; what is left
    /// undone by a crash is done by the next recovery and the next `refresh`.
    func seal(_ volume: OwnVolume) {
        volume.zeroAhead?.stop()
        let file = volume.file
        let size = TarBlock.archiveSize(tail: volume.tail)
        queue.async {
            self.attempt(file) { () throws(VolumeFailure) in
                try self.finish(file, size: size)
                try self.writeManifest(of: file, number: file.number)
            }
        }
    }

    /// Lists a volume that is read-only already and that the caller has locked, in background.
    func list(_ file: VolumeFile, number: Int) {
        queue.async {
            self.attempt(file) { () throws(VolumeFailure) in try self.writeManifest(of: file, number: number) }
        }
    }

    /// Waits for all that is queued; the first failure since the last call is thrown.
    func wait() throws(VolumeFailure) {
        queue.sync {}
        let first = failure.withLock { $0.take() }
        if let first { throw first }
    }

    /// Gives up what is queued and returns when nothing runs any more.
    func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        queue.sync {}
    }

    private func attempt(_ file: VolumeFile, _ work: () throws(VolumeFailure) -> Void) {
        defer { directory.fileSystem.unlock(file.descriptor) }
        guard !isCancelled.load(ordering: .relaxed) else { return }
        do throws(VolumeFailure) {
            try work()
        } catch {
            guard error != .closed else { return }
            failure.withLock { if $0 == nil { $0 = error } }
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
            if directory.fileSystem.exists(directory.manifestPath(number)) { continue }
            let file = try directory.open(number, .read)
            guard try file.status().isReadOnly else { continue }
            _ = try directory.fileSystem.lock(file.descriptor, waiting: true)
            if directory.fileSystem.exists(directory.manifestPath(number)) { continue }
            try writeManifest(of: file, number: number)
        }
    }

    /// Reads the whole volume. The caller holds the lock of `file`, so no erasure comes between digest and manifest.
    private func writeManifest(of file: VolumeFile, number: Int) throws(VolumeFailure) {
        let size = try file.status().size
        var scan = VolumeScan(file: file, size: size)
        let entries = try scan.count()
        var digest = SHA256()
        var offset: Int64 = 0
        while offset < size {
            if isCancelled.load(ordering: .relaxed) { throw .closed }
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
