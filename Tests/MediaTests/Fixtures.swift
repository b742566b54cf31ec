// An archive, folders and objects that live for one test.

import CArchive
import Catalog
import DICOMCore
import Foundation
import Ingest
import Logging
import Media
import Retrieval
import Testing
import Volumes

/// A folder that goes with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/phim-media-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let target = path + "/" + name
        let parent = URL(fileURLWithPath: target).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: target))
        return target
    }

    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }

    /// Every file below the folder, sorted.
    func files() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path).filter { name in
            var isFolder: ObjCBool = false
            _ = unsafe FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isFolder)
            return !isFolder.boolValue
        }.sorted()
    }
}

/// A whole archive with its importer and exporter.
final class TestArchive: Sendable {
    let folder: TemporaryFolder
    let catalog: CatalogStore
    let ingest: IngestPipeline
    let retrieval: InstanceRetrieval
    private let volumes: VolumeStore

    /// - Parameter reserve: free space that the archive keeps; more than the disk has makes it a full one.
    init(limits: IngestLimits = IngestLimits(), reserve: Int64 = 1 << 20) throws {
        folder = try TemporaryFolder()
        volumes = try VolumeStore(
            directory: folder.path + "/volumes",
            options: VolumeOptions(volumeSize: 16 << 20, zeroAhead: 1 << 20, reserve: reserve))
        catalog = try CatalogStore(path: folder.path + "/catalog.sqlite")
        ingest = IngestPipeline(volumes: volumes, catalog: catalog, limits: limits, logger: Logger(label: "test"))
        retrieval = InstanceRetrieval(
            volumes: volumes, converter: Converter(executable: "/bin/false", scratch: folder.path))
    }

    deinit {
        _ = ingest.stop()
        volumes.close()
    }

    func importer(concurrency: Int = 4, again: Bool = false, maximumArchiveEntries: Int? = nil) throws -> Importer {
        var options = ImportOptions()
        options.concurrency = concurrency
        options.again = again
        if let maximumArchiveEntries { options.maximumArchiveEntries = maximumArchiveEntries }
        return try Importer(ingest: ingest, dataFolder: folder.path, options: options)
    }

    func take(_ paths: String...) throws -> ImportReport { try importer().run(paths) }

    func instances() throws -> [StoredInstance] { try catalog.instances(Scope()) }

    /// SOP instance UID and digest of everything that is there.
    func digests() throws -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: try instances().map { ($0.sopInstanceUID, $0.digest) })
    }

    /// Names of the journals that are kept.
    func journals() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path + "/imports")
    }

    var exporter: Exporter { Exporter(retrieval: retrieval) }
}

/// Small objects that differ in what a test needs.
enum Sample {
    static let classUID = SOPClass.ctImageStorage

    static func uid(study: Int = 1, series: Int = 1, instance: Int = 1) -> String {
        "1.2.826.0.1.3680043.9.9999.\(study).\(series).\(instance)"
    }

    /// A Part 10 file.
    static func file(
        study: Int = 1, series: Int = 1, instance: Int = 1, modality: String = "CT", remark: String = "",
        pixels: Int = 64
    ) -> [UInt8] {
        let sopInstanceUID = uid(study: study, series: series, instance: instance)
        return Part10.header(
            sopClassUID: classUID, sopInstanceUID: sopInstanceUID,
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
            + dataSet(
                study: study, series: series, instance: instance, modality: modality, remark: remark, pixels: pixels)
    }

    /// The same without preamble and meta information.
    static func dataSet(
        study: Int = 1, series: Int = 1, instance: Int = 1, modality: String = "CT", remark: String = "",
        pixels: Int = 64
    ) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, classUID)
        writer.put(.sopInstanceUID, uid(study: study, series: series, instance: instance))
        writer.put(.studyDate, "20260102")
        writer.put(.modality, modality)
        writer.put(.patientName, "Nguyễn^Văn^Đức")
        writer.put(.patientID, "P\(study)")
        writer.put(.studyInstanceUID, "1.2.826.0.1.3680043.9.9999.\(study)")
        writer.put(.seriesInstanceUID, "1.2.826.0.1.3680043.9.9999.\(study).\(series)")
        writer.put(.seriesNumber, "\(series)")
        writer.put(.instanceNumber, "\(instance)")
        if !remark.isEmpty { writer.put(.imageComments, remark) }
        writer.put(.pixelData, .OW, bytes: pattern(pixels, step: instance))
        return writer.finish()
    }

    /// Bytes whose order can be told; zeros for step 0.
    private static func pattern(_ count: Int, step: Int) -> [UInt8] {
        let piece = (0..<min(count, 65_521)).map { UInt8(truncatingIfNeeded: $0 * step) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count + piece.count <= count, !piece.isEmpty { bytes.append(contentsOf: piece) }
        return bytes + [UInt8](repeating: 0, count: count - bytes.count)
    }

    /// A file whose data set names no object.
    static func anonymous() -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.modality, "CT")
        return Part10.header(
            sopClassUID: classUID, sopInstanceUID: "", transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
            + writer.finish()
    }
}

/// Archive files made by libarchive.
enum Packed {
    enum Format { case zip, tarGzip, iso }

    static func make(_ format: Format, _ entries: [(name: String, bytes: [UInt8])], at path: String) throws {
        guard let archive = unsafe archive_write_new() else { throw CocoaError(.fileWriteUnknown) }
        defer { unsafe archive_write_free(archive) }
        switch format {
        case .zip: unsafe archive_write_set_format_zip(archive)
        case .tarGzip:
            unsafe archive_write_set_format_pax_restricted(archive)
            unsafe archive_write_add_filter_gzip(archive)
        case .iso: unsafe archive_write_set_format_iso9660(archive)
        }
        try #require(unsafe archive_write_open_filename(archive, path) == ARCHIVE_OK)
        for (name, bytes) in entries {
            guard let entry = unsafe archive_entry_new() else { throw CocoaError(.fileWriteUnknown) }
            defer { unsafe archive_entry_free(entry) }
            unsafe archive_entry_set_pathname(entry, name)
            unsafe archive_entry_set_filetype(entry, 0o100000)
            unsafe archive_entry_set_perm(entry, 0o644)
            unsafe archive_entry_set_size(entry, Int64(bytes.count))
            try #require(unsafe archive_write_header(archive, entry) == ARCHIVE_OK)
            let written = unsafe bytes.withUnsafeBytes { unsafe archive_write_data(archive, $0.baseAddress, $0.count) }
            try #require(written == bytes.count)
        }
        try #require(unsafe archive_write_close(archive) == ARCHIVE_OK)
    }
}

extension ImportReport {
    /// The last component of each refused path with its reason.
    var refusals: [String: String] {
        Dictionary(
            refused.map { (String($0.path.split(separator: "/").last ?? ""), $0.reason) },
            uniquingKeysWith: { first, _ in first })
    }
}
