// Proofs, and a clock that was wrong for a while: stations without a battery for theirs, or without a line to ask for the time.

import Encounters
import Forwarding
import Records
import Testing

@Suite("Proofs by a clock that is set")
struct ClockTests {
    private let wish = PurgeWish(olderThan: 0)
    private let objects = ["1.1.1.1", "1.1.1.2"]
    private let year: Int64 = 366 * 86_400

    /// A study that was sent.
    private func sent(at seconds: Int64 = 0) async throws -> Station {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.commits = true }
        try station.route()
        try station.receive("1.1", 2)
        station.pass(seconds)
        try look(station)
        try #require(await station.drain(far).count == 2)
        return station
    }

    /// As the engine does at its start and every ten minutes.
    private func look(_ station: Station) throws { try station.outbox.refresh(after: "20261122") }

    /// The destination is another archive under the same name.
    private func change(_ station: Station) throws {
        try station.encounters.records.addPeer(Peer(name: "centre", aeTitle: "X", host: "10.0.0.2", port: 104))
    }

    private func isProven(_ station: Station) throws -> Bool {
        let state = try station.shipment("1.1")?.state
        let mayGo = try !station.purge().plan(wish).candidates.isEmpty
        #expect(mayGo == (state == .committed))
        return mayGo
    }

    /// - Parameter late: transaction UID of a question of before; its answer says nothing, but that to what is asked now does.
    private func onlyTheNextCounts(_ station: Station, after late: String) throws {
        try station.answer(late, objects)
        #expect(try !isProven(station))
        try station.commit("1.1", instances: objects)
        station.pass(1)
        #expect(try isProven(station))
    }

    @Test("Set back before the destination is changed: what was asked of the archive before says nothing of this one")
    func back() async throws {
        let station = try await sent()
        let late = try station.ask("1.1", instances: 2)
        station.pass(-3_600)
        try change(station)
        try onlyTheNextCounts(station, after: late)
    }

    @Test("Changed while the clock was ahead: what was asked before says nothing, what is asked once it is right does")
    func ahead() async throws {
        let station = try await sent()
        station.pass(year)
        let late = try station.ask("1.1", instances: 2)
        try change(station)
        station.pass(-year)
        try look(station)
        try onlyTheNextCounts(station, after: late)
    }

    @Test("Set forth after the destination was changed: the proofs of either are told apart as before")
    func forth() async throws {
        let station = try await sent(at: -10 * year)
        let late = try station.ask("1.1", instances: 2)
        try change(station)
        station.pass(10 * year)
        try onlyTheNextCounts(station, after: late)
    }

    @Test("What was sent while the clock was ahead is proven as soon as it is asked for")
    func sentAhead() async throws {
        let station = try await sent(at: year)
        station.pass(-year)
        try station.commit("1.1", instances: objects)
        station.pass(1)
        #expect(try isProven(station))
    }

    @Test("A proof of tomorrow is asked for anew before anything is given up by it")
    func provenAhead() async throws {
        let station = try await sent(at: year)
        try station.commit("1.1", instances: objects)
        station.pass(-year)
        let plan = try station.purge().plan(wish)
        #expect(plan.candidates.isEmpty && plan.stale.map(\.studyInstanceUID) == ["1.1"])
        let stale = try #require(plan.stale.first)
        #expect(throws: ForwardingFailure.conflict(reason: "it is to be proven anew first")) {
            _ = try station.purge().carryOut(stale, wish, by: "t")
        }
        try station.purge().askAnew(plan.stale, by: "t")
        #expect(try station.shipment("1.1")?.state == .sent)
        try station.commit("1.1", instances: objects)
        station.pass(1)
        #expect(try isProven(station))
    }
}
