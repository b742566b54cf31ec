// The file of the catalogue: several writers, readers beside them, damage, and versions.

import Catalog
import Foundation
import GRDB
import Synchronization
import Testing

@Suite("The file")
struct CatalogFile {
    @Test("two processes' worth of writers and a reader: nothing lost, nothing counted twice")
    func concurrent() throws {
        let scratch = try Scratch()
        let catalogs = [try scratch.catalog(), try scratch.catalog()]
        // Writers overlap in a third of their instances.
        @Sendable func batch(_ writer: Int, _ step: Int) -> [Enrollment] {
            (0..<8).map { index in
                let number = step * 12 + index + (writer == 1 ? 4 : 0)
                return sample(
                    "1.\(number)", study: "2.\(number % 5)", series: "3.\(number % 7)", offset: Int64(number) * 512,
                    ["PatientName": "Lê^Số \(number)"])
            }
        }
        let isDone = Atomic(false)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 3) { thread in
            do {
                if thread == 2 {
                    var last = 0
                    while !isDone.load(ordering: .acquiring) {
                        let seen = try catalogs[0].find(query(.study, ["PatientName": "le*"])).count
                        let statistics = try catalogs[1].statistics()
                        if statistics.instances < last { failures.withLock { $0.append("instances went back") } }
                        last = statistics.instances
                        if seen > 5 { failures.withLock { $0.append("\(seen) studies") } }
                    }
                } else {
                    for step in 0..<40 { try catalogs[thread].enroll(batch(thread, step)) }
                    if thread == 0 { isDone.store(true, ordering: .releasing) }
                }
            } catch {
                isDone.store(true, ordering: .releasing)
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try catalogs[0].statistics().instances == 40 * 12)
        #expect(try catalogs[1].integrityCheck() == [])
        let alone = try Scratch()
        let reference = try alone.catalog()
        for step in 0..<40 { try reference.enroll(batch(0, step) + batch(1, step)) }
        #expect(try reference.snapshot() == catalogs[1].snapshot())
    }

    @Test("positions are written with the rows, never go back, and outlive the process")
    func positions() throws {
        let scratch = try Scratch()
        do {
            let catalog = try scratch.catalog()
            _ = try catalog.enroll([sample("1.1")], enrolledTo: [1: 5_000, 2: 100])
            _ = try catalog.enroll([sample("1.2")], enrolledTo: [1: 4_000])
            try catalog.close()
        }
        let catalog = try scratch.catalog()
        #expect(try catalog.enrolledPositions() == [1: 5_000, 2: 100])
        #expect(try catalog.statistics().instances == 2)
    }

    @Test("a batch that fails leaves nothing behind")
    func rollback() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let before = try catalog.snapshot()
        // Two instances cannot lie at one place.
        let batch = [sample("1.1", offset: 512), sample("1.2", offset: 512)]
        #expect(throws: CatalogError.self) { try catalog.enroll(batch, enrolledTo: [1: 9_000]) }
        #expect(try catalog.snapshot() == before)
        #expect(try catalog.enrolledPositions().isEmpty)
        #expect(try catalog.changes(after: 0).isEmpty)
    }

    @Test("a batch whose bytes did not become durable is withdrawn whole, and the next one finds a clean table")
    func withdrawn() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        _ = try catalog.enroll([sample("1.1"), sample("1.5", content: 1, receivedAt: 50)], enrolledTo: [1: 1_000])
        let before = try catalog.snapshot()
        // A new study, an earlier speaker for a known one, a second patient, a conflict and a duplicate.
        let batch = [
            sample("1.2", study: "1.2.9", series: "1.2.9.1", patient: "P9", offset: 4_096),
            sample("1.3", patient: "P8", receivedAt: 1, offset: 8_192, ["Modality": "MR"]),
            sample("1.5", content: 2, receivedAt: 5, offset: 12_288), sample("1.1", receivedAt: 0, offset: 16_384),
        ]
        var seen: Int?
        #expect(throws: CatalogError.withdrawn) {
            try catalog.enroll(batch, enrolledTo: [1: 9_000]) {
                // Written, but not visible to anyone yet.
                seen = try? catalog.statistics().instances
                return false
            }
        }
        #expect(seen == 2)
        #expect(try catalog.snapshot() == before)
        #expect(try catalog.enrolledPositions() == [1: 1_000])
        #expect(try catalog.changes(after: 0).map(\.instances) == [2])
        #expect(try catalog.integrityCheck() == [])

        _ = try catalog.enroll(batch, enrolledTo: [1: 9_000]) { true }
        let straight = try Scratch()
        let reference = try straight.catalog()
        try reference.enroll([sample("1.1"), sample("1.5", content: 1, receivedAt: 50)])
        try reference.enroll(batch)
        #expect(try catalog.snapshot() == reference.snapshot())
        #expect(try catalog.enrolledPositions() == [1: 9_000])
        #expect(try catalog.integrityCheck() == [])
    }

    @Test("a file that is no catalogue is corrupt, and is not touched")
    func corrupt() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/catalog.sqlite"
        let junk = Data((0..<8_192).map { UInt8(truncatingIfNeeded: $0 &* 37) })
        try junk.write(to: URL(fileURLWithPath: path))
        #expect(throws: CatalogError.corrupt) { try scratch.catalog() }
        #expect(FileManager.default.contents(atPath: path) == junk)
    }

    @Test("a catalogue of a later version is refused with its version")
    func newer() throws {
        let scratch = try Scratch()
        try scratch.catalog().close()
        let queue = try DatabaseQueue(path: scratch.path + "/catalog.sqlite")
        try queue.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA user_version = 99") }
        #expect(throws: CatalogError.newerSchema(version: 99)) { try scratch.catalog() }
    }

    @Test("a write lock held elsewhere is busy, and reads go on")
    func busy() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog(busyTimeout: 0.05)
        let queue = try DatabaseQueue(path: scratch.path + "/catalog.sqlite")
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            #expect(throws: CatalogError.busy) { try catalog.enroll([sample("1.1")]) }
            let seen = try catalog.statistics().instances
            #expect(seen == 0)
            try db.execute(sql: "ROLLBACK")
        }
        #expect(try catalog.enroll([sample("1.1")]) == [.new])
    }

    @Test("Who commits one batch after the other lets another process in")
    func turns() throws {
        let scratch = try Scratch()
        let (busy, other) = (try scratch.catalog(), try scratch.catalog())
        let isDone = Atomic(false)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 2) { thread in
            do {
                if thread == 0 {
                    while !isDone.load(ordering: .acquiring) {
                        _ = try busy.enroll([], enrolledTo: [:]) {
                            usleep(20_000)
                            return true
                        }
                    }
                } else {
                    defer { isDone.store(true, ordering: .releasing) }
                    for number in 0..<5 { _ = try other.enroll([sample("1.\(number)")]) }
                }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try busy.statistics().instances == 5)
    }

    @Test(
        "SQLite's codes become failures that say what to do",
        arguments: [
            (ResultCode.SQLITE_FULL, CatalogError.full), (.SQLITE_IOERR_SHMSIZE, .full), (.SQLITE_BUSY, .busy),
            (.SQLITE_BUSY_SNAPSHOT, .busy), (.SQLITE_LOCKED, .busy), (.SQLITE_CORRUPT, .corrupt),
            (.SQLITE_NOTADB, .corrupt),
            (.SQLITE_CORRUPT_VTAB, .corrupt), (.SQLITE_IOERR_READ, .failed(code: 266)),
        ])
    func codes(code: ResultCode, expected: CatalogError) {
        #expect(CatalogError(DatabaseError(resultCode: code)) == expected)
    }
}
