// phim study: what was found out about a study after its images came: written, moved, taken back, explained.

import Access
import Archive
import ArgumentParser
import Catalog
import DICOMCore
import Encounters
import Foundation
import Media
import Records

struct StudyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "study",
        abstract: "Correct a study, say whose it is, take that back, see its history and its original.",
        discussion: """
            Images are never rewritten. What is true of their study is kept beside them and goes out with them, by every \
            way; what they say themselves can be had at any time.
            """,
        subcommands: [Correct.self, Move.self, History.self, Original.self])
}

extension StudyCommand {
    struct Correct: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write values of patient or study, or take back what was written.",
            discussion: """
                What is written wins over what follows from the study's patient and order. An empty value takes away what \
                the images say. Attributes: \(CorrectableAttribute.all.map(\.keyword).joined(separator: ", ")).
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Study Instance UID.") var study: String
        @Option(help: ArgumentHelp("May be given several times.", valueName: "attribute=value")) var set: [String] = []
        @Flag(help: "Take back all that was written by hand.") var undo = false
        @Option(help: "Why; kept with the correction.") var reason = ""

        func validate() throws {
            guard undo != !set.isEmpty else { throw ValidationError("Give --set or --undo.") }
            guard undo || !reason.isEmpty else { throw ValidationError("Say why: --reason.") }
            _ = try values()
        }

        private func values() throws -> [Tag: String] {
            var values: [Tag: String] = [:]
            for text in set {
                guard let equals = text.firstIndex(of: "=") else {
                    throw ValidationError("--set is attribute=value.")
                }
                guard let attribute = CorrectableAttribute.named(String(text[..<equals])) else {
                    throw ValidationError("\(text[..<equals]) cannot be corrected by hand.")
                }
                values[attribute.tag] = String(text[text.index(after: equals)...])
            }
            return values
        }

        func run() throws {
            let report = try options.withArchive { archive in
                let values = try values()
                let own = try archive.claims(of: study)
                try archive.encounters.change(by: Author.terminal.account) { desk in
                    if undo {
                        try desk.corrections.undo(own, reason: reason)
                    } else {
                        try desk.corrections.correct(own, set: values, reason: reason)
                    }
                }
                try archive.follower.corrections.settle()
                archive.noteOperator(
                    .administer, studies: [study], detail: undo ? "correction undone" : "study corrected")
                return try archive.encounters.look { try $0.correction(ofStudy: study) }.map(CorrectionReport.init)
            }
            guard let report else { return }
            try output.show(report, report.text)
        }
    }

    struct Move: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whose a study is.",
            discussion: """
                The study is shown and sent under that patient, and under the order's Accession Number. phim inbox undo takes \
                it back.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var place: LinkPlace
        @Argument(help: "Study Instance UID.") var study: String
        @Option(help: "Why; kept with the link.") var reason: String

        func run() throws {
            let link = try options.withArchive { try $0.link(study, to: place, reason: reason) }
            try output.show(link, link.text)
        }
    }

    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "corrections", abstract: "What a study's images say, what goes out instead, and since when.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Study Instance UID.") var study: String

        struct Report: Encodable {
            let studyInstanceUID: String
            /// What the earliest of the images says, by keyword.
            let original: [String: String]
            /// The newest first.
            let revisions: [CorrectionReport]
        }

        func run() throws {
            let report = try options.withArchive { archive in
                archive.noteOperator(.read, studies: [study], detail: "corrections")
                let own = try archive.claims(of: study)
                let revisions = try archive.encounters.look { try $0.corrections(ofStudy: study) }
                return Report(
                    studyInstanceUID: study,
                    original: CorrectionReport.worded(own.values.filter { CorrectableAttribute.of($0.key) != nil }),
                    revisions: revisions.map(CorrectionReport.init))
            }
            if output.json { return try Terminal.printJSON(report) }
            Terminal.print("Images: " + CorrectionReport.line(report.original))
            if report.revisions.isEmpty { Terminal.note("Nothing was corrected.") }
            for revision in report.revisions { Terminal.print(revision.text) }
        }
    }

    struct Original: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a study's files as they were received, byte for byte.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Study Instance UID.") var study: String
        @Option(help: ArgumentHelp("Folder to write.", valueName: "path")) var to: String

        func run() throws {
            try options.withArchive { archive in
                let instances = try archive.catalog.instances(Scope(studyUIDs: [study])).map(\.asReceived)
                guard !instances.isEmpty else { throw CannotBegin("no such study") }
                archive.noteOperator(.export, studies: [study], detail: "to files, as received")
                let report = try Exporter(retrieval: archive.retrieval).export(instances, to: to, as: .folder)
                for problem in report.problems {
                    Terminal.print("PROBLEM  \(problem.sopInstanceUID)  \(problem.reason)")
                }
                Terminal.print("\(report.files) files written, \(Terminal.bytes(report.bytes))")
                if !report.problems.isEmpty { throw ExitStatus.incomplete }
            }
        }
    }
}

