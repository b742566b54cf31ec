// The straight line as a whole: what is acknowledged is durable, enrolled, and byte for byte what came.

import Catalog
import Crypto
import DICOMCore
import FaultInjection
import Foundation
import Ingest
import Synchronization
import Testing
import Volumes

@Suite struct IngestTests {
    @Test("An accepted object is enrolled and its data set is kept byte for byte (invariants 2 and 3)")
    func stored() throws {
        let bench = try Bench()
        let sample = Sample()
        let receipt = try bench.send(sample)
        #expect(receipt.outcome == .stored)
        #expect(receipt.flaws.isEmpty)
        let kept = try #require(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID))
        let bytes = try bench.volumes.read(kept.place, count: Int(kept.place.length))
        #expect(Array(bytes[kept.dataSetOffset...]) == sample.dataSet)
        #expect(Array(SHA256.hash(data: bytes)) == kept.digest)
    }

    @Test("Readers that hold every connection of the catalogue keep no object out, a duplicate neither")
    func busyReaders() throws {
        let bench = try Bench()
        let first = Sample()
        try bench.send(first)
        let (reading, goOn, done) = (
            DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)
        )
        let readers = 8
        for _ in 0..<readers {
            Thread.detachNewThread { [catalog = bench.catalog] in
                var isFirst = true
                try? catalog.snapshot { _ in
                    guard isFirst else { return }
                    isFirst = false
                    reading.signal()
                    goOn.wait()
                }
                done.signal()
            }
        }
        for _ in 0..<readers { reading.wait() }
        let taken = DispatchSemaphore(value: 0)
        let outcomes = Mutex<[Receipt.Outcome]>([])
        Thread.detachNewThread {
            for sample in [Sample(), first] {
                guard let outcome = try? bench.send(sample).outcome else { continue }
                outcomes.withLock { $0.append(outcome) }
            }
            taken.signal()
        }
        let isTaken = taken.wait(timeout: .now() + 60) == .success
        for _ in 0..<readers { goOn.signal() }
        for _ in 0..<readers { done.wait() }
        if !isTaken { taken.wait() }
        #expect(isTaken)
        #expect(outcomes.withLock { $0 } == [.stored, .duplicate])
    }

    @Test("The same bytes again are a success and are not stored twice (invariant 4)")
    func duplicate() throws {
        let bench = try Bench()
        let sample = Sample()
        try bench.send(sample)
        let before = try bench.catalog.enrolledPositions()
        #expect(try bench.send(sample).outcome == .duplicate)
        #expect(try bench.catalog.enrolledPositions() == before)
        #expect(try bench.catalog.statistics().instances == 1)
    }

    @Test("The same data set under another file header is the same object")
    func duplicateByImport() throws {
        let bench = try Bench()
        let sample = Sample()
        try bench.send(sample)
        var file = sample.file
        file.replaceSubrange(0..<4, with: Array("TIFF".utf8))  // PS3.10 Section 7.1: the preamble may hold anything.
        #expect(try bench.bringIn(file).outcome == .duplicate)
    }

    @Test("Other bytes under the same UID: both kept, the first stays primary, the conflict is listed (invariant 4)")
    func conflict() throws {
        let bench = try Bench()
        let first = Sample()
        var second = first
        second.pixels = [UInt8](repeating: 9, count: 2048)
        try bench.send(first)
        let digest = try #require(try bench.catalog.primary(sopInstanceUID: first.sopInstanceUID)).digest
        #expect(try bench.send(second).outcome == .conflict)
        let conflict = try #require(try bench.catalog.conflicts().first)
        #expect(conflict.copies.count == 2)
        #expect(conflict.copies[0].digest == digest)
        for copy in conflict.copies { #expect(try bench.volumes.verify(copy.place, digest: copy.digest)) }
    }

    @Test("Many senders of one object at once: one is stored, the others are duplicates, one copy is left")
    func race() async throws {
        let bench = try Bench()
        let sample = Sample()
        let outcomes = try await withThrowingTaskGroup(of: Receipt.Outcome.self) { group in
            for _ in 0..<16 {
                group.addTask { [ingest = bench.ingest] in
                    try await onThread {
                        var arrival = ingest.begin(
                            Origin(
                                source: "RACE",
                                announced: AnnouncedIdentity(
                                    sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: sample.sopInstanceUID,
                                    transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)))
                        try unsafe sample.dataSet.withUnsafeBytes { try unsafe arrival.append($0) }
                        return try ingest.accept(arrival).outcome
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 == .stored }.count == 1)
        #expect(outcomes.filter { $0 == .duplicate }.count == 15)
        #expect(try bench.catalog.conflicts().isEmpty)
        var alive = 0
        for volume in try bench.volumes.volumes() {
            _ = try bench.volumes.entries(volume: volume.number) { entry in
                if !entry.isErased { alive += 1 }
                return true
            }
        }
        #expect(alive == 1)
    }

    @Test("An object above the threshold streams to a volume of its own")
    func streamed() throws {
        var limits = IngestLimits()
        limits.streamThreshold = 100_000
        limits.inspectedPrefix = 50_000
        let bench = try Bench(limits: limits)
        var sample = Sample()
        sample.pixels = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(try bench.send(sample).outcome == .stored)
        let kept = try #require(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID))
        #expect(try bench.volumes.verify(kept.place, digest: kept.digest))
        let bytes = try bench.volumes.read(kept.place, from: Int64(kept.dataSetOffset), count: sample.dataSet.count)
        #expect(bytes == sample.dataSet)
        #expect(try bench.send(sample).outcome == .duplicate)
        #expect(try bench.volumes.volumes().count == 1)
    }

    @Test("An object that is dropped before it is accepted leaves nothing behind", arguments: [10_000, 5_000_000])
    func dropped(size: Int) throws {
        var limits = IngestLimits()
        limits.streamThreshold = 1_000_000
        let bench = try Bench(limits: limits)
        do {
            var arrival = bench.ingest.begin(Origin(source: "TEST"))
            try unsafe [UInt8](repeating: 1, count: size).withUnsafeBytes { try unsafe arrival.append($0) }
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: bench.folder.appending(path: "volumes").path)
        #expect(left.filter { $0.hasSuffix(".part") }.isEmpty)
        #expect(try bench.catalog.statistics().instances == 0)
    }

    @Test("Missing identifiers of study, series and patient are stood in for and marked, not refused")
    func flaws() throws {
        let bench = try Bench()
        var sample = Sample()
        sample.studyInstanceUID = nil
        sample.seriesInstanceUID = "../../etc"
        sample.patientID = nil
        let receipt = try bench.send(sample)
        #expect(receipt.outcome == .stored)
        #expect(receipt.flaws.count == 3)
        let kept = try #require(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID))
        #expect(UID.isValid(kept.studyInstanceUID))
        #expect(UID.isValid(kept.seriesInstanceUID))
    }

    @Test("Command and data set that name different objects are refused (PS3.4 Table B.2-1: A900H)")
    func mismatch() throws {
        let bench = try Bench()
        let sample = Sample()
        let announced = AnnouncedIdentity(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: UID.generate(),
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
        #expect(throws: IngestFailure.identifierMismatch(attribute: "SOPInstanceUID")) {
            try bench.send(sample, announced: announced)
        }
        #expect(try bench.catalog.statistics().instances == 0)
    }

    @Test("What cannot be read as far as its identifiers is refused", arguments: [0, 1, 131, 400])
    func garbage(count: Int) throws {
        let bench = try Bench()
        #expect(throws: IngestFailure.self) { try bench.bringIn([UInt8](repeating: 0xA5, count: count)) }
        #expect(try bench.catalog.statistics().instances == 0)
    }

    @Test("Unknown SOP classes are taken or refused as the policy says")
    func policy() throws {
        var limits = IngestLimits()
        limits.acceptsUnknownSOPClasses = false
        let bench = try Bench(limits: limits)
        try bench.send(Sample())
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        writer.put(.sopClassUID, "1.2.3.4")
        writer.put(.sopInstanceUID, "1.2.3.4.5")
        let file =
            Part10.header(
                sopClassUID: "1.2.3.4", sopInstanceUID: "1.2.3.4.5",
                transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid) + writer.finish()
        #expect(throws: IngestFailure.refused(reason: "SOP class not on the list")) { try bench.bringIn(file) }
    }

    @Test("An object above the maximum size is refused while it arrives")
    func tooLarge() throws {
        var limits = IngestLimits()
        limits.maximumObjectSize = 4_000
        let bench = try Bench(limits: limits)
        var sample = Sample()
        sample.pixels = [UInt8](repeating: 1, count: 8_000)
        #expect(throws: IngestFailure.tooLarge) { try bench.send(sample) }
    }

    @Test("Below the reserve objects are refused as out of space, and reading goes on (invariant 8)")
    func reserve() throws {
        let bench = try Bench(reserve: .max / 2)
        #expect(throws: IngestFailure.outOfSpace) { try bench.send(Sample()) }
        #expect(try bench.catalog.statistics().instances == 0)
    }
}

/// Runs blocking work on a thread of its own.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try body() }) }.start()
    }
}

