// phim import: brings files, folders, archive files and DICOM media in.

import Access
import Archive
import ArgumentParser
import Ingest
import Media

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring in files, folders, zip, tar or ISO files, and DICOMDIR media.",
        discussion: """
            An import that was interrupted goes on where it stopped when it is started again with the same path. \
            What is there already is not stored twice. Everything that is refused is listed with the reason, and the \
            exit status is then 1.
            An import gives way to what modalities send meanwhile, unless --priority says otherwise.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("What to bring in.", valueName: "path"))
    var paths: [String]

    @Flag(help: "Also read again what an interrupted import has taken already.")
    var again = false

    @Option(help: "Objects on their way at once.")
    var concurrency: Int = 4

    @Option(help: "How urgent the objects are: stat, routine or bulk.")
    var priority: IngestPriority = .bulk

    struct Report: Encodable {
        let imported: Int
        let duplicates: Int
        let conflicts: Int
        let skipped: Int
        let ignored: Int
        let bytes: Int64
        let refused: [Refusal]
        let interruption: String?
    }

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Say what to bring in.") }
        guard (1...64).contains(concurrency) else { throw ValidationError("--concurrency: 1 to 64") }
    }

    func run() throws {
        let bar = ProgressBar("Importing")
        if !options.folder.exists {
            do { try options.folder.create() } catch { throw Fault.opening(error) }
            Terminal.note("Made a new archive in \(options.folder.path).")
        }
        let report = try options.withArchive { archive in
            try archive.catchUp()
            var settings = ImportOptions()
            settings.priority = priority
            settings.again = again
            settings.concurrency = concurrency
            let importer = try Importer(ingest: archive.ingest, dataFolder: archive.folder.path, options: settings)
            let interruption = Interruption { importer.cancel() }
            defer { withExtendedLifetime(interruption) {} }
            let report = importer.run(paths) { bar.show($0.objects, of: $0.total, detail: Terminal.bytes($0.bytes)) }
            archive.noteOperator(.store, detail: "import: \(report.imported) objects")
            return report
        }
        bar.finish()
        if output.json {
            try Terminal.printJSON(
                Report(
                    imported: report.imported, duplicates: report.duplicates, conflicts: report.conflicts,
                    skipped: report.skipped, ignored: report.ignored, bytes: report.bytes, refused: report.refused,
                    interruption: report.interruption.map { "\($0)" }))
        } else {
            for refusal in report.refused { Terminal.print("REFUSED  \(refusal.path)  \(refusal.reason)") }
            Terminal.print(
                """
                \(report.imported) imported (\(Terminal.bytes(report.bytes)) read), \(report.duplicates) were here already, \
                \(report.conflicts) conflicts, \(report.skipped) taken by an earlier run, \(report.ignored) not DICOM, \
                \(report.refusedCount) refused
                """)
        }
        if let interruption = report.interruption {
            Terminal.error("ended early: \(interruption); the same command again goes on from there")
        }
        if !report.isComplete { throw ExitStatus.incomplete }
    }
}

extension IngestPriority: ExpressibleByArgument {}
