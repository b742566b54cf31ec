// The catalogue is a projection: from the volumes alone it comes out the same.

import Catalog
import DICOMCore
import Foundation
import Ingest
import Logging
import Testing
import Volumes

@Suite struct ReplayTests {
    private func fill(_ bench: Bench) throws {
        for number in 0..<40 {
            var sample = Sample()
            sample.studyInstanceUID = number % 7 == 0 ? nil : "2.25.\(100 + number % 5)"
            sample.seriesInstanceUID = "2.25.\(200 + number % 11)"
            sample.patientID = number % 9 == 0 ? nil : "P\(number % 5)"
            try bench.send(sample)
            if number % 10 == 0 {
                sample.pixels = [UInt8](repeating: UInt8(number), count: 4096)
                try bench.send(sample)
            }
        }
    }

    @Test("A rebuilt catalogue equals the live one (invariant 1)")
    func rebuild() throws {
        let bench = try Bench()
        try fill(bench)
        let rebuilt = try CatalogStore(path: bench.folder.appending(path: "rebuilt.sqlite").path)
        let summary = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        #expect(summary.enrolled == 44)
        #expect(summary.unreadable == 0)
        #expect(try rebuilt.snapshot() == bench.catalog.snapshot())
    }

    @Test("A catalogue that fell behind catches up from the position it knows")
    func catchUp() throws {
        let first = try Bench()
        try fill(first)
        let expected = try first.catalog.snapshot()
        first.close()
        let fresh = try CatalogStore(path: first.folder.appending(path: "fresh.sqlite").path)
        let volumes = try VolumeStore(directory: first.folder.appending(path: "volumes").path)
        #expect(try Replay(volumes: volumes, catalog: fresh).catchUp().enrolled == 44)
        #expect(try fresh.snapshot() == expected)
        #expect(try Replay(volumes: volumes, catalog: fresh).catchUp().enrolled == 0)
        volumes.close()
    }

    @Test("Swapping a rebuilt catalogue in keeps the change feed and what waits to be erased")
    func replace() throws {
        let bench = try Bench()
        try fill(bench)
        let expected = try bench.catalog.snapshot()
        let changes = try bench.catalog.changes(after: 0, limit: 10_000)
        let newest = try #require(changes.last)
        let rebuilt = try CatalogStore(path: bench.folder.appending(path: "rebuilt.sqlite").path)
        _ = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        try bench.catalog.replace(with: rebuilt)
        #expect(try bench.catalog.snapshot() == expected)
        let kept = try bench.catalog.changes(after: 0, limit: 10_000)
        #expect(Array(kept.dropLast()) == changes)
        // Who read on while the index was swapped in stands behind the feed as it was copied, and misses nothing.
        let place = newest.sequence + 500
        let mark = try #require(kept.last)
        #expect(mark.sequence > place && mark.kind == .updated && mark.instances == 0)
        #expect(mark.studyInstanceUID == newest.studyInstanceUID)
        let sample = Sample()
        try bench.send(sample)
        let read = try bench.catalog.changes(after: place)
        #expect(read.map(\.kind) == [.updated, .stored])
        #expect(read.last?.studyInstanceUID == sample.studyInstanceUID)
    }

    @Test("Volumes born after the first look are left to the last one")
    func bornLater() throws {
        let bench = try Bench()
        try fill(bench)
        let later = try VolumeStore(
            directory: bench.folder.appending(path: "volumes").path,
            options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0, reserve: 0))
        let ingest = IngestPipeline(
            volumes: later, catalog: bench.catalog, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var arrival = ingest.begin(Origin(source: "import"))
        try unsafe Sample().file.withUnsafeBytes { try unsafe arrival.append($0) }
        _ = try ingest.accept(arrival)
        _ = ingest.stop()
        later.close()
        let rebuilt = try CatalogStore(path: bench.folder.appending(path: "rebuilt.sqlite").path)
        let replay = Replay(volumes: bench.volumes, catalog: rebuilt)
        #expect(try replay.everything(upTo: [1: .max]) == Replay.Summary(enrolled: 44))
        let positions = try rebuilt.enrolledPositions()
        #expect(Array(positions.keys) == [1])
        #expect(try replay.everything(after: positions, upTo: [1: .max, 2: .max]) == Replay.Summary(enrolled: 1))
        #expect(try rebuilt.snapshot() == bench.catalog.snapshot())
    }
}

