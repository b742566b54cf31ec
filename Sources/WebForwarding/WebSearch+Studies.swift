// Studies of a DICOMweb server that answer a question (PS3.18 Section 10.6, Tables 10.6.3-3 and 10.6.3-4).

import DICOMCore
import Forwarding
import Foundation

extension WebSearch {
    /// Studies that match, at most so many. The question is in the address, as the standard wants it; nothing here logs
    /// addresses.
    func studies(_ question: RemoteQuestion, limit: Int) async throws -> [RemoteStudy] {
        var items: [URLQueryItem] = []
        switch question {
        case .study(let uid): items.append(URLQueryItem(name: "StudyInstanceUID", value: uid))
        case .accession(let number): items.append(URLQueryItem(name: "AccessionNumber", value: number))
        case .patient(let id, let issuer):
            items.append(URLQueryItem(name: "PatientID", value: id))
            if !issuer.isEmpty { items.append(URLQueryItem(name: "IssuerOfPatientID", value: issuer)) }
        }
        // Attributes that a server need not give unasked.
        for tag in ["00081030", "00100021", "00100030"] { items.append(URLQueryItem(name: "includefield", value: tag)) }
        var address = URLComponents()
        address.queryItems = items
        // A plus in a query reads as a space to many servers.
        let query = (address.percentEncodedQuery ?? "").replacingOccurrences(of: "+", with: "%2B")
        return try await pages("/studies?\(query)", most: limit) { dataSet in
            Self.study(dataSet).map { ($0.studyInstanceUID, $0) }
        }
    }

    private static func study(_ dataSet: TextDataSet) -> RemoteStudy? {
        guard let uid = dataSet.string(.studyInstanceUID), UID.isValid(uid) else { return nil }
        var study = RemoteStudy(studyInstanceUID: uid)
        study.date = dataSet.string(.studyDate) ?? ""
        if case .texts(let modalities)? = dataSet.attributes[.modalitiesInStudy]?.value {
            study.modalities = modalities
        }
        study.description = dataSet.string(Tag(0x0008, 0x1030)) ?? ""
        study.accessionNumber = dataSet.string(.accessionNumber) ?? ""
        study.patientID = dataSet.string(.patientID) ?? ""
        study.issuerOfPatientID = dataSet.string(Tag(0x0010, 0x0021)) ?? ""
        study.patientBirthDate = dataSet.string(Tag(0x0010, 0x0030)) ?? ""
        study.instances = dataSet.string(Tag(0x0020, 0x1208)).flatMap { Int($0) }
        return study
    }

    /// Body Part Examined (0018,0015) of the series of a study.
    func bodyParts(of study: String) async throws -> Set<String> {
        guard UID.isValid(study) else { return [] }
        let parts = try await pages("/studies/\(study)/series?includefield=00180015", most: 10_000) { series in
            series.string(.seriesInstanceUID).map { ($0, series.string(Tag(0x0018, 0x0015)) ?? "") }
        }
        return Set(parts).subtracting([""])
    }
}
