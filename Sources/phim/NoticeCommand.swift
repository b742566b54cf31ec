// phim notice: what others are told, what waits and why, and what a person does about it.

import Access
import Archive
import ArgumentParser
import Encounters
import Foundation
import Records

struct NoticeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notice",
        abstract: "What hospital systems are told of studies: list, show, try again, drop.",
        discussion: "Destinations stand in the configuration file, under notices:.",
        subcommands: [List.self, Show.self, Retry.self, Drop.self], defaultSubcommand: List.self)
}

extension NoticeCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List notices, the newest first, and destinations that do not take them.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "waiting, delivered, superseded or dropped.") var state: NoticeRecord.State?
        @Option(help: "Name of the destination.") var destination = ""
        @Option(help: "Study Instance UID.") var study = ""
        @Option(help: "At most this many.") var limit: Int = 100

        struct Report: Encodable {
            let lines: [NoticeLineReport]
            let notices: [NoticeReport]
        }

        func run() throws {
            let report = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "notices")
                let known = Set(archive.configuration.notices.map(\.name))
                return try archive.encounters.look { records in
                    let lines = try records.noticeLines().map { NoticeLineReport($0) }
                    let strangers = try records.noticeBacklog().filter { !known.contains($0.destination) }
                    return Report(
                        lines: lines + strangers.map { NoticeLineReport($0) },
                        notices: try records.notices(
                            state: state, destination: destination, study: study, limit: limit
                        ).map { NoticeReport($0) })
                }
            }
            if output.json { return try Terminal.printJSON(report) }
            for line in report.lines { Terminal.note(line.text) }
            Terminal.print(
                Terminal.table(
                    ["NUMBER", "AT", "TO", "STUDY", "WHAT", "REVISION", "STATE", "TRIES", "ANSWER"],
                    report.notices.map {
                        [
                            "\($0.number)", $0.at, $0.destination, $0.studyInstanceUID, $0.status, "\($0.revision)",
                            $0.state, "\($0.attempts)", $0.answer,
                        ]
                    }))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a notice says, why it was written, and what came of it.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Number of the notice.") var number: Int64

        struct Report: Encodable {
            let notice: NoticeReport
            let body: StudyNotice?
            let line: NoticeLineReport?
        }

        func run() throws {
            let report = try options.withArchive { archive in
                let report = try archive.encounters.look { records in
                    let notice = try records.notice(id: number)
                    return Report(
                        notice: NoticeReport(notice), body: try? notice.studyNotice(),
                        line: try records.noticeLine(notice.destination).map { NoticeLineReport($0) })
                }
                archive.noteOperator(.read, studies: [report.notice.studyInstanceUID], detail: "notice \(number)")
                return report
            }
            if output.json { return try Terminal.printJSON(report) }
            Terminal.print(report.notice.text)
            if let body = report.body { Terminal.print(Self.text(body)) }
            if let line = report.line { Terminal.print(line.text) }
        }

        private static func text(_ body: StudyNotice) -> String {
            let identifiers = body.patient.identifiers.map { "\($0.value) (\($0.type) \($0.issuer))" }
            return """
                  why       \(body.reason)
                  patient   \(body.patient.name), \(identifiers.joined(separator: ", "))
                  visit     \(body.visit?.number ?? "none")
                  order     \(body.order?.placer.value ?? "none"), accession number \(body.order?.accession.value ?? "none")
                  study     \(body.study.series) series, \(body.study.instances) instances
                """
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try at once what waits: one notice, or all of a destination.",
            discussion: "A destination that said it wants nothing any more (410) is told again from then on.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Number of the notice.") var number: Int64?
        @Option(help: "Name of the destination.") var destination: String?

        func validate() throws {
            guard (number == nil) != (destination == nil) else {
                throw ValidationError("Give a number or --destination.")
            }
        }

        func run() throws {
            try options.withArchive { archive in
                let outbox = NoticeOutbox(archive.encounters)
                if let number { try outbox.retry(number, by: Author.terminal.account) }
                if let destination { try outbox.retry(destination: destination, by: Author.terminal.account) }
                let what = number.map { "notice \($0)" } ?? "notices for \(destination ?? "")"
                archive.noteOperator(.administer, detail: "\(what) tried again")
            }
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Never send a notice that waits.",
            discussion: "It stays in the list, with who dropped it and why.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Number of the notice.") var number: Int64
        @Option(help: "Why; kept with the notice.") var reason = ""

        func run() throws {
            try options.withArchive { archive in
                try NoticeOutbox(archive.encounters).drop(number, reason: reason, by: Author.terminal.account)
                archive.noteOperator(.administer, detail: "notice \(number) dropped")
            }
        }
    }
}

extension NoticeRecord.State: ExpressibleByArgument {}

/// A notice as it is printed.
struct NoticeReport: Encodable {
    let number: Int64
    let at: String
    let destination: String
    let kind: String
    let studyInstanceUID: String
    /// available, revised or withdrawn.
    let status: String
    let revision: Int
    let messageID: String
    let state: String
    let attempts: Int
    let refusals: Int
    let answer: String
    let dueAt: String?
    let endedAt: String?

    init(_ notice: NoticeRecord) {
        number = notice.id
        at = LocalTime.text(notice.createdAt)
        destination = notice.destination
        kind = notice.kind
        studyInstanceUID = notice.studyInstanceUID
        status = (try? notice.studyNotice())?.status.rawValue ?? ""
        revision = notice.revision
        messageID = notice.messageID
        state = notice.state.rawValue
        attempts = notice.attempts
        refusals = notice.refusals
        answer = notice.answer
        dueAt = notice.state == .waiting ? LocalTime.text(notice.dueAt) : nil
        endedAt = notice.endedAt.map(LocalTime.text)
    }

    var text: String {
        """
        \(number)  \(destination)  \(kind) \(status), revision \(revision)  \(state)
          study     \(studyInstanceUID)
          message   \(messageID), written \(at), sent \(attempts) times\(endedAt.map { ", ended \($0)" } ?? "")
          answer    \(answer.isEmpty ? "none yet" : answer)\(dueAt.map { " (due \($0))" } ?? "")
        """
    }
}

/// A destination that does not take notices now, as it is printed.
struct NoticeLineReport: Encodable {
    let destination: String
    /// waits, stopped or unknown.
    let state: String
    let failures: Int
    let since: String
    let nextAt: String?
    let reason: String

    init(_ line: NoticeLineRecord) {
        destination = line.destination
        state = line.isStopped ? "stopped" : "waits"
        failures = line.failures
        since = LocalTime.text(line.since)
        nextAt = line.isStopped ? nil : LocalTime.text(line.dueAt)
        reason = line.reason
    }

    /// Notices for somebody who is in no configuration any more.
    init(_ backlog: NoticeBacklog) {
        destination = backlog.destination
        state = "unknown"
        failures = 0
        since = LocalTime.text(backlog.oldest)
        nextAt = nil
        reason = "not in the configuration; \(backlog.count) notices wait"
    }

    var text: String { "\(destination)  \(state) since \(since): \(reason)\(nextAt.map { "; next at \($0)" } ?? "")" }
}
