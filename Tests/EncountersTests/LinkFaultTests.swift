// Links that must not be made: against what the images say, by a code of somebody else, to what was deleted.

import Encounters
import Foundation
import GRDB
import Records
import Testing

@Suite("Links that must not be made")
struct LinkFaultTests {
    private func arrive(_ hospital: Hospital, _ study: StudyFacts) throws -> StudyLinkRecord? {
        try hospital.encounters.change(by: "rule") { try $0.links.arrived(study) }
    }

    @Test("Images that carry another accession number wait for its order, and go there")
    func ownAccession() throws {
        let hospital = try Hospital()
        try hospital.order("O1", patient: "BN1", accession: "LACC1")
        let study = Hospital.study("2.25.1", accession: "LACC2", patientID: "BN1", name: "NGUYEN VAN DUC")
        #expect(try arrive(hospital, study) == nil)
        let order = try hospital.order("O2", patient: "BN1", accession: "LACC2", asOf: 2)
        let linked = try hospital.encounters.change(by: "rule") { desk in
            try desk.links.reconsider(patient: desk.records.patient(id: order.patient))
        }
        #expect(linked == 1)
        #expect(try hospital.look { try $0.link(ofStudy: "2.25.1") }?.target.procedure == order.id)
    }

    @Test("UID and accession number of one patient's order, code and name of another: a person decides")
    func numbersOfAnother() throws {
        let hospital = try Hospital()
        let first = try hospital.order("O1", patient: "P", name: "LÊ THỊ HOA", accession: "A1")
        try hospital.order("O2", patient: "Q", accession: "A2")
        for (uid, accession) in [(first.studyInstanceUID, "A1"), ("2.25.1", "A1"), (first.studyInstanceUID, "")] {
            let study = Hospital.study(uid, accession: accession, patientID: "Q", name: "NGUYEN VAN DUC")
            #expect(try arrive(hospital, study) == nil)
        }
    }

    @Test("The code of another known patient of the same name and birth date")
    func namesake() throws {
        let hospital = try Hospital()
        try hospital.order("O1", patient: "LA", accession: "A1")
        _ = try hospital.change { try $0.patients.register(Hospital.facts("LB")) }
        let study = Hospital.study(
            "2.25.1", accession: "A1", patientID: "LB", name: "NGUYEN VAN DUC", birthDate: "19800215")
        #expect(try arrive(hospital, study) == nil)
        #expect(try arrive(hospital, Hospital.study("2.25.2", accession: "A1", patientID: "LA")) != nil)
    }

    @Test("A code that another hospital gave means nobody here", arguments: ["24001", "", "HOSP2"])
    func issuer(_ issuer: String) throws {
        let hospital = try Hospital()
        let citizen = try PatientIdentifier(type: PatientIdentifier.citizen, issuer: "", value: "024080001234")
        _ = try hospital.change { try $0.patients.register(Hospital.facts("777", more: [citizen])) }
        try hospital.order("O1", patient: "777", accession: "A1")
        for (number, code) in ["777", "024080001234"].enumerated() {
            let study = Hospital.study(
                "2.25.\(number)", accession: "A1", patientID: code, issuer: issuer, name: "LE THI HOA",
                birthDate: "19550101")
            #expect(try (arrive(hospital, study) == nil) == (issuer == "HOSP2"))
        }
    }

    @Test("A deleted study leaves its order; sent again, it is judged by what it says then")
    func deleted() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", accession: "A1")
        #expect(try arrive(hospital, Hospital.study("2.25.1", accession: "A1", patientID: "BN1")) != nil)
        try hospital.encounters.change(by: "rule") { try $0.links.deleted(study: "2.25.1") }
        #expect(try hospital.look { try $0.link(ofStudy: "2.25.1") } == nil)
        let link = try #require(try hospital.look { try $0.links(ofStudy: "2.25.1") }.first)
        #expect(link.undoneBy == "rule" && link.undoneReason == "the study was deleted")
        #expect(try hospital.state(of: order) == .scheduled)
        #expect(try arrive(hospital, Hospital.study("2.25.1", patientID: "X1", name: "LE THI HOA")) == nil)
        // The order is free for its study.
        let right = Hospital.study("2.25.2", patientID: "BN1", name: "NGUYEN VAN DUC")
        #expect(try arrive(hospital, right)?.target.procedure == order.id)
    }

    @Test("All that wait for a person are looked at, page by page, and nobody of the same name")
    func many() throws {
        let hospital = try Hospital()
        try hospital.encounters.change(by: "rule") { desk in
            for number in 0..<1_201 {
                try desk.links.arrived(
                    Hospital.study("2.25.9\(number)", patientID: "Y\(number)", name: "NGUYEN VAN DUC"))
            }
            for number in 0..<450 {
                try desk.links.arrived(
                    Hospital.study("2.25.1\(number)", accession: "A\(number)", patientID: "BN1", name: "NGUYEN VAN DUC")
                )
            }
        }
        let order = try hospital.order("O1", patient: "BN1", accession: "A449")
        try hospital.encounters.change(by: "rule") { desk in
            let patient = try desk.records.patient(id: order.patient)
            #expect(try desk.links.reconsider(patient: patient) == 1)
            let codes = ["BN1"]
            let page = try desk.records.inbox(of: patient, patientIDs: codes, beyond: "", limit: 1000)
            #expect(page.count == 449)
        }
        #expect(try hospital.look { try $0.link(ofStudy: "2.25.1449") }?.target.procedure == order.id)
    }

    @Test("Rows of an earlier version are read: what they lack is as in a new one")
    func older() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", visit: "V1")
        #expect(try arrive(hospital, Hospital.study("2.25.1", patientID: "X", name: "LE THI HOA")) == nil)
        let queue = try DatabaseQueue(path: hospital.folder.appending(path: "records.sqlite").path)
        try queue.write { db in
            try db.execute(
                sql: """
                    UPDATE patient SET body = json_remove(body, '$.ethnicGroup', '$.sex');
                    UPDATE encounter SET body = json_remove(body, '$.hospitalService');
                    UPDATE requestedProcedure SET body = json_remove(body, '$.priority', '$.code.scheme');
                    UPDATE inbox SET body = json_set(json_remove(body, '$.modalities'), '$.gone', 'x');
                    """)
        }
        try queue.close()
        let procedure = try hospital.look { try $0.procedure(id: order.id) }
        #expect(procedure.details == order.details)
        let patient = try hospital.look { try $0.patient(id: order.patient) }
        #expect(patient.demographics.name == "NGUYỄN VĂN ĐỨC" && patient.demographics.sex.isEmpty)
        #expect(try hospital.look { try $0.encounters(number: "V1") }.first?.details.hospitalService == "")
        #expect(try hospital.look { try $0.inbox(limit: 1) }.first?.facts.modalities == [])
    }
}
