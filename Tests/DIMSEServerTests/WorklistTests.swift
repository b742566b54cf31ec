// Worklist queries read, and answers written: which keys, which characters, which lengths.

import DICOMCore
import DIMSEServer
import Encounters
import Foundation
import Records
import Testing

@Suite("Modality Worklist (PS3.4 Annex K)")
struct WorklistSCPTests {
    /// Records in a folder that goes with the value.
    private final class Hospital {
        let folder = FileManager.default.temporaryDirectory.appending(path: "phim-worklist-\(UUID().uuidString)")
        let encounters: Encounters

        init() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            encounters = Encounters(
                records: try RecordStore(path: folder.appending(path: "records.sqlite").path),
                settings: OrderSettings(issuer: "24001"))
        }

        deinit {
            try? encounters.records.close()
            try? FileManager.default.removeItem(at: folder)
        }

        func order(_ number: String, name: String, visit: String = "V1", station: String = "") throws {
            _ = try encounters.change(by: "test") { desk in
                try desk.records.putFacility(try FacilityRecord(code: "24001", name: "Bệnh viện Đa khoa"))
                let patient = try desk.patients.register(
                    PatientFacts(
                        identifiers: [
                            try PatientIdentifier(type: "MR", issuer: "24001", value: "BN" + number),
                            try PatientIdentifier(type: "NI", issuer: "", value: "001080000123"),
                            try PatientIdentifier(type: "HC", issuer: "", value: "GD4010123456789"),
                        ], asOf: 1
                    ) {
                        $0.name = name
                        $0.birthDate = "1980"
                        $0.sex = "M"
                    })
                let encounter = try desk.encounters.visit(
                    EncounterFacts(issuer: "24001", number: visit, asOf: 1) {
                        $0.facility = "24001"
                        $0.department = "K01"
                        $0.room = "P203"
                    }, patient: patient)
                return try desk.orders.apply(
                    .new,
                    OrderFacts(placer: IssuedNumber(issuer: "HIS", value: number), asOf: 1) {
                        $0.modality = "CT"
                        $0.stationAETitle = station
                        $0.scheduledAt = "20261121090000"
                        $0.code = Coded(value: "CT01", scheme: "VN-DVKT", meaning: "CT sọ não\\không tiêm")
                        $0.pregnancyStatus = "4"
                        $0.allergies = "Penicillin; tôm"
                        $0.patientWeight = "61.5"
                    }, patient: patient, encounter: encounter)
            }
        }

