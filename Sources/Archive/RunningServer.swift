// What a running server leaves in the data directory so that commands find it.

import Foundation

/// The ready line, also kept in `server.json` while the server runs.
package struct RunningServer: Codable, Sendable, Equatable {
    package let pid: Int32
    package let aeTitle: String
    package let dicomHost: String
    package let dicomPort: Int
    /// Where DICOM is taken by TLS; absent where it is not.
    package let dicomTLSPort: Int?
    package let httpHost: String
    package let httpPort: Int
    package let httpScheme: String
    /// Where messages of the hospital's system are taken; absent where they are not.
    package let hl7Port: Int?
    package let data: String
    package let version: String

    package var jsonLine: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// The server that holds the folder's lock now; nil when none runs.
    package static func current(in folder: ArchiveFolder) -> RunningServer? {
        guard FileManager.default.fileExists(atPath: folder.serverLock),
            (try? FolderLock(folder.serverLock)) == nil,
            let data = FileManager.default.contents(atPath: folder.runningServer)
        else { return nil }
        return try? JSONDecoder().decode(RunningServer.self, from: data)
    }
}

/// The program's own version.
package enum Version {
    package static let current = "0.1.0"
}
