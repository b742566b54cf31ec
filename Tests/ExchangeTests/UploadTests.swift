// What has arrived in part: one writer at a time, bounds for each station, and nothing lost that is being written.

import Exchange
import Foundation
import Testing

@Suite("Objects that have arrived in part")
struct UploadTests {
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appending(path: "phim-\(UUID().uuidString)").path
        var limits = UploadLimits()

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func open() -> UploadFolder { UploadFolder(path: path, limits: limits) { true } }

        func put(_ station: Int64, _ digest: String, _ count: Int, in uploads: UploadFolder) throws(UploadFailure) {
            let ticket = try uploads.take(station: station, digest: digest, length: 1 << 20)
            defer { ticket.leave() }
            try ticket.append([UInt8](repeating: 7, count: count))
        }
    }

    @Test("whoever is overtaken writes no more, and takes nothing away") func overtaken() throws {
        let folder = Folder()
        let uploads = folder.open()
        let first = try uploads.take(station: 1, digest: "a", length: 400_000)
        try first.append([UInt8](repeating: 1, count: 100_000))
        let second = try uploads.take(station: 1, digest: "a", length: 400_000)
        #expect(second.received == 100_000)
        #expect(throws: UploadFailure.superseded) { try first.append([9]) }
        #expect(throws: UploadFailure.superseded) { try first.accept() }
        first.remove()
        first.leave()
        try second.append([UInt8](repeating: 2, count: 100_000))
        second.leave()
        // Let go, it is another's.
        let third = try uploads.take(station: 1, digest: "a", length: 400_000)
        #expect(throws: UploadFailure.superseded) { try second.append([9]) }
        second.remove()
        #expect(third.received == 200_000)
        #expect(try third.read(from: 99_999, count: 2) == [1, 2])
        // Of another process the same.
        third.leave()
        #expect(folder.open().partial(station: 1, limit: 9) == ["a": 200_000])
    }

    @Test("what is being taken in is nobody else's") func accepting() throws {
        let folder = Folder()
        let uploads = folder.open()
        let ticket = try uploads.take(station: 1, digest: "a", length: 3)
        try ticket.append([1, 2, 3])
        try ticket.accept()
        #expect(throws: UploadFailure.accepting) { _ = try uploads.take(station: 1, digest: "a", length: 3) }
        uploads.discard(station: 1, digest: "a")
        #expect(try ticket.read(from: 0, count: 9) == [1, 2, 3])
        ticket.leave()
        let again = try uploads.take(station: 1, digest: "a", length: 3)
        #expect(again.received == 3)
        try again.accept()
        again.remove()
        #expect(uploads.partial(station: 1, limit: 9).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/1").isEmpty)
    }

    @Test("a station's share is its own: its oldest make way, never the one that goes on") func share() throws {
        let folder = Folder()
        folder.limits.stationObjects = 3
        folder.limits.stationOctets = 400_000
        let uploads = folder.open()
        for name in ["a", "b", "c"] { try folder.put(1, name, 100_000, in: uploads) }
        // The oldest goes on, and stays.
        let oldest = try uploads.take(station: 1, digest: "a", length: 1 << 20)
        try oldest.append([UInt8](repeating: 8, count: 150_000))
        #expect(Set(uploads.partial(station: 1, limit: 9).keys) == ["a", "c"])
        try oldest.append([UInt8](repeating: 8, count: 100_000))
        #expect(uploads.partial(station: 1, limit: 9) == ["a": 350_000])
        #expect(throws: UploadFailure.full) { try oldest.append([UInt8](repeating: 8, count: 100_000)) }
        oldest.leave()
        for name in ["d", "e", "f"] { try folder.put(1, name, 10, in: uploads) }
        #expect(Set(uploads.partial(station: 1, limit: 9).keys) == ["d", "e", "f"])
        #expect(uploads.longest == 400_000)
    }

    @Test("no station keeps the others out") func fair() throws {
        let folder = Folder()
        folder.limits.octets = 500_000
        let uploads = folder.open()
        for name in ["a", "b", "c", "d"] { try folder.put(1, name, 120_000, in: uploads) }
        try folder.put(2, "x", 100_000, in: uploads)
        try folder.put(2, "y", 100_000, in: uploads)
        #expect(uploads.partial(station: 2, limit: 9) == ["x": 100_000, "y": 100_000])
        #expect(Set(uploads.partial(station: 1, limit: 9).keys) == ["c", "d"])
        uploads.discard(station: 2, digest: "x")
        #expect(uploads.partial(station: 2, limit: 9) == ["y": 100_000])
    }

    @Test("what is longer than all of it begins anew") func tooLong() throws {
        let folder = Folder()
        let uploads = folder.open()
        try folder.put(1, "a", 100_000, in: uploads)
        let ticket = try uploads.take(station: 1, digest: "a", length: 50_000)
        #expect(ticket.received == 0)
        #expect(throws: UploadFailure.unreadable) { _ = try uploads.take(station: 1, digest: "a", length: 50_001) }
        ticket.remove()
    }
}
