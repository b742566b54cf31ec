// Resources made of what the records and the catalogue hold now. Calls block.

import Catalog
import DICOMCore
import Foundation
import Records
import Retrieval

/// Reads resources within one view of the records.
struct ResourceReader {
    let records: RecordTransaction
    let catalog: CatalogStore
    let retrieval: InstanceRetrieval
    /// The facility whose numbers are meant where none is named.
    let site: String
    /// The base of DICOMweb.
    let dicomweb: String
    /// Nil for who may see everything.
    let scope: RecordScope?

    /// The resource of an id; nil when there is none that the caller may see.
    /// - Parameter isWhole: with every instance of a study.
    func resource(_ type: String, _ id: String, isWhole: Bool = false) throws -> Resource? {
        switch type {
        case "ImagingStudy": return try studies([id], isWhole: isWhole).first.map(Resource.imagingStudy)
        case "DiagnosticReport": return try report(id).map(Resource.diagnosticReport)
        case "Endpoint": return Endpoint.all(address: dicomweb).first { $0.id == id }.map(Resource.endpoint)
        default: break
        }
        // `012` is not another way to say `12`.
        guard let number = Int64(id), "\(number)" == id else { return nil }
        do {
            switch type {
            case "Patient": return try patient(number).map(Resource.patient)
            case "Encounter": return try encounter(number).map(Resource.encounter)
            case "ServiceRequest": return try serviceRequest(number).map(Resource.serviceRequest)
            default: return nil
            }
        } catch RecordsError.notFound {
            return nil
        }
    }

    // MARK: Records

    func patient(_ id: Int64) throws -> Patient? {
        guard scope?.people.contains(id) ?? true else { return nil }
        return try patient(records.patient(id: id))
    }

    func patient(_ record: PatientRecord) throws -> Patient {
        if record.root != record.id { return Patient(merged: record) }
        let others = try records.rows(of: record).map(\.id).filter { $0 != record.id }
        return Patient(record, identifiers: try records.identifiers(of: record), merged: others)
    }

    func encounter(_ id: Int64) throws -> Encounter? {
        guard scope?.encounters.contains(id) ?? true else { return nil }
        return try encounter(records.encounter(id: id))
    }

    func encounter(_ record: EncounterRecord) throws -> Encounter {
        let code = record.details.facility
        let day = String(record.details.startedAt.prefix(8))
        let facility = code.isEmpty ? nil : try records.facility(code: code, on: day)
        return Encounter(record, patient: try records.patient(id: record.patient).root, facility: facility)
    }

    func serviceRequest(_ id: Int64) throws -> ServiceRequest? {
        guard scope?.procedures.contains(id) ?? true else { return nil }
        return try serviceRequest(records.procedure(id: id))
    }

    func serviceRequest(_ record: ProcedureRecord) throws -> ServiceRequest {
        ServiceRequest(record, patient: try records.patient(id: record.patient).root)
    }

    // MARK: Studies

    /// Studies by their UIDs, the newest first.
    func studies(_ uids: [String], isWhole: Bool = false) throws -> [ImagingStudy] {
        let visible = uids.filter { UID.isValid($0) && scope?.studies.contains($0) ?? true }
        if visible.isEmpty { return [] }
        let query = Query(level: .study, filters: [.studyInstanceUID: .list(visible)])
        return try studies(catalog.find(query), isWhole: isWhole)
    }

    func studies(_ matches: [Match], isWhole: Bool = false) throws -> [ImagingStudy] {
        let uids = matches.compactMap { $0.values[.studyInstanceUID] }
        if uids.isEmpty { return [] }
        let rows = try catalog.find(Query(level: .series, filters: [.studyInstanceUID: .list(uids)]))
        let series = Dictionary(grouping: rows.map(\.values)) { $0[.studyInstanceUID] ?? "" }
        return try matches.map { match in
            let uid = match.values[.studyInstanceUID] ?? ""
            var study = ImagingStudy(
                match.values, series: series[uid] ?? [], place: try place(ofStudy: uid), site: site)
            if isWhole {
                let stored = try catalog.instances(Scope(studyUIDs: [uid], seriesUIDs: [], sopUIDs: []))
                let instances = Dictionary(grouping: stored, by: \.seriesInstanceUID)
                study.series = study.series?.map { series in
                    var series = series
                    series.instance = instances[series.uid]?.map(ImagingStudy.Instance.init)
                    return series
                }
            }
            return study
        }
    }

    /// Where a study is linked to.
    func place(ofStudy uid: String) throws -> StudyPlace? {
        guard let target = try records.link(ofStudy: uid)?.target else { return nil }
        return StudyPlace(
            patient: try records.patient(id: target.patient).root, encounter: target.encounter,
            procedure: try target.procedure.map { try records.procedure(id: $0) })
    }
}
