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

        struct Report: Encodable {
            let order: OrderReport
            let steps: [Step]
            let performed: [PerformedStepReport]
            let studies: [String]
        }

        struct Step: Encodable {
            let at: String
            let from: String
            let to: String
            let by: String
            let reason: String
        }

        func run() throws {
            let report = try options.withArchive { archive in
                let report = try archive.encounters.look { records in
                    let procedure = try records.order(order)
                    return Report(
                        order: OrderReport(try records.line(procedure)),
                        steps: try records.events(ofProcedure: procedure.id).map {
                            Step(
                                at: LocalTime.text($0.at), from: $0.from, to: $0.to, by: $0.actor, reason: $0.reason)
                        },
                        performed: try records.performedSteps(procedure: procedure.id).map(PerformedStepReport.init),
                        studies: try records.links(procedure: procedure.id).map(\.studyInstanceUID))
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

/// An order as it is printed.
struct OrderReport: Encodable {
    let accessionNumber: String
    let orderNumber: String
    let studyInstanceUID: String
    let state: String
    let patientName: String
    let patientIDs: [String]
    let birthDate: String
    let modality: String
    let station: String
    let scheduledAt: String
    let code: String
    let meaning: String
    let priority: String
    let visit: String?

    init(_ row: WorklistRow) {
        let details = row.procedure.details
        accessionNumber = row.procedure.accession.value
        orderNumber = row.procedure.placer.value
        studyInstanceUID = row.procedure.studyInstanceUID
        state = row.procedure.state
        patientName = row.patient.demographics.name
        patientIDs = row.identifiers.map(\.value)
        birthDate = row.patient.demographics.birthDate
        modality = details.modality
        station = details.stationAETitle
        scheduledAt = details.scheduledAt
        code = details.code.value
        meaning = details.code.meaning
        priority = details.priority
        visit = row.encounter?.number
    }

    static func table(_ rows: [OrderReport]) -> String {
        Terminal.table(
            ["AT", "ACCESSION", "STATE", "PATIENT", "NAME", "MODALITY", "STATION", "PROCEDURE"],
            rows.map {
                [
                    $0.scheduledAt, $0.accessionNumber, $0.state, $0.patientIDs.first ?? "", $0.patientName,
                    $0.modality, $0.station.isEmpty ? "-" : $0.station, $0.meaning.isEmpty ? $0.code : $0.meaning,
                ]
            })
    }

    var text: String {
        """
        \(accessionNumber)  \(state)  \(priority)
          patient    \(patientName), \(patientIDs.joined(separator: ", "))
          procedure  \(modality) \(code) \(meaning)
          at         \(scheduledAt)  \(station)
          order      \(orderNumber)\(visit.map { ", visit \($0)" } ?? "")
          study UID  \(studyInstanceUID)
        """
    }
}

/// A performed procedure step as it is printed.
struct PerformedStepReport: Encodable {
    struct Series: Encodable {
        let seriesInstanceUID: String
        let description: String
        let protocolName: String
        let instances: Int
    }

    let sopInstanceUID: String
    let status: String
    let station: String
    let startedAt: String
    let endedAt: String
    let discontinuationReason: String?
    let series: [Series]
    let dose: [String: String]
    let exposures: Int

    init(_ record: PerformedStepRecord) throws {
        let step = try PerformedStep(stored: record.dataSet)
        sopInstanceUID = record.sopInstanceUID
        status = record.status
        station = record.peer
        startedAt = step.startedAt
        endedAt = step.endedAt
        discontinuationReason = step.discontinuationReason
        series = step.series.map {
            Series(
                seriesInstanceUID: $0.seriesInstanceUID, description: $0.description, protocolName: $0.protocolName,
                instances: $0.instances.count)
        }
        dose = Dictionary(step.dose.map { ($0.keyword, $0.value) }, uniquingKeysWith: { first, _ in first })
        exposures = step.exposures
    }

    var text: String {
        var lines = ["  performed by \(station): \(status), \(startedAt) to \(endedAt)"]
        if let discontinuationReason { lines.append("    because: \(discontinuationReason)") }
        lines += series.map { "    series \($0.seriesInstanceUID): \($0.instances) instances  \($0.description)" }
        lines += dose.sorted { $0.key < $1.key }.map { "    \($0.key) \($0.value)" }
        return lines.joined(separator: "\n")
    }
}
