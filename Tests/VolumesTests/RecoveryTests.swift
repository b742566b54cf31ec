// After a crash: what was acknowledged is kept, what was torn is cleared, what was whole is handed back.

import FaultInjection
import Foundation
import Testing
import Volumes

/// A folder as a crash left it: a copy taken while the writer lived, so nothing was closed or released.
private struct Wreck {
    let folder: TemporaryFolder
    let enrolled: [Sample]
    let enrolledPlaces: [Place]
    let last: [Sample]
    let lastPlaces: [Place]

    static let options = VolumeOptions.small(256 << 10)

    var path: String { "\(folder.path)/000001.tar" }
    var enrolledTo: Int64 { enrolledPlaces.last?.end ?? 0 }
    var end: Int64 { lastPlaces.last?.end ?? 0 }

    /// Three batches that were enrolled and one that was not.
    init(random: inout Seeded) throws {
        let source = try TemporaryFolder()
        let store = try source.store(Self.options)
        var enrolled: [Sample] = []
        var places: [Place] = []
        for batch in 0..<3 {
            let samples = (0..<Int.random(in: 1...4, using: &random)).map {
                Sample(batch * 10 + $0, length: Int.random(in: 0...9_000, using: &random))
            }
            places += try store.append(samples.map(\.entry))
            enrolled += samples
        }
        last = (0..<Int.random(in: 1...5, using: &random)).map {
            Sample(50 + $0, length: Int.random(in: 0...15_000, using: &random))
        }
        lastPlaces = try store.append(last.map(\.entry))
        self.enrolled = enrolled
        enrolledPlaces = places
        folder = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: "\(source.path)/000001.tar", toPath: "\(folder.path)/000001.tar")
    }

    func open() throws -> VolumeStore {
        try folder.store(Self.options)
    }

    /// Overwrites part of the volume file.
    func overwrite(at offset: Int64, with bytes: [UInt8]) throws {
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seek(toOffset: UInt64(offset))
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    func truncate(to size: Int64) throws {
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: UInt64(size))
        try handle.close()
    }

    /// Damages the last batch as a crash might; bytes before `enrolledTo` stay.
    func tear(_ random: inout Seeded) throws {
        let at = Int64.random(in: enrolledTo..<end, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: try truncate(to: at)
        case 1: try overwrite(at: enrolledTo, with: [UInt8](repeating: 0, count: 512))
        case 2:
            let count = Int(min(Int64.random(in: 1...4_096, using: &random), end - at))
            try overwrite(at: at, with: [UInt8](repeating: 0, count: count))
        case 3:
            let count = Int(min(Int64.random(in: 1...700, using: &random), end - at))
            try overwrite(at: at, with: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        default: try overwrite(at: at, with: [UInt8](repeating: 0, count: Int(end - at)))
        }
    }
}

@Suite("Recovery")
struct RecoveryTests {
    @Test("A torn tail is cleared, whole entries before it come back, appends go on", arguments: 0..<240)
    func tornTail(seed: Int) throws {
        var random = Seeded(seed)
        let wreck = try Wreck(random: &random)
        try wreck.tear(&random)
        let store = try wreck.open()
        let recovery = try #require(try store.recover(volume: 1, from: wreck.enrolledTo))
        #expect(recovery.isAdopted)
        #expect(recovery.flaw == nil)
        // The whole entries are a prefix of the batch, up to the first that is torn.
        #expect(recovery.entries.map(\.place) == Array(wreck.lastPlaces.prefix(recovery.entries.count)))
        #expect(recovery.tail == (recovery.entries.last?.place.end ?? wreck.enrolledTo))
        for (sample, place) in zip(wreck.enrolled + wreck.last, wreck.enrolledPlaces + recovery.entries.map(\.place)) {
            #expect(try store.verify(place, digest: sample.facts.digest))
        }
        #expect(try wreck.folder.bytes("000001.tar")[Int(recovery.tail)...].isZero)
        let later = Sample(99, length: 12_345)
        let place = try store.append([later.entry])[0]
        #expect(place.entryOffset == recovery.tail)
        let found = try store.allEntries()
        #expect(found.allSatisfy { $0.isIntact == true })
        #expect(found.map(\.place) == wreck.enrolledPlaces + recovery.entries.map(\.place) + [place])
    }

