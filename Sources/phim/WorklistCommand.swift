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

        /// The identifier that the station sends, and what it is answered.
        func ask(_ archive: OpenArchive) throws -> (station: KnownPeer, items: [WorklistItem], isWhole: Bool) {
            let station = try archive.peer(named: peer)
            var step = writer.makeItem()
            step.put(.scheduledStationAETitle, .AE, anyStation ? [] : [station.aeTitle])
            step.put(.scheduledProcedureStepStartDate, .DA, date.map { [$0] } ?? [])
            step.put(.modality, .CS, modality.map { [$0] } ?? [])
            var keys = writer
            keys.put(.scheduledProcedureStepSequence, items: [step])
            keys.put(.patientName, .PN, name.map { [$0] } ?? [])
            keys.put(.patientID, .LO, patientID.map { [$0] } ?? [])
            keys.put(.accessionNumber, .SH, accession.map { [$0] } ?? [])
            let query: WorklistQuery
            do throws(WorklistQuery.Fault) {
                query = try WorklistQuery(
                    keys.finish(), transferSyntax: TransferSyntax.explicitVRLittleEndian.uid)
            } catch { throw ValidationError(error.comment) }
            let worklist = Worklist(
                encounters: archive.encounters, policy: archive.worklistPolicy, callingAETitle: station.aeTitle,
                characterSet: characterSet(of: station, archive))
            var items: [WorklistItem] = []
            let isWhole = try worklist.forEach(query) { item in
                items.append(item)
                return items.count < limit
            }
            archive.noteOperator(.search, detail: "worklist")
            return (station, items, isWhole && items.count < limit)
        }

        func characterSet(of station: KnownPeer, _ archive: OpenArchive) -> OutputCharacterSet {
            station.characterSet ?? archive.configuration.dicom.characterSet
        }

        private var writer: DataSetWriter {
            DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
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
            let (rows, isWhole) = try options.withArchive { archive in
                let answer = try question.ask(archive)
                return (answer.items.map { WorklistShown($0, characterSet: .utf8) }, answer.isWhole)
            }
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
            if !isWhole { Terminal.note("There may be more.") }
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
                let answer = try question.ask(archive)
                let characterSet = question.characterSet(of: answer.station, archive)
                return Report(
                    peer: answer.station.name, aeTitle: answer.station.aeTitle, characterSet: characterSet.rawValue,
                    items: answer.items.map { WorklistShown($0, characterSet: characterSet) })
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

/// One answer as a station reads it: encoded, and decoded again.
struct WorklistShown: Encodable {
    struct Lost: Encodable {
        let attribute: String
        let original: String
        let shown: String
        /// A letter has become a question mark: not only its marks are gone.
        let isUnreadable: Bool
    }

    /// How attributes of the scheduled step begin.
    static let step = "ScheduledProcedureStepSequence/"

    /// Values by keyword; of sequences by the path.
    let attributes: [String: String]
    let lost: [Lost]

    init(_ item: WorklistItem, characterSet: OutputCharacterSet) {
        let (shown, original) = (Self.read(item, characterSet), Self.read(item, .utf8))
        attributes = shown
        lost = original.sorted { $0.key < $1.key }.compactMap { name, value in
            guard let other = shown[name], other != value else { return nil }
            let marks = value.count { $0 == "?" }
            return Lost(
                attribute: name, original: value, shown: other, isUnreadable: other.count { $0 == "?" } > marks)
        }
    }

    private static func read(_ item: WorklistItem, _ characterSet: OutputCharacterSet) -> [String: String] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: characterSet)
        item.attributes.put(into: &writer)
        var values: [String: String] = [:]
        func add(_ dataSet: DataSet, _ path: String) {
            for element in dataSet.elements {
                let name = path + (element.tag.keyword ?? element.tag.description)
                guard element.vr == .SQ else {
                    // Encoded text may be composed in another way than it was typed.
                    values[name] =
                        dataSet.values(of: element).joined(separator: "\\")
                        .precomposedStringWithCanonicalMapping
                    continue
                }
                for (index, item) in dataSet.items(of: element).enumerated() {
                    add(item, name + (index == 0 ? "/" : "[\(index + 1)]/"))
                }
            }
        }
        let syntax = TransferSyntax.explicitVRLittleEndian
        if let header = try? HeaderReader.read(writer.finish(), transferSyntax: syntax) { add(header.dataSet, "") }
        return values
    }
}
