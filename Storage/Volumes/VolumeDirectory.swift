// The folder of volumes: which names mean what, and how a new number is taken among several processes.

import Foundation
import Glibc

/// The folder that holds `NNNNNN.tar`, `NNNNNN.json` and unfinished `*.part` files.
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
    func nextNumber() throws(VolumeFailure) -> Int {
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

    /// A new, empty volume that this process has locked. Another process may take the number first: then the next.
    func createVolume() throws(VolumeFailure) -> VolumeFile {
        var number = try nextNumber()
        while true {
            do throws(VolumeFailure) {
                let file = try open(number, .createNew)
                if try file.tryLock() {
                    do throws(VolumeFailure) {
                        try fileSystem.synchronizeDirectory(path)
                        return file
                    } catch {
                        try? fileSystem.unlink(file.path)
                        throw error
                    }
                }
            } catch {
                if !error.isErrno(EEXIST) { throw error }
            }
            number += 1
        }
    }

    /// Whether a volume is finished for good: read-only, or in possession of its manifest (modes get lost in copies).
    func isSealed(_ file: VolumeFile) throws(VolumeFailure) -> Bool {
        try file.status().isReadOnly || fileSystem.exists(manifestPath(file.number))
    }

    /// Removes unfinished streams that no living process holds.
    func removeAbandonedParts() throws(VolumeFailure) {
        for name in try fileSystem.names(in: path) where name.hasSuffix(".part") {
            do throws(VolumeFailure) {
                let file = try VolumeFile(
                    number: 0, path: "\(path)/\(name)", access: .readWrite, fileSystem: fileSystem)
                if try file.tryLock() { try fileSystem.unlink(file.path) }
            } catch {
                // Its owner finished or removed it just now.
                if !error.isErrno(ENOENT) { throw error }
            }
        }
    }
}