@Suite struct RepairTests {
    @Test("A copy that has rotted makes way for the same object sent again (invariant 2)")
    func rottenCopy() throws {
        let bench = try Bench()
        let sample = Sample()
        try bench.send(sample)
        let place = try #require(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID)).place
        let file = try FileHandle(forWritingTo: bench.folder.appending(path: "volumes/000001.tar"))
        try file.seek(toOffset: UInt64(place.bodyOffset + place.length - 100))
        try file.write(contentsOf: [0xFF, 0xFE, 0xFD])
        try file.close()
        #expect(try bench.send(sample).outcome == .stored)
        let kept = try #require(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID))
        #expect(kept.place != place)
        #expect(try bench.volumes.verify(kept.place, digest: kept.digest))
        #expect(try bench.catalog.conflicts().isEmpty)
        #expect(try bench.catalog.pendingErasures().isEmpty)
        let rebuilt = try CatalogStore(path: bench.folder.appending(path: "rebuilt.sqlite").path)
        _ = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        #expect(try rebuilt.snapshot() == bench.catalog.snapshot())
    }

    @Test("A copy that has rotted stays while the good one cannot be kept")
    func rottenCopyAndFullDisk() throws {
        let fileSystem = FaultyFileSystem()
        let bench = try Bench(reserve: 1, fileSystem: fileSystem)
        let sample = Sample()
        try bench.send(sample)
        let place = try #require(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID)).place
        let file = try FileHandle(forWritingTo: bench.folder.appending(path: "volumes/000001.tar"))
        try file.seek(toOffset: UInt64(place.bodyOffset + place.length - 100))
        try file.write(contentsOf: [0xFF, 0xFE, 0xFD])
        try file.close()
        fileSystem.isFull = true
        #expect(throws: IngestFailure.outOfSpace) { try bench.send(sample) }
        #expect(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID)?.place == place)
        #expect(try bench.catalog.pendingErasures().isEmpty)
        #expect(try bench.volumes.read(place, count: 10).count == 10)
        fileSystem.isFull = false
        #expect(try bench.send(sample).outcome == .stored)
        #expect(try bench.catalog.primary(sopInstanceUID: sample.sopInstanceUID)?.place != place)
    }

    @Test("A position does not jump over a gap, so that the next start replays it")
    func gap() throws {
        let bench = try Bench()
        for _ in 0..<3 { try bench.send(Sample()) }
        let reached = try #require(try bench.catalog.enrolledPositions()[1])
        _ = try bench.catalog.enroll([], enrolledTo: [1: reached + 4096], from: [1: reached + 1024])
        #expect(try bench.catalog.enrolledPositions()[1] == reached)
        _ = try bench.catalog.enroll([], enrolledTo: [1: reached + 4096], from: [1: reached])
        #expect(try bench.catalog.enrolledPositions()[1] == reached + 4096)
    }
}
