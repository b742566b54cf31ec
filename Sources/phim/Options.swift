// Options that many commands share, and how they open the archive.

import Access
import Archive
import ArgumentParser
import Foundation
import Logging

/// `--data`, `--config`.
struct ArchiveOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The archive's data directory.", valueName: "dir"))
    var data: String

    @Option(name: .long, help: ArgumentHelp("Configuration file; DIR/phim.yaml when not given.", valueName: "file"))
    var config: String?

    var folder: ArchiveFolder { ArchiveFolder(data) }

    /// The configuration file's settings, or the defaults where there is no file.
    func configuration() throws -> Configuration {
        if let config { return try Configuration.load(config) }
        guard FileManager.default.fileExists(atPath: folder.configuration) else { return Configuration() }
        return try Configuration.load(folder.configuration)
    }

    /// Opens the archive for a command that waits for others; close it afterwards.
    func open() throws -> OpenArchive {
        do {
            var logger = Logger(label: "phim") { StreamLogHandler.standardError(label: $0) }
            logger.logLevel = .error
            return try OpenArchive.existing(folder, configuration: try configuration(), logger: logger)
        } catch {
            throw Fault.opening(error)
        }
    }

    /// Opens the archive for a command and closes it afterwards. What fails is said here, and thrown as an exit status.
    func withArchive<Answer>(_ body: (OpenArchive) throws -> Answer) throws -> Answer {
        let archive = try open()
        defer { archive.close() }
        do { return try body(archive) } catch { throw Fault.exit(for: error) }
    }
}

extension OpenArchive {
    /// Tells the audit trail what somebody did on the command line.
    func noteOperator(_ kind: AuditEvent.Kind, studies: [String] = [], detail: String = "") {
        let author = Author.terminal
        for study in studies.isEmpty ? [nil] : Set(studies).sorted().map(Optional.some) {
            audit.note(
                AuditEvent(
                    kind, account: author.account, credential: nil, address: "", studyInstanceUID: study,
                    detail: detail))
        }
    }
}

/// `--json`.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print the answer as JSON, for scripts.")
    var json = false

    /// One thing.
    func show(_ report: some Encodable, _ text: @autoclosure () -> String) throws {
        if json { try Terminal.printJSON(report) } else { Terminal.print(text()) }
    }

    /// A list as a table.
    /// - Parameter none: what is said where there is nothing.
    func list<One: Encodable>(
        _ found: [One], none: String, _ header: [String], _ row: (One) -> [String]
    ) throws {
        if json { return try Terminal.printJSON(found) }
        guard !found.isEmpty else { return Terminal.note(none) }
        Terminal.print(Terminal.table(header, found.map(row)))
    }
}
