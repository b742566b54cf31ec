// Where each exported instance goes: short names in ASCII that say nothing of the patient.

import Catalog
import DICOMCore
import Retrieval

/// One file of an export.
struct PlannedFile: Sendable {
    let instance: StoredInstance
    /// Relative to the target, with slashes.
    let path: String
}

/// Names for all instances of an export, numbered in the order in which they come.
struct ExportPlan: Sendable {
    let files: [PlannedFile]
    let studyCount: Int

    /// How names are built from numbers; each counts from 1 within what it belongs to.
    private struct Style {
        let study: (Int) -> String
        let series: (_ number: Int, _ first: StoredInstance) -> String
        let instance: (Int) -> String
    }

    /// `study-1/series-2-CT/IM00003.dcm`.
    static func readable(_ instances: [StoredInstance], _ retrieval: InstanceRetrieval) -> ExportPlan {
        ExportPlan(
            instances,
            Style(
                study: { "study-\($0)" },
                series: { number, first in
                    let modality = modality(of: first, retrieval)
                    return "series-\(number)" + (modality.isEmpty ? "" : "-\(modality)")
                },
                instance: { "IM\(padded($0, 5)).dcm" }))
    }

    /// `DICOM/ST000001/SE000002/IM000003`, as media want it (PS3.10 Section 8.2 and 8.5, PS3.11 Annex D).
    static func media(_ instances: [StoredInstance]) -> ExportPlan {
        ExportPlan(
            instances,
            Style(
                study: { "DICOM/ST\(padded($0, 6))" }, series: { number, _ in "SE\(padded(number, 6))" },
                instance: { "IM\(padded($0, 6))" }))
    }

    private init(_ instances: [StoredInstance], _ style: Style) {
        struct Series {
            let folder: String
            var count = 0
        }
        var studies: [String: (folder: String, seriesCount: Int)] = [:]
        var series: [[String]: Series] = [:]
        files = instances.map { instance in
            let studyUID = instance.studyInstanceUID
            var study = studies[studyUID] ?? (style.study(studies.count + 1), 0)
            let key = [studyUID, instance.seriesInstanceUID]
            if series[key] == nil {
                study.seriesCount += 1
                series[key] = Series(folder: study.folder + "/" + style.series(study.seriesCount, instance))
            }
            studies[studyUID] = study
            series[key, default: Series(folder: "")].count += 1
            let own = series[key] ?? Series(folder: "")
            return PlannedFile(instance: instance, path: own.folder + "/" + style.instance(own.count))
        }
        studyCount = studies.count
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// What the series was made with, if that can be part of a file name.
    private static func modality(of instance: StoredInstance, _ retrieval: InstanceRetrieval) -> String {
        guard let value = (try? retrieval.header(of: instance))?.string(.modality) else { return "" }
        return String(value.uppercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(8))
    }
}
