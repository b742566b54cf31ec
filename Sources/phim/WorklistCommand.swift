// phim worklist: what a station is told, to the letter.

import Access
import Archive
import ArgumentParser
import DICOMCore
import DIMSEServer
import Encounters
import Foundation
import Records

struct WorklistCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worklist",
        abstract: "Show what a station finds in its worklist.",
        subcommands: [List.self, Preview.self])
}

extension WorklistCommand {
    /// What a station asks for.
    struct Question: ParsableArguments {
        @Option(help: "The station, by its name as a peer.") var peer: String
        @Option(help: "Day or range of days, yyyymmdd-yyyymmdd.") var date: String?
        @Option(help: "Modality.") var modality: String?
        @Option(help: "Patient's name, with wildcards.") var name: String?
        @Option(help: "Patient ID.") var patientID: String?
        @Option(help: "Accession Number.") var accession: String?
        @Flag(help: "As the station sees it when it does not ask for its own AE title.") var anyStation = false
        @Option(help: "At most this many.") var limit: Int = 1000

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit is 1 or more") }
        }

        /// What the station is answered.
        func ask(_ archive: OpenArchive) throws -> (station: KnownPeer, preview: WorklistPreview) {
            let station = try archive.peer(named: peer)
            var question = WorklistQuestion()
            question.isForAnyStation = anyStation
            question.date = date
            question.modality = modality
            question.patientName = name
            question.patientID = patientID
            question.accessionNumber = accession
            question.limit = limit
            do {
                let preview = try archive.preview(question, for: station)
                archive.noteOperator(.search, detail: "worklist")
                return (station, preview)
            } catch let fault as WorklistQuery.Fault { throw ValidationError(fault.comment) }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what a station finds.",
            discussion: """
                The station is taken to ask for its own AE title; it also finds what is for any station. \
                phim worklist preview shows the same in the station's characters.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var question: Question

        func run() throws {
            let preview = try options.withArchive { try question.ask($0).preview }
            let rows = preview.items.map { WorklistShown($0, characterSet: .utf8) }
            if output.json { return try Terminal.printJSON(rows.map(\.attributes)) }
            guard !rows.isEmpty else { return Terminal.note("\(question.peer) finds nothing.") }
            let columns = [
                "\(WorklistShown.step)ScheduledProcedureStepStartDate",
                "\(WorklistShown.step)ScheduledProcedureStepStartTime", "AccessionNumber", "PatientID", "PatientName",
                "\(WorklistShown.step)Modality", "\(WorklistShown.step)ScheduledStationAETitle",
                "RequestedProcedureDescription",
            ]
            Terminal.print(
                Terminal.table(
                    ["DATE", "TIME", "ACCESSION", "PATIENT", "NAME", "MODALITY", "STATION", "PROCEDURE"],
                    rows.map { row in columns.map { row.attributes[$0] ?? "" } }))
            if !preview.isWhole { Terminal.note("There may be more.") }
        }
    }

    struct Preview: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show every attribute as a station gets it, and what its character set cannot show.",
            discussion: "Change the characters of a station with phim peer: --charset utf8, latin1 or ascii.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var question: Question

        struct Report: Encodable {
            let peer: String
            let aeTitle: String
            let characterSet: String
            let items: [WorklistShown]
        }

        func run() throws {
            let report = try options.withArchive { archive in
                let (station, preview) = try question.ask(archive)
                return Report(
                    peer: station.name, aeTitle: station.aeTitle, characterSet: preview.characterSet.rawValue,
                    items: preview.shown)
            }
            if output.json { return try Terminal.printJSON(report) }
            guard !report.items.isEmpty else { return Terminal.note("\(question.peer) finds nothing.") }
            Terminal.print("\(report.peer) (\(report.aeTitle)) reads \(report.characterSet)")
            for item in report.items {
                Terminal.print("")
                for (name, value) in item.attributes.sorted(by: { $0.key < $1.key }) where !value.isEmpty {
                    Terminal.print("  \(name)  \(value)")
                }
                for lost in item.lost {
                    Terminal.print("  ! \(lost.attribute): \(lost.original) is shown as \(lost.shown)")
                }
            }
            let unreadable = report.items.flatMap(\.lost).filter(\.isUnreadable).count
            let lost = report.items.reduce(0) { $0 + $1.lost.count }
            if lost > 0 {
                Terminal.note(
                    "\(lost) values lose characters in \(report.characterSet)"
                        + (unreadable > 0 ? ", \(unreadable) of them become unreadable" : " (marks only)"))
            }
        }
    }
}
