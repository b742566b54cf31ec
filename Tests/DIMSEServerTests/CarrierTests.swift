// Forwarding over associations: what is negotiated, kept open, sent, and what each answer means.

import Catalog
import DICOMCore
import DICOMNetwork
import DIMSEServer
import Encounters
import Forwarding
import Testing

@Suite("Forwarding over associations", .timeLimit(.minutes(2))) struct CarrierTests {
    let bench: CarrierBench
    let centre = FarCentre()
    let listener: AssociationListener

    init() throws {
        bench = try CarrierBench()
        listener = try centre.listening()
    }

    private func send(_ parcels: [Parcel], over lane: any Lane) async -> [DeliveryOutcome] {
        var outcomes: [DeliveryOutcome] = []
        for parcel in parcels { outcomes.append(await lane.send(parcel).outcome) }
        return outcomes
    }

    @Test("objects go over one association, byte for byte; a lane that rests releases it (PS3.4 Annex B)")
    func oneAssociation() async throws {
        defer { listener.stop(grace: .zero) }
        let sent = try (1...5).map { try bench.receive("2.25.77.\($0)", octets: 100_001 + $0) }
        let lane = bench.carrier(port: listener.port).lane()
        let outcomes = await send(try bench.parcels(), over: lane)
        #expect(outcomes == Array(repeating: .taken(""), count: 5))
        #expect(centre.requests.count == 1)
        // A data set of odd length is padded (PS3.8 Section 9.3.5.1).
        for (bytes, stored) in zip(sent, centre.stored.map(\.bytes)) {
            #expect(stored.prefix(bytes.count) == bytes[...])
            #expect(stored.count - bytes.count == bytes.count % 2)
        }
        #expect(centre.stored.count == 5)
        await lane.rest()
        // The other side notes it in its own time.
        for _ in 0..<500 where centre.released == 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(centre.released == 1)
        #expect(await send(try bench.parcels().suffix(1), over: lane) == [.taken("")])
        #expect(centre.requests.count == 2)
        await lane.rest()
    }

    @Test(
        "what an answer means (PS3.4 Table B.2-1)",
        arguments: [
            (0x0000, "taken"), (0xB000, "taken"), (0xB006, "taken"), (0xB007, "taken"), (0xA900, "refused"),
            (0xC000, "refused"), (0x0122, "refused"), (0x0124, "refused"), (0x0110, "refused"), (0xA700, "failed"),
            (0x0213, "failed"),
        ])
    func statuses(status: Int, meaning: String) async throws {
        defer { listener.stop(grace: .zero) }
        try bench.receive("2.25.77.1")
        centre.behave { $0.statuses["2.25.77.1"] = UInt16(status) }
        let result = await bench.carrier(port: listener.port).lane().send(try bench.parcels()[0])
        let outcome = result.outcome
        #expect(outcome.kind == meaning)
        // Who warns may have changed it: what is held there is not known to be what is stored here.
        #expect(result.isExact == (status == 0))
        if status != 0 { #expect(outcome.words.contains(String(status, radix: 16, uppercase: true))) }
    }

    @Test("what leaves corrected, in another syntax or padded is not known to be there as it is stored here")
    func inexact() async throws {
        defer { listener.stop(grace: .zero) }
        try bench.receive("2.25.77.1")
        let lane = bench.carrier(port: listener.port).lane()
        #expect(await lane.send(try bench.parcels()[0]).isExact)
        centre.behave { $0.syntax = TransferSyntax.implicitVRLittleEndian.uid }
        let implicit = await bench.carrier(port: listener.port).lane().send(try bench.parcels()[0])
        #expect(implicit.outcome.kind == "taken" && !implicit.isExact)
        centre.behave { $0.syntax = nil }
        try bench.catalog.project(
            [
                StudyCorrection(
                    studyInstanceUID: CarrierBench.study, revision: 1, at: 1, isByHand: true,
                    attributes: [.patientID: "P2"])
            ], through: 1)
        let corrected = await bench.carrier(port: listener.port).lane().send(try bench.parcels()[0])
        #expect(corrected.outcome.kind == "taken" && !corrected.isExact)
    }

    @Test("kinds of objects that are not accepted are refused, the others of the study go on")
    func notAccepted() async throws {
        defer { listener.stop(grace: .zero) }
        let waveform = "1.2.840.10008.5.1.4.1.1.9.1.1"
        try bench.receive("2.25.77.1")
        try bench.receive("2.25.77.2", sopClass: waveform)
        centre.behave { $0.refused = [waveform] }
        let outcomes = await send(try bench.parcels(), over: bench.carrier(port: listener.port).lane())
        #expect(outcomes.map(\.kind).sorted() == ["refused", "taken"])
        #expect(centre.requests.count == 1)
    }

    @Test("nobody there, or not let in: nothing arrived, and nothing went over the line")
    func unreached() async throws {
        try bench.receive("2.25.77.1")
        let parcel = try bench.parcels()[0]
        centre.behave { $0.rejection = .callingAETitleNotRecognized }
        let rejected = await bench.carrier(port: listener.port).lane().send(parcel)
        #expect(rejected.outcome.kind == "unreached")
        #expect(rejected.outcome.words.contains("calling AE title not recognized"))
        listener.stop(grace: .zero)
        let absent = await bench.carrier(port: listener.port).lane().send(parcel)
        #expect(absent.outcome.kind == "unreached")
        #expect(absent.lineOctets == 0)
    }

    @Test("lost in the middle: it may have arrived, and is sent again over a new association")
    func lost() async throws {
        defer { listener.stop(grace: .zero) }
        try bench.receive("2.25.77.1")
        try bench.receive("2.25.77.2")
        centre.behave { $0.aborts = ["2.25.77.2"] }
        let lane = bench.carrier(port: listener.port).lane()
        #expect(await send(try bench.parcels(), over: lane).map(\.kind).sorted() == ["failed", "taken"])
        centre.behave { $0.aborts = [] }
        #expect(await send(try bench.parcels(), over: lane) == [.taken(""), .taken("")])
    }

    @Test("an association that the peer ended while nothing was to be sent is not used again")
    func ended() async throws {
        defer { listener.stop(grace: .zero) }
        try bench.receive("2.25.77.1")
        try bench.receive("2.25.77.2")
        centre.behave { $0.hangsUpAfter = 1 }
        let lane = bench.carrier(port: listener.port).lane()
        let parcels = try bench.parcels()
        #expect(await lane.send(parcels[0]).outcome == .taken(""))
        // Until the end has come to this side.
        for _ in 0..<200 where listener.activeCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
        try await Task.sleep(for: .milliseconds(50))
        #expect(await lane.send(parcels[1]).outcome == .taken(""))
        #expect(centre.requests.count == 2)
    }

    @Test("more than 128 presentation contexts are split over several associations (PS3.8 Section 9.3.2.2)")
    func manyClasses() async throws {
        defer { listener.stop(grace: .zero) }
        for number in 0..<100 {
            try bench.receive("2.25.77.\(number)", sopClass: "1.3.6.1.4.1.99999.7.\(number)", octets: 64)
        }
        let lane = bench.carrier(port: listener.port).lane()
        let outcomes = await send(try bench.parcels(), over: lane)
        #expect(outcomes.allSatisfy { $0 == .taken("") })
        #expect(centre.stored.count == 100)
        #expect(centre.requests.allSatisfy { (1...128).contains($0.contexts.count) })
        // Each class is proposed in up to four contexts; none is called for twice.
        #expect((2...4).contains(centre.requests.count))
    }

    @Test("what goes over the line is counted, in small pieces where there is a rate")
    func pace() async throws {
        defer { listener.stop(grace: .zero) }
        let bytes = try bench.receive("2.25.77.1", octets: 300_000)
        bench.pace.set(rate: 4_000_000)
        let outcome = await bench.carrier(port: listener.port).lane().send(try bench.parcels()[0])
        #expect(outcome.outcome == .taken(""))
        #expect(abs(outcome.lineOctets - Int64(bytes.count)) <= 1)
        #expect(bench.pace.octets == outcome.lineOctets)
        #expect(centre.stored.first?.bytes.prefix(bytes.count) == bytes[...])
    }

    @Test("closing ends what waits for an answer")
    func closing() async throws {
        defer { listener.stop(grace: .zero) }
        try bench.receive("2.25.77.1", octets: 3_000_000)
        // Ten seconds for each piece: nothing but closing ends this within the test's time.
        bench.pace.set(rate: 1_600)
        let carrier = bench.carrier(port: listener.port)
        let parcel = try bench.parcels()[0]
        let sending = Task { await carrier.lane().send(parcel) }
        while centre.requests.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        await carrier.close()
        #expect(await sending.value.outcome.kind == "failed")
    }
}

extension DeliveryOutcome {
    var kind: String {
        switch self {
        case .taken: "taken"
        case .refused: "refused"
        case .unreached: "unreached"
        case .failed: "failed"
        case .gone: "gone"
        }
    }
}
