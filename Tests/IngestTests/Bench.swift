// An archive in a temporary folder and objects to put into it.

import Catalog
import DICOMCore
import Foundation
import Ingest
import Logging
import Volumes

/// Ingest over real volumes and a real catalogue; the folder goes with the value.
final class Bench: Sendable {
    let folder: URL
    let volumes: VolumeStore
    let catalog: CatalogStore
    let ingest: IngestPipeline

    init(
        limits: IngestLimits = IngestLimits(), reserve: Int64 = 0, folder existing: URL? = nil,
        fileSystem: any FileSystem = POSIXFileSystem()
    ) throws {
        folder = existing ?? FileManager.default.temporaryDirectory.appending(path: "phim-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        volumes = try VolumeStore(
            directory: folder.appending(path: "volumes").path, fileSystem: fileSystem,
            options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0, reserve: reserve))
        catalog = try CatalogStore(path: folder.appending(path: "catalog.sqlite").path)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        ingest = IngestPipeline(volumes: volumes, catalog: catalog, limits: limits, logger: logger)
    }

    func close() {
        _ = ingest.stop()
        volumes.close()
        try? catalog.close()
    }

    deinit {
        close()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Sends a data set as C-STORE does.
    @discardableResult
    func send(_ sample: Sample, announced: AnnouncedIdentity? = nil, piece: Int = 16_000) throws -> Receipt {
        let identity =
            announced
            ?? AnnouncedIdentity(
                sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: sample.sopInstanceUID,
                transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
        var arrival = ingest.begin(Origin(source: "TEST", announced: identity))
        let bytes = sample.dataSet
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try unsafe Array(bytes[start..<min(start + piece, bytes.count)]).withUnsafeBytes {
                try unsafe arrival.append($0)
            }
        }
        return try ingest.accept(arrival)
    }

    /// Imports a Part 10 file.
    @discardableResult
    func bringIn(_ file: [UInt8]) throws -> Receipt {
        var arrival = ingest.begin(Origin(source: "import"))
        try unsafe file.withUnsafeBytes { try unsafe arrival.append($0) }
        return try ingest.accept(arrival)
    }
}

/// A small CT slice.
struct Sample {
    var sopInstanceUID = UID.generate()
    var studyInstanceUID: String? = "2.25.1"
    var seriesInstanceUID: String? = "2.25.2"
    var patientID: String? = "P1"
    var patientName = "Nguyễn^Văn^Đức"
    var pixels = [UInt8](repeating: 7, count: 2048)

    var dataSet: [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, SOPClass.ctImageStorage)
        writer.put(.sopInstanceUID, sopInstanceUID)
        if let studyInstanceUID { writer.put(.studyInstanceUID, studyInstanceUID) }
        if let seriesInstanceUID { writer.put(.seriesInstanceUID, seriesInstanceUID) }
        if let patientID { writer.put(.patientID, patientID) }
        writer.put(.patientName, patientName)
        writer.put(.modality, "CT")
        writer.put(.pixelData, .OW, bytes: pixels)
        return writer.finish()
    }

    var file: [UInt8] {
        Part10.header(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: sopInstanceUID,
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid) + dataSet
    }
}
