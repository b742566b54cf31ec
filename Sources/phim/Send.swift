// phim send: sends studies to a peer.

import Access
import Archive
import ArgumentParser
import Catalog
import DIMSEServer

struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send studies, series or instances to a peer (C-STORE).",
        discussion: """
            Stored bytes are sent untouched where the peer accepts their transfer syntax, otherwise uncompressed. What \
            could not be sent is listed with the reason, and the exit status is then 1.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    @Option(name: .customLong("to"), help: ArgumentHelp("The peer's name.", valueName: "peer")) var to: String
    @Option(help: "Study Instance UID; may be given several times.") var study: [String] = []
    @Option(help: "Series Instance UID; may be given several times.") var series: [String] = []
    @Option(help: "SOP Instance UID; may be given several times.") var instance: [String] = []

    struct Report: Encodable {
        struct Failure: Encodable {
            let sopInstanceUID: String
            let reason: String
        }
        var sent = 0
        var warnings = 0
        var failed: [Failure] = []
    }

    func validate() throws {
        guard !(study + series + instance).isEmpty else {
            throw ValidationError("Say what to send: --study, --series or --instance.")
        }
    }

    func run() throws {
        let bar = ProgressBar("Sending")
        let report = try options.withArchive { archive in
            let peer = try archive.peer(named: to)
            let instances = try archive.catalog.instances(
                Scope(studyUIDs: study, seriesUIDs: series, sopUIDs: instance))
            guard !instances.isEmpty else {
                Terminal.error("nothing here has these UIDs")
                throw ExitStatus.incomplete
            }
            archive.noteOperator(.export, studies: instances.map(\.studyInstanceUID), detail: "to peer \(peer.name)")
            let courier = Courier(
                destination: peer, dialing: try archive.dialing(), retrieval: archive.retrieval)
            defer { courier.close() }
            courier.plan(instances)
            var report = Report()
            for (index, instance) in instances.enumerated() {
                switch courier.send(instance) {
                case .completed: report.sent += 1
                case .warning:
                    report.sent += 1
                    report.warnings += 1
                case .failed(let reason):
                    report.failed.append(.init(sopInstanceUID: instance.sopInstanceUID, reason: reason))
                }
                bar.show(index + 1, of: instances.count)
            }
            return report
        }
        bar.finish()
        if output.json {
            try Terminal.printJSON(report)
        } else {
            for failure in report.failed { Terminal.print("NOT SENT  \(failure.sopInstanceUID)  \(failure.reason)") }
            Terminal.print("\(report.sent) sent, \(report.failed.count) failed")
        }
        if !report.failed.isEmpty { throw ExitStatus.incomplete }
    }
}
