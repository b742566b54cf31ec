// Corrections: what follows from a link or a merge, what does not, what is written by hand, and what each change calls for.

import Catalog
import DICOMCore
import Encounters
import Records
import Testing

@Suite("Corrections")
struct CorrectionTests {
    typealias Tag = DICOMCore.Tag

    /// A study of one claim.
    private func study(_ values: [Tag: String], more: [[Tag: String]] = []) -> StudyClaims {
        StudyClaims(studyInstanceUID: "2.25.9", modalities: ["CT"], values: values, all: [values] + more)
    }

    private static let right: [Tag: String] = [
        .patientID: "BN1", .patientName: "NGUYỄN VĂN ĐỨC", .patientBirthDate: "19800215", .patientSex: "M",
    ]

    private func derived(_ hospital: Hospital, _ study: StudyClaims) throws -> [Tag: String] {
        try hospital.look { try CorrectionRules($0).derived(study) }?.attributes ?? [:]
    }

    private func linked(_ study: StudyClaims) throws -> [Tag: String] {
        let hospital = try Hospital()
        let citizen = try PatientIdentifier(type: PatientIdentifier.citizen, issuer: "", value: "079080012345")
        let elsewhere = try PatientIdentifier(type: PatientIdentifier.medicalRecord, issuer: "24002", value: "B9")
        try hospital.change { desk in
            let patient = try desk.patients.register(Hospital.facts("BN1", more: [citizen, elsewhere]))
            try desk.links.decide(
                study: study.studyInstanceUID, target: LinkTarget(procedure: nil, encounter: nil, patient: patient.id),
                reason: "test")
        }
        return try derived(hospital, study)
    }

    /// What the images say instead of the right values, and what follows for a linked study.
    static let cases: [(String, [Tag: String], [Tag: String])] = [
        ("nothing else", [:], [:]),
        ("the console writes no marks", [.patientName: "Nguyen^Van Duc"], [:]),
        ("the console was given the citizen number", [.patientID: "079080012345"], [:]),
        ("another letter", [.patientName: "NGUYEN VAN DUNG"], [.patientName: "NGUYỄN VĂN ĐỨC"]),
        ("another code", [.patientID: "BN7"], [.patientID: "BN1"]),
        ("another day", [.patientBirthDate: "19800216"], [.patientBirthDate: "19800215"]),
        ("another sex", [.patientSex: "F"], [.patientSex: "M"]),
        ("no day and no sex", [.patientBirthDate: "", .patientSex: ""], [:]),
        ("no name", [.patientName: ""], [.patientName: "NGUYỄN VĂN ĐỨC"]),
        ("no code", [.patientID: ""], [.patientID: "BN1"]),
        ("another issuer of the same code", [.issuerOfPatientID: "HIS"], [:]),
        ("the code of another issuer's person", [.issuerOfPatientID: "24001", .patientID: "B9"], [.patientID: "BN1"]),
        ("the code of another issuer", [.issuerOfPatientID: "24002", .patientID: "B9"], [:]),
        ("an issuer that nobody knows", [.issuerOfPatientID: "HIS", .patientID: "B9"], [:]),
        (
            "another code of another issuer", [.patientID: "BN7", .issuerOfPatientID: "HIS"],
            [.patientID: "BN1", .issuerOfPatientID: "24001"]
        ),
    ]

    @Test("A linked study is corrected where its images differ in earnest, and nowhere else", arguments: cases)
    func byLink(what: String, said: [Tag: String], expected: [Tag: String]) throws {
        let values = Self.right.merging(said) { $1 }.filter { !$0.value.isEmpty }
        #expect(try linked(study(values)) == expected, "\(what)")
    }

    @Test("Of another person nothing stays that was said of them")
    func another() throws {
        let found = try linked(
            study([.patientID: "BN7", .patientName: "LÊ THỊ HOA", .patientBirthDate: "19500101", .patientSex: "F"]))
        #expect(found[.patientID] == "BN1" && found[.patientName] == "NGUYỄN VĂN ĐỨC")
        #expect(found[.patientBirthDate] == "19800215" && found[.patientSex] == "M")
        #expect(found[.otherPatientIDs] == "" && found[.otherPatientIDsSequence] == "" && found[.patientAddress] == "")
    }

    @Test("One image of many that names another is enough")
    func mixed() throws {
        let other = Self.right.merging([.patientName: "LÊ THỊ HOA"]) { $1 }
        #expect(try linked(study(Self.right, more: [other])) == [.patientName: "NGUYỄN VĂN ĐỨC"])
    }

