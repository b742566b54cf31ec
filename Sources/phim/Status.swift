// phim status: what the archive holds and how it is.

import Archive
import ArgumentParser
import Catalog
import Volumes

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what the archive holds, its volumes, and whether a server runs.")

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    struct Report: Encodable {
        let patients: Int
        let studies: Int
        let series: Int
        let instances: Int
        let bytes: Int64
        let conflicts: Int
        /// Studies whose instances name more than one patient.
        let mixedStudies: [String]
        let volumes: Int
        let sealedVolumes: Int
        let freeBytes: Int64
        let isAcceptingStudies: Bool
        let server: RunningServer?
    }

    func run() throws {
        let report = try options.withArchive { archive in
            let counts = try archive.catalog.statistics()
            let volumes = try archive.volumes.volumes()
            return Report(
                patients: counts.patients, studies: counts.studies, series: counts.series, instances: counts.instances,
                bytes: counts.bytes, conflicts: counts.conflicts,
                mixedStudies: try archive.catalog.mixedStudies(), volumes: volumes.count,
                sealedVolumes: volumes.count { $0.isSealed }, freeBytes: try archive.volumes.freeBytes(),
                isAcceptingStudies: archive.volumes.hasSpace, server: RunningServer.current(in: archive.folder))
        }
        if output.json { return try Terminal.printJSON(report) }
        let server = report.server.map {
            "running, process \($0.pid), DICOM \($0.aeTitle) port \($0.dicomPort), HTTP port \($0.httpPort)"
        }
        Terminal.print(
            """
            Server     \(server ?? "not running")
            Patients   \(report.patients)
            Studies    \(report.studies)
            Series     \(report.series)
            Instances  \(report.instances), \(Terminal.bytes(report.bytes))
            Conflicts  \(report.conflicts)\(report.conflicts > 0 ? "  (phim conflict list)" : "")
            Mixed      \(report.mixedStudies.count) studies that name more than one patient
            Volumes    \(report.volumes), of which \(report.sealedVolumes) sealed
            Free disk  \(Terminal.bytes(report.freeBytes))\(report.isAcceptingStudies ? "" : "  FULL: new studies are refused")
            """)
    }
}
