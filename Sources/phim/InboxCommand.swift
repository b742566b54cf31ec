// phim inbox: studies that no rule could place, and what people decide about them.

import Access
import Archive
import ArgumentParser
import Encounters
import Foundation
import Records

struct InboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inbox",
        abstract: "Studies without an order: list them, link them, take a link back.",
        discussion: """
            Rules link a study when the Study Instance UID or the Accession Number is an order's and the patient agrees, \
            or when the patient has one open order for the modality at that time. Everything else waits here.
            """,
        subcommands: [List.self, Show.self, Link.self, Undo.self, Links.self], defaultSubcommand: List.self)
}

extension InboxCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What waits, the longest first.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "At most this many.") var limit: Int = 1000

        func run() throws {
            let waiting = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "inbox")
                try archive.follower.catchUp()
                return try archive.encounters.look { try $0.inbox(limit: limit) }.map(WaitingReport.init)
            }
            try output.list(
                waiting, none: "Nothing waits.",
                ["STUDY", "DATE", "MODALITY", "PATIENT ID", "NAME", "ACCESSION", "SINCE"]
            ) {
                [
                    $0.studyInstanceUID, $0.startedAt, $0.modalities.joined(separator: "+"), $0.patientID,
                    $0.patientName, $0.accessionNumber, $0.since + ($0.isHeld ? " (link undone)" : ""),
                ]
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Where a study could belong and why, and the links it had.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Study Instance UID.") var study: String

        func run() throws {
            let report = try options.withArchive { archive in
                archive.noteOperator(.read, studies: [study], detail: "links")
                guard let facts = try archive.follower.facts(of: [study])[study] else {
                    throw CannotBegin("no such study")
                }
                let issuer = archive.encounters.settings.issuer
                return try archive.encounters.look { try StudyLinkStory(facts, $0, issuer: issuer) }
            }
            if output.json { return try Terminal.printJSON(report) }
            for link in report.links { Terminal.print(link.text) }
            if report.candidates.isEmpty { Terminal.note("No order, visit or patient fits.") }
            for candidate in report.candidates { Terminal.print(candidate.text) }
        }
    }

    struct Link: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say where a study belongs.",
            discussion: "A link that it has is undone and kept in its history.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var place: LinkPlace
        @Argument(help: "Study Instance UID.") var study: String
        @Option(help: "Why; kept with the link.") var reason = ""

        func run() throws {
            let link = try options.withArchive { try $0.link(study, to: place, reason: reason) }
            try output.show(link, link.text)
        }
    }

    struct Undo: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a link away: the study waits for a decision, and no rule links it again.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Study Instance UID.") var study: String
        @Option(help: "Why; kept with the link.") var reason = ""

        func run() throws {
            try options.withArchive { archive in
                guard let facts = try archive.follower.facts(of: [study])[study] else {
                    throw CannotBegin("no such study")
                }
                try archive.encounters.change(by: Author.terminal.account) {
                    try $0.links.undo(study: facts, reason: reason)
                }
                try archive.follower.corrections.settle()
                archive.noteOperator(.administer, studies: [study], detail: "link undone")
            }
        }
    }

    struct Links: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the links that hold, the newest first, with what they were made by.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "studyInstanceUID, accession, patient or person.") var method: LinkMethod?
        @Option(help: "At most this many.") var limit: Int = 100

        func run() throws {
            let links = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "links")
                return try archive.encounters.look { records in
                    try LinkReport.reports(try records.links(method: method, limit: limit), records)
                }
            }
            if output.json { return try Terminal.printJSON(links) }
            for link in links { Terminal.print(link.text) }
        }
    }
}

extension LinkMethod: ExpressibleByArgument {}

extension PlaceReport {
    var text: String {
        [accessionNumber.map { "order \($0)" }, visit.map { "visit \($0)" }, patientName].compactMap { $0 }
            .joined(separator: ", ")
    }
}

extension CandidateReport {
    var text: String { "  \(place.text)  \(score): \(reason)" }
}

extension LinkReport {
    var text: String {
        let why = undoneReason.map { ": \($0)" } ?? ""
        let end = undoneAt.map { " (undone \($0) by \(undoneBy ?? "")\(why))" } ?? ""
        return """
            \(studyInstanceUID) → \(place.text)\(end)
              \(at) by \(by), \(method), \(score): \(reason)
            """
    }
}
