// A long study list: the catalogue of an archive with as many studies as wanted and no volumes behind them.

import Archive
import ArgumentParser
import Catalog

struct StudyList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study-list", abstract: "Fill the catalogue of a new archive with made-up studies.",
        discussion: "Only searching works on such an archive: there is nothing to retrieve.")

    @Option(name: .customLong("data"), help: "Folder of the archive; made when it is not there.") var folder: String
    @Option var studies = 100_000
    @Option(help: "Instances of each study.") var instances = 2

    private struct Outcome: Encodable {
        let studies: Int
        let instances: Int
    }

    func validate() throws {
        guard studies > 0, instances > 0 else { throw ValidationError("numbers are positive") }
    }

    func run() throws {
        let place = ArchiveFolder(folder)
        try place.create()
        let catalog = try CatalogStore(path: place.catalog)
        let made = MadeUpArchive(uidStyle: .device, instancesPerStudy: instances)
        let total = studies * instances
        for start in stride(from: 0, to: total, by: 4_096) {
            _ = try catalog.enroll(made.batch(start..<min(start + 4_096, total)), enrolledTo: [:])
        }
        try catalog.close()
        try Report.line(Outcome(studies: studies, instances: total))
    }
}
