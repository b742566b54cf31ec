// A corrected header: every element as it was received but those that are corrected, and a note of what stood there before.

import Catalog
import DICOMCore
import DICOMImaging
import Foundation

/// Applies a correction to the header of one object.
struct HeaderCorrection {
    private let header: Header
    private let layout: ElementLayout
    private let correction: StudyCorrection
    private let rewriter: DataSetRewriter

    /// - Parameters:
    ///   - start: where the data set begins in the bytes of the header.
    ///   - Throws: for a header that cannot be told apart element by element: a wrong name must not leave.
    init(_ header: Header, from start: Int, _ correction: StudyCorrection) throws(RetrievalFailure) {
        let end = header.pixelData?.elementOffset ?? header.dataSet.bytes.count
        guard !header.isTruncated, let layout = ElementLayout(header.dataSet, start..<end) else {
            throw .unreadable(reason: "the study is corrected, and the header of this object is damaged")
        }
        self.header = header
        self.layout = layout
        self.correction = correction
        rewriter = DataSetRewriter(encoding: header.dataSet.encoding, isSigned: false)
    }

    /// The corrected data set up to the pixel data; nil where the object says all of it already.
    func bytes() throws(RetrievalFailure) -> [UInt8]? {
        let dataSet = header.dataSet
        let values = correction.attributes.filter { tag, value in
            guard let element = dataSet[tag] else { return !value.isEmpty }
            return value.isEmpty ? element.length > 0 : dataSet.string(tag) != value
        }
        guard !values.isEmpty else { return nil }

        var chunks = layout.chunks
        var replacing: [Tag: [UInt8]] = [:]
        let encode: (String) -> [UInt8]
        if let own = ownEncoding(values) {
            encode = own
        } else if let transcoded = layout.inUTF8(rewriter) {
            // What people read goes before what bytes were: in the object's own letters the name could not be written.
            chunks = transcoded
            replacing[.specificCharacterSet] = rewriter.element(.specificCharacterSet, .CS, Array("ISO_IR 192".utf8))
            encode = OutputCharacterSet.utf8.encode
        } else {
            // An object whose texts cannot be written anew: the right person without marks.
            encode = OutputCharacterSet.ascii.encode
        }
        for (tag, value) in values {
            let vr = DataDictionary.vr(of: tag)
            replacing[tag] = rewriter.element(tag, vr, vr == .SQ ? [] : encode(value))
        }
        replacing[.originalAttributesSequence] = try originals(values.keys.sorted(), chunks)
        return assembled(chunks, replacing)
    }

    // MARK: Letters

    /// A way to write all values in the character set that the object declares; nil where it has no such letters.
    private func ownEncoding(_ values: [Tag: String]) -> ((String) -> [UInt8])? {
        let set = SpecificCharacterSet(terms: header.dataSet.characterSets)
        return set.outputSets.first { candidate in
            values.allSatisfy { tag, value in
                let bytes = candidate.encode(value)
                return set.certainText(bytes[...], isPersonName: DataDictionary.vr(of: tag) == .PN) == value
            }
        }.map { candidate in candidate.encode }
    }

    // MARK: What stood there

    /// Original Attributes Sequence: what was there stays, and an item is added (PS3.3 Section C.12.1.1.9).
    private func originals(
        _ tags: [Tag], _ chunks: [ElementLayout.Chunk]
    ) throws(RetrievalFailure) -> [UInt8] {
        var modified: [UInt8] = []
        for tag in tags {
            let known = chunks.first { $0.tag == tag }?.bytes
            modified += known ?? rewriter.element(tag, DataDictionary.vr(of: tag), [])[...]
        }
        var item: [UInt8] = []
        rewriter.write(.modifiedAttributesSequence, .SQ, rewriter.item(modified), into: &item)
        rewriter.write(.attributeModificationDateTime, .DT, Array(Self.text(correction.at).utf8), into: &item)
        rewriter.write(.modifyingSystem, .LO, Array("PHIM".utf8), into: &item)
        rewriter.write(.sourceOfPreviousValues, .LO, [], into: &item)
        let reason = correction.isByHand ? "CORRECT" : "COERCE"
        rewriter.write(.reasonForTheAttributeModification, .CS, Array(reason.utf8), into: &item)
        var earlier: ArraySlice<UInt8> = []
        if let chunk = chunks.first(where: { $0.tag == .originalAttributesSequence }) {
            guard let items = chunk.items else {
                throw .unreadable(reason: "the study is corrected, and what was corrected before cannot be read")
            }
            earlier = items
        }
        return rewriter.element(.originalAttributesSequence, .SQ, Array(earlier) + rewriter.item(item))
    }

    /// `YYYYMMDDHHMMSS.FFFFFF+0000`, so that one revision is the same bytes wherever it is made (PS3.5 Table 6.2-1).
    private static func text(_ microseconds: Int64) -> String {
        let date = Date(timeIntervalSince1970: Double(microseconds / 1_000_000))
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let numbers = [parts.month, parts.day, parts.hour, parts.minute, parts.second]
        return padded(Int64(parts.year ?? 0), 4) + numbers.map { padded(Int64($0 ?? 0), 2) }.joined() + "."
            + padded(microseconds % 1_000_000, 6) + "+0000"
    }

    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()

    // MARK: Putting together

    private func assembled(_ chunks: [ElementLayout.Chunk], _ replacing: [Tag: [UInt8]]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(layout.count + 1_024)
        var pending = replacing.sorted { $0.key < $1.key }[...]
        for chunk in chunks {
            // Group lengths would be wrong, and are not needed (PS3.5 Section 7.2).
            if chunk.tag.element == 0 { continue }
            while let next = pending.first, next.key <= chunk.tag {
                out += next.value
                pending.removeFirst()
            }
            if replacing[chunk.tag] == nil { out += chunk.bytes }
        }
        for next in pending { out += next.value }
        return out + layout.rest
    }
}

extension DataSetRewriter {
    func element(_ tag: Tag, _ vr: VR, _ value: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        write(tag, vr, value, into: &bytes)
        return bytes
    }

    /// An item of defined length (PS3.5 Section 7.5.1).
    func item(_ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        header(.item, .UN, length: UInt32(clamping: content.count), into: &bytes)
        return bytes + content
    }
}

extension Tag {
    static let modifiedAttributesSequence = Tag(0x0400, 0x0550)
    static let originalAttributesSequence = Tag(0x0400, 0x0561)
    static let attributeModificationDateTime = Tag(0x0400, 0x0562)
    static let modifyingSystem = Tag(0x0400, 0x0563)
    static let sourceOfPreviousValues = Tag(0x0400, 0x0564)
    static let reasonForTheAttributeModification = Tag(0x0400, 0x0565)
}
