// What orders there are, and what became of one.

import Access
import Archive
import ArgumentParser
import DICOMCore
import Encounters
import Foundation
import Records

extension OrderCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the open orders, the earliest first.",
            discussion: "phim worklist list shows them as one station sees them.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Day or range of days, yyyymmdd-yyyymmdd.") var date: String?
        @Option(help: "Modality.") var modality: String?
        @Option(help: "AE title of the station.") var station: String?
        @Option(help: "Any of the patient's identifiers.") var patientID: String?
        @Option(help: "At most this many.") var limit: Int = 1000

        func run() throws {
            var filter = WorklistFilter()
            if let date {
                guard let range = DateRange(date) else { throw ValidationError("--date: yyyymmdd or a range of them") }
                filter.from = range.lower.map { $0 + "000000" }
                filter.through = range.upper.map { $0 + "235959" }
            }
            filter.modalities = modality.map { [$0] } ?? []
            filter.stationAETitles = station.map { [$0] } ?? []
            filter.patientID = patientID
            let asked = filter
            let rows = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "orders")
                return try archive.encounters.look { try $0.worklist(asked, limit: limit) }.map(OrderReport.init)
            }
            if output.json { return try Terminal.printJSON(rows) }
            guard !rows.isEmpty else { return Terminal.note("No open orders.") }
            Terminal.print(OrderReport.table(rows))
            if rows.count == limit { Terminal.note("There may be more: --limit \(limit) was reached.") }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an order: its steps, what modalities reported, and its studies.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Accession Number, number of the order, or Study Instance UID.") var order: String

        func run() throws {
            let report = try options.withArchive { archive in
                let report = try archive.encounters.look { records in
                    try OrderStory(try records.order(named: order), records)
                }
                archive.noteOperator(.read, studies: [report.order.studyInstanceUID], detail: "order")
                return report
            }
            if output.json { return try Terminal.printJSON(report) }
            Terminal.print(report.order.text)
            for step in report.steps {
                Terminal.print("  \(step.at)  \(step.from) → \(step.to)  by \(step.by): \(step.reason)")
            }
            for step in report.performed { Terminal.print(step.text) }
            for study in report.studies { Terminal.print("  study \(study)") }
        }
    }
}

extension OrderReport {
    static func table(_ rows: [OrderReport]) -> String {
        Terminal.table(
            ["AT", "ACCESSION", "STATE", "PATIENT", "NAME", "MODALITY", "STATION", "PROCEDURE"],
            rows.map { row in
                let details = row.details
                return [
                    details.scheduledAt, row.accessionNumber, row.state, row.patientIDs.first ?? "", row.patientName,
                    details.modality, details.stationAETitle.isEmpty ? "-" : details.stationAETitle,
                    details.code.meaning.isEmpty ? details.code.value : details.code.meaning,
                ]
            })
    }

    var text: String {
        """
        \(accessionNumber)  \(state)  \(details.priority)
          patient    \(patientName), \(patientIDs.joined(separator: ", "))
          procedure  \(details.modality) \(details.code.value) \(details.code.meaning)
          at         \(details.scheduledAt)  \(details.stationAETitle)
          order      \(orderNumber)\(visit.map { ", visit \($0)" } ?? "")
          study UID  \(studyInstanceUID)
        """
    }
}

extension PerformedStepReport {
    var text: String {
        var lines = ["  performed by \(station): \(status), \(startedAt) to \(endedAt)"]
        if let discontinuationReason { lines.append("    because: \(discontinuationReason)") }
        lines += series.map { "    series \($0.seriesInstanceUID): \($0.instances) instances  \($0.description)" }
        lines += dose.sorted { $0.key < $1.key }.map { "    \($0.key) \($0.value)" }
        return lines.joined(separator: "\n")
    }
}
