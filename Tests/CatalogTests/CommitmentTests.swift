// Reports of storage commitment that wait: for how long, and who waits with whom.

import Records
import Synchronization
import Testing

@Suite("Storage commitments") struct CommitmentTests {
    private static let day: Int64 = 86_400_000_000
    private let now = Clock()
    private let scratch: Scratch
    private let records: RecordStore

    private final class Clock: Sendable {
        let at = Mutex<Int64>(1_795_000_000_000_000)
        func pass(_ microseconds: Int64) { at.withLock { $0 += microseconds } }
    }

    init() throws {
        scratch = try Scratch()
        records = try RecordStore(path: scratch.path + "/records.sqlite", now: { [now] in now.at.withLock { $0 } })
    }

    private func ask(_ aeTitle: String, _ count: Int, from first: Int = 1, peer: String = "ct") throws {
        for number in first..<first + count {
            _ = try records.addCommitment(
                aeTitle: aeTitle, peer: peer, transactionUID: "2.25.\(number)", request: [1], nextAt: records.now())
        }
    }

    @Test("A peer that is away makes all that is due there wait, and nobody else")
    func away() throws {
        try ask("AWAY", 150)
        try ask("THERE", 2)
        // Another of the same title.
        try ask("AWAY", 1, from: 1_000, peer: "mr")
        try records.setUnreported(commitmentsOf: "AWAY", peer: "ct", failure: "away", delays: 2_000_000...900_000_000)
        #expect(
            try records.dueCommitments(limit: 1_000).map { "\($0.peer) \($0.aeTitle)" }.sorted() == [
                "ct THERE", "ct THERE", "mr AWAY",
            ])
        let waiting = try records.commitments(isOpen: true, limit: 1_000).filter {
            $0.peer == "ct" && $0.aeTitle == "AWAY"
        }
        #expect(waiting.allSatisfy { $0.attempts == 1 && $0.failure == "away" })
        #expect(waiting.allSatisfy { (2_000_000...2_400_000).contains($0.nextAt - records.now()) })
        // They do not all knock at once.
        #expect(Set(waiting.map(\.nextAt)).count > 10)
        for _ in 1...30 {
            now.pass(2_000_000_000)
            try records.setUnreported(
                commitmentsOf: "AWAY", peer: "ct", failure: "away", delays: 2_000_000...900_000_000)
        }
        let last = try #require(
            try records.commitments(isOpen: true, limit: 1_000).first { $0.peer == "ct" && $0.aeTitle == "AWAY" })
        #expect((900_000_000...1_080_000_000).contains(last.nextAt - records.now()))
    }

    @Test("What nobody acknowledges is sent for 30 days, then kept and shown; asked again it begins anew")
    func givenUp() throws {
        try ask("AWAY", 1)
        now.pass(30 * Self.day - 1)
        #expect(try records.dueCommitments(limit: 10).count == 1)
        now.pass(1)
        #expect(try records.dueCommitments(limit: 10).isEmpty)
        try records.hastenCommitments()
        #expect(try records.dueCommitments(limit: 10).isEmpty)
        #expect(try records.commitments(isOpen: true, limit: 10).count == 1)
        try ask("AWAY", 1)
        #expect(try records.dueCommitments(limit: 10).count == 1)
    }
}
