// Earlier studies for an order, from a source that gives some, breaks off, or is away.

import Catalog
import Encounters
import Forwarding
import Foundation
import Ingest
import Logging
import Records
import Synchronization
import Testing
import Volumes

@Suite("Earlier studies for orders") struct PriorTests {
    private let station: Station
    private let source = FarArchive()
    private let volumes: VolumeStore
    private let ingest: IngestPipeline

    init() throws {
        station = try Station()
        volumes = try VolumeStore(
            directory: station.folder + "/volumes",
            options: VolumeOptions(volumeSize: 1 << 20, zeroAhead: 0, reserve: 0))
        ingest = IngestPipeline(volumes: volumes, catalog: station.catalog, logger: Logger(label: "test"))
    }

    /// An order comes, and the archive looks for what its patient has elsewhere; what was told of studies that came.
    private func fetching(
        _ body: (_ look: () throws -> PriorFetchRecord, _ told: () -> [String]) throws -> Void
    ) throws {
        let told = Mutex<[String]>([])
        let pull = StudyPull(
            source: source, catalog: station.catalog, records: station.encounters.records, ingest: ingest)
        let priors = PriorFetching(
            rules: PriorRules(from: "centre"), encounters: station.encounters,
            doors: PriorDoors(
                isOpen: { true }, pull: { pull },
                fetched: { study, tally in told.withLock { $0.append("\(study): \(tally.received)") } }),
            logger: Logger(label: "test"))
        defer {
            _ = ingest.stop()
            volumes.close()
        }
        try priors.follow()
        let order = try station.order("9.9")
        try priors.follow()
        try body(
            {
                // Longer than the longest wait.
                station.pass(1_000)
                try priors.fetchDue()
                return try #require(try station.encounters.look { try $0.priorFetch(of: order.id) })
            }, { told.withLock { $0 } })
    }

    @Test("What a source lists and does not give is asked for a few times, ever more rarely")
    func withheld() throws {
        source.study("5.1", gives: ["5.1.1.1"], withholds: ["5.1.1.2"])
        source.station = station
        source.onFetch { station, _ in try station.receive("5.1") }
        try fetching { look, told in
            var failures: [Int] = []
            var last = try look()
            while last.state == .waiting {
                failures.append(last.failures)
                last = try look()
            }
            #expect(failures == [1, 2, 3, 4])
            #expect(last.state == .done && last.failures == 5 && last.instances == 1)
            #expect(last.answer.contains("1 objects"))
            #expect(told() == ["5.1: 1"])
        }
    }

    @Test("A line that breaks is no answer: the rest is asked for as long as the order waits")
    func broken() throws {
        source.study("5.1", gives: ["5.1.1.1"], withholds: ["5.1.1.2"])
        source.station = station
        try fetching { look, told in
            source.fail(.unreached("away"))
            for count in 1...7 { #expect(try look().failures == count) }
            // It is back, gives one object, and breaks off.
            source.fail(nil)
            source.onFetch { station, _ in
                try station.receive("5.1")
                throw PullFailure.failed("the line broke")
            }
            let broken = try look()
            #expect(broken.state == .waiting && broken.failures == 1 && broken.instances == 1)
            // What came is told, although the rest did not.
            #expect(told() == ["5.1: 1"])
            source.onFetch { station, _ in try station.receive("5.1", from: 2) }
            let last = try look()
            #expect(last.state == .done && last.instances == 2)
            #expect(told() == ["5.1: 1", "5.1: 1"])
        }
    }

    @Test("A source that was away for long and then gives nothing is asked a few times more")
    func backAndEmpty() throws {
        source.study("5.1", gives: [], withholds: ["5.1.1.1"])
        source.station = station
        try fetching { look, _ in
            source.fail(.unreached("away"))
            for _ in 1...7 { _ = try look() }
            source.fail(nil)
            #expect(try look().failures == 1)
            #expect(try look().state == .waiting)
            source.onFetch { station, _ in try station.receive("5.1") }
            #expect(try look().state == .done)
        }
    }
}

/// Another archive, in memory.
private final class FarArchive: ImageSource {
    private struct State {
        var listings: [String: RemoteListing] = [:]
        var failure: PullFailure?
        var station: Station?
        var fetch: (@Sendable (Station, String) throws -> Void)?
    }

    private let state = Mutex(State())
    let name = "centre"

    var station: Station? {
        get { state.withLock { $0.station } }
        set { state.withLock { $0.station = newValue } }
    }

    func fail(_ failure: PullFailure?) { state.withLock { $0.failure = failure } }
    func onFetch(_ body: (@Sendable (Station, String) throws -> Void)?) { state.withLock { $0.fetch = body } }

    func study(_ uid: String, gives: [String], withholds: [String]) {
        state.withLock { state in
            var listing = RemoteListing()
            listing.instances = (gives + withholds).map {
                RemoteInstance(
                    seriesInstanceUID: uid + ".1", sopInstanceUID: $0, sopClassUID: "1.2.840.10008.5.1.4.1.1.2")
            }
            state.listings[uid] = listing
        }
    }

    func studies(_ question: RemoteQuestion, limit: Int) throws(PullFailure) -> [RemoteStudy] {
        let state = state.withLock { $0 }
        if let failure = state.failure { throw failure }
        return state.listings.keys.map { uid in
            var study = RemoteStudy(studyInstanceUID: uid)
            study.date = "20260101"
            study.modalities = ["CT"]
            study.patientID = "P1"
            return study
        }
    }

    func listing(ofStudy uid: String) throws(PullFailure) -> RemoteListing {
        state.withLock { $0.listings[uid] ?? RemoteListing() }
    }

    func fetch(
        _ missing: [RemoteInstance], ofStudy uid: String, of listing: RemoteListing, into ingest: IngestPipeline
    ) throws(PullFailure) -> String {
        let state = state.withLock { $0 }
        guard let station = state.station, let fetch = state.fetch else { return "" }
        do { try fetch(station, uid) } catch let failure as PullFailure { throw failure } catch {
            throw .failed("\(error)")
        }
        return ""
    }
}
