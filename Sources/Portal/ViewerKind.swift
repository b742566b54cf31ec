// What an object is to a viewer, by its SOP class (PS3.4 Table B.5-1).

/// What a series or an instance is.
enum ViewerKind: String, Sendable, Encodable {
    case image, video
    case keyObjects, presentation, report, segmentation
    case structureSet, registration, measurement, document, waveform
    case other

    private static let root = "1.2.840.10008.5.1.4.1.1."

    /// The kind of a SOP class. What is not told apart here has pixels, as most classes have, private ones too.
    init(sopClassUID uid: String) {
        guard uid.hasPrefix(Self.root) else {
            // Hanging protocols, palettes, implants; and what a manufacturer made.
            self = uid.hasPrefix("1.2.840.10008.") ? .other : .image
            return
        }
        let rest = uid.dropFirst(Self.root.count)
        if let known = Self.classes[String(rest)] {
            self = known
        } else {
            self = Self.families.first { rest.hasPrefix($0.prefix) }?.kind ?? .image
        }
    }

    /// Whether there are frames to decode and to show.
    var hasFrames: Bool { self == .image || self == .segmentation }

    /// Whether a header says more than the catalogue about such an object.
    var needsHeader: Bool {
        switch self {
        case .image, .keyObjects, .presentation, .report, .segmentation, .document: true
        case .video, .structureSet, .registration, .measurement, .waveform, .other: false
        }
    }

    private static let classes: [String: ViewerKind] = [
        "88.59": .keyObjects,
        "66": .other, "66.1": .registration, "66.2": .other, "66.3": .registration, "66.4": .segmentation,
        "66.5": .segmentation, "66.6": .segmentation, "66.7": .segmentation, "67": .measurement,
        "68.1": .other, "68.2": .other,
        "77.1.1.1": .video, "77.1.2.1": .video, "77.1.4.1": .video,
        "104.1": .document, "104.2": .document, "104.3": .document, "104.4": .document, "104.5": .document,
        "481.3": .structureSet, "481.4": .other, "481.5": .other, "481.6": .other, "481.7": .other, "481.8": .other,
        "481.9": .other,
        "4.2": .other, "200.1": .other, "200.3": .other, "200.7": .other,
    ]

    private static let families: [(prefix: String, kind: ViewerKind)] = [
        ("88.", .report), ("11.", .presentation), ("9.", .waveform), ("78.", .measurement), ("79.", .report),
        ("481.1", .image), ("481.2", .image),
    ]
}