/// One walk, several readers, one enroller: batches of three, so that far more of them exist than the line holds.
@Suite(.timeLimit(.minutes(2))) struct ReplayLineTests {
    private static let batch = 3
    private let bench: Bench
    /// As they lie in their two volumes.
    private let stored: [StoredInstance]

    init() throws {
        bench = try Bench()
        for _ in 0..<60 { try bench.send(Sample()) }
        // Another process's volume: a store appends to its own.
        let other = try VolumeStore(
            directory: bench.folder.appending(path: "volumes").path,
            options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0, reserve: 0))
        let ingest = IngestPipeline(
            volumes: other, catalog: bench.catalog, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for _ in 0..<60 {
            let file = Sample().file
            var arrival = ingest.begin(Origin(source: "import"))
            try unsafe file.withUnsafeBytes { try unsafe arrival.append($0) }
            _ = try ingest.accept(arrival)
        }
        _ = ingest.stop()
        other.close()
        stored = try bench.catalog.instances(after: 0)
    }

    private func fresh() throws -> CatalogStore {
        try CatalogStore(path: bench.folder.appending(path: "\(UUID().uuidString).sqlite").path)
    }

    /// Makes the bytes of an object unreadable as DICOM while the headers of its entry stay.
    private func ruin(_ place: Place) throws {
        let name = String(format: "%06d", place.volume)
        let file = try FileHandle(forWritingTo: bench.folder.appending(path: "volumes/\(name).tar"))
        try file.seek(toOffset: UInt64(place.bodyOffset))
        try file.write(contentsOf: [UInt8](repeating: 0xFF, count: Int(place.length)))
        try file.close()
    }

    @Test("Whoever reads the headers, enrolment is in the order of volumes and offsets")
    func order() throws {
        #expect(Set(stored.map(\.place.volume)) == [1, 2])
        let rebuilt = try fresh()
        var told: [Int] = []
        let replay = Replay(volumes: bench.volumes, catalog: rebuilt, batch: Self.batch)
        let summary = try replay.everything { told.append($0) }
        #expect(summary == Replay.Summary(enrolled: 120))
        #expect(told == Array(stride(from: Self.batch, through: 120, by: Self.batch)))
        let places = try rebuilt.instances(after: 0).map(\.place)
        #expect(places == stored.map(\.place).sorted { ($0.volume, $0.entryOffset) < ($1.volume, $1.entryOffset) })
        let positions = try rebuilt.enrolledPositions()
        #expect(positions == [1: places[59].end, 2: places[119].end])
    }

    @Test(
        "An unreadable entry is counted and its neighbours keep their order", arguments: [[0], [31], [59, 60], [119]])
    func unreadable(_ ruined: [Int]) throws {
        for index in ruined { try ruin(stored[index].place) }
        let rebuilt = try fresh()
        let summary = try Replay(volumes: bench.volumes, catalog: rebuilt, batch: Self.batch).everything()
        #expect(summary == Replay.Summary(enrolled: 120 - ruined.count, unreadable: ruined.count))
        let expected = stored.enumerated().filter { !ruined.contains($0.offset) }.map(\.element.sopInstanceUID)
        #expect(try rebuilt.instances(after: 0).map(\.sopInstanceUID) == expected)
    }

    @Test("A header that is lost in the middle is told of, and what lies around it is enrolled")
    func lostHeader() throws {
        let name = bench.folder.appending(path: "volumes/000001.tar")
        let file = try FileHandle(forWritingTo: name)
        try file.seek(toOffset: UInt64(stored[20].place.entryOffset))
        try file.write(contentsOf: [UInt8](repeating: 0xFF, count: 512))
        try file.close()
        let rebuilt = try fresh()
        let summary = try Replay(volumes: bench.volumes, catalog: rebuilt, batch: Self.batch).everything()
        #expect(summary.enrolled == 119)
        let offset = stored[20].place.entryOffset
        #expect(
            summary.flaws.first == .corrupt(volume: 1, offset: offset, reason: "no extended header"))
        let expected = stored.enumerated().filter { $0.offset != 20 }.map(\.element.sopInstanceUID)
        #expect(try rebuilt.instances(after: 0).map(\.sopInstanceUID) == expected)
    }

    @Test("A catalogue that fails in the middle ends the replay with its error, and no position is written")
    func catalogueFails() throws {
        let path = bench.folder.appending(path: "failing.sqlite").path
        let failing = try CatalogStore(path: path)
        var calls = 0
        #expect(throws: CatalogError.self) {
            try Replay(volumes: bench.volumes, catalog: failing, batch: Self.batch).everything { _ in
                calls += 1
                // As when its disk fails: nothing can be enrolled after the second batch.
                if calls == 2 { try? failing.close() }
            }
        }
        #expect(calls == 2)
        // All threads have ended: what was begun is finished by another replay over the same volumes.
        let reopened = try CatalogStore(path: path)
        #expect(try reopened.enrolledPositions().isEmpty)
        #expect(try reopened.statistics().instances == 2 * Self.batch)
        #expect(try Replay(volumes: bench.volumes, catalog: reopened, batch: Self.batch).everything().flaws.isEmpty)
        #expect(try reopened.snapshot() == bench.catalog.snapshot())
    }

    @Test("What is deleted while the walk stands at it has a beginning in memory, yet is told to be deleted")
    func deletedMeanwhile() throws {
        var met: [MetEntry] = []
        _ = try bench.volumes.met(volume: 1) { entry in
            met.append(entry)
            return met.count < 5
        }
        #expect(met.map(\.entry.place) == stored.prefix(5).map(\.place))
        let place = met[4].entry.place
        #expect(Array(met[4].beginning) == (try bench.volumes.read(place, count: Int(place.length))))
        try bench.volumes.erase([place])
        #expect(throws: VolumeFailure.erased) { try bench.volumes.read(place, count: 0) }
        let rebuilt = try fresh()
        let summary = try Replay(volumes: bench.volumes, catalog: rebuilt, batch: Self.batch).everything()
        #expect(summary == Replay.Summary(enrolled: 119))
    }

    @Test("A header is read whole, however much of it the walk brought along")
    func headerSizes() throws {
        for header in [0, 6_000, 13_000, 14_500, 20_000, 70_000, 600_000] {
            for pixels in [0, 500, 16_000, 40_000, 700_000] {
                try bench.bringIn(Self.file(header: header, pixels: pixels))
            }
        }
        let rebuilt = try fresh()
        let summary = try Replay(volumes: bench.volumes, catalog: rebuilt, batch: Self.batch).everything()
        #expect(summary == Replay.Summary(enrolled: 155))
        #expect(try rebuilt.snapshot() == bench.catalog.snapshot())
    }

    /// An object with a long value in the middle of its header and indexed attributes on both sides of it.
    private static func file(header: Int, pixels: Int) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        let uid = UID.generate()
        writer.put(.sopClassUID, SOPClass.ctImageStorage)
        writer.put(.sopInstanceUID, uid)
        writer.put(.patientID, "P7")
        if header > 0 { writer.put(Tag(0x0019, 0x1010), .OB, bytes: [UInt8](repeating: 1, count: header)) }
        writer.put(.studyInstanceUID, "2.25.71")
        writer.put(.seriesInstanceUID, "2.25.72")
        writer.put(.instanceNumber, "7")
        if pixels > 0 { writer.put(.pixelData, .OW, bytes: [UInt8](repeating: 7, count: pixels)) }
        return Part10.header(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: uid,
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid) + writer.finish()
    }
}
