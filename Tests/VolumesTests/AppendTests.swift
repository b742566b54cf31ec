// Appending: batches are whole or absent, volumes are handed over, a full disk is survived.

import FaultInjection
import Foundation
import Testing
import Volumes

@Suite("Appending")
struct AppendTests {
    @Test("A batch lies in one piece and in order")
    func places() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(8 << 20))
        let samples = (0..<20).map { Sample($0, length: $0 * 9_001) }
        let places = try store.append(samples.map(\.entry))
        #expect(places[0].entryOffset == 0)
        for (earlier, later) in zip(places, places.dropFirst()) { #expect(earlier.end == later.entryOffset) }
        for (sample, place) in zip(samples, places) {
            #expect(place.length == sample.body.count)
            #expect(try store.verify(place, digest: sample.facts.digest))
            let middle = try store.read(place, from: 1_000, count: 77)
            #expect(middle == Array(sample.body.dropFirst(1_000).prefix(77)))
        }
    }

    @Test("A batch whose sync failed leaves no trace, and the next takes its place")
    func takenBack() throws {
        let folder = try TemporaryFolder()
        let fileSystem = FaultyFileSystem()
        let store = try VolumeStore(directory: folder.path, fileSystem: fileSystem, options: .small())
        let first = try store.append([Sample(1, length: 5_000).entry])
        var second: [Place] = []
        #expect(throws: VolumeFailure.self) {
            try store.append(
                [Sample(2, length: 90_000).entry, Sample(3, length: 10).entry], placed: { second = $0 },
                written: fileSystem.failNextSync)
        }
        #expect(try store.allEntries().map(\.place) == first)
        let bytes = try folder.bytes("000001.tar")
        #expect(bytes[Int(second[0].entryOffset)...].isZero)
        let third = try store.append([Sample(4, length: 100).entry])
        #expect(third[0].entryOffset == second[0].entryOffset)
        #expect(try store.allEntries().map(\.facts.sopInstanceUID).count == 2)
    }

    @Test("A full volume is handed over: sealed, read-only, listed with its digest")
    func handOver() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(200_000))
        var places: [Place] = []
        for index in 0..<20 { places += try store.append([Sample(index, length: 30_000).entry]) }
        try store.finishSealing()
        #expect(Set(places.map(\.volume)).count == 4)
        let sealed = try store.volumes().filter(\.isSealed)
        #expect(sealed.map(\.number) == [1, 2, 3])
        for volume in sealed {
            #expect(volume.size % 10_240 == 0)
            let manifest = try ManifestFile(folder, volume.number)
            #expect(try manifest == ManifestFile(recomputed: folder, volume.number, entries: 6))
        }
        #expect(try store.allEntries().map(\.place) == places)
    }

    @Test("A batch larger than a volume gets a volume of its own size")
    func oversized() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(100_000))
        let sample = Sample(1, length: 1_000_000)
        let small = try store.append([Sample(0, length: 10).entry])
        let place = try store.append([sample.entry])[0]
        #expect(place.volume == small[0].volume + 1)
        #expect(try store.verify(place, digest: sample.facts.digest))
    }

    @Test("A full disk refuses appends and streams, reads go on, and space that returns is used without restart")
    func diskFull() throws {
        let fileSystem = FaultyFileSystem()
        let folder = try TemporaryFolder()
        let store = try VolumeStore(
            directory: folder.path, fileSystem: fileSystem, options: .small(200_000))
        let sample = Sample(1, length: 50_000)
        let place = try store.append([sample.entry])[0]
        let stream = try store.beginStream()
        fileSystem.isFull = true
        #expect(throws: VolumeFailure.noSpace) { try store.append([Sample(2, length: 300_000).entry]) }
        #expect(throws: VolumeFailure.noSpace) { try store.beginStream() }
        #expect(throws: VolumeFailure.noSpace) { try stream.append([1]) }
        #expect(try store.verify(place, digest: sample.facts.digest))
        fileSystem.isFull = false
        let later = try store.append([Sample(3, length: 300_000).entry])[0]
        #expect(try store.verify(later, digest: Sample(3, length: 300_000).facts.digest))
        #expect(try store.allEntries().map(\.place) == [place, later])
    }

    @Test("A batch whose sync failed is refused, taken back, and its place used again")
    func failedSync() throws {
        // The sync of the numbers, the folder or the batch, whatever numbers they have: calls are tried until one meets it.
        var refused = 0
        for call in 1...40 {
            let folder = try TemporaryFolder()
            let fileSystem = FaultyFileSystem(.failedSync, calls: call..<call + 1)
            guard let store = try? VolumeStore(directory: folder.path, fileSystem: fileSystem, options: .small())
            else { continue }
            let samples = [Sample(1, length: 70_000), Sample(2, length: 10)]
            let places = try? store.append(samples.map(\.entry))
            #expect((places == nil) == (fileSystem.hits == 1))
            if places == nil {
                refused += 1
                #expect(try store.allEntries().isEmpty)
            }
        }
        #expect(refused == 3)
    }

    @Test("Below the reserve nothing is appended")
    func reserve() throws {
        let options = VolumeOptions(volumeSize: 1 << 20, zeroAhead: 0, reserve: .max / 2)
        let folder = try TemporaryFolder()
        let store = try folder.store(options)
        #expect(throws: VolumeFailure.noSpace) { try store.append([Sample(1, length: 1).entry]) }
        #expect(throws: VolumeFailure.noSpace) { try store.beginStream(announcedLength: 100 << 30) }
    }

    @Test("A file system without holes and reservations serves as well")
    func plainFileSystem() throws {
        let folder = try TemporaryFolder()
        let fileSystem = FaultyFileSystem(hasHoles: false)
        let store = try VolumeStore(directory: folder.path, fileSystem: fileSystem, options: .small(300_000))
        let samples = (0..<9).map { Sample($0, length: 50_000) }
        let places = try samples.map { try store.append([$0.entry])[0] }
        #expect(throws: VolumeFailure.self) {
            try store.append([Sample(99, length: 50_000).entry], written: fileSystem.failNextSync)
        }
        try store.erase([places[2]])
        #expect(throws: VolumeFailure.erased) { try store.read(places[2], count: 1) }
        #expect(try store.allEntries().map(\.place) == places.filter { $0 != places[2] })
    }

    @Test("A closed store refuses, and leaves no more than it must")
    func close() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(4 << 20))
        _ = try store.append([Sample(1, length: 5_000).entry])
        store.close()
        store.close()
        #expect(throws: VolumeFailure.closed) { try store.append([Sample(2, length: 1).entry]) }
        #expect(throws: VolumeFailure.closed) { try store.beginStream() }
        #expect(try folder.bytes("000001.tar").count == 10_240)
    }

    @Test("Zeros ahead of the tail never meet the appender", arguments: 0..<4)
    func zeroAhead(seed: Int) throws {
        let folder = try TemporaryFolder()
        let options = VolumeOptions(volumeSize: 64 << 20, zeroAhead: 2 << 20, reserve: 0)
        let fileSystem = FaultyFileSystem()
        let store = try VolumeStore(directory: folder.path, fileSystem: fileSystem, options: options)
        var random = Seeded(seed)
        var places: [Place] = []
        for index in 0..<120 {
            let count = Int.random(in: 1...3, using: &random)
            let batch = (0..<count).map { Sample(index * 10 + $0, length: Int.random(in: 1...300_000, using: &random)) }
            places += try store.append(batch.map(\.entry))
            if index % 17 == 3 {
                #expect(throws: VolumeFailure.self) {
                    try store.append([Sample(7_777, length: 400_000).entry], written: fileSystem.failNextSync)
                }
                // The zeros are written at rest only.
                Thread.sleep(forTimeInterval: 0.11)
            }
        }
        let found = try store.allEntries()
        #expect(found.map(\.place) == places)
        #expect(found.allSatisfy { $0.isIntact == true })
    }
}
