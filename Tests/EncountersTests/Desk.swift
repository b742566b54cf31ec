// Records of a hospital in a folder that goes with the value.

import Encounters
import Foundation
import Records
import Synchronization

final class Hospital: Sendable {
    let folder: URL
    let encounters: Encounters

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "phim-encounters-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let holder = ClockHolder()
        let records = try RecordStore(path: folder.appending(path: "records.sqlite").path, now: { holder.now })
        encounters = Encounters(records: records, settings: OrderSettings(issuer: "24001", accessionPrefix: "BG"))
        self.holder = holder
    }

    let holder: ClockHolder

    deinit {
        try? encounters.records.close()
        try? FileManager.default.removeItem(at: folder)
    }

    func change<Value>(_ body: (Desk) throws -> Value) throws(EncounterFailure) -> Value {
        try encounters.change(by: "test", body)
    }

    func look<Value>(_ body: (RecordTransaction) throws -> Value) throws(EncounterFailure) -> Value {
        try encounters.look(body)
    }

    /// Time of the hospital, `yyyymmddHHMMSS`.
    func set(_ time: String) { holder.set(LocalTime.instant(time) ?? 0) }

    static func code(_ value: String) throws -> PatientIdentifier {
        try PatientIdentifier(type: PatientIdentifier.medicalRecord, issuer: "24001", value: value)
    }

    static func facts(
        _ code: String, name: String = "NGUYỄN VĂN ĐỨC", birthDate: String = "19800215", asOf: Int64 = 1,
        more: [PatientIdentifier] = []
    ) throws -> PatientFacts {
        PatientFacts(identifiers: [try Self.code(code)] + more, asOf: asOf) {
            $0.name = name
            $0.birthDate = birthDate
            $0.sex = "M"
        }
    }

    /// Enters an order, for a patient who is registered with it.
    @discardableResult
    func order(
        _ number: String, patient code: String, name: String = "NGUYỄN VĂN ĐỨC", modality: String = "CT",
        at: String = "20261121090000", accession: String? = nil, uid: String? = nil, visit: String? = nil,
        asOf: Int64 = 1
    ) throws -> ProcedureRecord {
        try change { desk in
            let patient = try desk.patients.register(Self.facts(code, name: name, asOf: asOf), older: .ignored)
            let encounter = try visit.map {
                try desk.encounters.visit(
                    EncounterFacts(issuer: "24001", number: $0, asOf: asOf, amend: { _ in }), patient: patient)
            }
            var facts = OrderFacts(placer: IssuedNumber(issuer: "HIS", value: number), asOf: asOf) {
                $0.modality = modality
                $0.scheduledAt = at
            }
            facts.accessionNumber = accession
            facts.studyInstanceUID = uid
            return try desk.orders.apply(.new, facts, patient: patient, encounter: encounter).procedure
        }
    }

    static func study(
        _ uid: String, accession: String = "", patientID: String = "", issuer: String = "", name: String = "",
        birthDate: String = "", modality: String = "CT", at: String = "20261121091500"
    ) -> StudyFacts {
        var facts = StudyFacts(studyInstanceUID: uid)
        facts.accessionNumber = accession
        facts.patientID = patientID
        facts.issuerOfPatientID = issuer
        facts.patientName = name
        facts.patientBirthDate = birthDate
        facts.modalities = [modality]
        facts.startedAt = at
        return facts
    }

    func state(of procedure: ProcedureRecord) throws -> ProcedureState {
        ProcedureState(word: try look { try $0.procedure(id: procedure.id) }.state)
    }

    func person(_ code: String) throws -> PatientRecord? {
        try look { try $0.patient(identifiedBy: Self.code(code)) }
    }
}

final class ClockHolder: Sendable {
    private let at = Mutex<Int64>(LocalTime.instant("20261121080000") ?? 0)
    var now: Int64 { at.withLock { $0 } }
    func set(_ value: Int64) { at.withLock { $0 = value } }
}
