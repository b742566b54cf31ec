// What a rebuild makes of objects that lie in the volumes twice: no good copy is given up for one that is not.

import Catalog
import Foundation
import Ingest
import Logging
import Testing
import Volumes

@Suite("Copies met by a rebuild")
struct RebuiltCopiesTests {
    private let bench: Bench
    private let sample = Sample()

    init() throws { bench = try Bench() }

    private func fresh() throws -> CatalogStore {
        try CatalogStore(path: bench.folder.appending(path: "\(UUID().uuidString).sqlite").path)
    }

    private func rot(_ place: Place) throws {
        let name = String(format: "volumes/%06d.tar", place.volume)
        let file = try FileHandle(forWritingTo: bench.folder.appending(path: name))
        try file.seek(toOffset: UInt64(place.bodyOffset + place.length - 100))
        try file.write(contentsOf: [0xFF, 0xFE, 0xFD])
        try file.close()
    }

    private func isErased(_ place: Place) -> Bool {
        do throws(VolumeFailure) {
            _ = try bench.volumes.read(place, count: 0)
            return false
        } catch { return error == .erased }
    }

    private func primary(in catalog: CatalogStore) throws -> StoredInstance {
        try #require(try catalog.primary(sopInstanceUID: sample.sopInstanceUID))
    }

    /// The same bytes twice, as after a surplus that could not be erased: neither catalogue knows of the other's copy.
    /// - Returns: the places in the order of the walk, and the instance as the earlier catalogue has it.
    private func storeTwice(earlierFirst: Bool) throws -> (places: [Place], instance: StoredInstance) {
        let other = try VolumeStore(
            directory: bench.folder.appending(path: "volumes").path,
            options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0, reserve: 0))
        let catalog = try fresh()
        let ingest = IngestPipeline(
            volumes: other, catalog: catalog, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        // Volume 1 is the bench's.
        try bench.send(Sample())
        let here = { try self.bench.bringIn(self.sample.file) }
        let there = {
            var arrival = ingest.begin(Origin(source: "import"))
            try unsafe self.sample.file.withUnsafeBytes { try unsafe arrival.append($0) }
            return try ingest.accept(arrival)
        }
        for store in earlierFirst ? [here, there] : [there, here] { #expect(try store().outcome == .stored) }
        _ = ingest.stop()
        other.close()
        let first = try primary(in: bench.catalog)
        return ([first.place, try primary(in: catalog).place], first)
    }

    @Test("An object that came again while its index was made anew, for its copy had rotted, is kept")
    func cameAgainMeanwhile() throws {
        try bench.send(sample)
        let rotten = try primary(in: bench.catalog).place
        let rebuilt = try fresh()
        _ = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        let positions = try rebuilt.enrolledPositions()
        try rot(rotten)
        #expect(try bench.send(sample).outcome == .stored)
        let good = try primary(in: bench.catalog)
        #expect(good.place != rotten && isErased(rotten))

        try bench.catalog.replace(with: rebuilt)
        let late = try Replay(volumes: bench.volumes, catalog: bench.catalog).everything(after: positions)
        #expect(late.flaws.isEmpty)
        #expect(try primary(in: bench.catalog).place == good.place)
        #expect(try bench.volumes.verify(good.place, digest: good.digest))
        #expect(try bench.catalog.conflicts().isEmpty)
        #expect(try bench.catalog.pendingErasures().isEmpty)
        #expect(try bench.catalog.statistics().instances == 1)
    }

    @Test(
        "Of two copies the whole one is kept, whichever was met first or came first",
        arguments: [true, false], [0, 1])
    func oneRotten(earlierFirst: Bool, rottenOne: Int) throws {
        let (places, instance) = try storeTwice(earlierFirst: earlierFirst)
        #expect(places.map(\.volume) == [1, 2])
        try rot(places[rottenOne])
        let rebuilt = try fresh()
        let summary = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        #expect(summary == Replay.Summary(enrolled: 2))
        #expect(try primary(in: rebuilt).place == places[1 - rottenOne])
        #expect(try bench.volumes.verify(places[1 - rottenOne], digest: instance.digest))
        #expect(isErased(places[rottenOne]))
        #expect(try rebuilt.pendingErasures().isEmpty)
        let again = try fresh()
        _ = try Replay(volumes: bench.volumes, catalog: again).everything()
        #expect(try again.snapshot() == rebuilt.snapshot())
    }

    @Test("Where both copies have rotted both stay, and it is told")
    func bothRotten() throws {
        let (places, instance) = try storeTwice(earlierFirst: false)
        for place in places { try rot(place) }
        let damaged = try fresh()
        let summary = try Replay(volumes: bench.volumes, catalog: damaged).everything()
        #expect(summary.enrolled == 2)
        let offset = places[1].entryOffset
        #expect(summary.flaws == [.corrupt(volume: 2, offset: offset, reason: "body has another digest")])
        #expect(!isErased(places[0]) && !isErased(places[1]))
        #expect(try primary(in: damaged).digest == instance.digest)
    }

    @Test("Two whole copies become one, the earlier")
    func bothWhole() throws {
        let (places, instance) = try storeTwice(earlierFirst: false)
        let rebuilt = try fresh()
        #expect(try Replay(volumes: bench.volumes, catalog: rebuilt).everything() == Replay.Summary(enrolled: 2))
        #expect(try primary(in: rebuilt).place == places[1])
        #expect(try bench.volumes.verify(places[1], digest: instance.digest))
        #expect(isErased(places[0]) && !isErased(places[1]))
    }

    @Test("An object deleted and sent again is kept, though its first bytes still wait to be erased")
    func deletedAndSentAgain() throws {
        try bench.send(sample)
        let erasures = try bench.catalog.beginErasure(Scope(sopUIDs: [sample.sopInstanceUID]))
        #expect(try bench.send(sample).outcome == .stored)
        let good = try primary(in: bench.catalog)
        let rebuilt = try fresh()
        try rebuilt.adoptErasures(of: bench.catalog)
        _ = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        try bench.catalog.replace(with: rebuilt)
        #expect(try primary(in: bench.catalog).place == good.place)
        #expect(try bench.volumes.verify(good.place, digest: good.digest))
        #expect(try bench.catalog.pendingErasures().map(\.place) == erasures.map(\.place))
    }
}