    @Test("An untouched tail is found from any known position", arguments: 0..<12)
    func knownPositions(seed: Int) throws {
        var random = Seeded(seed + 1_000)
        let wreck = try Wreck(random: &random)
        let places = wreck.enrolledPlaces + wreck.lastPlaces
        let known = ([0] + places.map(\.end)).randomElement(using: &random) ?? 0
        let store = try wreck.open()
        let recovery = try #require(try store.recover(volume: 1, from: known))
        #expect(recovery.tail == wreck.end)
        #expect(recovery.entries.map(\.place) == places.filter { $0.entryOffset >= known })
        #expect(
            recovery.entries.map(\.facts) == (wreck.enrolled + wreck.last).map(\.facts).suffix(recovery.entries.count))
        #expect(try store.append([Sample(99, length: 5).entry])[0].entryOffset == wreck.end)
    }

    @Test("Rot between whole batches clears nothing, even when the catalogue is lost", arguments: 0..<20)
    func rot(seed: Int) throws {
        var random = Seeded(seed + 2_000)
        let wreck = try Wreck(random: &random)
        let victim = wreck.enrolledPlaces[0]
        let isHeader = seed.isMultiple(of: 2) || victim.length == 0
        let offset = isHeader ? victim.entryOffset + 100 : victim.bodyOffset + victim.length / 2
        try wreck.overwrite(at: offset, with: [0])
        let before = try wreck.folder.bytes("000001.tar")
        let store = try wreck.open()
        let recovery = try #require(try store.recover(volume: 1, from: 0))
        #expect(recovery.flaw != nil)
        #expect(!recovery.isAdopted)
        #expect(Set(recovery.entries.map(\.place)).isSuperset(of: wreck.lastPlaces))
        #expect(!recovery.entries.map(\.place).contains(victim))
        #expect(try store.append([Sample(99, length: 5).entry])[0].volume == 2)
        #expect(try wreck.folder.bytes("000001.tar") == before)
    }

    @Test("A volume that lacks what was enrolled is left alone")
    func olderCopy() throws {
        var random = Seeded(7)
        let wreck = try Wreck(random: &random)
        try wreck.truncate(to: wreck.enrolledPlaces[0].end)
        let store = try wreck.open()
        let recovery = try #require(try store.recover(volume: 1, from: wreck.enrolledTo))
        #expect(recovery.flaw != nil)
        #expect(recovery.entries.isEmpty)
        #expect(try store.append([Sample(99, length: 5).entry])[0].volume == 2)
    }

    @Test("Deleted entries are neither resurrected nor taken for a torn tail")
    func erased() throws {
        var random = Seeded(8)
        let wreck = try Wreck(random: &random)
        try wreck.open().erase([wreck.lastPlaces[0]])
        let recovery = try #require(try wreck.open().recover(volume: 1, from: wreck.enrolledTo))
        #expect(recovery.entries.map(\.place) == Array(wreck.lastPlaces.dropFirst()))
        #expect(recovery.tail == wreck.end)
    }

    /// Several full volumes, and the places in the first.
    private func sealedFolder() throws -> (TemporaryFolder, [Place]) {
        let folder = try TemporaryFolder()
        var places: [Place] = []
        do {
            let store = try folder.store(.small(100_000))
            for index in 0..<8 { places += try store.append([Sample(index, length: 20_000).entry]) }
            try store.finishSealing()
        }
        return (folder, places.filter { $0.volume == 1 })
    }

    @Test("Sealed volumes hand back what was not enrolled; fully enrolled ones are passed over")
    func sealedVolume() throws {
        let (folder, first) = try sealedFolder()
        let store = try folder.store(.small(100_000))
        let recovery = try #require(try store.recover(volume: 1, from: first[1].end))
        #expect(recovery.entries.map(\.place) == Array(first.dropFirst(2)))
        let again = try #require(try store.recover(volume: 1, from: first.last?.end ?? 0))
        #expect(again.entries.isEmpty && again.flaw == nil)
        #expect(again.tail == first.last?.end)
        #expect(try #require(try store.recover(volume: 1, from: 1 << 40)).flaw != nil)
    }

    @Test("Of a sealed volume of which nothing is known the headers are read, not the bodies")
    func sealedVolumeUnknown() throws {
        let (folder, first) = try sealedFolder()
        let fileSystem = FaultyFileSystem()
        // The last kilobytes of a body, which no walk from header to header comes near.
        let body = first[1]
        fileSystem.unreadable = body.bodyOffset + 15_000..<body.bodyOffset + 16_000
        let store = try VolumeStore(directory: folder.path, fileSystem: fileSystem, options: .small(100_000))
        let recovery = try #require(try store.recover(volume: 1, from: 0))
        #expect(recovery.entries.map(\.place) == first)
        #expect(recovery.flaw == nil && recovery.tail == first.last?.end)
        // Behind a known position a crash may have left anything: there they are read.
        #expect(throws: VolumeFailure.self) { try store.recover(volume: 1, from: first[0].end) }
    }

    @Test("A missing manifest is written by refreshSeals, and only that")
    func missingManifest() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(100_000))
        for index in 0..<8 { _ = try store.append([Sample(index, length: 20_000).entry]) }
        try store.finishSealing()
        let manifest = try ManifestFile(folder, 1)
        try FileManager.default.removeItem(atPath: "\(folder.path)/000001.json")
        try store.refreshSeals()
        #expect(try ManifestFile(folder, 1) == manifest)
        #expect(try folder.names(".json") == ["000001.json"])
    }

    @Test("A process killed at any moment loses nothing that it acknowledged", arguments: 0..<8)
    func killed(seed: Int) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, seed = seed as Int] in
            try KilledWriter.run(path, seed: seed)
        }
        let acknowledged = try KilledWriter.acknowledged(in: path)
        let store = try VolumeStore(directory: path)
        for volume in try store.volumes() {
            #expect(try #require(try store.recover(volume: volume.number, from: 0)).flaw == nil)
        }
        let found = try store.allEntries()
        #expect(found.allSatisfy { $0.isIntact == true })
        let names = found.map(\.facts.sopInstanceUID)
        #expect(Array(names.prefix(acknowledged.count)) == acknowledged)
        #expect(try folder.names(".part").isEmpty)
    }
}
