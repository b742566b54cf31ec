// An archive in a temporary folder, gone with the value.

import Catalog
import DICOMCore
import Foundation
import Ingest
import Logging
import Volumes

/// A folder of its own below the system's temporary folder (TMPDIR), removed with the value.
final class TemporaryFolder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "phim-micro-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Volumes alone.
final class VolumeBench {
    private let folder: TemporaryFolder
    let store: VolumeStore

    init() throws {
        folder = try TemporaryFolder()
        store = try VolumeStore(directory: folder.path + "/volumes", options: .quiet)
    }

    deinit { store.close() }
}

/// A catalogue, empty or with studies of some days.
final class CatalogBench {
    private let folder: TemporaryFolder
    let store: CatalogStore
    private(set) var next = 0

    /// - Parameter slices: enrolled beforehand, four to a study.
    init(slices: Int) throws {
        folder = try TemporaryFolder()
        store = try CatalogStore(path: folder.path + "/catalog.sqlite")
        while next < slices { try enroll(batch(of: min(500, slices - next))) }
    }

    deinit { try? store.close() }

    /// Slices that the catalogue has not seen.
    func batch(of count: Int) -> [Enrollment] {
        defer { next += count }
        return (next..<next + count).map(Self.enrollment)
    }

    func enroll(_ batch: [Enrollment]) throws {
        let end = batch.map(\.place.end).max() ?? 0
        guard try store.enroll(batch, enrolledTo: [1: end]).allSatisfy({ $0 == .new }) else {
            throw BenchmarkFailure.unexpectedOutcome
        }
    }

    private static func enrollment(_ number: Int) -> Enrollment {
        let study = number / 4
        let facts = InstanceFacts([
            .patientID: "BN\(1_000_000 + study)", .patientName: Names.patient(study),
            .studyInstanceUID: UIDs.study(study), .seriesInstanceUID: UIDs.series(study),
            .studyDate: day(study), .studyTime: "081500", .modality: "CT", .sopInstanceUID: UIDs.instance(number),
            .sopClassUID: SOPClass.ctImageStorage, .transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid,
            .instanceNumber: "\(number % 4 + 1)",
        ])
        let offset = Int64(number) * 530_432
        return Enrollment(
            facts: facts, place: Place(volume: 1, entryOffset: offset, bodyOffset: offset + 1536, length: 528_384),
            dataSetOffset: 376, digest: (0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) },
            receivedAt: 1_700_000_000_000_000 + Int64(number), source: "CT01")
    }

    /// Forty studies a day, from the first of January 2024 on; months of 28 days are enough here.
    static func day(_ study: Int) -> String {
        let days = study / 40
        return String(20_240_101 + days / 336 * 10_000 + days / 28 % 12 * 100 + days % 28)
    }
}

/// The whole way in: volumes, catalogue and pipeline.
final class ArchiveBench {
    private let folder: TemporaryFolder
    let volumes: VolumeStore
    let catalog: CatalogStore
    private let pipeline: IngestPipeline

    init() throws {
        folder = try TemporaryFolder()
        volumes = try VolumeStore(directory: folder.path + "/volumes", options: .quiet)
        catalog = try CatalogStore(path: folder.path + "/catalog.sqlite")
        var logger = Logger(label: "benchmark")
        logger.logLevel = .critical
        pipeline = IngestPipeline(volumes: volumes, catalog: catalog, logger: logger)
    }

    deinit {
        _ = pipeline.stop()
        volumes.close()
        try? catalog.close()
    }

    /// Takes a data set in as C-STORE does, in fragments of 16 KiB.
    func receive(_ dataSet: [UInt8], number: Int) throws {
        let announced = AnnouncedIdentity(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: UIDs.instance(number),
            transferSyntaxUID: Slices.transferSyntax.uid)
        var arrival = pipeline.begin(Origin(source: "CT01", announced: announced))
        try unsafe dataSet.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: 16 << 10) {
                try unsafe arrival.append(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 16 << 10, bytes.count)]))
            }
        }
        guard try pipeline.accept(arrival).outcome == .stored else { throw BenchmarkFailure.unexpectedOutcome }
    }
}

/// The code under measurement did something else than it should.
enum BenchmarkFailure: Error {
    case unexpectedOutcome
}

extension VolumeOptions {
    /// One large volume, and no zeros written ahead: that work depends on how busy the disk is, not on what is measured.
    static var quiet: VolumeOptions { VolumeOptions(volumeSize: 2 << 30, zeroAhead: 0, reserve: 0) }
}
