// Makes an object of metadata and bulk data, or of bulk data alone within a study that is here (PS3.18 Section 10.5.1).

import DICOMCore
import Foundation
import Ingest
import NIOCore
import Retrieval

/// A Part 10 object whose one large value is still in the spool.
struct WrappedObject: Sendable {
    /// Everything before the large value: file header, attributes, the element's own header.
    let opening: [UInt8]
    let value: Range<Int64>
    /// Padding, delimiters, and the attributes behind.
    let closing: [UInt8]
}

/// What the request says of objects that are made here, where their metadata do not.
struct WrapDefaults: Sendable {
    /// Attributes of patient and study, from an instance of the study that the resource names.
    var study: DataSet?
    var studyInstanceUID: String?
    /// One series for all of a request.
    let seriesInstanceUID: String
    var modality: String?
    var seriesDescription: String?
    var documentTitle: String?
    /// `yyyyMMdd` and `HHmmss` of now.
    let date: String
    let time: String
}

/// The maker of objects. Its calls block.
struct ObjectWrapper: Sendable {
    let spool: OwnFile
    let bulks: [BulkPart]
    let defaults: WrapDefaults

    /// Values that are not the large one are held in memory.
    private static let mostSmall: Int64 = 32 << 20
    private static let jpegHeader: Int64 = 4 << 20

    /// What the large value of an object is.
    private struct Large {
        let tag: Tag
        let part: BulkPart
        var syntax = TransferSyntax.explicitVRLittleEndian
        var vr = VR.OB
        var isEncapsulated = false
    }

    /// An object of metadata, with what they call for of the bulk parts.
    func object(_ metadata: TextDataSet, number: Int) throws(StoreFault) -> WrappedObject {
        var large: Large?
        for tag in [Tag.pixelData, .encapsulatedDocument] {
            guard let attribute = metadata.attributes[tag], case .bulkData(let address) = attribute.value else {
                continue
            }
            guard let part = part(address, number) else { throw .incomplete(reason: "bulk data of \(tag) is missing") }
            guard attribute.vr.hasLongLength else { throw .incomplete(reason: "\(tag) has another VR") }
            large = Large(tag: tag, part: part, vr: attribute.vr)
            break
        }
        return try object(metadata, large, number: number)
    }

    /// An object of one bulk part alone.
    func object(_ part: BulkPart, number: Int) throws(StoreFault) -> WrappedObject {
        let tag = part.type == "application/pdf" ? Tag.encapsulatedDocument : .pixelData
        guard ["application/pdf", "image/jpeg", "video/mp4"].contains(part.type) else { throw .unsupportedMedia }
        guard defaults.study != nil else {
            throw .incomplete(reason: "without metadata the resource must name a study that is here")
        }
        return try object(nil, Large(tag: tag, part: part), number: number)
    }

    private func object(_ metadata: TextDataSet?, _ large: Large?, number: Int) throws(StoreFault) -> WrappedObject {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.putEmpty(.specificCharacterSet)
        putDefaults(into: &writer, type: large?.part.type, number: number)
        var instance = UID.generate()
        var sopClass = large.flatMap(Self.sopClass)
        if let metadata {
            // Of all values together: many may name one part.
            var room = Self.mostSmall
            do throws(TextDataSetFailure) {
                try metadata.put(into: &writer) { address in
                    if let large, address == Self.address(metadata, large.tag) { return [] }
                    guard let part = part(address, number), part.count <= room else { return nil }
                    room -= part.count
                    return try? spool.read(part.range)
                }
            } catch { throw .incomplete(reason: "metadata: \(error)") }
            instance = metadata.string(.sopInstanceUID) ?? instance
            sopClass = metadata.string(.sopClassUID) ?? sopClass
        }
        guard let sopClass, UID.isValid(sopClass), UID.isValid(instance) else {
            throw .incomplete(reason: "metadata name no SOP class")
        }
        writer.put(.sopClassUID, sopClass)
        writer.put(.sopInstanceUID, instance)
        guard var large else {
            let header = Part10.header(
                sopClassUID: sopClass, sopInstanceUID: instance,
                transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid)
            return WrappedObject(opening: header + writer.finish(), value: 0..<0, closing: [])
        }
        try describe(&large, in: &writer)
        let header = Part10.header(
            sopClassUID: sopClass, sopInstanceUID: instance, transferSyntaxUID: large.syntax.uid)
        return try Self.splice(header, writer, large)
    }

