// An archive over faulty disks, senders that know what they were told, and the oracle: what must be true afterwards.

import Catalog
import Crypto
import DICOMCore
import FaultInjection
import Foundation
import Ingest
import Logging
import Synchronization
import Testing
import Volumes

/// What senders were told.
final class Told: Sendable {
    struct State {
        var accepted: [Sample] = []
        var refused: [Sample] = []
        var failures: [IngestFailure] = []
    }

    private let state = Mutex(State())

    var now: State { state.withLock { $0 } }

    func note(_ sample: Sample, _ result: Result<Receipt, any Error>) {
        state.withLock { state in
            switch result {
            case .success: state.accepted.append(sample)
            case .failure(let error):
                state.refused.append(sample)
                if let failure = error as? IngestFailure { state.failures.append(failure) }
            }
        }
    }
}

/// The pipeline over a store and a catalogue whose disks fail as told; the folder goes with the value.
///
/// The catalogue lies in memory where the machine has such a folder: its syncs are not what is tested.
final class FaultBench {
    private let options: VolumeOptions

    private(set) var place: URL
    private(set) var catalogPlace: URL
    let fileSystem: FaultyFileSystem
    let catalogFiles: FaultyCatalogFiles
    private(set) var archive: (volumes: VolumeStore, catalog: CatalogStore, ingest: IngestPipeline)
    let told = Told()

