// Performed steps: what is demanded, what is final, and what they do to the procedures.

import DICOMCore
import Encounters
import Records
import Testing

@Suite("Performed procedure steps (PS3.4 Section F.7)")
struct PerformedStepTests {
    /// The data set of an N-CREATE, for scheduled steps given as study, accession number and step ID.
    private func begun(
        _ steps: [(String, String, String)], without missing: DICOMCore.Tag? = nil, status: String = "IN PROGRESS",
        characterSet: OutputCharacterSet = .utf8, patient code: String = "", name: String = "NGUYỄN VĂN ĐỨC"
    ) throws -> PerformedStep {
        var writer = DataSetWriter(transferSyntax: .implicitVRLittleEndian, characterSet: characterSet)
        let items = steps.map { study, accession, step in
            var item = writer.makeItem()
            item.put(.studyInstanceUID, study)
            item.put(.accessionNumber, accession)
            item.put(.scheduledProcedureStepID, step)
            return item
        }
        writer.put(.scheduledStepAttributesSequence, items: items)
        let rest: [(DICOMCore.Tag, String)] = [
            (.performedProcedureStepID, "PPS1"), (.performedStationAETitle, "CT1"),
            (.performedProcedureStepStartDate, "20261121"), (.performedProcedureStepStartTime, "091500"),
            (.performedProcedureStepStatus, status), (.modality, "CT"), (.patientName, name),
            (.patientID, code),
        ]
        for (tag, value) in rest where tag != missing { writer.put(tag, value) }
        if missing == .scheduledStepAttributesSequence { writer.put(.scheduledStepAttributesSequence, items: []) }
        return try PerformedStep(writer.finish(), transferSyntax: TransferSyntax.implicitVRLittleEndian.uid)
    }

    private func change(_ status: String?, _ more: [(DICOMCore.Tag, String)] = []) throws -> PerformedStep {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        if let status { writer.put(.performedProcedureStepStatus, status) }
        for (tag, value) in more { writer.put(tag, value) }
        return try PerformedStep(writer.finish(), transferSyntax: TransferSyntax.explicitVRLittleEndian.uid)
    }

    private func state(_ hospital: Hospital, _ order: ProcedureRecord) throws -> ProcedureState {
        ProcedureState(word: try hospital.look { try $0.procedure(id: order.id) }.state)
    }

