// Links: certain ones are made, doubtful ones wait, wrong ones are undone, late records are looked at again.

import Encounters
import Records
import Testing

@Suite("Linking studies")
struct LinkTests {
    private func arrive(_ hospital: Hospital, _ study: StudyFacts) throws -> StudyLinkRecord? {
        try hospital.encounters.change(by: "rule") { try $0.links.arrived(study) }
    }

    @Test("By the UID that the order gave, with its reason, and the procedure has begun")
    func byUID() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", visit: "V1")
        let link = try #require(
            try arrive(hospital, Hospital.study(order.studyInstanceUID, patientID: "BN1", name: "NGUYEN VAN DUC")))
        #expect(link.method == .studyInstanceUID)
        #expect(link.target.procedure == order.id && link.target.encounter == order.encounter)
        #expect(link.score == 1 && link.actor == "rule" && !link.reason.isEmpty)
        #expect(try hospital.look { try $0.procedure(id: order.id) }.state == ProcedureState.inProgress.rawValue)
        // More images change nothing.
        #expect(try arrive(hospital, Hospital.study(order.studyInstanceUID))?.id == link.id)
    }

    @Test("By the Accession Number, the name typed without marks")
    func byAccession() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let link = try #require(
            try arrive(
                hospital, Hospital.study("2.25.1", accession: order.accession.value, name: "Nguyen^Van Duc")))
        #expect(link.method == .accession && link.score >= StudyLinking.certain)
    }

    @Test("The right number with another patient's name waits for a person")
    func otherPatient() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let study = Hospital.study("2.25.1", accession: order.accession.value, patientID: "BN7", name: "LÊ THỊ HOA")
        #expect(try arrive(hospital, study) == nil)
        #expect(try hospital.look { try $0.inbox(limit: 10) }.map(\.facts.studyInstanceUID) == ["2.25.1"])
        let candidates = try hospital.look { try StudyLinking($0, issuer: "24001").candidates(study) }
        #expect(candidates.first?.score == 0.5)
        let same = Hospital.study(order.studyInstanceUID, patientID: "BN7", name: "LÊ THỊ HOA")
        #expect(try arrive(hospital, same) == nil)
    }

    @Test("By patient, modality and time when there is one order only")
    func byPatient() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let study = Hospital.study("2.25.1", patientID: "BN1", name: "NGUYỄN VĂN ĐỨC")
        #expect(try arrive(hospital, study)?.target.procedure == order.id)
        // The order has its study now: a second one has to ask.
        #expect(try arrive(hospital, Hospital.study("2.25.2", patientID: "BN1", name: "NGUYỄN VĂN ĐỨC")) == nil)
    }

    @Test("Two orders that fit, another modality, another day: nothing is guessed")
    func doubtful() throws {
        let hospital = try Hospital()
        try hospital.order("O1", patient: "BN1")
        try hospital.order("O2", patient: "BN1", asOf: 2)
        #expect(try arrive(hospital, Hospital.study("2.25.1", patientID: "BN1", name: "NGUYEN VAN DUC")) == nil)
        #expect(
            try arrive(hospital, Hospital.study("2.25.2", patientID: "BN1", name: "NGUYEN VAN DUC", modality: "US"))
                == nil)
        try hospital.order("O3", patient: "BN3", at: "20261110090000", asOf: 3)
        #expect(try arrive(hospital, Hospital.study("2.25.3", patientID: "BN3", name: "NGUYEN VAN DUC")) == nil)
        // A name alone is never enough.
        try hospital.order("O4", patient: "BN4", name: "LÊ THỊ HOA", asOf: 4)
        #expect(try arrive(hospital, Hospital.study("2.25.4", name: "LE THI HOA")) == nil)
        let candidates = try hospital.look {
            try StudyLinking($0, issuer: "24001").candidates(Hospital.study("2.25.4", name: "LE THI HOA"))
        }
        #expect(candidates.first?.score == 0.5)
    }

    @Test("Two procedures under one number are told apart by their modality")
    func sharedAccession() throws {
        let hospital = try Hospital()
        try hospital.order("O1", patient: "BN1", modality: "CT", accession: "A1")
        let other = try hospital.order("O2", patient: "BN1", modality: "US", accession: "A1", asOf: 2)
        let study = Hospital.study("2.25.1", accession: "A1", patientID: "BN1", name: "NGUYEN VAN DUC", modality: "US")
        #expect(try arrive(hospital, study)?.target.procedure == other.id)
    }

    @Test("A late order finds the study that waits, and leaves others alone")
    func late() throws {
        let hospital = try Hospital()
        #expect(
            try arrive(hospital, Hospital.study("2.25.1", accession: "A9", patientID: "BN1", name: "NGUYEN VAN DUC"))
                == nil)
        #expect(
            try arrive(hospital, Hospital.study("2.25.2", accession: "A8", patientID: "BN2", name: "LE THI HOA")) == nil
        )
        let order = try hospital.order("O1", patient: "BN1", accession: "A9")
        let linked = try hospital.encounters.change(by: "rule") { desk in
            try desk.links.reconsider(patient: desk.records.patient(id: order.patient))
        }
        #expect(linked == 1)
        #expect(try hospital.look { try $0.inbox(limit: 10) }.map(\.facts.studyInstanceUID) == ["2.25.2"])
    }

    @Test("A person's decision holds, is undone, and no rule repeats what was undone")
    func person() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let study = Hospital.study("2.25.1", accession: order.accession.value, name: "NGUYEN VAN DUC")
        _ = try arrive(hospital, study)
        try hospital.encounters.change(by: "ktv.hoa") { try $0.links.undo(study: study) }
        #expect(try hospital.look { try $0.link(ofStudy: "2.25.1") } == nil)
        #expect(try arrive(hospital, study) == nil)
        try hospital.encounters.change(by: "ktv.hoa") { desk in
            try desk.links.decide(
                study: "2.25.1", target: LinkTarget(procedure: order.id, encounter: nil, patient: 0),
                reason: "đã gọi khoa")
        }
        let history = try hospital.look { try $0.links(ofStudy: "2.25.1") }
        #expect(history.map(\.method) == [.person, .accession])
        #expect(history.map(\.actor) == ["ktv.hoa", "rule"])
        #expect(history.last?.undoneBy == "ktv.hoa")
        #expect(history.first?.target.patient == order.patient)
        #expect(try hospital.look { try $0.inbox(limit: 10) }.isEmpty)
    }

    @Test("A cancelled order takes no study by itself")
    func cancelled() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        try hospital.change { _ = try $0.orders.step(.cancel, order, reason: "") }
        #expect(try arrive(hospital, Hospital.study(order.studyInstanceUID, patientID: "BN1")) == nil)
    }

    @Test("What is decided without looking further is what all candidates say")
    func decision() throws {
        let hospital = try Hospital()
        let first = try hospital.order("O1", patient: "BN1", accession: "A1")
        try hospital.order("O2", patient: "BN1", modality: "US", accession: "A1", asOf: 2)
        let third = try hospital.order("O3", patient: "BN2", name: "LÊ THỊ HOA", accession: "A3", asOf: 3)
        try hospital.order("O4", patient: "BN2", name: "LÊ THỊ HOA", accession: "A4", asOf: 4)
        try hospital.change { _ = try $0.orders.step(.cancel, third, reason: "") }
        var methods: [LinkMethod?: Int] = [:]
        try hospital.look { records in
            let linking = StudyLinking(records, issuer: "24001")
            for uid in [first.studyInstanceUID, third.studyInstanceUID, "2.25.1"] {
                for (accession, code) in ["", "A1", "A3", "A4"].flatMap({ a in ["", "BN1", "BN2"].map { (a, $0) } }) {
                    for (name, modality) in ["", "NGUYEN VAN DUC", "LE THI HOA"].flatMap({ n in
                        ["CT", "US"].map { (n, $0) }
                    }) {
                        let study = Hospital.study(
                            uid, accession: accession, patientID: code, name: name, modality: modality)
                        let decided = StudyLinking.decided(try linking.candidates(study))
                        #expect(try linking.decision(study) == decided)
                        methods[decided?.method, default: 0] += 1
                    }
                }
            }
        }
        #expect(methods.keys.contains(nil) && methods.count == 4)
    }
}
