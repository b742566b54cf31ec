// What a store request asks for objects that come without metadata: a few parameters, none of them about a patient.

import Catalog
import DICOMCore
import Foundation
import Hummingbird
import Retrieval
import Web

/// The parameters of a request by their keywords.
struct WrapRequest: Sendable {
    private let seriesInstanceUID: String?
    private let modality: String?
    private let seriesDescription: String?
    private let documentTitle: String?

    init(_ request: Request) throws(Problem) {
        func value(_ keyword: String, most: Int) throws(Problem) -> String? {
            guard let text = request.uri.queryParameters[Substring(keyword)].map(String.init), !text.isEmpty else {
                return nil
            }
            guard text.unicodeScalars.count <= most,
                !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0 == "\\" })
            else {
                throw Problem(.badRequest, "The parameter \(keyword) is too long, or has characters it cannot have.")
            }
            return text
        }
        seriesInstanceUID = try value("SeriesInstanceUID", most: 64)
        modality = try value("Modality", most: 16)
        seriesDescription = try value("SeriesDescription", most: 64)
        documentTitle = try value("DocumentTitle", most: 1024)
        if let seriesInstanceUID, !UID.isValid(seriesInstanceUID) {
            throw Problem(.badRequest, "The parameter SeriesInstanceUID is no UID.")
        }
    }

    /// With the patient and the study of the resource, where that study is here. It blocks.
    func defaults(study: String?, _ services: DICOMwebServices) -> WrapDefaults {
        var header: DataSet?
        if let study {
            let scope = Scope(studyUIDs: [study], seriesUIDs: [], sopUIDs: [])
            let instance = (try? services.catalog.instances(scope))?.first
            // What the images say themselves: a correction holds for what joins them as well, and ends for all at once.
            header = instance.flatMap { try? services.retrieval.originalHeader(of: $0) }
        }
        let now = Calendar(identifier: .gregorian).dateComponents(
            [.year, .month, .day, .hour, .minute, .second], from: Date())
        func digits(_ value: Int?, _ count: Int) -> String {
            let text = String(value ?? 0)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return WrapDefaults(
            study: header, studyInstanceUID: study, seriesInstanceUID: seriesInstanceUID ?? UID.generate(),
            modality: modality, seriesDescription: seriesDescription, documentTitle: documentTitle,
            date: digits(now.year, 4) + digits(now.month, 2) + digits(now.day, 2),
            time: digits(now.hour, 2) + digits(now.minute, 2) + digits(now.second, 2))
    }
}
