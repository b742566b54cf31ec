// Identity: one person under many hands, merged, taken apart, never silently mixed up.

import Encounters
import Foundation
import Records
import Synchronization
import Testing

@Suite("Patient identity")
struct PatientIndexTests {
    @Test("64 threads register one patient: one row, whoever is first")
    func race() throws {
        let hospital = try Hospital()
        let rows = Mutex<[Int64]>([])
        let group = DispatchGroup()
        for number in 0..<64 {
            group.enter()
            let thread = Thread {
                defer { group.leave() }
                let citizen = try? PatientIdentifier(
                    type: PatientIdentifier.citizen, issuer: "VN-CCCD", value: "024080001234")
                let id = try? hospital.change { desk in
                    try desk.patients.register(
                        Hospital.facts("BN000001", asOf: Int64(number), more: citizen.map { [$0] } ?? []),
                        older: .ignored
                    ).id
                }
                rows.withLock { $0.append(id ?? -1) }
            }
            thread.start()
        }
        group.wait()
        #expect(rows.withLock { $0.count } == 64)
        #expect(rows.withLock { Set($0).count } == 1)
        let found = try hospital.look { try $0.patients(nameKey: "NGUYEN VAN DUC", birthDate: nil, limit: 10) }
        #expect(found.count == 1)
        let only = try #require(found.first)
        #expect(try hospital.look { try $0.identifiers(of: only) }.count == 2)
    }

