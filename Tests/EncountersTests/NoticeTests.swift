// Notices: when a study is told of, what is told after a change, and what becomes of an attempt.

import Encounters
import Records
import Testing

@Suite("When a study is told of")
struct ReadinessTests {
    private let rules = SettlingRules()

    @Test("Once nothing more comes; while the modality is at it, later")
    func quiet() {
        var readiness = Readiness(quietAt: 100)
        #expect(readiness.answer(now: 99, rules) == .later(100))
        #expect(readiness.answer(now: 100, rules) == .now)
        readiness.isUnderWay = true
        #expect(readiness.answer(now: 100, rules) == .later(100 + rules.patience))
        #expect(readiness.answer(now: 100 + rules.patience, rules) == .now)
    }

    @Test("At once when the modality vouches for what is there, but only the first time")
    func whole() {
        var readiness = Readiness(quietAt: 100)
        readiness.isWhole = true
        #expect(readiness.answer(now: 0, rules) == .now)
        readiness.isTold = true
        #expect(readiness.answer(now: 0, rules) == .later(100))
    }

    @Test("At once when what was told is wrong")
    func wrong() {
        var readiness = Readiness(quietAt: 100)
        readiness.isTold = true
        readiness.hasMoved = true
        #expect(readiness.answer(now: 0, rules) == .now)
        readiness.hasMoved = false
        readiness.isGone = true
        #expect(readiness.answer(now: 0, rules) == .now)
    }
}

@Suite("What becomes of an attempt")
struct DeliveryStepTests {
    @Test("Waits double from a second to a quarter of an hour, shortened by up to a half")
    func waits() {
        var state = DeliveryState(refusals: 0, failures: 0)
        let steps = (0..<14).map { _ in state.step(after: .failed("closed"), chance: 0) }
        let seconds: [Int64] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]
        #expect(steps == seconds.map { .postponeLine($0 * 1_000_000) })
        #expect(state.failures == 14 && state.refusals == 0)
        state.failures = 9
        #expect(state.step(after: .unreached("refused"), chance: 1) == .postponeLine(256_000_000))
        // Never less than a second, whatever the count and the chance.
        for failures in [-1, 0, 1, 100, Int.max - 1] {
            var state = DeliveryState(refusals: 0, failures: failures)
            guard case .postponeLine(let wait) = state.step(after: .failed(""), chance: 7) else {
                Issue.record("not postponed")
                return
            }
            #expect(DeliveryState.waits.contains(wait))
        }
    }

    @Test("Who refuses one notice can be reached: others go on")
    func refused() {
        var state = DeliveryState(refusals: 1, failures: 5)
        #expect(state.step(after: .refused("AE"), chance: 0) == .postponeNotice(2_000_000))
        #expect(state == DeliveryState(refusals: 2, failures: 0))
        #expect(state.step(after: .taken("AA"), chance: 0) == .end)
        #expect(state.step(after: .gone("410"), chance: 0) == .stop)
    }
}

@Suite("What destinations are told")
struct NoticeTests {
    let everything: NoticeDestination = {
        var destination = NoticeDestination(name: "all")
        destination.isLinkedOnly = false
        return destination
    }()
    let his = NoticeDestination(name: "his")

    func state(_ uid: String, instances: Int = 2, modality: String = "CT") -> StudyState {
        StudyState(
            facts: Hospital.study(uid, patientID: "BN1", name: "NGUYEN VAN DUC", modality: modality), series: 1,
            instances: instances)
    }

    func tell(_ hospital: Hospital, _ destination: NoticeDestination, _ uid: String, _ state: StudyState?)
        throws
    {
        try hospital.change { try NoticeDesk($0.records).tell(destination, study: uid, state) }
    }

    /// Status, revision and order number of what a destination is to be sent, in order.
    func told(_ hospital: Hospital, _ destination: NoticeDestination) throws -> [String] {
        try hospital.look { records in
            try records.notices(state: nil, destination: destination.name, limit: 100).reversed()
                .filter { $0.state != .superseded }.map { notice in
                    let body = try notice.studyNotice()
                    return "\(body.status.rawValue) \(notice.revision) \(body.order?.placer.value ?? "-")"
                }
        }
    }

