// Every call to the disk fails, in every way, while several senders are at work: acknowledged means kept, and nothing else
// can be seen.

import Catalog
import FaultInjection
import Foundation
import Ingest
import Testing

@Suite("Faults under the pipeline")
struct FaultTests {
    @Test(
        "The Nth call to the volumes fails once: acknowledged means enrolled, refused means invisible (invariant 2)",
        arguments: [Fault.noSpace, .inputOutput, .short, .failedSync])
    func single(fault: Fault) throws {
        var call = 1
        while true {
            let label: Comment = "\(fault) at call \(call)"
            let bench = try FaultBench()
            bench.fileSystem.arm(fault, calls: call..<call + 1)
            bench.load()
            let isReached = bench.fileSystem.reached(call)
            bench.fileSystem.arm(fault, calls: 0..<0)
            try bench.checkLive(label)
            let failures = bench.told.now.failures
            // A full disk says so; anything else is told as what it is.
            #expect(failures.allSatisfy { ($0 == .outOfSpace) == (fault == .noSpace) }, label)
            // Later objects would hide what was not taken back: not every time.
            if call % 3 > 0 { bench.checkGoesOn(resends: call % 4 < 2, label) }
            try bench.checkReopened(.invisible, crashing: call % 2 == 1, label)
            if !isReached { break }
            // The later calls are those of later batches, which are alike: some of them will do.
            call += call < 50 ? 1 : 5
        }
        #expect(call > 60)
    }

    @Test(
        "The Nth call for the last object before a crash fails once: nothing written later hides what was left behind",
        arguments: [Fault.noSpace, .inputOutput, .short, .failedSync])
    func lastObject(fault: Fault) throws {
        for size in [4_000, 300_000] {
            var call = 1
            var isReached = true
            while isReached {
                let label: Comment = "\(fault) at call \(call) for \(size) bytes"
                let bench = try FaultBench()
                #expect(bench.send(Sample(number: 40, bytes: 4_000)) == .stored, label)
                bench.fileSystem.arm(fault, calls: call..<call + 1)
                bench.send(Sample(number: 41, bytes: size))
                isReached = bench.fileSystem.reached(call)
                bench.fileSystem.arm(fault, calls: 0..<0)
                try bench.checkLive(label)
                try bench.checkReopened(.invisible, crashing: true, label)
                call += 1
            }
            #expect(call > 4)
        }
    }

    @Test(
        "The disk fails and refuses to take the batch back: no success is told, and a restart finds whole objects only",
        arguments: [Fault.inputOutput, .failedSync, .noSpace])
    func failedUndo(fault: Fault) throws {
        for call in stride(from: 1, to: 50, by: 2) {
            let label: Comment = "\(fault) at call \(call), no undo"
            let bench = try FaultBench()
            bench.fileSystem.arm(fault, calls: call..<call + 1)
            bench.fileSystem.refuse(["punch", "ftruncate"])
            bench.load()
            bench.fileSystem.arm(fault, calls: 0..<0)
            try bench.checkLive(label)
            bench.checkGoesOn(resends: call % 8 < 4, label)
            try bench.checkReopened(.wholeAfterRestart, crashing: call % 4 < 2, label)
        }
    }

    @Test(
        "The disk fails for good from the Nth call on: what was acknowledged before is there after a restart",
        arguments: [Fault.inputOutput, .failedSync, .noSpace, .torn])
    func lasting(fault: Fault) throws {
        for call in stride(from: 1, to: 110, by: 6) {
            let label: Comment = "\(fault) from call \(call)"
            let bench = try FaultBench()
            bench.fileSystem.arm(fault, calls: call..<Int.max)
            bench.load()
            try bench.checkReopened(.wholeAfterRestart, crashing: call % 4 < 2, label)
        }
    }

    @Test("Syncs that fail leave nothing in the catalogue, nothing in the volumes, and no position moved")
    func failedSyncs() throws {
        let bench = try FaultBench()
        #expect(bench.send(Sample(number: 40, bytes: 4_000)) == .stored)
        let (snapshot, changes) = try (bench.archive.catalog.snapshot(), bench.archive.catalog.changes(after: 0))
        let positions = try bench.archive.catalog.enrolledPositions()
        bench.fileSystem.arm(.failedSync, calls: 1..<Int.max)
        bench.load()
        #expect(bench.told.now.accepted.count == 1)
        #expect(bench.told.now.refused.count == 13)
        bench.fileSystem.arm(.failedSync, calls: 0..<0)
        #expect(try bench.archive.catalog.snapshot() == snapshot)
        #expect(try bench.archive.catalog.changes(after: 0).count == changes.count)
        #expect(try bench.archive.catalog.enrolledPositions() == positions)
        bench.checkGoesOn(resends: true, "after failed syncs")
        try bench.checkReopened(.invisible, crashing: true, "after failed syncs")
    }

    @Test("A file system that cannot write past the page cache is written through it")
    func withoutDirect() throws {
        let bench = try FaultBench(hasDirect: false)
        bench.load()
        #expect(bench.told.now.refused.isEmpty)
        try bench.checkLive("without O_DIRECT")
        try bench.checkReopened(.invisible, crashing: true, "without O_DIRECT")
    }

    @Test("A full disk refuses at once as out of space, reading goes on, and space that returns is used")
    func fullDisk() throws {
        let bench = try FaultBench(reserve: 1)
        #expect(bench.send(Sample(number: 40, bytes: 4_000)) == .stored)
        bench.fileSystem.isFull = true
        bench.load()
        #expect(bench.told.now.refused.count == 13)
        #expect(bench.told.now.failures.allSatisfy { $0 == .outOfSpace })
        try bench.checkLive("full")
        bench.fileSystem.isFull = false
        bench.checkGoesOn(resends: true, "space again")
        try bench.checkReopened(.invisible, crashing: true, "space again")
    }
}
