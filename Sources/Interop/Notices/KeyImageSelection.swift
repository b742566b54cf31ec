// Which pictures say most of a study: those that somebody marked, otherwise the middle of each series.

import Catalog
package import DICOMCore

/// A picture to be made.
struct ChosenImage: Hashable {
    let instance: StoredInstance
    /// From 1; nil: the one in the middle.
    let frame: Int?
    let isMarked: Bool
    /// The presentation state that shows it.
    var state: StoredInstance?
}

/// Reads what marks images.
package enum KeyImageMarks {
    /// Key Object Selection Document (PS3.4 Table B.5-1).
    static let keyObjects = "1.2.840.10008.5.1.4.1.1.88.59"
    /// Grayscale Softcopy Presentation State.
    static let presentationState = "1.2.840.10008.5.1.4.1.1.11.1"

    /// Titles of key objects that mark what is not to be seen, or not for this (PS3.16 CID 7011; IHE RAD TF-3 4.66).
    private static let rejections: Set<String> = ["113001", "113010", "113037", "113038", "113039"]
    private static let mostReferences = 200
    private static let mostItems = 20_000

    package struct Mark: Hashable, Sendable {
        package let sopInstanceUID: String
        /// From 1; nil where the mark is of the whole.
        package let frame: Int?
    }

    /// What an object's header marks, in its order.
    package static func marks(_ header: DataSet, sopClassUID: String) -> [Mark] {
        switch sopClassUID {
        case keyObjects:
            let title = header.items(.conceptNameCodeSequence).first?.string(.codeValue) ?? ""
            if rejections.contains(title) { return [] }
            var (marks, budget) = ([Mark](), mostItems)
            collect(header, &marks, &budget)
            return marks
        case presentationState:
            return header.items(.referencedSeriesSequence).prefix(mostReferences)
                .flatMap { $0.items(.referencedImageSequence).compactMap(mark) }
        default: return []
        }
    }

    /// Walks the content tree for images (PS3.3 Section C.17.3); trees of untrusted depth and size are cut off.
    private static func collect(_ node: DataSet, _ marks: inout [Mark], _ budget: inout Int) {
        for item in node.items(.contentSequence) {
            budget -= 1
            guard budget > 0, marks.count < mostReferences else { return }
            if item.string(.valueType) == "IMAGE" {
                marks += item.items(.referencedSOPSequence).compactMap(mark)
            }
            collect(item, &marks, &budget)
        }
    }

    private static func mark(_ item: DataSet) -> Mark? {
        item.string(.referencedSOPInstanceUID).map {
            Mark(sopInstanceUID: $0, frame: item.ints(.referencedFrameNumber).first { $0 > 0 })
        }
    }
}
