// Second stop: what the header says, in memory-safe Swift; tells what can be kept from what must be refused.

package import Catalog
import Crypto
import DICOMCore

/// An object whose identifiers are known and valid.
package struct Inspected: Sendable {
    package let facts: InstanceFacts
    package let dataSetOffset: Int
    /// SHA-256 of the whole Part 10 file.
    package let digest: [UInt8]
    package let length: Int64

    /// What the header alone tells.
    struct Reading {
        let facts: InstanceFacts
        let dataSetOffset: Int
        /// What was tolerated, as words without values.
        let flaws: [String]
        /// Whether the bytes reach as far as the header does.
        let reachedPixelData: Bool
    }

    /// Reads the beginning of a Part 10 file.
    ///
    /// Only the identifiers are required; a clinician would rather have an image with flaws than none.
    /// - Parameters:
    ///   - isWhole: whether these are all bytes of the object; where they are not, their end is no flaw of it.
    ///   - dataSetOffset: where the data set begins, when it is known.
    ///   - announced: what the request said; UIDs absent from the data set are taken from it.
    static func reading(
        of bytes: [UInt8], isWhole: Bool, dataSetOffset: Int?, announced: AnnouncedIdentity?
    ) throws(IngestFailure) -> Reading {
        let file: Part10
        let header: Header
        let offset: Int
        do throws(ReadFailure) {
            file = try Part10.parse(bytes)
            // A data set may begin with elements of group 0002 of its own: where it begins is known, not guessed.
            offset = dataSetOffset.flatMap { $0 < bytes.count ? $0 : nil } ?? file.dataSetOffset
            header = try HeaderReader.read(bytes, from: offset, transferSyntax: file.transferSyntax)
        } catch {
            throw .unreadable(reason: "\(error)")
        }
        let dataSet = header.dataSet
        let sopClassUID = try identifier(
            dataSet.string(.sopClassUID), announced?.sopClassUID, file.mediaStorageSOPClassUID, "SOPClassUID")
        let sopInstanceUID = try identifier(
            dataSet.string(.sopInstanceUID), announced?.sopInstanceUID, file.mediaStorageSOPInstanceUID,
            "SOPInstanceUID")
        let flaws = header.flaws.filter { isWhole || $0.kind != .truncated }
        let facts = InstanceFacts(
            header: dataSet, sopClassUID: sopClassUID, sopInstanceUID: sopInstanceUID,
            transferSyntaxUID: announced?.transferSyntaxUID ?? file.transferSyntax.uid,
            headerIsDamaged: !flaws.isEmpty)
        return Reading(
            facts: facts, dataSetOffset: offset,
            flaws: flaws.map(\.description) + facts.flaws.words, reachedPixelData: header.pixelData != nil)
    }

    /// The data set's own UID counts; it must agree with the request, which stands in when it is absent.
    private static func identifier(
        _ own: String?, _ announced: String?, _ meta: String?, _ attribute: String
    ) throws(IngestFailure) -> String {
        if let own, let announced, own != announced { throw .identifierMismatch(attribute: attribute) }
        guard let uid = own ?? announced ?? meta, UID.isValid(uid) else {
            throw .invalidIdentifier(attribute: attribute)
        }
        return uid
    }
}

extension InstanceFacts.Flaws {
    /// Attributes that were missing or unusable and have been stood in for.
    var words: [String] {
        let names: [(InstanceFacts.Flaws, String)] = [
            (.studyInstanceUID, "no usable StudyInstanceUID"), (.seriesInstanceUID, "no usable SeriesInstanceUID"),
            (.patientID, "no PatientID"),
        ]
        return names.filter { contains($0.0) }.map(\.1)
    }
}
