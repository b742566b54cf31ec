// Proofs at a centre: what was read is remembered, also while others have their turn.

import Exchange
import Testing

@Suite("Proofs that take long") struct ProofTurnTests {
    private let proofs = ProofsInHand()
    private let start = ContinuousClock.now

    /// A slice of reading: so many objects are known after it.
    private func read(_ name: String, _ count: Int, minute: Int) -> Int? {
        let now = start + .seconds(60 * minute)
        guard let known = proofs.begin(name, of: "station", at: now) else { return nil }
        let verdicts = Dictionary(
            uniqueKeysWithValues: (0..<count).map { ("1.\($0)", ProofsInHand.Verdict.same) })
        proofs.end(name, of: "station", with: verdicts, at: now)
        return known.count
    }

    @Test("A proof that goes on keeps what it read for hours; one that stands still is begun anew")
    func long() {
        for step in 0..<20 { #expect(read("a", (step + 1) * 10, minute: step * 20) == step * 10) }
        // Nothing new is read: that is no progress.
        #expect(read("a", 200, minute: 400) == 200)
        #expect(read("a", 200, minute: 415) == 0)
    }

    @Test("What takes more than a day is read again: a receipt speaks of what is there now")
    func stale() {
        for step in 0..<72 { #expect(read("a", step + 1, minute: step * 20) == step) }
        #expect(read("a", 100, minute: 72 * 20) == 0)
    }

    @Test("Another proof of the station does not take away what was read for the first")
    func turns() {
        #expect(read("a", 10, minute: 0) == 0)
        #expect(read("b", 10, minute: 1) == 0)
        #expect(read("a", 20, minute: 2) == 10)
        for name in ["c", "d", "e"] { #expect(read(name, 1, minute: 3) == 0) }
        // Four are remembered.
        #expect(read("a", 20, minute: 4) == 20)
        #expect(read("b", 1, minute: 5) == 0)
    }

    @Test("One at a time, and nothing is left of one that was given")
    func one() {
        #expect(proofs.begin("a", of: "station", at: start) == [:])
        #expect(proofs.begin("b", of: "station", at: start) == nil)
        #expect(proofs.begin("b", of: "other", at: start) == [:])
        proofs.end("a", of: "station", with: ["1.1": .same], at: start)
        #expect(proofs.begin("a", of: "station", at: start) == ["1.1": .same])
        proofs.end("a", of: "station", with: nil, at: start)
        #expect(proofs.begin("a", of: "station", at: start) == [:])
    }
}
