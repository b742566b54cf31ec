// Objects that speak of others: key object selections, presentation states, reports, segmentations.

import DICOMCore

/// One image that an object speaks of.
struct ViewerReference: Hashable, Sendable, Encodable {
    let sopInstanceUID: String
    /// Frame numbers from 1; nil: all.
    let frames: [Int]?
}

/// What a viewer shows of such an object in a list.
struct ViewerDocument: Sendable, Encodable {
    struct Segment: Sendable, Encodable {
        let number: Int
        let label: String
    }

    let title: String?
    let isComplete: Bool?
    let isVerified: Bool?
    let references: [ViewerReference]
    let segments: [Segment]?

    private static let mostReferences = 2_000
    private static let mostItems = 20_000

    /// Nil for kinds that speak of nothing.
    init?(_ header: DataSet, kind: ViewerKind) {
        switch kind {
        case .keyObjects, .report:
            title = Self.conceptName(header)
            var images: [ViewerReference] = []
            var budget = Self.mostItems
            Self.collectImages(header, &images, &budget)
            references = Self.unique(images)
        case .presentation, .segmentation:
            title =
                header.string(.contentLabel) ?? header.string(.contentDescription)
                ?? header.string(.seriesDescription)
            let series = header.items(.referencedSeriesSequence)
            let images = series.flatMap { series in
                [Tag.referencedImageSequence, .referencedInstanceSequence].flatMap { tag in
                    series.items(tag).compactMap(Self.reference)
                }
            }
            references = Self.unique(images)
        case .document:
            title = header.string(.documentTitle) ?? Self.conceptName(header)
            references = []
        case .image, .video, .structureSet, .registration, .measurement, .waveform, .other: return nil
        }
        isComplete = header.string(.completionFlag).map { $0 == "COMPLETE" }
        isVerified = header.string(.verificationFlag).map { $0 == "VERIFIED" }
        let found = kind == .segmentation ? header.items(.segmentSequence) : []
        segments = found.isEmpty ? nil : found.prefix(1_000).compactMap(Self.segment)
    }

    private static func segment(_ item: DataSet) -> Segment? {
        item.int(.segmentNumber).map { Segment(number: $0, label: item.string(.segmentLabel) ?? "") }
    }

    private static func conceptName(_ header: DataSet) -> String? {
        header.items(.conceptNameCodeSequence).first?.string(.codeMeaning)
    }

    /// Walks the content tree for images (PS3.3 Section C.17.3); trees of untrusted depth and size are cut off.
    private static func collectImages(_ node: DataSet, _ images: inout [ViewerReference], _ budget: inout Int) {
        for item in node.items(.contentSequence) {
            budget -= 1
            guard budget > 0, images.count < mostReferences else { return }
            if item.string(.valueType) == "IMAGE" {
                images += item.items(.referencedSOPSequence).compactMap(reference)
            }
            collectImages(item, &images, &budget)
        }
    }

    private static func reference(_ item: DataSet) -> ViewerReference? {
        guard let uid = item.string(.referencedSOPInstanceUID) else { return nil }
        let frames = item.ints(.referencedFrameNumber)
        return ViewerReference(sopInstanceUID: uid, frames: frames.isEmpty ? nil : frames)
    }

    private static func unique(_ references: [ViewerReference]) -> [ViewerReference] {
        var seen: Set<ViewerReference> = []
        return Array(references.filter { seen.insert($0).inserted }.prefix(mostReferences))
    }
}
