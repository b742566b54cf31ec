// Every call to the file system fails once, in every way, in the middle of real work: what was acknowledged stays.

import FaultInjection
import Foundation
import Glibc
import Synchronization
import Testing
import Volumes

/// What a scenario was told is safe, and how far it "enrolled" each volume.
private struct Ledger {
    var acknowledged: [Place: Sample] = [:]
    var enrolled: [Int: Int64] = [:]
    var erased: Set<Place> = []
    var failedErasures: Set<Place> = []
    var failures = 0

    var places: Set<Place> { Set(acknowledged.keys) }

    mutating func acknowledge(_ samples: [Sample], _ places: [Place]) {
        for (sample, place) in zip(samples, places) {
            acknowledged[place] = sample
            enrolled[place.volume] = max(enrolled[place.volume] ?? 0, place.end)
        }
    }
}

/// What a store said of itself.
private final class Told: Sendable {
    private let all = Mutex<[VolumeTrouble]>([])

    var troubles: [VolumeTrouble] { all.withLock { $0 } }

    func note(_ trouble: VolumeTrouble) { all.withLock { $0.append(trouble) } }
}

@Suite("Faults of the file system")
struct FaultTests {
    private static let options = VolumeOptions.small(120_000)

    /// Work of every kind; each step either succeeds and is noted, or throws and must leave nothing.
    private func work(
        _ folder: TemporaryFolder, _ fileSystem: FaultyFileSystem, isStrict: Bool = false
    ) throws -> Ledger {
        var ledger = Ledger()
        var opened: VolumeStore?
        for _ in 0..<2 where opened == nil {
            opened = try? VolumeStore(directory: folder.path, fileSystem: fileSystem, options: Self.options)
        }
        let store = try #require(opened)
        for index in 0..<9 {
            let samples = (0..<3).map { Sample(index * 10 + $0, length: ($0 * 2 + index) * 1_700) }
            if let places = try? store.append(samples.map(\.entry)) {
                ledger.acknowledge(samples, places)
            } else {
                ledger.failures += 1
                // Nothing of a refused batch can be seen, neither now by others nor later by anyone.
                if isStrict { #expect(try visible(folder) == ledger.places) }
            }
            if index == 5 { stream(Sample(900, length: 40_000), store, &ledger) }
            if index == 6,
                let victim = ledger.acknowledged.keys.min(by: {
                    ($0.volume, $0.entryOffset) < ($1.volume, $1.entryOffset)
                })
            {
                erase(victim, store, &ledger)
            }
        }
        try? store.refreshSeals()
        try? store.finishSealing()
        return ledger
    }

    /// Deletes, repeating it once. An entry whose deletion failed twice may be there or not.
    private func erase(_ victim: Place, _ store: VolumeStore, _ ledger: inout Ledger) {
        for _ in 0..<2 {
            if (try? store.erase([victim])) != nil {
                ledger.erased.insert(victim)
                break
            }
            ledger.failures += 1
        }
        ledger.acknowledged[victim] = nil
        if !ledger.erased.contains(victim) { ledger.failedErasures.insert(victim) }
    }

    /// What a program that knows nothing of the store finds in the folder.
    private func visible(_ folder: TemporaryFolder) throws -> Set<Place> {
        Set(try folder.store(Self.options).allEntries().map(\.place))
    }

    private func stream(_ sample: Sample, _ store: VolumeStore, _ ledger: inout Ledger) {
        do {
            let stream = try store.beginStream()
            for part in sample.parts { try stream.append(part) }
            let place = try stream.commit(sample.facts)
            ledger.acknowledge([sample], [place])
            stream.keep()
        } catch {
            ledger.failures += 1
        }
    }

    /// A new store finds all that was acknowledged, nothing half, and works.
    private func check(_ folder: TemporaryFolder, _ ledger: Ledger, isStrict: Bool, _ label: Comment) throws {
        let store = try folder.store(Self.options)
        for volume in try store.volumes() {
            let found = try store.recover(volume: volume.number, from: ledger.enrolled[volume.number] ?? 0)
            let recovery = try #require(found, label)
            #expect(recovery.flaw == nil, label)
            if isStrict { #expect(recovery.entries.isEmpty, label) }
        }
        let kept = ledger.acknowledged
        for (place, sample) in kept {
            #expect(try store.verify(place, digest: sample.facts.digest), label)
        }
        for place in ledger.erased {
            #expect(throws: VolumeFailure.erased, label) { try store.read(place, count: 1) }
        }
        let found = try store.allEntries()
        let uncertain = ledger.failedErasures
        #expect(found.allSatisfy { $0.isIntact == true || uncertain.contains($0.place) }, label)
        #expect(Set(found.map(\.place)).isSuperset(of: kept.keys), label)
        if isStrict { #expect(found.count == kept.count, label) }
        let later = Sample(5_000, length: 10_000)
        let place = try store.append([later.entry])[0]
        #expect(try store.verify(place, digest: later.facts.digest), label)
        #expect(try folder.names(".part").isEmpty, label)
        // Starting a program costs more than all the rest: one folder in eight.
        for name in try folder.names(".tar") where Tar.isInstalled && place.entryOffset / 512 % 8 == 0 {
            #expect(try Tar.run("-tf", "\(folder.path)/\(name)").status == 0, label)
        }
    }

    @Test(
        "The Nth call fails once: all acknowledged is there, nothing half visible, later appends work",
        arguments: Fault.allCases)
    func single(fault: Fault) throws {
        var call = 1
        while true {
            let folder = try TemporaryFolder()
            let fileSystem = FaultyFileSystem(fault, calls: call..<call + 1)
            let ledger = try work(folder, fileSystem, isStrict: true)
            // A scenario that made fewer calls than that has met no fault: all were tried.
            let label: Comment = "\(fault) at call \(call)"
            try check(folder, ledger, isStrict: true, label)
            if ledger.failures == 0 && fileSystem.hits == 0 && !fileSystem.reached(call) { break }
            call += 1
        }
        #expect(call > 100)
    }

    @Test(
        "The disk fails for good from the Nth call on: all acknowledged is there after a restart",
        arguments: [Fault.inputOutput, .failedSync, .noSpace])
    func lasting(fault: Fault) throws {
        for call in stride(from: 8, to: 260, by: 7) {
            let folder = try TemporaryFolder()
            let ledger = try work(folder, FaultyFileSystem(fault, calls: call..<Int.max))
            try check(folder, ledger, isStrict: false, "\(fault) from call \(call)")
        }
    }

    @Test("A volume that cannot be sealed, or not be cleared of what failed, is told of")
    func troubles() throws {
        let folder = try TemporaryFolder()
        let fileSystem = FaultyFileSystem()
        let told = Told()
        let store = try VolumeStore(
            directory: folder.path, fileSystem: fileSystem, options: .small(100_000), tell: { told.note($0) })
        _ = try store.append([Sample(1, length: 60_000).entry])
        fileSystem.refuse(["fchmod"])
        _ = try store.append([Sample(2, length: 60_000).entry])
        let failure = VolumeFailure.io(errno: EIO, operation: "fchmod")
        #expect(throws: failure) { try store.finishSealing() }
        #expect(told.troubles == [.unsealed(volume: 1, failure)])
        fileSystem.refuse(["pwrite", "punch", "ftruncate"])
        #expect(throws: VolumeFailure.self) { try store.append([Sample(3, length: 1_000).entry]) }
        #expect(told.troubles.count == 2)
        guard case .abandoned(volume: 2, _) = told.troubles.last else {
            Issue.record("not told: \(told.troubles)")
            return
        }
        fileSystem.refuse([])
        #expect(try store.append([Sample(4, length: 1_000).entry])[0].volume == 3)
        #expect(told.troubles.count == 2)
    }

    @Test("Some calls fail at random and again and again", arguments: 0..<40)
    func random(seed: Int) throws {
        var random = Seeded(seed)
        let folder = try TemporaryFolder()
        let start = Int.random(in: 8...200, using: &random)
        let fault = Fault.allCases.randomElement(using: &random) ?? .inputOutput
        let calls = start..<start + Int.random(in: 2...12, using: &random)
        let ledger = try work(folder, FaultyFileSystem(fault, calls: calls))
        try check(folder, ledger, isStrict: false, "\(fault) at calls \(calls)")
    }
}
