// phim find: lists what the archive holds.

import Access
import Archive
import ArgumentParser
import Catalog
import DICOMCore

struct Find: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List patients, studies, series or images.",
        discussion: """
            Names match without marks and in any order of words: --patient-name "nguyen van duc" finds \
            Nguyễn Văn Đức. The wildcards * and ? work in every text, ranges in dates: 20260101-20260131.
            With --json, one array of objects keyed by DICOM keyword.
            """)

    enum Level: String, ExpressibleByArgument, CaseIterable {
        case patient, study, series, image

        var queryLevel: QueryLevel {
            switch self {
            case .patient: .patient
            case .study: .study
            case .series: .series
            case .image: .image
            }
        }
    }

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "What to list: patient, study, series or image.")
    var level: Level = .study

    @Option(help: "Patient's name.") var patientName: String?
    @Option(name: .customLong("patient-id"), help: "Patient ID.") var patientID: String?
    @Option(help: "Study Instance UID.") var study: String?
    @Option(help: "Series Instance UID.") var series: String?
    @Option(help: "SOP Instance UID.") var instance: String?
    @Option(help: "Study date or range of dates, YYYYMMDD-YYYYMMDD.") var date: String?
    @Option(help: "Accession Number.") var accession: String?
    @Option(help: "Modality; for studies, one of their modalities.") var modality: String?
    @Option(help: ArgumentHelp("Any other attribute.", valueName: "keyword=value")) var key: [String] = []
    @Option(help: "At most this many.") var limit: Int = 1000

    func run() throws {
        let filters = try filters()
        let rows = try options.withArchive { archive in
            archive.noteOperator(.search, studies: study.map { [$0] } ?? [])
            var rows: [[Tag: String]] = []
            let query = Query(level: level.queryLevel, filters: filters, limit: limit)
            try archive.catalog.find(query) { match in
                rows.append(match.values)
                return true
            }
            return rows
        }
        if output.json {
            try Terminal.printJSON(rows.map(Self.keyed))
        } else if rows.isEmpty {
            Terminal.note("Nothing found.")
        } else {
            Terminal.print(table(rows))
        }
        if rows.count == limit { Terminal.note("There may be more: --limit \(limit) was reached.") }
    }

    private func filters() throws -> [Tag: MatchingKey] {
        let modalityTag = level == .study || level == .patient ? Tag.modalitiesInStudy : Tag.modality
        let fixed: [(Tag, String?)] = [
            (.patientName, patientName), (.patientID, patientID), (.studyInstanceUID, study),
            (.seriesInstanceUID, series), (.sopInstanceUID, instance), (.studyDate, date),
            (.accessionNumber, accession),
            (modalityTag, modality),
        ]
        var filters: [Tag: MatchingKey] = [:]
        for (tag, text) in fixed {
            if let text, let attribute = Attribute.of(tag) { filters[tag] = MatchingKey(text, for: attribute) }
        }
        for pair in key {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let tag = Tag(keyword: String(parts[0])) else {
                throw ValidationError("--key \(pair): expected KEYWORD=VALUE with a DICOM keyword")
            }
            guard let attribute = Attribute.of(tag) else {
                throw ValidationError("--key \(parts[0]): not in the catalogue")
            }
            filters[tag] = MatchingKey(String(parts[1]), for: attribute)
        }
        return filters
    }

    private static func keyed(_ values: [Tag: String]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: values.map { ($0.key.keyword ?? $0.key.description, $0.value) })
    }

    private func table(_ rows: [[Tag: String]]) -> String {
        let columns: [Tag] =
            switch level {
            case .patient: [.patientID, .patientName, .patientBirthDate, .patientSex, .numberOfPatientRelatedStudies]
            case .study:
                [
                    .studyDate, .patientID, .patientName, .modalitiesInStudy, .studyDescription,
                    .numberOfStudyRelatedInstances, .studyInstanceUID,
                ]
            case .series:
                [.seriesNumber, .modality, .seriesDescription, .numberOfSeriesRelatedInstances, .seriesInstanceUID]
            case .image: [.instanceNumber, .sopClassUID, .sopInstanceUID]
            }
        return Terminal.table(
            columns.map { $0.keyword ?? "" }, rows.map { row in columns.map { row[$0] ?? "" } })
    }
}
