// phim outbox: what waits to be sent on, why it was not sent, and what a person does about it.

import Access
import Archive
import ArgumentParser
import Forwarding
import Foundation
import Records

struct OutboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox",
        abstract: "What waits to be sent on, how fast it goes, and why something was not sent.",
        discussion: """
            Without a subcommand: the backlog by destination. A study on its way to a destination is a shipment; it has a \
            number (phim outbox list). Where several destinations have a study, commands that take a study ask for --to.
            """,
        subcommands: [
            Backlog.self, List.self, Show.self, Explain.self, Send.self, Hold.self, Release.self, First.self, Last.self,
            Priority.self, Retry.self, Resend.self, Drop.self, Pause.self, Resume.self, Ledger.self, Receipt.self,
        ], defaultSubcommand: Backlog.self)
}

extension ShipmentRecord.State: ExpressibleByArgument {}

extension ShipmentRecord.Priority: ExpressibleByArgument {
    /// The word of a priority.
    public init?(argument: String) { self.init(word: argument) }
    /// For help texts.
    public static var allValueStrings: [String] { allCases.map(\.word) }
}

/// A study, and whereto where that is not clear.
struct ShipmentArgument: ParsableArguments {
    @Argument(help: "Study Instance UID, or the number of the shipment.") var study: String
    @Option(
        name: [.customLong("to"), .customLong("destination")],
        help: "Name of the destination, where the study goes to several.")
    var to: String?

    func find(_ archive: OpenArchive) throws -> ShipmentReport {
        if let number = Int64(study) { return try archive.outbox.shipment(number) }
        let found = try archive.outbox.shipments(state: nil, destination: to ?? "", study: study, limit: 1_000)
        guard let first = found.first else {
            throw CannotBegin(
                "this study is not in the outbox\(to.map { " for \($0)" } ?? ""); phim outbox explain says why")
        }
        guard found.count == 1 else {
            let names = found.map(\.destination).sorted().joined(separator: ", ")
            throw CannotBegin("the study goes to \(names): say which with --to")
        }
        return first
    }
}