    @Test("The Accession Number is the order's")
    func accession() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let study = study(Self.right.merging([.accessionNumber: "X"]) { $1 })
        try hospital.change { desk in
            try desk.links.decide(
                study: study.studyInstanceUID, target: LinkTarget(procedure: order.id, encounter: nil, patient: 0),
                reason: "")
        }
        #expect(try derived(hospital, study) == [.accessionNumber: order.accession.value])
    }

    @Test("Merged: the code is the survivor's where the name agrees; unmerged: nothing follows")
    func merge() throws {
        let hospital = try Hospital()
        let prior = try hospital.change { desk in
            let prior = try desk.patients.register(Hospital.facts("BN7", name: "NGUYEN VAN DUC"))
            let survivor = try desk.patients.register(Hospital.facts("BN1"))
            try desk.patients.merge(prior.id, into: survivor.id, reason: "same person")
            return prior
        }
        let own = study([.patientID: "BN7", .patientName: "NGUYEN VAN DUC"])
        #expect(try derived(hospital, own) == [.patientID: "BN1"])
        #expect(try derived(hospital, study([.patientID: "BN7", .patientName: "LÊ THỊ HOA"])) == [:])
        #expect(try derived(hospital, study([.patientID: "BN7"])) == [:])
        #expect(try derived(hospital, study([.patientID: "BN1", .patientName: "NGUYEN VAN DUC"])) == [:])
        try hospital.change { try $0.patients.unmerge(prior.id) }
        #expect(try derived(hospital, own) == [:])
    }

    @Test("Merged: an image that names the survivor agrees with those that name the merged row")
    func mergedAndSurvivor() throws {
        let hospital = try Hospital()
        try hospital.change { desk in
            let prior = try desk.patients.register(Hospital.facts("BN7", name: "NGUYEN VAN DUC"))
            let survivor = try desk.patients.register(Hospital.facts("BN1"))
            try desk.patients.merge(prior.id, into: survivor.id, reason: "same person")
            _ = try desk.patients.register(Hospital.facts("BN5", name: "LÊ THỊ HOA"))
        }
        let own: [[Tag: String]] = ["BN1", "BN7", "BN5"].map { [.patientID: $0, .patientName: "NGUYEN VAN DUC"] }
        #expect(try derived(hospital, study(own[0], more: [own[1]])) == [.patientID: "BN1"])
        #expect(try derived(hospital, study(own[1], more: [own[0]])) == [.patientID: "BN1"])
        let other: [Tag: String] = [.patientID: "BN5", .patientName: "LE THI HOA"]
        #expect(try derived(hospital, study(own[0], more: [own[1], other])) == [:])
    }

    @Test("What follows fits its value representation (PS3.5 Table 6.2-1), as worklists said it")
    func fitted() throws {
        let hospital = try Hospital()
        try hospital.change { desk in
            // As an earlier version took it in.
            var person = Demographics()
            person.name = "NGUYỄN\nVĂN\\ĐỨC"
            (person.birthDate, person.sex) = ("19801399", "X")
            let patient = try desk.records.addPatient(person, nameKey: "NGUYEN VAN DUC", asOf: 1)
            try desk.records.addIdentifier(Hospital.code("BN1"), patient: patient.id)
            try desk.links.decide(
                study: "2.25.9", target: LinkTarget(procedure: nil, encounter: nil, patient: patient.id), reason: "")
        }
        let found = try derived(
            hospital, study([.patientID: "X", .patientName: "Y", .patientBirthDate: "19800215", .patientSex: "M"]))
        #expect(found[.patientName] == "NGUYỄN VĂN/ĐỨC" && found[.patientID] == "BN1")
        #expect(found[.patientBirthDate] == "" && found[.patientSex] == "")
        // A console that took what the worklist offered is right.
        #expect(try derived(hospital, study([.patientID: "BN1", .patientName: "NGUYEN VAN/DUC"])) == [:])
    }

    @Test("Merged from a code that only images knew")
    func unknownPrior() throws {
        let hospital = try Hospital()
        try hospital.change { desk in
            let survivor = try desk.patients.register(Hospital.facts("BN1"))
            try desk.patients.merge(Hospital.code("BN7"), into: survivor, reason: "A40")
        }
        let own = study([.patientID: "BN7", .patientName: "NGUYEN VAN DUC"])
        #expect(try derived(hospital, own) == [.patientID: "BN1"])
        #expect(try hospital.look { try $0.dueCorrections(limit: 10) }.map(\.patientID).contains("BN7"))
    }

    @Test("A code that was replaced leads to the new one")
    func replaced() throws {
        let hospital = try Hospital()
        try hospital.change { desk in
            _ = try desk.patients.register(Hospital.facts("BN1"))
            try desk.patients.replace(Hospital.code("BN1"), by: Hospital.code("BN2"))
        }
        #expect(
            try derived(hospital, study([.patientID: "BN1", .patientName: "NGUYEN VAN DUC"])) == [.patientID: "BN2"])
    }

    @Test("Every change that a correction follows from calls for it, in its own transaction")
    func due() throws {
        let hospital = try Hospital()
        func due() throws -> (studies: Set<String>, codes: Set<String>) {
            let due = try hospital.look { try $0.dueCorrections(limit: 100) }
            try hospital.change { try $0.records.removeDue(due) }
            return (
                Set(due.map(\.studyInstanceUID).filter { !$0.isEmpty }),
                Set(due.map(\.patientID).filter { !$0.isEmpty })
            )
        }
        let patient = try hospital.change { try $0.patients.register(Hospital.facts("BN1")) }
        #expect(try due() == ([], []))
        try hospital.change { desk in
            try desk.links.decide(
                study: "2.25.9", target: LinkTarget(procedure: nil, encounter: nil, patient: patient.id), reason: "")
        }
        #expect(try due().studies == ["2.25.9"])
        try hospital.change { _ = try $0.patients.register(Hospital.facts("BN1", name: "NGUYỄN VĂN ĐẠT", asOf: 2)) }
        #expect(try due().studies == ["2.25.9"])
        try hospital.change { _ = try $0.patients.register(Hospital.facts("BN1", name: "NGUYỄN VĂN ĐẠT", asOf: 3)) }
        #expect(try due().studies == [])
        let other = try hospital.change { try $0.patients.register(Hospital.facts("BN7")) }
        try hospital.change { try $0.patients.merge(patient.id, into: other.id, reason: "") }
        #expect(try due() == (["2.25.9"], ["BN1"]))
        try hospital.change { try $0.patients.unmerge(patient.id) }
        #expect(try due() == (["2.25.9"], ["BN1"]))
        try hospital.change { desk in
            try desk.links.undo(study: Hospital.study("2.25.9"))
        }
        #expect(try due().studies == ["2.25.9"])
        // What fails leaves nothing to do.
        #expect(throws: EncounterFailure.self) {
            try hospital.change { desk in
                _ = try desk.patients.register(Hospital.facts("BN1", name: "X", asOf: 9))
                throw EncounterFailure.merged
            }
        }
        #expect(try due() == ([], []))
    }

    @Test("Revisions: added only when something else follows, and by hand wins until it is taken back")
    func revisions() throws {
        let hospital = try Hospital()
        let own = study([.patientID: "BN7", .patientName: "LÊ THỊ HOA"])
        try hospital.change { desk in
            #expect(try !desk.corrections.derive(own))
            try desk.corrections.correct(own, set: [.patientName: "LÊ THỊ HOÀ"], reason: "typed wrong")
            #expect(try !desk.corrections.derive(own))
            let patient = try desk.patients.register(Hospital.facts("BN1"))
            try desk.links.decide(
                study: own.studyInstanceUID, target: LinkTarget(procedure: nil, encounter: nil, patient: patient.id),
                reason: "")
            #expect(try desk.corrections.derive(own))
            #expect(try !desk.corrections.derive(own))
            let holds = try #require(try desk.records.correction(ofStudy: own.studyInstanceUID))
            #expect(holds.attributes[Tag.patientName.hexadecimal] == "LÊ THỊ HOÀ")
            #expect(holds.attributes[Tag.patientID.hexadecimal] == "BN1")
            try desk.corrections.undo(own, reason: "")
            let after = try #require(try desk.records.correction(ofStudy: own.studyInstanceUID))
            #expect(after.attributes[Tag.patientName.hexadecimal] == "NGUYỄN VĂN ĐỨC")
            #expect(try desk.records.corrections(ofStudy: own.studyInstanceUID).count == 3)
            #expect(throws: EncounterFailure.self) { try desk.corrections.undo(own, reason: "") }
        }
    }

    @Test(
        "By hand only what is on the list, and legal",
        arguments: [
            (Tag.modality, "MR", false), (.patientSex, "X", false), (.patientSex, "O", true), (.patientID, "", false),
            (.patientBirthDate, "19801301", false), (.patientBirthDate, "", true),
            (.accessionNumber, "12345678901234567", false),
            (.studyDescription, "a\\b", false), (.studyTime, "2460", false), (.studyTime, "235959", true),
        ])
    func byHand(tag: Tag, value: String, isLegal: Bool) throws {
        let hospital = try Hospital()
        let own = study(Self.right)
        if isLegal {
            try hospital.change { try $0.corrections.correct(own, set: [tag: value], reason: "") }
        } else {
            #expect(throws: EncounterFailure.self) {
                try hospital.change { try $0.corrections.correct(own, set: [tag: value], reason: "") }
            }
        }
    }
}