    @Test("Two stores over one file cannot both give an identifier away")
    func constraint() throws {
        let hospital = try Hospital()
        let other = try RecordStore(path: hospital.folder.appending(path: "records.sqlite").path)
        let second = Encounters(records: other, settings: OrderSettings())
        let first = try hospital.change { try $0.patients.register(Hospital.facts("BN1")).id }
        let again = try second.change(by: "test") { try $0.patients.register(Hospital.facts("BN1", asOf: 2)).id }
        #expect(first == again)
        #expect(throws: EncounterFailure.self) {
            try hospital.change { desk in
                let stranger = try desk.records.addPatient(Demographics(), nameKey: "", asOf: 0)
                try desk.records.addIdentifier(Hospital.code("BN1"), patient: stranger.id)
            }
        }
        try other.close()
    }

    @Test("Who is meant is one answer: a lent card in front of a known code makes nobody another, and nobody new")
    func meant() throws {
        let hospital = try Hospital()
        let card = try PatientIdentifier(type: PatientIdentifier.insurance, issuer: "", value: "DN4010112345678")
        func facts(_ name: String) throws -> PatientFacts {
            PatientFacts(identifiers: [card, try Hospital.code("BN1")], asOf: 2) { $0.name = name }
        }
        let known = try hospital.change { try $0.register(Hospital.facts("BN1")).person }
        #expect(throws: EncounterFailure.self) {
            try hospital.change { try $0.patients.check(entered: facts("LÊ HOA")) }
        }
        try hospital.change { try $0.patients.check(entered: facts("Nguyen Van Duc")) }
        let (person, isNew) = try hospital.change { try $0.register(facts("NGUYỄN VĂN ĐỨC")) }
        #expect(person.id == known.id && !isNew)
        #expect(try hospital.change { try $0.register(Hospital.facts("BN2")).isNew })
    }

    @Test(
        "What no image can say is refused at the entrance",
        arguments: [
            ("MR", "24001", "A\\B"), ("MR", "24001", "A\rB"), ("MR", "A\\B", "1"), ("MR", "\u{1B}", "1"),
            ("MR", String(repeating: "x", count: 256), "1"),
        ])
    func unwritable(type: String, issuer: String, value: String) {
        #expect(throws: RecordsError.self) { try PatientIdentifier(type: type, issuer: issuer, value: value) }
    }

    @Test("A name that no image can say is refused", arguments: ["A\\B", "A\nB", "A\u{1B}B"])
    func unwritableName(_ name: String) throws {
        let hospital = try Hospital()
        #expect(throws: EncounterFailure.self) {
            try hospital.change { try $0.patients.register(Hospital.facts("BN1", name: name)) }
        }
    }

    @Test("What is not said stays, what is older does not overwrite")
    func updates() throws {
        let hospital = try Hospital()
        _ = try hospital.change { try $0.patients.register(Hospital.facts("BN1", asOf: 10)) }
        let renamed = PatientFacts(identifiers: [try Hospital.code("BN1")], asOf: 20) { $0.name = "TRẦN THỊ Ánh" }
        let after = try hospital.change { try $0.patients.register(renamed) }
        #expect(after.demographics.name == "TRẦN THỊ Ánh")
        #expect(after.demographics.birthDate == "19800215")
        #expect(throws: EncounterFailure.outdated(what: "patient")) {
            try hospital.change { try $0.patients.register(Hospital.facts("BN1", name: "CŨ", asOf: 15)) }
        }
        let ignored = try hospital.change {
            try $0.patients.register(Hospital.facts("BN1", name: "CŨ", asOf: 15), older: .ignored)
        }
        #expect(ignored.demographics.name == "TRẦN THỊ Ánh")
    }

    @Test("An identifier that somebody else holds stays there, and the claim is noted once")
    func contested() throws {
        let hospital = try Hospital()
        let card = try PatientIdentifier(type: PatientIdentifier.insurance, issuer: "VN-BHYT", value: "DN4010112345678")
        let first = try hospital.change { try $0.patients.register(Hospital.facts("BN1", more: [card])) }
        for asOf in [Int64(2), 3] {
            _ = try hospital.change { try $0.patients.register(Hospital.facts("BN2", asOf: asOf, more: [card])) }
        }
        #expect(try hospital.look { try $0.patient(identifiedBy: card) }?.id == first.id)
        let events = try hospital.look { try $0.events(ofPatient: first.id) }
        #expect(events.map(\.kind) == [PatientEvent.Kind.contested.rawValue])
    }

    @Test("A merge shows two rows as one person, keeps both, and is taken back whole")
    func merge() throws {
        let hospital = try Hospital()
        let (first, second) = try hospital.change { desk in
            (
                try desk.patients.register(Hospital.facts("BN1")),
                try desk.patients.register(Hospital.facts("BN2", name: "NGUYỄN VĂN DỨC"))
            )
        }
        try hospital.order("O2", patient: "BN2", name: "NGUYỄN VĂN DỨC", asOf: 2)
        try hospital.change { try $0.patients.merge(Hospital.code("BN2"), into: first, reason: "A40") }
        #expect(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN2")) }?.id == first.id)
        #expect(try hospital.look { try $0.identifiers(of: first) }.map(\.value) == ["BN1", "BN2"])
        // Found in the worklist under the surviving name.
        var filter = WorklistFilter()
        filter.nameWords = ["NGUYEN VAN DUC"]
        let line = try #require(try hospital.look { try $0.worklist(filter, limit: 10) }.first)
        #expect(line.patient.id == first.id)
        #expect(throws: EncounterFailure.merged) {
            try hospital.change { try $0.patients.register(Hospital.facts("BN2", asOf: 9)) }
        }
        try hospital.change { try $0.patients.unmerge(second.id) }
        #expect(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN2")) }?.id == second.id)
        #expect(try hospital.look { try $0.worklist(WorklistFilter(), limit: 10) }.first?.patient.id == second.id)
        let events = try hospital.look { try $0.events(ofPatient: second.id) }
        #expect(events.first?.undoneBy == "test")
    }

    @Test("Merges in a row end at the last survivor; a circle is refused")
    func chain() throws {
        let hospital = try Hospital()
        let rows = try hospital.change { desk in
            try ["BN1", "BN2", "BN3"].map { try desk.patients.register(Hospital.facts($0)) }
        }
        try hospital.change { try $0.patients.merge(rows[0].id, into: rows[1].id, reason: "") }
        try hospital.change { try $0.patients.merge(rows[1].id, into: rows[2].id, reason: "") }
        #expect(try hospital.look { try $0.root(of: rows[0].id) }.id == rows[2].id)
        #expect(throws: EncounterFailure.merged) {
            try hospital.change { try $0.patients.merge(rows[2].id, into: rows[0].id, reason: "") }
        }
        try hospital.change { try $0.patients.unmerge(rows[1].id) }
        #expect(try hospital.look { try $0.root(of: rows[0].id) }.id == rows[1].id)
        #expect(try hospital.look { try $0.root(of: rows[2].id) }.id == rows[2].id)
    }

    @Test("An identifier that nobody holds leads to the survivor; a replaced one ends")
    func identifiers() throws {
        let hospital = try Hospital()
        let patient = try hospital.change { try $0.patients.register(Hospital.facts("BN1")) }
        try hospital.change { try $0.patients.merge(Hospital.code("OLD7"), into: patient, reason: "A40") }
        #expect(try hospital.look { try $0.patient(identifiedBy: Hospital.code("OLD7")) }?.id == patient.id)
        try hospital.change { try $0.patients.replace(Hospital.code("BN1"), by: Hospital.code("BN9")) }
        #expect(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN1")) } == nil)
        #expect(try hospital.look { try $0.patient(identifiedBy: Hospital.code("BN9")) }?.id == patient.id)
    }

    @Test("A citizen number and an insurance card are the same whoever sent them")
    func countryNumbers() throws {
        for (type, value, issuer) in [
            (PatientIdentifier.citizen, "024080001234", "VN-CCCD"),
            (PatientIdentifier.insurance, "DN4010112345678", "VN-BHYT"),
        ] {
            let forms = try ["", "24001", "HIS"].map { try PatientIdentifier(type: type, issuer: $0, value: value) }
            #expect(Set(forms).count == 1 && forms[0].issuer == issuer)
        }
        #expect(try Hospital.code("1").issuer == "24001")
    }

    @Test("Identifiers are checked by their kind")
    func forms() {
        func isRight(_ type: String, _ value: String) -> Bool {
            (try? PatientIdentifier(type: type, issuer: "", value: value)) != nil
        }
        #expect(isRight(PatientIdentifier.citizen, "024080001234"))
        #expect(!isRight(PatientIdentifier.citizen, "24080001234"))
        #expect(isRight(PatientIdentifier.insurance, "DN4010112345678"))
        #expect(isRight(PatientIdentifier.insurance, "0112345678"))
        #expect(!isRight(PatientIdentifier.insurance, "DN6010112345678"))
        #expect(isRight(PatientIdentifier.passport, "C1234567"))
        #expect(!isRight(PatientIdentifier.medicalRecord, "  "))
    }

    @Test("A name that was kept before backslashes were refused holds up nothing, and is put right")
    func unwritable() throws {
        let hospital = try Hospital()
        let kept = #"NGUYỄN\VĂN"#
        let row = try hospital.change { desk in
            var known = Demographics()
            (known.name, known.birthDate) = (kept, "unknown")
            let row = try desk.records.addPatient(known, nameKey: "NGUYEN VAN", asOf: 1)
            try desk.records.addIdentifier(Hospital.code("BN1"), patient: row.id)
            return row
        }
        func told(at instant: Int64, _ amend: @escaping @Sendable (inout Demographics) -> Void) throws -> Demographics {
            try hospital.change { desk in
                let facts = PatientFacts(identifiers: [try Hospital.code("BN1")], asOf: instant, amend: amend)
                return try desk.patients.register(facts).demographics
            }
        }
        #expect(try told(at: 2) { $0.telephone = "0912" }.name == kept)
        // Said whole, as it was read: nothing is worse than before.
        #expect(try told(at: 3) { ($0.name, $0.address) = (kept, "Huế") }.address == "Huế")
        #expect(throws: EncounterFailure.self) { _ = try told(at: 4) { $0.name = #"LÊ\VĂN"# } }
        #expect(throws: EncounterFailure.self) { _ = try told(at: 4) { $0.birthDate = "soon" } }
        let right = try hospital.change { desk in
            try desk.amend(patient: row.id, version: 3, identifiers: []) {
                ($0.name, $0.birthDate) = ("NGUYỄN VĂN", "1980")
            }.demographics
        }
        #expect((right.name, right.birthDate, right.telephone) == ("NGUYỄN VĂN", "1980", "0912"))
    }

    @Test("A facility's code means what it meant on the day")
    func facilities() throws {
        let hospital = try Hospital()
        try hospital.change { desk in
            try desk.records.putFacility(
                FacilityRecord(code: "24001", name: "Bắc Giang", validFrom: "20200101", validUntil: "20250630"))
            try desk.records.putFacility(FacilityRecord(code: "24001", name: "Bắc Ninh 2", validFrom: "20250701"))
        }
        #expect(try hospital.look { try $0.facility(code: "24001", on: "20240501") }?.name == "Bắc Giang")
        #expect(try hospital.look { try $0.facility(code: "24001", on: "20261121") }?.name == "Bắc Ninh 2")
        #expect(try hospital.look { try $0.facility(code: "24001", on: "20190101") } == nil)
    }
}

