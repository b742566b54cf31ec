// Several stores on one folder, and objects that are streamed: nobody writes where another does.

import FaultInjection
import Foundation
import Testing
import Volumes

@Suite("Sharing and streaming")
struct SharingTests {
    @Test("Two stores append to volumes of their own and read each other's")
    func twoStores() async throws {
        let folder = try TemporaryFolder()
        let stores = try (0..<2).map { _ in try folder.store(.small(300_000)) }
        let places = try await withThrowingTaskGroup(of: [Place].self) { group in
            for (index, store) in stores.enumerated() {
                group.addTask {
                    try (0..<25).map { try store.append([Sample(index * 100 + $0, length: 40_000).entry])[0] }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(places).count == 50)
        let found = try stores[0].allEntries()
        #expect(Set(found.map(\.place)) == Set(places))
        #expect(found.allSatisfy { $0.isIntact == true })
        #expect(try stores[1].allEntries().count == 50)
    }

    @Test("A volume that a living store holds is not recovered by another; after its end it is")
    func foreignLock() throws {
        let folder = try TemporaryFolder()
        var first: VolumeStore? = try folder.store(.small())
        let place = try #require(try first?.append([Sample(1, length: 10).entry])[0])
        let second = try folder.store(.small())
        #expect(try second.recover(volume: 1, from: 0) == nil)
        #expect(try second.volumes().map(\.isOwn) == [false])
        first = nil
        let recovery = try #require(try second.recover(volume: 1, from: 0))
        #expect(recovery.entries.map(\.place) == [place])
        #expect(try second.append([Sample(2, length: 10).entry])[0].entryOffset == place.end)
    }

    @Test("A stream is nothing until it is committed")
    func uncommitted() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        var stream: StreamedEntry? = try store.beginStream(announcedLength: 1_000_000)
        try stream?.append([UInt8](repeating: 1, count: 700_000))
        #expect(stream?.length == 700_000)
        #expect(try store.volumes().isEmpty)
        #expect(try folder.names(".part").count == 1)
        stream = nil
        #expect(try folder.names().isEmpty)
    }

    @Test("A committed stream can be taken back until it is kept")
    func revoked() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let sample = Sample(1, length: 100_000)
        let stream = try store.beginStream()
        try stream.append(sample.body)
        let place = try stream.commit(sample.facts)
        #expect(throws: VolumeFailure.closed) { try stream.append([1]) }
        #expect(throws: VolumeFailure.closed) { try stream.commit(sample.facts) }
        #expect(try store.verify(place, digest: sample.facts.digest))
        stream.abort()
        #expect(try folder.names() == ["numbers"])
        // A catalogue may remember the place: neither its old bytes nor a new volume's are read there.
        #expect(throws: VolumeFailure.notFound(volume: 1)) { try store.read(place, count: 1) }
        #expect(try store.append([Sample(2, length: 10).entry])[0].volume == 2)
    }

    @Test("A kept stream is a sealed volume that a new store hands back when it was not enrolled")
    func kept() throws {
        let folder = try TemporaryFolder()
        let sample = Sample(1, length: 100_000, others: ["kind": "multi-frame"])
        var place: Place?
        do {
            let store = try folder.store(.small())
            let stream = try store.beginStream()
            for part in sample.parts { try stream.append(part) }
            place = try stream.commit(sample.facts)
            stream.keep()
            stream.abort()
            try store.finishSealing()
        }
        #expect(try ManifestFile(folder, 1) == ManifestFile(recomputed: folder, 1, entries: 1))
        let store = try folder.store(.small())
        let recovery = try #require(try store.recover(volume: 1, from: 0))
        #expect(recovery.entries.map(\.facts) == [sample.facts])
        #expect(recovery.entries.map(\.place) == [place])
        #expect(try store.append([Sample(2, length: 10).entry])[0].volume == 2)
    }

