// phim delete: takes studies, series or instances out of the archive, for good.

import Access
import Archive
import ArgumentParser
import Catalog
import Foundation

struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Delete a study, series or instance for good.",
        discussion: "The space returns at once, and rebuilding the index does not bring it back.")

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Study Instance UID.") var study: String?
    @Option(help: "Series Instance UID.") var series: String?
    @Option(help: "SOP Instance UID.") var instance: String?
    @Flag(help: "Do not ask.") var yes = false

    struct Report: Encodable {
        let deleted: Int
        let bytes: Int64
    }

    func validate() throws {
        guard [study, series, instance].contains(where: { $0 != nil }) else {
            throw ValidationError("Say what to delete: --study, --series or --instance.")
        }
    }

    func run() throws {
        let scope = Scope(
            studyUIDs: study.map { [$0] } ?? [], seriesUIDs: series.map { [$0] } ?? [],
            sopUIDs: instance.map { [$0] } ?? [])
        let report = try options.withArchive { archive in
            let instances = try archive.catalog.instances(scope)
            let shown = instances.count
            let conflicts = try archive.catalog.conflicts(limit: .max, includingDecided: true)
            let hidden = conflicts.reduce(0) { count, conflict in
                count + conflict.copies.count { !$0.isPrimary && isMeant($0, of: conflict) }
            }
            guard shown + hidden > 0 else {
                Terminal.error("nothing here has these UIDs")
                throw ExitStatus.incomplete
            }
            try confirm(shown + hidden)
            let studies = Set(instances.map(\.studyInstanceUID)).union(study.map { [$0] } ?? [])
            archive.noteOperator(.delete, studies: Array(studies), detail: "\(shown + hidden) objects")
            let erased = try archive.delete(scope)
            archive.finishSealing()
            return Report(deleted: erased.count, bytes: erased.bytes)
        }
        if output.json { return try Terminal.printJSON(report) }
        Terminal.print("\(report.deleted) instances deleted, \(Terminal.bytes(report.bytes)) freed")
    }

    /// Of an object with several contents the hidden ones are known to nobody but the list of conflicts.
    private func isMeant(_ copy: StoredCopy, of conflict: Catalog.Conflict) -> Bool {
        (study == nil || study == copy.studyInstanceUID) && (series == nil || series == copy.seriesInstanceUID)
            && (instance == nil || instance == conflict.sopInstanceUID)
    }

    private func confirm(_ count: Int) throws {
        guard !yes else { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw CannotBegin("\(count) instances would be deleted; confirm with --yes")
        }
        Terminal.note("Delete \(count) instances for good? Type yes:")
        guard readLine() == "yes" else { throw CannotBegin("nothing was deleted") }
    }
}
