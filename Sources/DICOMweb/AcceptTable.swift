// The one table of what can be answered with: resource, media type, packaging and transfer syntaxes (PS3.18 Section 8.7.3).

import DICOMCore

/// The kinds of resources that differ in what they can be.
package enum ResourceCategory: Sendable, Hashable, CaseIterable {
    /// Studies, series and instances as DICOM objects.
    case objects
    /// One or several frames of an instance.
    case frames
    case metadata
    /// The rendered form of an image with one frame, of one with several, of a video and of a document.
    case renderedImage, renderedFrames, renderedVideo, renderedDocument
    case thumbnail
    /// A value of an attribute.
    case bulkData
}

/// How an answer is put together.
package enum Packaging: Sendable, Hashable { case single, multipart }

/// One line of the table.
struct MediaRow: Sendable {
    let category: ResourceCategory
    let mediaType: String
    let packaging: Set<Packaging>
    /// Transfer syntaxes that the media type can carry, the default first; empty where there is no such thing.
    let transferSyntaxes: [String]

    init(
        _ category: ResourceCategory, _ mediaType: String, _ packaging: Set<Packaging>,
        _ transferSyntaxes: [String] = []
    ) {
        self.category = category
        self.mediaType = mediaType
        self.packaging = packaging
        self.transferSyntaxes = transferSyntaxes
    }

    /// In the order in which a caller that leaves the choice gets them: the first line of a category is its default.
    static let table: [MediaRow] = [
        MediaRow(.objects, "application/dicom", [.multipart, .single], ["*"]),
        MediaRow(.objects, "application/zip", [.single], ["*"]),

        // PS3.18 Tables 8.7.3-4 and 8.7.3-5.
        MediaRow(.frames, "application/octet-stream", [.multipart, .single], ["1.2.840.10008.1.2.1"]),
        MediaRow(
            .frames, "image/jpeg", [.multipart, .single],
            [
                "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
            ]),
        MediaRow(.frames, "image/dicom-rle", [.multipart, .single], ["1.2.840.10008.1.2.5"]),
        MediaRow(
            .frames, "image/jls", [.multipart, .single], ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"]),
        MediaRow(
            .frames, "image/jp2", [.multipart, .single], ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"]),
        MediaRow(
            .frames, "image/jpx", [.multipart, .single], ["1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"]),
        MediaRow(
            .frames, "image/jphc", [.multipart, .single],
            ["1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"]),
        MediaRow(
            .frames, "image/jxl", [.multipart, .single],
            ["1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112"]),
        MediaRow(
            .frames, "video/mpeg2", [.multipart, .single], ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101"]),
        MediaRow(
            .frames, "video/mp4", [.multipart, .single],
            [
                "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103", "1.2.840.10008.1.2.4.104",
                "1.2.840.10008.1.2.4.105", "1.2.840.10008.1.2.4.106",
            ]),
        MediaRow(
            .frames, "video/h265", [.multipart, .single], ["1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.108"]),

        // PS3.18 Section 8.7.3.4; application/json is what callers without DICOM say.
        MediaRow(.metadata, "application/dicom+json", [.single]),
        MediaRow(.metadata, "application/dicom+xml", [.multipart]),
        MediaRow(.metadata, "application/json", [.single]),

        // PS3.18 Table 8.7.4-1.
        MediaRow(.renderedImage, "image/jpeg", [.single, .multipart]),
        MediaRow(.renderedImage, "image/png", [.single, .multipart]),
        MediaRow(.renderedFrames, "image/jpeg", [.single, .multipart]),
        MediaRow(.renderedFrames, "image/png", [.single, .multipart]),
        MediaRow(.renderedFrames, "image/gif", [.single, .multipart]),
        MediaRow(.renderedVideo, "video/mp4", [.single, .multipart]),
        MediaRow(.renderedDocument, "application/pdf", [.single, .multipart]),
        MediaRow(.thumbnail, "image/jpeg", [.single, .multipart]),
        MediaRow(.thumbnail, "image/png", [.single, .multipart]),

        MediaRow(.bulkData, "application/octet-stream", [.single, .multipart]),
    ]

    /// Older names of media types that callers still send (PS3.18-2011 Section 6.5).
    static let oldNames = [
        "image/x-dicom-rle": "image/dicom-rle", "image/x-jls": "image/jls", "image/dicom+rle": "image/dicom-rle",
        "image/dicom+jpeg": "image/jpeg", "image/dicom+jpeg-ls": "image/jls", "image/dicom+jp2": "image/jp2",
        "image/dicom+jpx": "image/jpx", "video/mpeg": "video/mpeg2",
    ]

    /// The media type that carries frames of a transfer syntax (PS3.18 Table 8.7.3-5).
    static func frameMediaType(of transferSyntax: String) -> String {
        table.first { $0.category == .frames && $0.transferSyntaxes.contains(transferSyntax) }?.mediaType
            ?? "application/octet-stream"
    }
}
