// Notices over time: one that nobody takes, a visit that comes late, what is dropped, and what is kept.

import Encounters
import Records
import Testing

extension NoticeTests {
    @Test("A notice that breaks the line off each time holds up its own study alone")
    func poison() throws {
        let hospital = try Hospital()
        let outbox = NoticeOutbox(hospital.encounters)
        let uids = ["1.2.3", "1.2.4", "1.2.5"]
        for uid in uids { try tell(hospital, everything, uid, state(uid)) }
        var taken: [String] = []
        var attempts = 0
        for _ in 0..<60 {
            hospital.holder.set(hospital.holder.now + 1_000_000)
            guard let notice = try outbox.next(for: "all") else { continue }
            if notice.studyInstanceUID == "1.2.3" {
                attempts += 1
                try outbox.note(.failed("closed"), of: notice, chance: 0)
            } else {
                taken.append(notice.studyInstanceUID)
                try outbox.note(.taken("AA"), of: notice, chance: 0)
            }
        }
        #expect(taken == ["1.2.4", "1.2.5"])
        // It is tried on, the more seldom the more often it failed.
        #expect((4...6).contains(attempts))
        try outbox.begin()
        #expect(try outbox.next(for: "all")?.studyInstanceUID == "1.2.3")
    }

    @Test("The visit of an order that becomes known later is a revision, and told at once")
    func visit() throws {
        let hospital = try Hospital()
        let order = try hospital.order("O1", patient: "BN1")
        let uid = order.studyInstanceUID
        try link(hospital, uid, order)
        try tell(hospital, his, uid, state(uid))
        try deliver(hospital, his)
        try hospital.change { try $0.records.removeSettling(study: uid) }
        try hospital.order("O1", patient: "BN1", visit: "V1", asOf: 2)
        #expect(try hospital.look { try $0.dueStudies(limit: 10) }.map(\.studyInstanceUID) == [uid])
        try tell(hospital, his, uid, state(uid))
        #expect(try told(hospital, his) == ["available 1 O1", "revised 2 O1"])
        let body = try hospital.look { try $0.notices(state: .waiting, limit: 1)[0].studyNotice() }
        #expect(body.visit?.number == "V1")
        // To another visit it has moved.
        try deliver(hospital, his)
        try hospital.order("O1", patient: "BN1", visit: "V2", asOf: 3)
        try tell(hospital, his, uid, state(uid))
        #expect(try told(hospital, his).suffix(2) == ["withdrawn 3 O1", "available 4 O1"])
    }

    @Test("What was dropped before anybody took it was told to nobody, and is not written anew by itself")
    func dropped() throws {
        let hospital = try Hospital()
        let outbox = NoticeOutbox(hospital.encounters)
        try tell(hospital, everything, "1.2.3", state("1.2.3"))
        let first = try #require(try outbox.next(for: "all"))
        try outbox.note(.refused("AE"), of: first, chance: 0)
        try outbox.drop(first.id, reason: "", by: "ktv.hoa")
        try tell(hospital, everything, "1.2.3", state("1.2.3"))
        #expect(try told(hospital, everything) == ["available 1 -"])
        try tell(hospital, everything, "1.2.3", state("1.2.3", instances: 9))
        #expect(try told(hospital, everything) == ["available 1 -", "available 2 -"])
        // Nothing is withdrawn that nobody heard of.
        let next = try #require(try outbox.next(for: "all"))
        try outbox.note(.refused("AE"), of: next, chance: 0)
        try outbox.drop(next.id, reason: "", by: "ktv.hoa")
        try tell(hospital, everything, "1.2.3", nil)
        #expect(try told(hospital, everything).count == 2)
    }

    @Test("Old notices go, but for what a destination holds true of a study")
    func prune() throws {
        let hospital = try Hospital()
        let outbox = NoticeOutbox(hospital.encounters)
        for count in 1...3 {
            for uid in ["1.2.3", "1.2.4"] { try tell(hospital, everything, uid, state(uid, instances: count)) }
            try deliver(hospital, everything)
        }
        let end = hospital.holder.now
        hospital.holder.set(end + 1_000_000)
        try tell(hospital, everything, "1.2.3", state("1.2.3", instances: 9))
        #expect(try outbox.prune(endedBefore: end) == 0)
        // What waits to be told may still come to nothing.
        #expect(try outbox.prune(endedBefore: end + 1) == 4)
        let left = try hospital.look { try $0.notices(state: nil, limit: 100) }
        #expect(left.map { "\($0.studyInstanceUID) \($0.revision)" } == ["1.2.3 4", "1.2.4 3", "1.2.3 3"])
        try tell(hospital, everything, "1.2.4", state("1.2.4", instances: 9))
        #expect(try told(hospital, everything).last == "revised 4 -")
    }
}