    @Test("A committed stream counts as kept once its owner has decided", arguments: [true, false])
    func isKept(keeps: Bool) async throws {
        let folder = try TemporaryFolder()
        let (store, other) = (try folder.store(.small()), try folder.store(.small()))
        let sample = Sample(1, length: 100_000)
        let stream = try store.beginStream()
        try stream.append(sample.body)
        let place = try stream.commit(sample.facts)
        // It waits: on a thread of its own.
        async let answer = withCheckedThrowingContinuation { told in
            Thread { told.resume(with: Result { try other.isKept(volume: place.volume) }) }.start()
        }
        if keeps { stream.keep() } else { stream.abort() }
        #expect(try await answer == keeps)
        #expect(try !other.isKept(volume: 7))
    }

    @Test("Opening a folder clears streams that died, not those that live")
    func abandonedParts() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let stream = try store.beginStream()
        try stream.append([1, 2, 3])
        try Data([1]).write(to: URL(fileURLWithPath: "\(folder.path)/stream-dead.part"))
        let other = try folder.store(.small())
        #expect(try folder.names(".part").count == 1)
        let place = try stream.commit(Sample(1, body: [1, 2, 3]).facts)
        #expect(try other.read(place, count: 3) == [1, 2, 3])
    }

    @Test("A stream that died in its commit, read-only already, is cleared; what cannot be cleared stops nobody")
    func readOnlyPart() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/stream-dead.part"
        try Data([1]).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path)
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/stream-folder.part", withIntermediateDirectories: true)
        _ = try VolumeStore(
            directory: folder.path, fileSystem: FaultyFileSystem(isSuperuser: false), options: .small())
        #expect(try folder.names(".part") == ["stream-folder.part"])
    }

    @Test("A volume taken back while a manifest waits for its lock gets none")
    func revokedWhileListing() async throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let sample = Sample(1, length: 10_000)
        do {
            let stream = try store.beginStream()
            try stream.append(sample.body)
            _ = try stream.commit(sample.facts)
            let other = try folder.store(.small())
            async let refreshed: Void = Task.detached { try other.refreshSeals() }.value
            try await Task.sleep(for: .milliseconds(200))
            stream.abort()
            try await refreshed
        }
        #expect(try folder.names() == ["numbers"])
    }

    @Test("A volume that is gone is nothing to recover, and no number comes twice")
    func gone() throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        #expect(try store.recover(volume: 1, from: 0) == nil)
        #expect(throws: VolumeFailure.notFound(volume: 1)) { try store.entries(volume: 1) { _ in true } }
        #expect(try store.append([Sample(1, length: 10).entry])[0].volume == 1)
        store.close()
        try FileManager.default.removeItem(atPath: "\(folder.path)/000001.tar")
        #expect(try folder.store(.small()).append([Sample(1, length: 10).entry])[0].volume == 2)
        // Without the counter the highest number in sight decides.
        try FileManager.default.removeItem(atPath: "\(folder.path)/numbers")
        #expect(try folder.store(.small()).append([Sample(1, length: 10).entry])[0].volume == 3)
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/numbers"))
        #expect(try folder.store(.small()).append([Sample(1, length: 10).entry])[0].volume == 4)
        #expect(try folder.store(.small()).append([Sample(1, length: 10).entry])[0].volume == 5)
    }

    @Test("Streams and batches side by side take different numbers")
    func numbers() async throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small(100_000))
        let numbers = try await withThrowingTaskGroup(of: [Int].self) { group in
            group.addTask { try (0..<20).map { try store.append([Sample($0, length: 40_000).entry])[0].volume } }
            for task in 1...3 {
                group.addTask {
                    try (0..<6).map { index in
                        let sample = Sample(task * 1_000 + index, length: 5_000)
                        let stream = try store.beginStream()
                        try stream.append(sample.body)
                        let place = try stream.commit(sample.facts)
                        stream.keep()
                        return place.volume
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(numbers).count >= 18)
        let found = try store.allEntries()
        #expect(found.count == 38)
        #expect(found.allSatisfy { $0.isIntact == true })
    }
}
