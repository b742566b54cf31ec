// The data directory: what lies where.

import Foundation
import Glibc

/// Paths inside one data directory.
package struct ArchiveFolder: Sendable {
    package let path: String

    package init(_ path: String) {
        self.path = URL(fileURLWithPath: path, isDirectory: true).standardizedFileURL.path
    }

    package var configuration: String { path + "/phim.yaml" }
    package var volumes: String { path + "/volumes" }
    package var catalog: String { path + "/catalog.sqlite" }
    package var records: String { path + "/records.sqlite" }
    /// The last row of the audit trail, noted beside the records.
    package var auditHead: String { path + "/audit.head" }
    /// The secret behind the names that stand for patients in what leaves de-identified.
    package var pseudonymKey: String { path + "/pseudonyms.key" }
    /// Metadata of series, ready to be sent; it may be removed at any time.
    package var metadata: String { path + "/metadata" }
    /// Where this archive's receipt key lies, and what other archives have sent in part.
    package var exchange: String { path + "/exchange" }
    package var receiptKey: String { exchange + "/receipt.key" }
    /// Temporary files of all processes.
    private var allScratch: String { path + "/scratch" }
    /// Temporary files of this process.
    package var scratch: String { allScratch + "/\(getpid())" }
    package var runningServer: String { path + "/server.json" }
    package var serverLock: String { path + "/server.lock" }
    package var maintenanceLock: String { path + "/maintenance.lock" }

    /// Whether an archive lives here already.
    package var exists: Bool { FileManager.default.fileExists(atPath: volumes) }

    /// Makes the folders, readable by their owner only, and a commented configuration file.
    package func create() throws(ArchiveError) {
        do {
            for folder in [path, volumes, allScratch] {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
            // Also a folder that was there before: what lies in it is for its owner alone.
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
            if !FileManager.default.fileExists(atPath: configuration) {
                try Configuration.template.write(toFile: configuration, atomically: true, encoding: .utf8)
            }
        } catch {
            throw .unusable("\(path): cannot be created: \(error.localizedDescription)")
        }
    }
}

extension ArchiveFolder {
    /// Removes temporary files of processes that are gone: they hold copies of objects.
    func clearScratch() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: allScratch)) ?? [] {
            if let process = Int32(name), kill(process, 0) == 0 || errno == EPERM { continue }
            try? FileManager.default.removeItem(atPath: allScratch + "/" + name)
        }
    }
}

/// Why an archive cannot be opened or worked on; the text is for the person at the terminal.
package enum ArchiveError: Error, CustomStringConvertible, Sendable {
    case noArchive(String)
    case unusable(String)
    case inUse(String)

    package var description: String {
        switch self {
        case .noArchive(let path):
            "\(path): there is no archive here. Start one with: phim serve --data \(path)"
        case .unusable(let why), .inUse(let why): why
        }
    }
}

/// A lock between processes that the system lets go of when its holder ends, however it ends.
package final class FolderLock: Sendable {
    private let descriptor: Int32

    /// - Parameter shared: several may hold it so at once, while nobody holds it alone.
    /// - Returns: nil when another process holds it and `waits` is false.
    package init?(_ path: String, waits: Bool = false, shared: Bool = false) throws(ArchiveError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .unusable("\(path): cannot be opened") }
        // Leaving here ends the value, which closes the descriptor.
        let kind = shared ? LOCK_SH : LOCK_EX
        guard flock(descriptor, waits ? kind : kind | LOCK_NB) == 0 else { return nil }
    }

    deinit { close(descriptor) }
}
