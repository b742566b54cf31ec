// What a viewer must know of one instance before it has a single pixel, read from its header.

import DICOMCore

/// Facts of one instance.
struct ViewerFacts: Sendable {
    var rows: Int?
    var columns: Int?
    var samplesPerPixel = 1
    var bitsAllocated: Int?
    var bitsStored: Int?
    var isSigned = false
    var photometricInterpretation: String?
    var orientation: ImageOrientation?
    var position: PatientVector?
    /// Of every frame, millimetres along the normal; empty for single frames.
    var framePositions: [Double] = []
    /// Millimetres between rows, then between columns.
    var pixelSpacing: [Double] = []
    /// `patient`, or `detector` where magnification is not known.
    var spacingReference: String?
    var sliceThickness: Double?
    var frameOfReferenceUID: String?
    var phases: [Double?] = []
    var windows: [ObjectWindow] = []
    var hasVOILUT = false
    var isHounsfield = false
    var bodyPart: String?
    var laterality: String?
    var viewPosition: String?
    var isLossy = false
    var hasBurnedInAnnotation = false
    /// Milliseconds from frame to frame.
    var frameTime: Double?
    var document: ViewerDocument?

    /// Of an instance whose header is not read.
    init() {}

    init(_ header: DataSet, kind: ViewerKind) {
        if kind.hasFrames {
            readPixels(header)
            readGeometry(header)
            readDisplay(header)
        }
        bodyPart = header.string(.bodyPartExamined)
        laterality = header.string(.imageLaterality) ?? header.string(.laterality)
        viewPosition = header.string(.viewPosition)
        frameOfReferenceUID = header.string(.frameOfReferenceUID)
        document = ViewerDocument(header, kind: kind)
    }

    private mutating func readPixels(_ header: DataSet) {
        rows = header.int(.rows)
        columns = header.int(.columns)
        samplesPerPixel = header.int(.samplesPerPixel) ?? 1
        bitsAllocated = header.int(.bitsAllocated)
        bitsStored = header.int(.bitsStored)
        isSigned = header.int(.pixelRepresentation) == 1
        photometricInterpretation = header.string(.photometricInterpretation)
        isLossy = header.string(.lossyImageCompression) == "01"
        hasBurnedInAnnotation = header.string(.burnedInAnnotation) == "YES"
    }

    private mutating func readGeometry(_ header: DataSet) {
        let groups = FunctionalGroups(header)
        let plane = groups.first(.planeOrientationSequence) ?? header
        orientation = ImageOrientation(plane.doubles(.imageOrientationPatient))
        let origin = groups.first(.planePositionSequence) ?? header
        position = PatientVector(origin.doubles(.imagePositionPatient)[...])
        if let orientation {
            let origins = groups.perFrame(.planePositionSequence).map {
                $0.flatMap { PatientVector($0.doubles(.imagePositionPatient)[...]) }
            }
            if origins.count > 1, !origins.contains(nil) {
                framePositions = origins.compactMap { $0.map(orientation.position(of:)) }
            }
        }
        let measures = groups.first(.pixelMeasuresSequence) ?? header
        sliceThickness = measures.finite(.sliceThickness)
        for (tag, reference) in [(Tag.pixelSpacing, "patient"), (.imagerPixelSpacing, "detector")] {
            let spacing = measures.doubles(tag)
            guard spacing.count == 2, spacing.allSatisfy({ $0.isFinite && $0 > 0 }) else { continue }
            pixelSpacing = spacing
            spacingReference = reference
            break
        }
        let told: [Tag] = [
            .temporalPositionIdentifier, .echoNumbers, .diffusionBValue, .triggerTime, .acquisitionNumber,
        ]
        phases = told.map { header.finite($0) }
    }

    private mutating func readDisplay(_ header: DataSet) {
        let groups = FunctionalGroups(header)
        let window = groups.first(.frameVOILUTSequence) ?? header
        windows = ObjectWindow.windows(
            centers: window.doubles(.windowCenter), widths: window.doubles(.windowWidth),
            explanations: window.strings(.windowCenterWidthExplanation), function: window.string(.voiLUTFunction))
        hasVOILUT = header[.voiLUTSequence].map { $0.length > 0 } ?? false
        let rescale = groups.first(.pixelValueTransformationSequence) ?? header
        // CT images state no unit where it is Hounsfield's (PS3.3 Section C.8.2.1.1.2); scouts are not measured in it.
        isHounsfield =
            header.string(.modality) == "CT" && ["HU", nil].contains(rescale.string(.rescaleType))
            && rescale[.rescaleSlope] != nil && !header.strings(.imageType).contains("LOCALIZER")
        frameTime = header.finite(.frameTime) ?? header.finite(.cineRate).flatMap { $0 >= 0.001 ? 1000 / $0 : nil }
    }
}

/// The functional groups of an enhanced object (PS3.3 Section C.7.6.16.1.1).
private struct FunctionalGroups {
    private let shared: DataSet?
    private let frames: [DataSet]

    init(_ header: DataSet) {
        shared = header.items(.sharedFunctionalGroupsSequence).first
        frames = header.items(.perFrameFunctionalGroupsSequence)
    }

    /// The item of a macro that holds for the first frame.
    func first(_ macro: Tag) -> DataSet? { shared?.items(macro).first ?? frames.first?.items(macro).first }

    /// The item of a macro for every frame.
    func perFrame(_ macro: Tag) -> [DataSet?] { frames.map { $0.items(macro).first } }
}

extension DataSet {
    /// The first value of an attribute, when it is a number that JSON knows.
    fileprivate func finite(_ tag: Tag) -> Double? { doubles(tag).first.flatMap { $0.isFinite ? $0 : nil } }
}

extension Tag {
    static let echoNumbers = Tag(0x0018, 0x0086)
    static let triggerTime = Tag(0x0018, 0x1060)
    static let imagerPixelSpacing = Tag(0x0018, 0x1164)
    static let diffusionBValue = Tag(0x0018, 0x9087)
    static let planePositionSequence = Tag(0x0020, 0x9113)
    static let planeOrientationSequence = Tag(0x0020, 0x9116)
    static let voiLUTFunction = Tag(0x0028, 0x1056)
    static let pixelMeasuresSequence = Tag(0x0028, 0x9110)
    static let frameVOILUTSequence = Tag(0x0028, 0x9132)
    static let pixelValueTransformationSequence = Tag(0x0028, 0x9145)
    static let segmentSequence = Tag(0x0062, 0x0002)
    static let segmentNumber = Tag(0x0062, 0x0004)
    static let segmentLabel = Tag(0x0062, 0x0005)
}