/// Where a study belongs, as it is named on the command line.
struct LinkPlace: ParsableArguments {
    @Option(help: "Order: its Accession Number, number, or Study Instance UID.") var order: String?
    @Option(help: "Visit: its number.") var visit: String?
    @Option(help: "Patient: any identifier.") var patient: String?

    func validate() throws {
        guard [order, visit, patient].compactMap({ $0 }).count == 1 else {
            throw ValidationError("Give one of --order, --visit and --patient.")
        }
    }

    func target(_ records: RecordTransaction) throws -> LinkTarget {
        if let order {
            return LinkTarget(procedure: try records.order(named: order).id, encounter: nil, patient: 0)
        }
        if let patient {
            return LinkTarget(procedure: nil, encounter: nil, patient: try records.row(named: patient).id)
        }
        let visit = try records.visit(named: visit ?? "")
        return LinkTarget(procedure: nil, encounter: visit.id, patient: visit.patient)
    }
}

extension OpenArchive {
    /// What the images of a study say themselves.
    func claims(of study: String) throws -> StudyClaims {
        guard let own = try follower.corrections.claims(of: [study]).first else { throw CannotBegin("no such study") }
        return own
    }

    /// Somebody says where a study belongs; from now on it goes out under that patient.
    func link(_ study: String, to place: LinkPlace, reason: String) throws -> LinkReport {
        _ = try claims(of: study)
        let link = try encounters.change(by: Author.terminal.account) { desk in
            try desk.links.decide(study: study, target: try place.target(desk.records), reason: reason)
            guard let link = try desk.records.link(ofStudy: study) else { throw EncounterFailure.unknown(what: "link") }
            return try LinkReport(link, desk.records)
        }
        try follower.corrections.settle()
        noteOperator(.administer, studies: [study], detail: "study linked")
        return link
    }
}

/// A revision, as it is printed.
struct CorrectionReport: Encodable {
    let revision: Int64
    let at: String
    let by: String
    let cause: String
    let reason: String
    /// By keyword; an empty value takes away what the images say.
    let derived: [String: String]
    let byHand: [String: String]

    init(_ record: CorrectionRecord) {
        revision = record.revision
        at = LocalTime.text(record.at)
        by = record.actor
        cause = record.cause.rawValue
        reason = record.reason
        derived = Self.worded(Self.tags(record.derived))
        byHand = Self.worded(Self.tags(record.byHand))
    }

    private static func tags(_ coded: [String: String]) -> [Tag: String] {
        var values: [Tag: String] = [:]
        for (code, value) in coded { if let raw = UInt32(code, radix: 16) { values[Tag(rawValue: raw)] = value } }
        return values
    }

    static func worded(_ values: [Tag: String]) -> [String: String] {
        Dictionary(
            values.map { ($0.key.keyword ?? $0.key.hexadecimal, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    static func line(_ values: [String: String]) -> String {
        values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    }

    var text: String {
        let values = derived.merging(byHand) { _, written in written }
        return """
            \(revision)  \(at) by \(by), \(cause): \(reason)
              \(values.isEmpty ? "as the images say" : Self.line(values))
            """
    }
}