extension OutboxCommand {
    struct Backlog: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What waits, by destination and priority; how fast it goes, and when it will have gone.",
            discussion: """
                The rate is what went there in the last ten minutes. The end is reckoned from it and the week's timetable; \
                there is none while the line is down, or when nothing went there yet.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions

        struct Report: Encodable {
            let backlog: [BacklogReport]
        }

        func run() throws {
            let backlog = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "outbox")
                return try archive.outbox.backlog()
            }
            if output.json { return try Terminal.printJSON(Report(backlog: backlog)) }
            guard !backlog.isEmpty else { return Terminal.note("No destinations yet: phim destination add --help") }
            for one in backlog { Terminal.print(one.text) }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List shipments, the newest first.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "waiting, sent, committed, refused, dropped or withdrawn.") var state: ShipmentRecord.State?
        @Option(help: "Name of the destination.") var to = ""
        @Option(help: "At most this many.") var limit: Int = 100

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000") }
        }

        func run() throws {
            let found = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "outbox")
                return try archive.outbox.shipments(state: state, destination: to, limit: limit)
            }
            try output.list(
                found, none: "Nothing of this kind is in the outbox.",
                ["NUMBER", "QUEUED", "TO", "STUDY", "PRIORITY", "STATE", "SENT", "SIZE", "BY", "WHY"]
            ) {
                [
                    "\($0.number)", $0.createdAt, $0.destination, $0.studyInstanceUID, $0.priority,
                    $0.state + ($0.isHeld ? " (held)" : ""), "\($0.sentInstances)/\($0.instances)",
                    Terminal.bytes($0.bytes), $0.route ?? "a person", $0.why,
                ]
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Everything about one shipment.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument

        func run() throws {
            let report = try options.withArchive { archive in
                let report = try which.find(archive)
                archive.noteOperator(.read, studies: [report.studyInstanceUID], detail: "shipment \(report.number)")
                return report
            }
            try output.show(report, report.text)
        }
    }

    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Where a study is, and why it was not sent: one line for each destination.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Study Instance UID.") var study: String

        struct Report: Encodable {
            let studyInstanceUID: String
            let lines: [String]
        }

        func run() throws {
            let report = try options.withArchive { archive in
                archive.noteOperator(.read, studies: [study], detail: "outbox explained")
                return Report(studyInstanceUID: study, lines: try archive.outbox.ledger(study: study).lines)
            }
            if output.json { return try Terminal.printJSON(report) }
            for line in report.lines { Terminal.print(line) }
        }
    }

    struct Send: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a study because somebody asks for it, whatever the rules say.",
            discussion:
                "Only what is missing there is sent. The running server sends it; this command only puts it in line.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Study Instance UID.") var study: String
        @Option(help: "A destination, or a peer: then a destination of its name is made.") var to: String
        @Option(help: "stat, normal or bulk; normal when it is not given.") var priority: ShipmentRecord.Priority?
        @Option(help: ArgumentHelp("On which ground it is shared.", valueName: "words")) var legalBasis = ""
        @Flag(help: "Compress without loss for the line, where the destination takes it.") var compress = false
        @Option(help: ArgumentHelp("De-identify (PS3.15 Annex E), such as basic.", valueName: "profile"))
        var deidentify = ""
        @Option(help: ArgumentHelp("Write texts in this character set.", valueName: "term")) var characterSet = ""

        func run() throws {
            let report = try options.withArchive { archive in
                let actor = Author.terminal.account
                if try archive.makeDestination(ofPeer: to, by: actor) {
                    Terminal.note("There was no destination \(to); one was made of the peer of this name.")
                }
                var transform = ShipmentTransform()
                transform.compresses = compress
                (transform.deidentification, transform.characterSet) = (deidentify, characterSet)
                let shipment = try archive.outbox.send(
                    study: study, to: to, priority: priority ?? .normal, legalBasis: legalBasis, transform: transform,
                    by: actor)
                archive.noteOperator(.export, studies: [study], detail: "to destination \(shipment.destination)")
                return try archive.outbox.shipment(shipment.id)
            }
            try output.show(report, report.text)
        }
    }
}

extension BacklogReport {
    var text: String {
        var head = "\(destination)  \(line?.state.rawValue ?? "there is no such destination any more")"
        if let line {
            if [.waiting, .stopped].contains(line.state) { head += " since \(line.since ?? "?"): \(line.reason)" }
            if let next = line.nextAt { head += "; next at \(next)" }
        }
        let pace = rate.map { "\(Terminal.bytes($0))/s" } ?? "nothing went there in the last ten minutes"
        let total =
            studies == 0
            ? "nothing" : "\(studies) studies, \(instances) instances, \(Terminal.bytes(bytes)), oldest \(oldest ?? "")"
        var lines = [head, "  waiting   \(total)"]
        lines += classes.map {
            "    \($0.priority.padding(toLength: 8, withPad: " ", startingAt: 0))\($0.studies) studies, \($0.instances) "
                + "instances, \(Terminal.bytes($0.bytes)), oldest \($0.oldest)"
        }
        lines.append("  rate      \(pace)\(line.map { "; the timetable allows \($0.allowance) now" } ?? "")")
        if studies > 0 { lines.append("  finished  \(finishAt.map { "about \($0)" } ?? "cannot be told")") }
        if unproven > 0 { lines.append("  unproven  \(unproven) studies are sent, their arrival is not proven") }
        if refused > 0 {
            lines.append("  refused   \(refused) studies may not leave: phim outbox list --state refused")
        }
        return lines.joined(separator: "\n")
    }
}

extension ShipmentReport {
    var text: String {
        let form = [compress ? "compressed" : nil, deidentify.map { "de-identified (\($0))" }, characterSet]
            .compactMap { $0 }.joined(separator: ", ")
        return """
            \(number)  to \(destination)  \(priority)  \(state)\(isHeld ? ", held" : "")
              study   \(studyInstanceUID)
              why     \(why)
              cause   \(cause)\(legalBasis.map { "; legal basis \($0)" } ?? "")
              sent    \(sentInstances) of \(instances) instances, \(Terminal.bytes(sentBytes)) of \(Terminal.bytes(bytes)); \
            \(Terminal.bytes(lineBytes)) over the line\(form.isEmpty ? "" : "; \(form)")
              times   queued \(createdAt)\(sentAt.map { ", sent \($0)" } ?? "")\(committedAt.map { ", proven \($0)" } ?? "")
            """
    }
}