    /// Everything that waits is taken.
    func deliver(_ hospital: Hospital, _ destination: NoticeDestination) throws {
        let outbox = NoticeOutbox(hospital.encounters)
        while let notice = try outbox.next(for: destination.name) {
            try outbox.note(.taken("AA"), of: notice, chance: 0)
        }
    }

    func link(_ hospital: Hospital, _ uid: String, _ order: ProcedureRecord) throws {
        let target = LinkTarget(procedure: order.id, encounter: order.encounter, patient: order.patient)
        try hospital.change { try $0.links.decide(study: uid, target: target, reason: "") }
    }

    @Test("Once for what is, again for what changes, with everything that the receiver files it by")
    func revisions() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", visit: "V1")
        let uid = order.studyInstanceUID
        try link(hospital, uid, order)
        for _ in 0..<3 { try tell(hospital, his, uid, state(uid)) }
        #expect(try told(hospital, his) == ["available 1 O1"])
        try deliver(hospital, his)
        for _ in 0..<3 { try tell(hospital, his, uid, state(uid)) }
        try tell(hospital, his, uid, state(uid, instances: 5))
        #expect(try told(hospital, his) == ["available 1 O1", "revised 2 O1"])
        let body = try hospital.look { try $0.notices(state: .waiting, limit: 1)[0].studyNotice() }
        #expect(body.patient.name == "NGUYỄN VĂN ĐỨC" && body.patient.identifiers.map(\.value) == ["BN1"])
        #expect(body.visit?.number == "V1" && body.order?.accession == order.accession)
        #expect(body.study.instances == 5)
    }

    @Test("A link that is put right: what was told is withdrawn from the one order and told of the other")
    func moved() throws {
        let hospital = try Hospital()
        let (first, second) = (try hospital.order("O1", patient: "BN1"), try hospital.order("O2", patient: "BN2"))
        try link(hospital, "1.2.3", first)
        try tell(hospital, his, "1.2.3", state("1.2.3"))
        try deliver(hospital, his)
        try link(hospital, "1.2.3", second)
        try tell(hospital, his, "1.2.3", state("1.2.3"))
        #expect(try told(hospital, his) == ["available 1 O1", "withdrawn 2 O1", "available 3 O2"])
        try deliver(hospital, his)
        try hospital.change { try $0.links.undo(study: state("1.2.3").facts) }
        try tell(hospital, his, "1.2.3", state("1.2.3"))
        #expect(try told(hospital, his).suffix(2) == ["available 3 O2", "withdrawn 4 O2"])
        // Withdrawn once.
        try deliver(hospital, his)
        try tell(hospital, his, "1.2.3", nil)
        #expect(try told(hospital, his).count == 4)
    }

    @Test("A wrong link that was put right before anything was sent: the receiver hears nothing of it")
    func back() throws {
        let hospital = try Hospital()
        let (first, second) = (try hospital.order("O1", patient: "BN1"), try hospital.order("O2", patient: "BN2"))
        for (index, order) in [first, second, first].enumerated() {
            try link(hospital, "1.2.3", order)
            try tell(hospital, his, "1.2.3", state("1.2.3"))
            if index == 0 { try deliver(hospital, his) }
        }
        #expect(try told(hospital, his) == ["available 1 O1"])
        #expect(try hospital.look { try $0.noticeBacklog() }.isEmpty)
    }

    @Test("What was never begun to be sent makes way: nothing wrong is sent first")
    func superseded() throws {
        let hospital = try Hospital()
        let (first, second) = (try hospital.order("O1", patient: "BN1"), try hospital.order("O2", patient: "BN2"))
        try link(hospital, "1.2.3", first)
        try tell(hospital, his, "1.2.3", state("1.2.3"))
        #expect(try told(hospital, his) == ["available 1 O1"])
        // Nobody there: it has not arrived.
        let outbox = NoticeOutbox(hospital.encounters)
        let notice = try #require(try outbox.next(for: "his"))
        try outbox.note(.unreached("no connection"), of: notice, chance: 0)
        try link(hospital, "1.2.3", second)
        try tell(hospital, his, "1.2.3", state("1.2.3"))
        #expect(try told(hospital, his) == ["available 2 O2"])
        // It may have arrived: it is told as it was, and withdrawn.
        try outbox.retry(destination: "his", by: "test")
        let again = try #require(try outbox.next(for: "his"))
        try outbox.note(.failed("closed"), of: again, chance: 0)
        try link(hospital, "1.2.3", first)
        try tell(hospital, his, "1.2.3", state("1.2.3"))
        #expect(try told(hospital, his) == ["available 2 O2", "withdrawn 3 O2", "available 4 O1"])
    }

    @Test("Who asks for everything hears of studies without an order; deleted ones are withdrawn")
    func unlinked() throws {
        let hospital = try Hospital()
        for destination in [everything, his] { try tell(hospital, destination, "1.2.3", state("1.2.3")) }
        #expect(try told(hospital, everything) == ["available 1 -"])
        #expect(try told(hospital, his).isEmpty)
        try deliver(hospital, everything)
        try link(hospital, "1.2.3", try hospital.order("O1", patient: "BN1"))
        for destination in [everything, his] { try tell(hospital, destination, "1.2.3", state("1.2.3")) }
        #expect(try told(hospital, everything) == ["available 1 -", "revised 2 O1"])
        #expect(try told(hospital, his) == ["available 1 O1"])
        for destination in [everything, his] { try deliver(hospital, destination) }
        try tell(hospital, everything, "1.2.3", nil)
        #expect(try told(hospital, everything).last == "withdrawn 3 O1")
    }

    @Test("Modalities and facilities that were not asked for are left out")
    func filters() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1", visit: "V1")
        try link(hospital, order.studyInstanceUID, order)
        var (sounds, other, here) = (his, NoticeDestination(name: "other"), NoticeDestination(name: "here"))
        sounds.modalities = ["US"]
        other.facility = "99999"
        here.facility = "24001"
        for destination in [sounds, other, here] {
            try tell(hospital, destination, order.studyInstanceUID, state(order.studyInstanceUID))
        }
        #expect(try told(hospital, sounds).isEmpty && told(hospital, other).isEmpty)
        #expect(try told(hospital, here) == ["available 1 O1"])
    }

    @Test("A refused notice holds back its own study alone; an attempt is durable before it is made")
    func order() throws {
        let hospital = try Hospital()
        let outbox = NoticeOutbox(hospital.encounters)
        for (number, uid) in ["1.2.3", "1.2.4"].enumerated() {
            try link(hospital, uid, try hospital.order("O\(number)", patient: "BN\(number)", asOf: Int64(number)))
            try tell(hospital, his, uid, state(uid))
        }
        let first = try #require(try outbox.next(for: "his"))
        #expect(first.studyInstanceUID == "1.2.3")
        #expect(try hospital.look { try $0.notice(id: first.id) }.attempts == 1)
        // A crash here: it comes again, under the same message ID.
        #expect(try outbox.next(for: "his")?.messageID == first.messageID)
        try outbox.note(.refused("AE: no such patient"), of: first, chance: 0)
        try tell(hospital, his, "1.2.3", state("1.2.3", instances: 9))
        let next = try #require(try outbox.next(for: "his"))
        #expect(next.studyInstanceUID == "1.2.4")
        try outbox.note(.taken("AA"), of: next, chance: 0)
        #expect(try outbox.next(for: "his") == nil)
        hospital.holder.set(hospital.holder.now + 1_000_000)
        let again = try #require(try outbox.next(for: "his"))
        #expect(again.id == first.id && again.refusals == 1 && again.answer == "AE: no such patient")
        try outbox.note(.taken("AA"), of: again, chance: 0)
        #expect(try outbox.next(for: "his")?.revision == 2)
    }

    @Test("A destination that is away waits as a whole; one that wants nothing more, until a person says so")
    func lines() throws {
        let hospital = try Hospital()
        let outbox = NoticeOutbox(hospital.encounters)
        for uid in ["1.2.3", "1.2.4"] { try tell(hospital, everything, uid, state(uid)) }
        let notice = try #require(try outbox.next(for: "all"))
        try outbox.note(.failed("closed"), of: notice, chance: 0)
        #expect(try outbox.next(for: "all") == nil)
        hospital.holder.set(hospital.holder.now + 999_999)
        #expect(try outbox.next(for: "all") == nil)
        hospital.holder.set(hospital.holder.now + 1)
        let again = try #require(try outbox.next(for: "all"))
        // It may have been of the one notice alone.
        #expect(again.id != notice.id)
        try outbox.note(.gone("410"), of: again, chance: 0)
        hospital.holder.set(hospital.holder.now + 90 * 86_400_000_000)
        try outbox.begin()
        #expect(try outbox.next(for: "all") == nil)
        #expect(try hospital.look { try $0.noticeBacklog() }.map(\.count) == [2])
        try outbox.retry(destination: "all", by: "ktv.hoa")
        #expect(try outbox.next(for: "all")?.id == notice.id)
        try outbox.drop(notice.id, reason: "wrong", by: "ktv.hoa")
        #expect(try hospital.look { try $0.notice(id: notice.id) }.answer == "dropped by ktv.hoa: wrong")
        #expect(try outbox.next(for: "all")?.studyInstanceUID == "1.2.4")
        #expect(throws: EncounterFailure.self) { try outbox.retry(notice.id, by: "ktv.hoa") }
    }

    @Test("Links made, moved and undone, and visits booked on another person, are looked at again")
    func marked() throws {
        let hospital = try Hospital()
        func due() throws -> [String] { try hospital.look { try $0.dueStudies(limit: 10) }.map(\.studyInstanceUID) }
        func clear() throws { try hospital.change { try $0.records.removeSettling(study: "1.2.3") } }
        let order = try hospital.order("O1", patient: "BN1", visit: "V1")
        try link(hospital, "1.2.3", order)
        #expect(try due() == ["1.2.3"])
        try clear()
        _ = try hospital.change { desk in
            let other = try desk.patients.register(Hospital.facts("BN2", name: "LÊ THỊ HOA"))
            return try desk.encounters.move(
                issuer: "24001", number: "V1", from: try Hospital.code("BN1"), to: other, asOf: 9)
        }
        #expect(try due() == ["1.2.3"])
        try clear()
        try hospital.change { try $0.links.undo(study: state("1.2.3").facts) }
        #expect(try due() == ["1.2.3"])
        // What is due stays so when images come; what comes later is waited for.
        try hospital.change { try $0.records.settle(study: "1.2.3", quietAt: .max, dueAt: .max) }
        #expect(try due() == ["1.2.3"])
        try clear()
        try hospital.change { try $0.records.settle(study: "1.2.3", quietAt: .max, dueAt: .max) }
        #expect(try due().isEmpty)
    }

    @Test("A modality's report is one of its study, by UID or by the order that the study is linked to")
    func performed() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        try link(hospital, "1.2.3", order)
        try hospital.change { desk in
            // The modality made up its own study UID; the step is known by the order.
            try desk.records.addPerformedStep(
                sopInstanceUID: "2.25.1", studyInstanceUID: order.studyInstanceUID, status: "IN PROGRESS", peer: "ct1",
                dataSet: [])
            try desk.records.addProcedures([order.id], toPerformedStep: "2.25.1")
            try desk.records.removeSettling(study: "1.2.3")
            for uid in ["1.2.3", order.studyInstanceUID, "1.2.4"] {
                try desk.records.settle(study: uid, quietAt: .max, dueAt: .max)
            }
        }
        for uid in ["1.2.3", order.studyInstanceUID] {
            #expect(try hospital.look { try $0.performedSteps(ofStudy: uid) }.map(\.sopInstanceUID) == ["2.25.1"])
        }
        #expect(try hospital.look { try $0.performedSteps(ofStudy: "1.2.4") }.isEmpty)
        try hospital.change { try $0.records.setPerformedStep("2.25.1", status: "COMPLETED", dataSet: []) }
        let due = try hospital.look { try $0.dueStudies(limit: 10) }.map(\.studyInstanceUID)
        #expect(Set(due) == ["1.2.3", order.studyInstanceUID])
    }
}