    private static func address(_ metadata: TextDataSet, _ tag: Tag) -> String? {
        if case .bulkData(let address)? = metadata.attributes[tag]?.value { address } else { nil }
    }

    /// The part of an address: by its Content-Location, else, where parts have none, by their order.
    private func part(_ address: String, _ number: Int) -> BulkPart? {
        if let found = bulks.first(where: { $0.location == address }) { return found }
        let isNamed = bulks.contains { $0.location != nil }
        return !isNamed && bulks.indices.contains(number) ? bulks[number] : nil
    }

    private static func sopClass(_ large: Large) -> String? {
        switch large.part.type {
        case "application/pdf": "1.2.840.10008.5.1.4.1.1.104.1"
        case "image/jpeg": "1.2.840.10008.5.1.4.1.1.77.1.4"
        case "video/mp4": "1.2.840.10008.5.1.4.1.1.77.1.4.1"
        default: nil
        }
    }

    /// Reads the bulk data, and puts what they say of themselves: it counts more than what the metadata claim.
    private func describe(_ large: inout Large, in writer: inout DataSetWriter) throws(StoreFault) {
        let range = large.part.range
        switch large.part.type {
        case "image/jpeg":
            let head = try read(range.lowerBound..<min(range.upperBound, range.lowerBound + Self.jpegHeader))
            guard let image = JPEGImage(head) else { throw .incomplete(reason: "not a JPEG that DICOM can hold") }
            image.put(into: &writer, compressedBytes: large.part.count)
            (large.syntax, large.vr, large.isEncapsulated) = (image.transferSyntax, .OB, true)
        case "video/mp4":
            let found: MP4Video?
            do throws(IngestFailure) {
                found = try MP4Video.find(count: large.part.count) { part throws(IngestFailure) in
                    try spool.read(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
                }
            } catch { throw .ingest(error) }
            guard let video = found else { throw .incomplete(reason: "not an MP4 video that DICOM can hold") }
            video.put(into: &writer, compressedBytes: large.part.count)
            (large.syntax, large.vr, large.isEncapsulated) = (video.transferSyntax, .OB, true)
        case "application/pdf":
            let head = try read(range.lowerBound..<min(range.upperBound, range.lowerBound + 1024))
            guard String(decoding: head, as: UTF8.self).contains("%PDF-") else {
                throw .incomplete(reason: "not a PDF document")
            }
            writer.put(.mimeTypeOfEncapsulatedDocument, "application/pdf")
            writer.put(Tag(0x0042, 0x0015), .UL, ints: [Int(large.part.count)])
            large.vr = .OB
        default:
            guard let named = large.part.transferSyntax else { break }
            guard UID.isValid(named) else { throw .unsupportedMedia }
            large.syntax = TransferSyntax(named)
            large.isEncapsulated = large.syntax.isEncapsulated
            if large.isEncapsulated { large.vr = .OB }
            guard !large.syntax.isDeflated, !large.syntax.isBigEndian, large.syntax.isExplicitVR else {
                throw .unsupportedMedia
            }
        }
        guard large.part.count > 0, large.part.count < 0xFFFF_FFFE else { throw .ingest(.tooLarge) }
        writer.put(large.tag, large.vr, bytes: [])
    }

    private func read(_ range: Range<Int64>) throws(StoreFault) -> [UInt8] {
        do throws(IngestFailure) { return try spool.read(range) } catch { throw .ingest(error) }
    }

    /// Opens the written data set where its large element stands empty.
    private static func splice(
        _ header: [UInt8], _ writer: DataSetWriter, _ large: Large
    ) throws(StoreFault) -> WrappedObject {
        let dataSet = writer.finish()
        guard let read = try? HeaderReader.read(dataSet, transferSyntax: .explicitVRLittleEndian),
            let value = read.pixelData?.valueOffset ?? read.dataSet[large.tag]?.offset, value >= 4
        else { throw .incomplete(reason: "the attributes cannot be written") }
        let padding: [UInt8] = large.part.count & 1 == 1 ? [0] : []
        let count = UInt32(large.part.count) + UInt32(padding.count)
        var opening = header + dataSet[..<(value - 4)]
        var closing = padding
        if large.isEncapsulated {
            // An empty Basic Offset Table, one fragment, the end (PS3.5 Section A.4).
            opening += [0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0x00, 0xE0]
            closing += [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]
        }
        opening += [count, count >> 8, count >> 16, count >> 24].map { UInt8(truncatingIfNeeded: $0) }
        return WrappedObject(opening: opening, value: large.part.range, closing: closing + dataSet[value...])
    }
}
