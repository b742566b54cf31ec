// The answer for one study: everything that a viewer needs before the first pixel. docs/viewer-api.md explains it.

import DICOMCore

/// A study with its series and their instances.
struct ViewerStudyAnswer: Encodable, Sendable {
    struct Patient: Encodable, Sendable {
        /// As DICOM writes it, `Family^Given^Middle`.
        let name: String?
        /// To be shown: the components in that order, which is how Vietnamese names are written.
        let displayName: String?
        let id: String?
        let issuer: String?
        let birthDate: String?
        let sex: String?
        let age: String?
    }

    struct Addresses: Encodable, Sendable {
        let study: String
        let metadata: String
        let priors: String
        let events: String
    }

    /// Another archive that the study was fetched from.
    struct Origin: Encodable, Hashable, Sendable {
        /// Name of the peer or destination.
        let source: String
        /// When, ISO 8601.
        let at: String
    }

    /// An image that somebody marked.
    struct KeyImage: Encodable, Sendable {
        let sopInstanceUID: String
        let frames: [Int]?
        let title: String?
        /// The key object selection that marks it.
        let markedBy: String
    }

    let studyInstanceUID: String
    /// Nil for a study that was taken in here.
    let origin: Origin?
    let patient: Patient
    let date: String?
    let time: String?
    let description: String?
    let accessionNumber: String?
    let studyID: String?
    let referringPhysician: String?
    let modalities: [String]
    let instances: Int
    /// Of all stored objects.
    let bytes: Int64
    let series: [ViewerSeriesAnswer]
    let keyImages: [KeyImage]
    let addresses: Addresses
}

/// One series.
struct ViewerSeriesAnswer: Encodable, Sendable {
    struct Geometry: Encodable, Sendable {
        /// `mixed` when the images are not parallel.
        let plane: String
        /// Image Orientation (Patient) of the first image; nil for mixed ones.
        let orientation: [Double]?
        /// `position` or `instanceNumber`: what the instances are in order of.
        let order: String
        let pixelSpacing: [Double]?
        let pixelSpacingReference: String?
        let sliceSpacing: Double?
        let isRegular: Bool
        let sliceThickness: Double?
        /// How often every place occurs: more than 1 is a series in time, of echoes, or the like.
        let volumes: Int
    }

    let seriesInstanceUID: String
    let number: Int?
    let modality: String?
    let kind: ViewerKind
    let description: String?
    let bodyPart: String?
    let laterality: String?
    let viewPosition: String?
    let protocolName: String?
    let date: String?
    let time: String?
    let frameOfReferenceUID: String?
    let rows: Int?
    let columns: Int?
    let bitsAllocated: Int?
    let bitsStored: Int?
    let isSigned: Bool?
    let samplesPerPixel: Int?
    let photometricInterpretation: String?
    let isLossy: Bool
    let hasBurnedInAnnotation: Bool
    let transferSyntaxUIDs: [String]
    let instances: Int
    let frames: Int
    let bytes: Int64
    let geometry: Geometry?
    let windows: [WindowPreset]
    /// A picture of its middle; nil for what has none.
    let thumbnail: String?
    let metadata: String
    let loading: ViewerLoading?
    let items: [ViewerInstanceAnswer]
}

/// One instance. What it shares with its series is not repeated.
struct ViewerInstanceAnswer: Encodable, Sendable {
    let sopInstanceUID: String
    let sopClassUID: String
    let number: Int?
    let frames: Int
    let bytes: Int64
    let transferSyntaxUID: String
    /// The object itself.
    let object: String
    /// Frames, `{frame}` stands for a number from 1; nil for what has none.
    let frame: String?
    /// Millimetres along the normal of the series.
    let position: Double?
    let framePositions: [Double]?
    let frameTime: Double?
    /// Its own first window.
    let window: [Double]?
    let plane: ImageOrientation.Plane?
    let laterality: String?
    let viewPosition: String?
    /// Only where it differs from the series.
    let rows: Int?
    let columns: Int?
    let document: ViewerDocument?
    /// False when its header is damaged; it may be shown all the same.
    let isReadable: Bool
}
