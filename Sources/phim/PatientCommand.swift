// phim patient: who is who.

import Access
import Archive
import ArgumentParser
import DICOMCore
import Encounters
import Foundation
import Records

struct PatientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "patient",
        abstract: "Find and show patients; merge two rows of one person, and take a merge back.",
        discussion: "A patient is named by any identifier: patient code, citizen number, insurance card.",
        subcommands: [Find.self, Show.self, Merge.self, Unmerge.self, Link.self])
}

extension PatientCommand {
    struct Find: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find patients by an identifier or a part of the name.",
            discussion: "Marks and case do not count: \"van duc\" finds Nguyễn Văn Đức.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "An identifier, or a part of a name.") var text: String
        @Option(help: "At most this many.") var limit: Int = 100

        func run() throws {
            let reports = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "patients")
                return try archive.encounters.look { records in
                    let known = try records.patients(identifierValue: text, type: nil, issuer: nil)
                    let key = Fold.fold(text)
                    let pattern = Wildcard.isPattern(key) ? key : "*\(key)*"
                    let found = known.isEmpty ? try records.patients(namePattern: pattern, limit: limit) : known
                    return try found.map { PatientReport($0, try records.identifiers(of: $0)) }
                }
            }
            if output.json { return try Terminal.printJSON(reports) }
            guard !reports.isEmpty else { return Terminal.note("Nobody found.") }
            Terminal.print(PatientReport.table(reports))
            if reports.count == limit { Terminal.note("There may be more: --limit \(limit) was reached.") }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a patient: identifiers, visits, and what was done to the identity.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Any identifier of the patient.") var patient: String

        func run() throws {
            let report = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "patient")
                return try archive.encounters.look { records in
                    try PatientStory(try records.root(of: try records.row(named: patient).id), records)
                }
            }
            if output.json { return try Terminal.printJSON(report) }
            Terminal.print(report.patient.text)
            for visit in report.visits {
                Terminal.print("  visit \(visit.number)  \(visit.status)  \(visit.startedAt)")
            }
            for event in report.history {
                Terminal.print(
                    "  \(event.at)  \(event.kind)\(event.isUndone ? " (undone)" : "")  by \(event.by): \(event.reason)")
                if let before = event.before {
                    Terminal.print("    before: \(before.name)  \(before.birthDate)  \(before.sex)")
                }
            }
        }
    }

    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that two rows are one person; the second survives.",
            discussion: "Visits, orders and studies are shown under the survivor. phim patient unmerge takes it back.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "An identifier of the row that goes.") var prior: String
        @Argument(help: "An identifier of the row that stays.") var survivor: String
        @Option(help: "Why.") var reason: String

        func run() throws {
            let report = try options.withArchive { archive in
                let report = try archive.encounters.change(by: Author.terminal.account) { desk in
                    let (row, other) = try (desk.records.row(named: prior), desk.records.row(named: survivor))
                    let survivor = try desk.merge(patient: row.id, into: other.id, reason: reason)
                    return try PatientReport(survivor, desk.records)
                }
                try archive.follower.corrections.settle()
                archive.noteOperator(.administer, detail: "patients merged")
                return report
            }
            try output.show(report, report.text)
        }
    }

    struct Unmerge: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a merge back: the row is a person again.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "An identifier of the row that was merged away.") var patient: String

        func run() throws {
            let report = try options.withArchive { archive in
                let report = try archive.encounters.change(by: Author.terminal.account) { desk in
                    let row = try desk.records.row(named: patient)
                    try desk.patients.unmerge(row.id)
                    let own = try desk.records.patient(id: row.id)
                    return PatientReport(own, try desk.records.identifiers(of: own))
                }
                try archive.follower.corrections.settle()
                archive.noteOperator(.administer, detail: "patients unmerged")
                return report
            }
            try output.show(report, report.text)
        }
    }

    struct Link: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Note that two patients belong together, such as mother and child; they stay two.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "An identifier of the one.") var first: String
        @Argument(help: "An identifier of the other.") var second: String
        @Option(help: "Why; shown in both histories.") var reason: String

        func run() throws {
            try options.withArchive { archive in
                try archive.encounters.change(by: Author.terminal.account) { desk in
                    let (one, other) = try (desk.records.row(named: first), desk.records.row(named: second))
                    try desk.patients.link(one.id, other.id, reason: reason)
                }
                archive.noteOperator(.administer, detail: "patients linked")
            }
        }
    }
}

extension PatientReport {
    static func table(_ reports: [PatientReport]) -> String {
        Terminal.table(
            ["NAME", "BORN", "SEX", "IDENTIFIERS"],
            reports.map {
                [
                    $0.name, $0.birthDate, $0.sex,
                    $0.identifiers.map { "\($0.type) \($0.value)" }.joined(separator: ", "),
                ]
            })
    }

    var text: String {
        let lines = identifiers.map { "  \($0.type) \($0.value)\($0.issuer.isEmpty ? "" : " of \($0.issuer)")" }
        return (["\(name)  \(birthDate)  \(sex)"] + lines).joined(separator: "\n")
    }
}
