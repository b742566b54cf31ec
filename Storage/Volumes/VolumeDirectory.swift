// The folder of volumes: which names mean what, and how a new number is taken among several processes.

import Foundation
import Glibc

/// The folder that holds `NNNNNN.tar`, `NNNNNN.json`, `numbers` and unfinished `*.part` files.
struct VolumeDirectory: Sendable {
    let path: String
    let fileSystem: any FileSystem

    private func name(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    func tarPath(_ number: Int) -> String { "\(path)/\(name(number)).tar" }

    func manifestPath(_ number: Int) -> String { "\(path)/\(name(number)).json" }

    private func numbers(withSuffix suffix: String) throws(VolumeFailure) -> [Int] {
        try fileSystem.names(in: path).compactMap { name in
            guard name.hasSuffix(suffix), name.utf8.count >= 6 + suffix.utf8.count else { return nil }
            return Int(name.dropLast(suffix.count)).flatMap { $0 > 0 ? $0 : nil }
        }
    }

    /// Numbers of all volumes, rising.
    func numbers() throws(VolumeFailure) -> [Int] { try numbers(withSuffix: ".tar").sorted() }

    /// A number above all that are taken, also by a manifest whose volume lies elsewhere.
    func numberAboveAll() throws(VolumeFailure) -> Int {
        let taken = try numbers(withSuffix: ".tar") + numbers(withSuffix: ".json")
        return (taken.max() ?? 0) + 1
    }

    func open(_ number: Int, _ access: FileAccess) throws(VolumeFailure) -> VolumeFile {
        do throws(VolumeFailure) {
            return try VolumeFile(number: number, path: tarPath(number), access: access, fileSystem: fileSystem)
        } catch {
            throw error.isErrno(ENOENT) ? .notFound(volume: number) : error
        }
    }

    /// The volume opened once more for writing past the page cache, or like any file where the file system or the disk's
    /// blocks do not allow that. A block of zeros written at the tail, where there are zeros already, tells.
    func openForAppending(_ number: Int, tail: Int64) throws(VolumeFailure) -> VolumeFile {
        do throws(VolumeFailure) {
            let file = try open(number, .direct)
            let block = EntryBuffer()
            // From memory that is aligned no better than an entry with its header is.
            _ = block.enclose(header: [UInt8](repeating: 0, count: TarBlock.size))
            try block.withEntry(headerLength: TarBlock.size, count: TarBlock.size) {
                span throws(VolumeFailure) in try file.write(span, at: tail)
            }
            return file
        } catch {
            guard error.isErrno(EINVAL) || error.isErrno(EOPNOTSUPP) else { throw error }
            return try open(number, .readWrite)
        }
    }

    /// A new, empty volume that this process has locked, and the nonce for its entries.
    func createVolume() throws(VolumeFailure) -> (file: VolumeFile, nonce: String) {
        while true {
            let (number, nonce) = try takeNumber()
            do throws(VolumeFailure) {
                let file = try open(number, .createNew)
                if try file.tryLock() {
                    do throws(VolumeFailure) {
                        try fileSystem.synchronizeDirectory(path)
                        return (file, nonce)
                    } catch {
                        try? fileSystem.unlink(file.path)
                        throw error
                    }
                }
            } catch {
                // Someone put a file there by hand.
                if !error.isErrno(EEXIST) { throw error }
            }
        }
    }

    /// Whether a volume is finished for good: read-only, or in possession of its manifest (modes get lost in copies).
    func isSealed(_ file: VolumeFile) throws(VolumeFailure) -> Bool {
        try file.status().isReadOnly || fileSystem.exists(manifestPath(file.number))
    }

    /// Removes unfinished streams that no living process holds. What cannot be removed stays for the next time: a
    /// leftover is no reason not to start.
    func removeAbandonedParts() throws(VolumeFailure) {
        for name in try fileSystem.names(in: path) where name.hasSuffix(".part") {
            // For reading, which is enough for the lock: one that died in the middle of its commit is read-only.
            guard
                let file = try? VolumeFile(
                    number: 0, path: "\(path)/\(name)", access: .read, fileSystem: fileSystem),
                (try? file.tryLock()) == true
            else { continue }
            try? fileSystem.unlink(file.path)
            // The lock lasts until the name is gone.
            fileSystem.unlock(file.descriptor)
        }
    }
}