    @Test("It begins, and ends as completed; then it is final")
    func completed() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let step = try begun([(order.studyInstanceUID, "", "")])
        let outcome = try hospital.change { try $0.performedSteps.create("1.2.3", step, peer: "ct1") }.get()
        #expect(outcome.procedures.map(\.id) == [order.id] && outcome.unmoved.isEmpty)
        #expect(try state(hospital, order) == .inProgress)
        let end = try change("COMPLETED", [(.totalNumberOfExposures, "12"), (.patientID, "other")])
        _ = try hospital.change { try $0.performedSteps.set("1.2.3", end) }.get()
        #expect(try state(hospital, order) == .completed)
        let kept = try #require(try hospital.look { try $0.performedStep("1.2.3") })
        let read = try PerformedStep(stored: kept.dataSet)
        #expect(kept.status == "COMPLETED" && kept.peer == "ct1")
        #expect(read.dose.map(\.value) == ["12"])
        #expect(read.dataSet.string(.patientName) == "NGUYỄN VĂN ĐỨC")
        // Who the patient is was settled when it began.
        #expect(read.dataSet.string(.patientID) == nil)
        #expect(throws: PerformedStepFault.final) {
            try hospital.change { try $0.performedSteps.set("1.2.3", try change("IN PROGRESS")) }.get()
        }
        #expect(throws: PerformedStepFault.duplicate) {
            try hospital.change { try $0.performedSteps.create("1.2.3", step, peer: "ct1") }.get()
        }
        #expect(throws: PerformedStepFault.unknown) {
            try hospital.change { try $0.performedSteps.set("1.2.4", end) }.get()
        }
    }

    @Test("Discontinued: the patient is still there, and the order on the worklist")
    func discontinued() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let step = try begun([(order.studyInstanceUID, "", "")])
        _ = try hospital.change { try $0.performedSteps.create("1.2.3", step, peer: "ct1") }.get()
        _ = try hospital.change { try $0.performedSteps.set("1.2.3", try change("DISCONTINUED")) }.get()
        #expect(try state(hospital, order) == .arrived)
        #expect(try hospital.look { try $0.worklist(WorklistFilter(), limit: 10) }.map(\.procedure.id) == [order.id])
    }

    @Test("By study, then accession number, then scheduled step; of unscheduled work by none")
    func found() throws {
        let hospital = try Hospital()
        let first = try hospital.order("O1", patient: "BN1", accession: "A1")
        let second = try hospital.order("O2", patient: "BN2", accession: "A2")
        func find(_ steps: [(String, String, String)]) throws -> [Int64] {
            let step = try begun(steps)
            return try hospital.change { try $0.performedSteps.procedures(of: step) }.map(\.id)
        }
        #expect(try find([(first.studyInstanceUID, "A2", "A2")]) == [first.id])
        #expect(try find([("1.9", "A2", "")]) == [second.id])
        #expect(try find([("1.9", "", "A1")]) == [first.id])
        // An accession number that is not known names an order of somebody else: the step ID means nothing then.
        #expect(try find([("1.9", "A9", "A1")]) == [])
        #expect(try find([("1.9", "", "")]) == [])
        // A group case.
        #expect(try find([("1.9", "A1", ""), ("1.9", "A2", ""), ("1.9", "A2", "")]) == [first.id, second.id])
    }

    @Test("One step for two procedures stands with both; each is done when its last step is")
    func groupCase() throws {
        let hospital = try Hospital()
        let first = try hospital.order("O1", patient: "BN1", accession: "A1")
        let second = try hospital.order("O2", patient: "BN1", accession: "A2")
        let both = try begun([("1.9", "A1", ""), ("1.9", "A2", "")])
        let more = try begun([("1.9", "A2", "")])
        _ = try hospital.change { try $0.performedSteps.create("1.2.3", both, peer: "ct1") }.get()
        _ = try hospital.change { try $0.performedSteps.create("1.2.4", more, peer: "ct1") }.get()
        func steps(_ order: ProcedureRecord) throws -> [String] {
            try hospital.look { try $0.performedSteps(procedure: order.id) }.map(\.sopInstanceUID)
        }
        #expect(try steps(first) == ["1.2.3"])
        #expect(try Set(steps(second)) == ["1.2.3", "1.2.4"])
        _ = try hospital.change { try $0.performedSteps.set("1.2.4", try change("COMPLETED")) }.get()
        #expect(try state(hospital, second) == .inProgress)
        _ = try hospital.change { try $0.performedSteps.set("1.2.3", try change("DISCONTINUED")) }.get()
        #expect(try state(hospital, first) == .arrived)
        #expect(try state(hospital, second) == .completed)
    }

    @Test("What a modality reports of a cancelled order is kept, and the order stays as it is")
    func cancelled() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        _ = try hospital.change { try $0.orders.step(.cancel, order, reason: "test") }
        let step = try begun([(order.studyInstanceUID, "", "")])
        let outcome = try hospital.change { try $0.performedSteps.create("1.2.3", step, peer: "ct1") }.get()
        #expect(outcome.unmoved.map(\.id) == [order.id])
        #expect(try state(hospital, order) == .cancelled)
        #expect(try hospital.look { try $0.performedStep("1.2.3") } != nil)
    }

    @Test("A report that names another patient is kept, and moves no order, whatever it names the order by")
    func anotherPatient() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", accession: "A1")
        try hospital.order("O2", patient: "BN2", accession: "A2")
        let names = [(order.studyInstanceUID, "", ""), ("1.9", "A1", ""), ("1.9", "", "A1")]
        for (number, item) in names.enumerated() {
            // The code of another patient of the same name; and nobody's code with another name.
            for (code, name) in [("BN2", "NGUYỄN VĂN ĐỨC"), ("X9", "LÊ THỊ HOA"), ("", "LÊ THỊ HOA")] {
                let uid = "1.2.\(number).\(code.count).\(name.count)"
                let step = try begun([item], patient: code, name: name)
                let outcome = try hospital.change { try $0.performedSteps.create(uid, step, peer: "ct1") }.get()
                #expect(outcome.procedures.isEmpty && outcome.ofOthers.map(\.id) == [order.id])
                _ = try hospital.change { try $0.performedSteps.set(uid, try change("COMPLETED")) }.get()
                #expect(try hospital.look { try $0.performedStep(uid) }?.status == "COMPLETED")
            }
        }
        #expect(try state(hospital, order) == .scheduled)
        #expect(try hospital.look { try $0.performedSteps(procedure: order.id) }.isEmpty)
        // By the code, with the name as a console wrote it; and by the name alone.
        for (uid, code, name) in [("1.3.1", "BN1", "DUC NV"), ("1.3.2", "", "Nguyen^Van Duc")] {
            let step = try begun([("1.9", "A1", "")], patient: code, name: name)
            let outcome = try hospital.change { try $0.performedSteps.create(uid, step, peer: "ct1") }.get()
            #expect(outcome.procedures.map(\.id) == [order.id])
        }
    }

    @Test("Images after the modality gave up do not begin the procedure again; a cancel waits for the modality")
    func givenUp() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let step = try begun([(order.studyInstanceUID, "", "")])
        _ = try hospital.change { try $0.performedSteps.create("1.2.3", step, peer: "ct1") }.get()
        #expect(throws: EncounterFailure.unlawful(state: .inProgress, step: .cancel)) {
            try hospital.change { try $0.orders.step(.cancel, $0.records.procedure(id: order.id), reason: "") }
        }
        _ = try hospital.change { try $0.performedSteps.set("1.2.3", try change("DISCONTINUED")) }.get()
        _ = try hospital.change { try $0.links.arrived(Hospital.study(order.studyInstanceUID, patientID: "BN1")) }
        #expect(try hospital.look { try $0.link(ofStudy: order.studyInstanceUID) } != nil)
        #expect(try state(hospital, order) == .arrived)
        _ = try hospital.change { try $0.orders.step(.cancel, $0.records.procedure(id: order.id), reason: "") }
        #expect(try state(hospital, order) == .cancelled)
    }

    @Test(
        "Type 1 of Table F.7.2-1 is demanded, and nothing is kept without it",
        arguments: [
            DICOMCore.Tag.performedProcedureStepID, .performedStationAETitle, .performedProcedureStepStartDate,
            .performedProcedureStepStartTime, .performedProcedureStepStatus, .modality,
        ])
    func missing(tag: DICOMCore.Tag) throws {
        let hospital = try Hospital()
        let step = try begun([("1.9", "", "")], without: tag)
        #expect(throws: PerformedStepFault.missing([tag])) {
            try hospital.change { try $0.performedSteps.create("1.2.3", step, peer: "ct1") }.get()
        }
        #expect(try hospital.look { try $0.performedStep("1.2.3") } == nil)
    }

    @Test("An empty sequence, an empty UID and another status than IN PROGRESS are refused")
    func empty() throws {
        let hospital = try Hospital()
        func fault(_ step: PerformedStep) throws -> PerformedStepFault? {
            switch try hospital.change({ try $0.performedSteps.create("1.2.3", step, peer: "ct1") }) {
            case .success: nil
            case .failure(let fault): fault
            }
        }
        #expect(
            try fault(try begun([], without: .scheduledStepAttributesSequence))
                == .withoutValue([.scheduledStepAttributesSequence]))
        #expect(try fault(try begun([("", "", "")])) == .withoutValue([.studyInstanceUID]))
        #expect(
            try fault(try begun([("1.9", "", "")], status: "COMPLETED")) == .invalid(.performedProcedureStepStatus))
        #expect(try fault(try begun([("1.9", "", "")], status: "DONE")) == .invalid(.performedProcedureStepStatus))
    }

    @Test(
        "The procedure follows its steps together",
        arguments: [
            (PerformedStepStatus.inProgress, [PerformedStepStatus](), ProcedureStep?.some(.start)),
            (.completed, [], .complete),
            (.completed, [.inProgress], nil),
            (.completed, [.discontinued], .complete),
            (.discontinued, [], .discontinue),
            (.discontinued, [.inProgress], nil),
            (.discontinued, [.completed], .complete),
            (.discontinued, [.completed, .inProgress], nil),
        ])
    func together(status: PerformedStepStatus, others: [PerformedStepStatus], step: ProcedureStep?) {
        #expect(status.step(beside: others) == step)
    }
}