    init(hasDirect: Bool = true, reserve: Int64 = 0) throws {
        options = VolumeOptions(volumeSize: 256 << 10, zeroAhead: 64 << 10, reserve: reserve)
        let name = "phim-faults-\(UUID().uuidString)"
        place = FileManager.default.temporaryDirectory.appending(path: name)
        let memory = URL(filePath: "/dev/shm")
        let isWritable = FileManager.default.isWritableFile(atPath: memory.path)
        catalogPlace = (isWritable ? memory : place).appending(path: "\(name)-catalog")
        for folder in [place, catalogPlace] {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        fileSystem = FaultyFileSystem(hasDirect: hasDirect)
        catalogFiles = FaultyCatalogFiles(folder: catalogPlace.path)
        archive = try Self.open(place, catalogPlace, fileSystem, options)
    }

    private static func open(
        _ place: URL, _ catalogPlace: URL, _ fileSystem: any FileSystem, _ options: VolumeOptions
    ) throws -> (VolumeStore, CatalogStore, IngestPipeline) {
        var limits = IngestLimits()
        limits.streamThreshold = 200_000
        limits.tightStreamThreshold = 200_000
        limits.inspectedPrefix = 50_000
        var logger = Logger(label: "test")
        logger.handler = SwiftLogNoOpLogHandler()
        let volumes = try VolumeStore(directory: place.path, fileSystem: fileSystem, options: options)
        let catalog = try CatalogStore(path: catalogPlace.appending(path: "catalog.sqlite").path, busyTimeout: 0.2)
        return (volumes, catalog, IngestPipeline(volumes: volumes, catalog: catalog, limits: limits, logger: logger))
    }

    func close() {
        _ = archive.ingest.stop()
        archive.volumes.close()
        try? archive.catalog.close()
    }

    deinit {
        close()
        try? FileManager.default.removeItem(at: place)
        try? FileManager.default.removeItem(at: catalogPlace)
    }

    // MARK: Load

    /// Sends as C-STORE does, and notes what came of it.
    @discardableResult
    func send(_ sample: Sample) -> Receipt.Outcome? { Self.send(sample, archive.ingest, told) }

    private static func send(_ sample: Sample, _ ingest: IngestPipeline, _ told: Told) -> Receipt.Outcome? {
        let result = Result<Receipt, any Error> {
            let identity = AnnouncedIdentity(
                sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: sample.sopInstanceUID,
                transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
            var arrival = ingest.begin(Origin(source: "TEST", announced: identity))
            try unsafe sample.dataSet.withUnsafeBytes { try unsafe arrival.append($0) }
            return try ingest.accept(arrival)
        }
        told.note(sample, result)
        return try? result.get().outcome
    }

    /// Four senders at once, three objects each: small ones, one that streams, and one that is sent twice.
    func load() {
        let (ingest, told) = (archive.ingest, told)
        let ended = DispatchGroup()
        for sender in 0..<4 {
            ended.enter()
            let thread = Thread {
                for number in 0..<3 {
                    var sample = Sample(number: sender * 3 + number, bytes: (number * 4 + sender) * 2_900 + 600)
                    if sender == 0, number == 1 { sample.pixels = Sample.noise(300_000) }
                    _ = Self.send(sample, ingest, told)
                    if sender == 1, number == 1 { _ = Self.send(sample, ingest, told) }
                }
                ended.leave()
            }
            thread.start()
        }
        ended.wait()
    }

    // MARK: The oracle

    /// What of the refused objects may nevertheless be found after a restart.
    enum Refused {
        /// Nothing.
        case invisible
        /// Whole objects: the disk would not let them be taken back.
        case wholeAfterRestart
    }

    /// Before a restart: exactly the acknowledged objects are in the catalogue, and they are what was sent.
    func checkLive(_ label: Comment) throws {
        let told = told.now
        #expect(try visible() == Set(told.accepted.map(\.sopInstanceUID)), label)
        try checkBytes(of: told.accepted, label)
    }

    /// The fault has passed: later objects are taken, and refused ones that are sent again.
    func checkGoesOn(resends: Bool, _ label: Comment) {
        if resends {
            let refused = told.now.refused
            for sample in refused { #expect(send(sample) != nil, label) }
        }
        for number in 0..<2 { #expect(send(Sample(number: 50 + number, bytes: 9_000)) == .stored, label) }
    }

    /// After a restart, and in a catalogue made from the volumes alone.
    /// - Parameter crashing: whether the archive is opened as it lies on the disk now, not as an orderly end leaves it.
    func checkReopened(_ refused: Refused, crashing: Bool, _ label: Comment) throws {
        if crashing { try crash() } else { close() }
        archive = try Self.open(place, catalogPlace, FaultyFileSystem(), options)
        let replay = Replay(volumes: archive.volumes, catalog: archive.catalog)
        let summary = try replay.catchUp()
        #expect(summary.flaws.isEmpty && summary.unreadable == 0, label)
        let told = told.now
        let accepted = Set(told.accepted.map(\.sopInstanceUID))
        let found = try visible()
        switch refused {
        case .invisible: #expect(found == accepted, label)
        case .wholeAfterRestart: #expect(found.isSuperset(of: accepted), label)
        }
        try checkBytes(of: (told.accepted + told.refused).filter { found.contains($0.sopInstanceUID) }, label)
        #expect(try archive.catalog.conflicts().isEmpty, label)
        #expect(try archive.catalog.integrityCheck().isEmpty, label)
        let rebuilt = try CatalogStore(path: catalogPlace.appending(path: "rebuilt.sqlite").path)
        _ = try Replay(volumes: archive.volumes, catalog: rebuilt).everything()
        #expect(try rebuilt.snapshot() == archive.catalog.snapshot(), label)
        try rebuilt.close()
        #expect(send(Sample(number: 90, bytes: 5_000)) == .stored, label)
    }

    /// Goes on with a copy of the files as they are while everything is still open.
    private func crash() throws {
        try? archive.volumes.finishSealing()
        let left = [place, catalogPlace]
        let copies = left.map { $0.appendingPathExtension("crashed") }
        for (old, new) in zip(left, copies) { try Self.copy(old, to: new) }
        close()
        for old in left { try? FileManager.default.removeItem(at: old) }
        (place, catalogPlace) = (copies[0], copies[1])
    }

    /// A file that background work takes away while the folder is read ends the copy: then once more.
    private static func copy(_ old: URL, to new: URL) throws {
        for _ in 0..<50 {
            do { return try FileManager.default.copyItem(at: old, to: new) } catch {
                try? FileManager.default.removeItem(at: new)
            }
        }
        try FileManager.default.copyItem(at: old, to: new)
    }

    private func visible() throws -> Set<String> {
        Set(try archive.catalog.instances(after: 0).map(\.sopInstanceUID))
    }

    private func checkBytes(of samples: [Sample], _ label: Comment) throws {
        for sample in samples {
            let kept = try #require(try archive.catalog.primary(sopInstanceUID: sample.sopInstanceUID), label)
            let bytes = try archive.volumes.read(kept.place, count: Int(kept.place.length))
            #expect(Array(SHA256.hash(data: bytes)) == kept.digest, label)
            #expect(Array(bytes[kept.dataSetOffset...]) == sample.dataSet, label)
        }
    }
}

extension Sample {
    /// Object number `number` of a series of its own; its pixels differ in every block.
    init(number: Int, bytes: Int) {
        self.init(
            studyInstanceUID: "2.25.\(100 + number / 6)", seriesInstanceUID: "2.25.\(200 + number / 3)",
            pixels: Self.noise(bytes / 2 * 2))
    }

    static func noise(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 % 997 &* 31 &+ 1) } }
}
