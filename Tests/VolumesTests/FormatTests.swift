// What lies on the disk is tar, for any tar program and at any moment.

import Crypto
import FaultInjection
import Foundation
import Synchronization
import Testing
import Volumes

@Suite("A volume is a tar archive", .enabled(if: Tar.isInstalled, "needs /usr/bin/tar"))
struct FormatTests {
    @Test("Memory that was taken ahead is empty, and what was there stays")
    func warmBuffer() {
        let fresh = EntryBuffer()
        fresh.warm()
        #expect(fresh.count == 0 && fresh.capacity >= 2 << 20)
        let filled = EntryBuffer(Array(1...200))
        filled.warm()
        filled.append([201, 202].span)
        #expect(filled.prefix(300) == Array(1...202))
    }

    @Test(
        "tar lists and extracts what was appended, byte for byte", arguments: [0, 1, 511, 512, 513, 70_000, 1_300_000])
    func extraction(length: Int) throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(8 << 20))
        let samples = (0..<3).map { Sample($0, length: length + $0) }
        let places = try store.append(samples.map(\.entry))
        let listed = try Tar.run("-tf", "\(folder.path)/000001.tar")
        #expect(listed.status == 0)
        #expect(listed.lines == samples.map(\.name))
        let target = try TemporaryFolder()
        #expect(try Tar.run("-xf", "\(folder.path)/000001.tar", "-C", target.path).status == 0)
        for (sample, place) in zip(samples, places) {
            #expect(try target.bytes(sample.name) == sample.body)
            #expect(try store.read(place, count: sample.body.count + 9) == sample.body)
        }
    }

    @Test("Three UIDs of 64 characters fit into the ustar fields")
    func longestNames() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let uids = (1...3).map { String(repeating: "1234567\($0)", count: 8) }
        let facts = EntryFacts(
            studyInstanceUID: uids[0], seriesInstanceUID: uids[1], sopInstanceUID: uids[2],
            digest: Array(SHA256.hash(data: [7])), receipt: EntryReceipt(receivedAt: 0, source: "", dataSetOffset: 0))
        let places = try store.append([NewEntry(facts: facts, body: EntryBuffer([7]))])
        let name = "\(uids[0])/\(uids[1])/\(uids[2]).dcm"
        #expect(try Tar.run("-tf", "\(folder.path)/000001.tar").lines == [name])
        try store.erase(places)
        let listed = try Tar.run("-tf", "\(folder.path)/000001.tar")
        #expect(listed.status == 0)
        #expect(listed.lines == [".erased/\(name)"])
    }

    @Test("All facts come back from the headers, other records and odd characters included")
    func facts() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let long = String(repeating: "x", count: 1_500)
        let samples = [
            Sample(1, length: 10, others: ["callingAddress": "10.0.0.1", "note": "a=b c", "long": long]),
            Sample(2, length: 3, others: ["name": "Điện quang"]),
        ]
        let places = try store.append(samples.map(\.entry))
        let found = try store.allEntries()
        #expect(found.map(\.facts) == samples.map(\.facts))
        #expect(found.map(\.place) == places)
        #expect(found.allSatisfy { $0.isIntact == true && !$0.isErased })
        #expect(try Tar.run("-tf", "\(folder.path)/000001.tar").status == 0)
    }

    @Test(
        "What is no UID never becomes a name",
        arguments: ["", "../../etc", "1.2/3", "1.2.a", String(repeating: "1", count: 65), ".."])
    func hostileNames(uid: String) throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let facts = EntryFacts(
            studyInstanceUID: "1.2", seriesInstanceUID: "1.3", sopInstanceUID: uid,
            digest: [UInt8](repeating: 0, count: 32),
            receipt: EntryReceipt(receivedAt: 0, source: "A", dataSetOffset: 0))
        #expect(throws: VolumeFailure.invalidEntry(reason: "not a UID")) {
            try store.append([NewEntry(facts: facts, body: EntryBuffer([1]))])
        }
        #expect(try store.allEntries().isEmpty)
    }

    @Test("tar sees whole batches at any moment while another thread appends", arguments: [Int64(0), 4 << 20])
    func activeVolume(zeroAhead: Int64) async throws {
        let folder = try TemporaryFolder()
        let options = VolumeOptions(volumeSize: 256 << 20, zeroAhead: zeroAhead, reserve: 0)
        let store = try folder.store(options)
        let batchSize = 3
        _ = try store.append((0..<batchSize).map { Sample($0, length: 9_000).entry })
        let appending = Task.detached {
            var random = Seeded(5)
            for batch in 1..<150 {
                let lengths = (0..<batchSize).map { _ in Int.random(in: 1...60_000, using: &random) }
                let entries = lengths.enumerated().map { Sample(batch * batchSize + $0, length: $1).entry }
                _ = try store.append(entries)
            }
        }
        var seen = 0
        for _ in 0..<60 {
            let listed = try Tar.run("-tf", "\(folder.path)/000001.tar")
            #expect(listed.status == 0)
            #expect(listed.lines.count % batchSize == 0)
            #expect(listed.lines.count >= seen)
            seen = listed.lines.count
        }
        try await appending.value
        #expect(try Tar.run("-tf", "\(folder.path)/000001.tar").lines.count == 150 * batchSize)
        #expect(try store.allEntries().allSatisfy { $0.isIntact == true })
    }

    @Test("After every single write of an append tar sees whole entries only")
    func everyStep() throws {
        let folder = try TemporaryFolder()
        let counts = Mutex<[Int]>([])
        let fileSystem = FaultyFileSystem(observer: {
            // The number is written down before its volume is there.
            guard FileManager.default.fileExists(atPath: "\(folder.path)/000001.tar") else { return }
            let listed = try? Tar.run("-tf", "\(folder.path)/000001.tar")
            let found = try? folder.store(.small()).allEntries()
            let isWhole = listed?.status == 0 && found?.allSatisfy { $0.isIntact == true } == true
            let isAgreed = listed?.lines.count == found?.count
            counts.withLock { $0.append(isWhole && isAgreed ? found?.count ?? -1 : -1) }
        })
        let store = try VolumeStore(directory: folder.path, fileSystem: fileSystem, options: .small(4 << 20))
        for batch in 0..<4 {
            _ = try store.append((0..<3).map { Sample(batch * 3 + $0, length: 140_000 * $0 + 100).entry })
        }
        let seen = counts.withLock { $0 }
        #expect(seen.count >= 4 * 3)
        #expect(!seen.contains(-1))
        #expect(Set(seen).isSuperset(of: [0, 3, 6, 9, 12]))
        #expect(seen == seen.sorted())
    }

    @Test("Streamed volumes extract as any other")
    func streamed() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let sample = Sample(4, length: 3_000_001)
        let stream = try store.beginStream()
        for part in sample.parts { try stream.append(part) }
        let place = try stream.commit(sample.facts)
        stream.keep()
        try store.finishSealing()
        let target = try TemporaryFolder()
        #expect(try Tar.run("-xf", "\(folder.path)/000001.tar", "-C", target.path).status == 0)
        #expect(try target.bytes(sample.name) == sample.body)
        #expect(try store.verify(place, digest: sample.facts.digest))
        #expect(try folder.names() == ["000001.json", "000001.tar", "numbers"])
    }
}
