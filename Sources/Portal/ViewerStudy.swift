// A study as a viewer wants it: everything that it needs before the first image, in one answer.

/// A study with its series. Dates are ISO 8601, sizes are bytes, lengths millimetres.
struct ViewerStudy: Encodable, Sendable {
    struct Patient: Encodable, Sendable {
        let id: String?
        /// As DICOM writes it: `Nguyễn^Văn^Đức`.
        let name: String?
        let displayName: String?
        let birthDate: String?
        let sex: String?
    }

    let studyInstanceUID: String
    let patient: Patient
    let patientAge: String?
    let date: String?
    let time: String?
    let description: String?
    let accessionNumber: String?
    let referringPhysician: String?
    let modalities: [String]
    let instances: Int
    let frames: Int
    let bytes: Int64
    /// The web page that shows it.
    let viewer: String
    let metadata: String
    let thumbnail: String?
    let priors: String
    let events: String
    let series: [ViewerSeries]
    let loading: ViewerLoading
}

struct ViewerSeries: Encodable, Sendable {
    let seriesInstanceUID: String
    let number: Int?
    let modality: String?
    let description: String?
    let bodyPart: String?
    let laterality: String?
    let protocolName: String?
    let date: String?
    let time: String?
    let frameOfReferenceUID: String?
    let frames: Int
    let bytes: Int64
    let metadata: String
    let thumbnail: String?
    /// What one image of the series says about all of them; absent where there are no images.
    let image: ViewerImage?
    let instances: [ViewerInstance]
}

struct ViewerInstance: Encodable, Sendable {
    let sopInstanceUID: String
    let sopClassUID: String
    let number: Int?
    let transferSyntaxUID: String
    let rows: Int?
    let columns: Int?
    let frames: Int
    /// Of the whole object as stored.
    let bytes: Int64
    let url: String
    /// A URI template (RFC 6570) over `frame`, from 1; absent where there are no images.
    let frameURL: String?
    let renderedURL: String?
}

/// How the pixels of a series are to be shown.
struct ViewerImage: Encodable, Sendable {
    struct Window: Encodable, Sendable, Equatable {
        let center: Double
        let width: Double
        let name: String?
        /// `image`: the object says so; `usual`: what radiologists use for such images.
        let source: String
    }

    let photometricInterpretation: String?
    let samplesPerPixel: Int
    let bitsAllocated: Int
    let bitsStored: Int
    let isSigned: Bool
    let rescaleSlope: Double?
    let rescaleIntercept: Double?
    let rescaleType: String?
    let windows: [Window]
    /// Image Orientation (Patient): six direction cosines.
    let orientation: [Double]?
    /// axial, coronal, sagittal or oblique.
    let plane: String?
    /// Between rows, between columns.
    let pixelSpacing: [Double]?
    let sliceThickness: Double?
    let spacingBetweenSlices: Double?
    /// Milliseconds between frames of a moving image.
    let frameTime: Double?
}

/// How to fill the screen over a thin line: a picture at once, the pixels after it.
struct ViewerLoading: Encodable, Sendable {
    struct Step: Encodable, Sendable {
        /// rendered, compact or full.
        let name: String
        /// Which template of an instance to use, and what to add to it.
        let template: String
        let query: String?
        let accept: String
        /// Of one frame of the largest image, where it is known before it is made.
        let bytesPerFrame: Int64?
        /// A rule of thumb for what is made on demand.
        let estimatedBytesPerFrame: Int64?
    }

    /// In the order in which to ask.
    let steps: [Step]
    /// At this line speed, in bits per second, and above, the full frames come within 100 ms each: leave out the rest.
    let directAbove: Int64?
    /// Series in the order in which to load them: images before documents, small before large.
    let seriesOrder: [String]
}

/// Another study of the same patient.
struct ViewerPrior: Encodable, Sendable {
    let studyInstanceUID: String
    let date: String?
    let time: String?
    let description: String?
    let accessionNumber: String?
    let modalities: [String]
    let bodyParts: [String]
    let instances: Int
    /// Days that it is older; negative for a later study.
    let daysBefore: Int?
    /// Shares a modality and a body part with the study: first to compare.
    let isComparable: Bool
    let study: String
    let viewer: String
    let thumbnail: String
}

struct ViewerPriors: Encodable, Sendable {
    let studyInstanceUID: String
    let priors: [ViewerPrior]
}