@Suite("Facilities")
struct FacilityTests {
    @Test("A code means one facility at a time, and on each day the one that had it")
    func codes() throws {
        let hospital = try Hospital()
        try hospital.change { desk in
            try desk.facilities.put(FacilityRecord(code: "24001", name: "Trạm A", validFrom: "20200101"))
            #expect(throws: EncounterFailure.self) {
                try desk.facilities.put(FacilityRecord(code: "24001", name: "Trạm B", validFrom: "20250701"))
            }
            _ = try desk.facilities.end(code: "24001", on: "20250630")
            try desk.facilities.put(FacilityRecord(code: "24001", name: "Trạm B", validFrom: "20250701"))
            try desk.facilities.put(FacilityRecord(code: "24001-1", name: "Điểm 1", parent: "24001"))
            #expect(throws: EncounterFailure.self) {
                try desk.facilities.put(FacilityRecord(code: "X", name: "X", parent: "nobody"))
            }
            #expect(throws: EncounterFailure.self) {
                try desk.facilities.put(
                    FacilityRecord(code: "X", name: "X", validFrom: "20250101", validUntil: "20240101"))
            }
        }
        let names = try hospital.look { records in
            try ["20191231", "20250630", "20250701"].map { try records.facility(code: "24001", on: $0)?.name }
        }
        #expect(names == [nil, "Trạm A", "Trạm B"])
    }
}