        /// Answers to a query, decoded.
        func ask(
            _ characterSet: OutputCharacterSet = .utf8, policy: WorklistPolicy = WorklistPolicy(issuer: "24001"),
            _ build: (inout DataSetWriter, inout DataSetWriter) -> Void
        ) throws -> [DataSet] {
            var keys = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
            var step = keys.makeItem()
            build(&keys, &step)
            if !step.isEmpty { keys.put(.scheduledProcedureStepSequence, items: [step]) }
            let syntax = TransferSyntax.explicitVRLittleEndian
            let query = try WorklistQuery(keys.finish(), transferSyntax: syntax.uid)
            let worklist = Worklist(
                encounters: encounters, policy: policy, callingAETitle: "CT1", characterSet: characterSet)
            var answers: [[UInt8]] = []
            _ = try worklist.forEach(query) { item in
                answers.append(worklist.dataSet(item, query, transferSyntax: syntax.uid))
                return true
            }
            return try answers.map { try HeaderReader.read($0, transferSyntax: syntax).dataSet }
        }
    }

    @Test("Only the keys that were asked for; what is not known is there without a value")
    func keysAsAsked() throws {
        let hospital = try Hospital()
        try hospital.order("1", name: "NGUYỄN VĂN ĐỨC")
        let answer = try #require(
            try hospital.ask { keys, step in
                keys.putEmpty(.patientName)
                keys.putEmpty(.studyDescription)
                keys.put(.issuerOfPatientIDQualifiersSequence, items: [])
                step.putEmpty(.modality)
                step.putEmpty(.scheduledStationAETitle)
            }.first)
        #expect(
            answer.elements.map(\.tag) == [
                .specificCharacterSet, .studyDescription, .patientName, .issuerOfPatientIDQualifiersSequence,
                .scheduledProcedureStepSequence,
            ])
        #expect(answer.string(.patientName) == "NGUYỄN VĂN ĐỨC" && answer.string(.studyDescription) == nil)
        let step = try #require(answer.items(.scheduledProcedureStepSequence).first)
        #expect(step.elements.map(\.tag) == [.modality, .scheduledStationAETitle])
        // The order names no station: it is told to whoever asks that it is theirs (type 1).
        #expect(step.string(.scheduledStationAETitle) == "CT1")
    }

    @Test("A sequence of zero length asks for everything in it")
    func wholeSequences() throws {
        let hospital = try Hospital()
        try hospital.order("1", name: "NGUYỄN VĂN ĐỨC")
        let answer = try #require(
            try hospital.ask { keys, _ in
                keys.put(.scheduledProcedureStepSequence, items: [])
                keys.put(.requestedProcedureCodeSequence, items: [])
                keys.put(.otherPatientIDsSequence, items: [])
                for tag in [
                    DICOMCore.Tag.patientID, .issuerOfPatientID, .admissionID, .institutionName,
                    .currentPatientLocation, .pregnancyStatus, .allergies, .patientWeight, .patientAge,
                    .patientBirthDate,
                    .requestedProcedureDescription,
                ] { keys.putEmpty(tag) }
                keys.put(.issuerOfAccessionNumberSequence, items: [])
            }.first)
        let step = try #require(answer.items(.scheduledProcedureStepSequence).first)
        #expect(step.string(.scheduledProcedureStepStartDate) == "20261121")
        #expect(step.string(.scheduledProcedureStepStartTime) == "090000")
        #expect(step.string(.scheduledProcedureStepStatus) == "SCHEDULED")
        #expect(step.items(.scheduledProtocolCodeSequence).first?.string(.codeValue) == "CT01")
        let code = try #require(answer.items(.requestedProcedureCodeSequence).first)
        #expect(code.string(.codingSchemeDesignator) == "VN-DVKT")
        // A backslash would make two values of one.
        #expect(code.string(.codeMeaning) == "CT sọ não/không tiêm")
        let others = answer.items(.otherPatientIDsSequence)
        #expect(others.map { $0.string(.issuerOfPatientID) } == ["VN-CCCD", "VN-BHYT"])
        #expect(others.map { $0.string(.patientID) } == ["001080000123", "GD4010123456789"])
        #expect(answer.string(.patientID) == "BN1" && answer.string(.issuerOfPatientID) == "24001")
        #expect(answer.string(.institutionName) == "Bệnh viện Đa khoa")
        #expect(answer.string(.currentPatientLocation) == "K01 / P203")
        #expect(answer.int(.pregnancyStatus) == 4)
        #expect(answer.strings(.allergies) == ["Penicillin", "tôm"])
        #expect(answer.string(.patientWeight) == "61.5")
        // Of the birth date only the year is known: a DA cannot hold it, an age can.
        #expect(answer.string(.patientBirthDate) == nil && answer.string(.patientAge) == "046Y")
        let issuer = answer.items(.issuerOfAccessionNumberSequence).first
        #expect(issuer?.string(.localNamespaceEntityID) == "24001")
    }

    @Test("Characters that a station cannot read lose their marks; a long visit number is cut to its VR")
    func characters() throws {
        let hospital = try Hospital()
        try hospital.order("1", name: "NGUYỄN VĂN ĐỨC", visit: String(repeating: "9", count: 100))
        func answer(_ set: OutputCharacterSet) throws -> DataSet {
            try #require(
                try hospital.ask(set) { keys, _ in
                    keys.putEmpty(.patientName)
                    keys.putEmpty(.admissionID)
                    keys.putEmpty(.institutionName)
                }.first)
        }
        let (utf8, latin1, ascii) = try (answer(.utf8), answer(.latin1), answer(.ascii))
        #expect(utf8.characterSets == ["ISO_IR 192"] && utf8.string(.patientName) == "NGUYỄN VĂN ĐỨC")
        #expect(latin1.characterSets == ["ISO_IR 100"] && latin1.string(.patientName) == "NGUYEN VAN DUC")
        #expect(ascii[.specificCharacterSet] == nil && ascii.string(.patientName) == "NGUYEN VAN DUC")
        #expect(ascii.string(.institutionName) == "Benh vien Da khoa")
        #expect(utf8.string(.admissionID)?.count == 64)
    }

    @Test(
        "Matching (Table K.6-1)",
        arguments: [
            ([:], [:], 2), ([.patientName: "*van duc*"], [:], 1), ([.patientName: "NGUYỄN VĂN ĐỨC"], [:], 1),
            ([.patientID: "BN2"], [:], 1), ([.patientID: "*"], [:], 2),
            ([:], [.modality: "CT"], 2), ([:], [.modality: "MR"], 0),
            ([:], [.scheduledStationAETitle: "CT1"], 1), ([:], [.scheduledStationAETitle: "CT2"], 2),
            ([:], [.scheduledProcedureStepStartDate: "20261121"], 2),
            ([:], [.scheduledProcedureStepStartDate: "20261120-20261121"], 2),
            ([:], [.scheduledProcedureStepStartDate: "20261122-"], 0),
            ([:], [.scheduledProcedureStepStartTime: "0900"], 2),
            ([:], [.scheduledProcedureStepStartTime: "0901-"], 0),
            (
                [:],
                [
                    .scheduledProcedureStepStartDate: "20261120-20261122",
                    .scheduledProcedureStepStartTime: "100000-080000",
                ], 2
            ),
            ([:], [.scheduledProcedureStepStatus: "SCHEDULED"], 2),
            ([:], [.scheduledProcedureStepStatus: "ARRIVED"], 0),
            ([:], [.scheduledPerformingPhysicianName: "*lan*"], 0),
        ] as [([DICOMCore.Tag: String], [DICOMCore.Tag: String], Int)])
    func matching(keys: [DICOMCore.Tag: String], step: [DICOMCore.Tag: String], count: Int) throws {
        let hospital = try Hospital()
        try hospital.order("1", name: "NGUYỄN VĂN ĐỨC")
        try hospital.order("2", name: "LÊ THỊ HOA", visit: "V2", station: "CT2")
        let answers = try hospital.ask { writer, item in
            writer.putEmpty(.accessionNumber)
            for (tag, value) in keys { writer.put(tag, value) }
            for (tag, value) in step { item.put(tag, value) }
        }
        #expect(answers.count == count)
    }

    @Test("No hidden filter, unless it is configured; a limit is told of")
    func stations() throws {
        let hospital = try Hospital()
        try hospital.order("1", name: "NGUYỄN VĂN ĐỨC")
        try hospital.order("2", name: "LÊ THỊ HOA", visit: "V2", station: "CT2")
        func count(_ policy: WorklistPolicy, _ station: String = "") throws -> Int {
            try hospital.ask(policy: policy) { keys, step in
                keys.putEmpty(.accessionNumber)
                step.put(.scheduledStationAETitle, .AE, station.isEmpty ? [] : [station])
            }.count
        }
        let narrow = WorklistPolicy(narrowsToStation: true)
        #expect(try count(WorklistPolicy()) == 2)
        #expect(try count(narrow) == 1)
        #expect(try count(narrow, "CT2") == 2)
        let query = try WorklistQuery(.empty)
        let worklist = Worklist(
            encounters: hospital.encounters, policy: WorklistPolicy(limit: 1), callingAETitle: "CT1",
            characterSet: .utf8)
        var answers = 0
        let isWhole = try worklist.forEach(query) { _ in
            answers += 1
            return true
        }
        #expect(answers == 1 && !isWhole)
    }

    @Test("The table of return keys is what is answered")
    func returnKeys() throws {
        let hospital = try Hospital()
        try hospital.order("1", name: "NGUYỄN VĂN ĐỨC")
        var item: WorklistItem?
        let worklist = Worklist(
            encounters: hospital.encounters, policy: WorklistPolicy(), callingAETitle: "CT1", characterSet: .utf8)
        _ = try worklist.forEach(try WorklistQuery(.empty)) {
            item = $0
            return true
        }
        let tree = try #require(item).attributes
        let step = try #require(tree.items(.scheduledProcedureStepSequence).first)
        let table = WorklistItem.returnKeys
        #expect(Set(step.values.keys) == Set(table.filter { $0.sequence != nil }.map(\.tag)))
        #expect(
            Set(tree.values.keys).subtracting([.scheduledProcedureStepSequence])
                == Set(table.filter { $0.sequence == nil }.map(\.tag)))
    }

    @Test(
        "A date that is none is refused, not taken for every day", arguments: ["yesterday", "20261399", "2026-11-21"])
    func badDate(text: String) throws {
        var keys = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        var step = keys.makeItem()
        step.put(.scheduledProcedureStepStartDate, text)
        keys.put(.scheduledProcedureStepSequence, items: [step])
        let bytes = keys.finish()
        #expect(throws: WorklistQuery.Fault.badValue(.scheduledProcedureStepStartDate)) {
            try WorklistQuery(bytes, transferSyntax: TransferSyntax.explicitVRLittleEndian.uid)
        }
    }

    @Test(
        "A value for a key that is not matched is told of (FF01H)",
        arguments: [(DICOMCore.Tag.patientSex, true), (.patientName, false), (.requestedProcedureDescription, true)])
    func ignoredKeys(tag: DICOMCore.Tag, isIgnored: Bool) throws {
        var keys = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        keys.put(tag, "M")
        let query = try WorklistQuery(keys.finish(), transferSyntax: TransferSyntax.explicitVRLittleEndian.uid)
        #expect(query.ignoresKeys == isIgnored)
    }
}
