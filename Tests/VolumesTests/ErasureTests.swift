// Deleting: the bytes are gone from the disk, the archive stays a tar archive, nothing else moves.

import FaultInjection
import Foundation
import Glibc
import Testing
import Volumes

@Suite("Deletion")
struct ErasureTests {
    private func allocated(_ folder: TemporaryFolder, _ name: String) throws -> Int64 {
        let fileSystem = POSIXFileSystem()
        let descriptor = try fileSystem.open("\(folder.path)/\(name)", .read)
        defer { fileSystem.close(descriptor) }
        return try fileSystem.status(descriptor).allocated
    }

    /// Whether the file system of the temporary folder gives the blocks of a hole back.
    private func hasHoles(_ folder: TemporaryFolder) throws -> Bool {
        let fileSystem = POSIXFileSystem()
        let descriptor = try fileSystem.open("\(folder.path)/probe", .createNew)
        defer {
            fileSystem.close(descriptor)
            try? fileSystem.unlink("\(folder.path)/probe")
        }
        return try fileSystem.allocate(descriptor, from: 0, count: 1 << 20)
            && fileSystem.punchHole(descriptor, from: 0, count: 1 << 20)
            && fileSystem.status(descriptor).allocated < 1 << 20
    }

    @Test("An erased entry cannot be read, its blocks return, its neighbours stay", arguments: [false, true])
    func erase(isSealed: Bool) throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(4 << 20))
        let samples = (0..<3).map { Sample($0, length: 1 << 20) }
        let places = try samples.map { try store.append([$0.entry])[0] }
        if isSealed {
            _ = try store.append([Sample(9, length: 1 << 20).entry])
            try store.finishSealing()
            #expect(try store.volumes()[0].isSealed)
        }
        let before = try allocated(folder, "000001.tar")
        try store.erase([places[1]])
        try store.erase([places[1]])
        #expect(throws: VolumeFailure.erased) { try store.read(places[1], count: 100) }
        #expect(throws: VolumeFailure.erased) { try store.verify(places[1], digest: samples[1].facts.digest) }
        for index in [0, 2] { #expect(try store.verify(places[index], digest: samples[index].facts.digest)) }
        let body = try folder.bytes("000001.tar")[Int(places[1].bodyOffset)..<Int(places[1].end)]
        #expect(body.isZero)
        if try hasHoles(folder) {
            #expect(try allocated(folder, "000001.tar") <= before - (1 << 20) + 8_192)
        }
        if Tar.isInstalled {
            let listed = try Tar.run("-tf", "\(folder.path)/000001.tar")
            #expect(listed.status == 0)
            #expect(listed.lines.prefix(3) == [samples[0].name, ".erased/\(samples[1].name)", samples[2].name])
        }
    }

    @Test("A sealed volume loses its manifest while it is changed and gets a true one after")
    func manifest() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(200_000))
        let places = try (0..<6).map { try store.append([Sample($0, length: 60_000).entry])[0] }
        try store.finishSealing()
        let before = try ManifestFile(folder, 1)
        try store.erase([places[0], places[1], places[5]])
        #expect(try store.volumes()[0].isSealed)
        try store.finishSealing()
        let after = try ManifestFile(folder, 1)
        #expect(after != before)
        #expect(try after == ManifestFile(recomputed: folder, 1, entries: before.entries))
        #expect(try store.allEntries().map(\.place) == Array(places[2...4]))
    }

    @Test("Erasing from a volume that a restore left writable works without root, and its manifest comes back")
    func lostMode() throws {
        let folder = try TemporaryFolder()
        let fileSystem = FaultyFileSystem(isSuperuser: false)
        let store = try VolumeStore(directory: folder.path, fileSystem: fileSystem, options: .small(200_000))
        let places = try (0..<6).map { try store.append([Sample($0, length: 60_000).entry])[0] }
        try store.finishSealing()
        let before = try ManifestFile(folder, 1)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: "\(folder.path)/000001.tar")
        try store.erase([places[0]])
        try store.erase([places[1]])
        #expect(throws: VolumeFailure.erased) { try store.read(places[0], count: 1) }
        try store.finishSealing()
        #expect(try ManifestFile(folder, 1) == ManifestFile(recomputed: folder, 1, entries: before.entries))
    }

    /// A volume of three entries and the header block of its second one.
    private func three(_ fileSystem: FaultyFileSystem, _ folder: TemporaryFolder) throws -> (VolumeStore, [Place]) {
        let store = try VolumeStore(directory: folder.path, fileSystem: fileSystem, options: .small())
        return (store, try (0..<3).map { try store.append([Sample($0, length: 9_000).entry])[0] })
    }

    @Test("An entry whose header is lost loses its body like the others", arguments: [false, true])
    func lostHeader(isUnreadable: Bool) throws {
        let folder = try TemporaryFolder()
        let fileSystem = FaultyFileSystem()
        let (store, places) = try three(fileSystem, folder)
        let header = places[1].bodyOffset - 512
        if isUnreadable {
            fileSystem.unreadable = header..<header + 512
        } else {
            let handle = try #require(FileHandle(forWritingAtPath: "\(folder.path)/000001.tar"))
            try handle.seek(toOffset: UInt64(header))
            try handle.write(contentsOf: [UInt8](repeating: 1, count: 512))
        }
        try store.erase(places)
        fileSystem.unreadable = 0..<0
        let bytes = try folder.bytes("000001.tar")
        for place in places { #expect(bytes[Int(place.bodyOffset)..<Int(place.end)].isZero) }
        #expect(throws: VolumeFailure.erased) { try store.read(places[0], count: 1) }
        #expect(throws: VolumeFailure.erased) { try store.read(places[2], count: 1) }
    }

    @Test("An entry that cannot be erased saves neither those of its volume nor those of others")
    func partialFailure() throws {
        let folder = try TemporaryFolder()
        let fileSystem = FaultyFileSystem()
        let (store, places) = try three(fileSystem, folder)
        let header = places[1].bodyOffset - 512
        fileSystem.unwritable = header..<header + 512
        let missing = Place(volume: -1, entryOffset: 0, bodyOffset: 1_536, length: 1)
        #expect(throws: VolumeFailure.notFound(volume: -1)) { try store.erase([missing] + places) }
        #expect(throws: VolumeFailure.io(errno: EIO, operation: "pwrite")) { try store.erase(places) }
        #expect(try store.allEntries().map(\.place) == [places[1]])
        #expect(try store.allEntries().allSatisfy { $0.isIntact == true })
        fileSystem.unwritable = 0..<0
        try store.erase(places)
        #expect(try store.allEntries().isEmpty)
    }

    @Test("Another store on the folder may delete from a volume that is being written")
    func foreignVolume() throws {
        let folder = try TemporaryFolder()
        let writer = try folder.store(.small())
        let other = try folder.store(.small())
        let places = try writer.append((0..<3).map { Sample($0, length: 40_000).entry })
        try other.erase([places[0]])
        #expect(throws: VolumeFailure.erased) { try writer.read(places[0], count: 1) }
        let later = try writer.append([Sample(7, length: 40_000).entry])
        #expect(try writer.allEntries().map(\.place) == places[1...] + later)
    }

    @Test("A place where no entry stands is never emptied")
    func wrongPlace() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let place = try store.append([Sample(1, length: 40_000).entry])[0]
        let wrong = Place(volume: 1, entryOffset: 512, bodyOffset: place.bodyOffset + 1_024, length: 10_000)
        #expect(throws: VolumeFailure.self) { try store.erase([wrong]) }
        #expect(throws: VolumeFailure.notFound(volume: 5)) {
            try store.erase([Place(volume: 5, entryOffset: 0, bodyOffset: 1_536, length: 1)])
        }
        #expect(try store.allEntries().allSatisfy { $0.isIntact == true })
    }
}
