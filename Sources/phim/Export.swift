// phim export: gives studies out as files.

import Access
import Archive
import ArgumentParser
import Catalog
import Media

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write studies to a folder, a zip file or a DICOM medium.",
        discussion: """
            Files are byte for byte as they are stored, but for what was corrected since (phim study); --original gives them \
            as they were received. --format dicomdir writes a folder with a DICOMDIR, to be put \
            on a disc or stick.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Study Instance UID; may be given several times.") var study: [String] = []
    @Option(help: "Series Instance UID; may be given several times.") var series: [String] = []
    @Option(help: ArgumentHelp("Folder, or zip file, to write.", valueName: "path")) var to: String
    @Option(help: "folder, zip or dicomdir.") var format: ExportFormat = .folder
    @Flag(help: "Write into a folder that is not empty, or over a file.") var overwrite = false
    @Flag(help: "As it was received, whatever was corrected since.") var original = false

    struct Report: Encodable {
        let files: Int
        let bytes: Int64
        let problems: [ExportReport.Problem]
    }

    func validate() throws {
        guard !study.isEmpty || !series.isEmpty else {
            throw ValidationError("Say what to export: --study or --series.")
        }
    }

    func run() throws {
        let bar = ProgressBar("Exporting")
        let report = try options.withArchive { archive in
            let found = try archive.catalog.instances(Scope(studyUIDs: study, seriesUIDs: series))
            let instances = original ? found.map(\.asReceived) : found
            guard !instances.isEmpty else {
                Terminal.error("nothing here has these UIDs")
                throw ExitStatus.incomplete
            }
            archive.noteOperator(
                .export, studies: instances.map(\.studyInstanceUID),
                detail: original ? "to files, as received" : "to files")
            let exporter = Exporter(retrieval: archive.retrieval)
            let interruption = Interruption { exporter.cancel() }
            defer { withExtendedLifetime(interruption) {} }
            do throws(MediaFailure) {
                return try exporter.export(instances, to: to, as: format, overwriting: overwrite) {
                    bar.show($0.objects, of: $0.total, detail: Terminal.bytes($0.bytes))
                }
            } catch {
                throw fault(error)
            }
        }
        bar.finish()
        if output.json {
            try Terminal.printJSON(Report(files: report.files, bytes: report.bytes, problems: report.problems))
        } else {
            for problem in report.problems { Terminal.print("PROBLEM  \(problem.sopInstanceUID)  \(problem.reason)") }
            Terminal.print("\(report.files) files written, \(Terminal.bytes(report.bytes))")
        }
        if !report.problems.isEmpty { throw ExitStatus.incomplete }
    }

    private func fault(_ failure: MediaFailure) -> any Error {
        switch failure {
        case .targetNotEmpty: return CannotBegin("\(to): \(failure); --overwrite writes into it all the same")
        case .nothingToExport: return Fault.exit(for: failure)
        case .cancelled where format == .zip:
            Terminal.error("\(to): cancelled, nothing was left behind; the same command again starts over")
        case .cancelled:
            Terminal.error("\(to): cancelled, not all files are there; with --overwrite the same command starts over")
        default: Terminal.error("\(to): \(failure)")
        }
        return ExitStatus.incomplete
    }
}

extension ExportFormat: ExpressibleByArgument {}
