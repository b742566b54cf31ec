// What a caller asks of a rendered image (PS3.18 Section 8.3.5.1).

/// How a frame is to be rendered.
package struct RenderingRequest: Sendable, Hashable, Codable {
    /// The form of the answer.
    package enum Format: String, Sendable, Hashable, Codable, CaseIterable {
        case jpeg = "image/jpeg"
        /// 8 bits.
        case png = "image/png"
        /// 16 bits for grey images; colour stays at 8.
        case png16 = "image/png; bits=16"
        /// All frames, animated.
        case gif = "image/gif"

        /// The media type of the answer.
        package var mediaType: String { self == .png16 ? Format.png.rawValue : rawValue }
    }

    package var format = Format.jpeg
    /// 1 to 100, for JPEG (PS3.18 Section 8.3.5.1.2).
    package var quality = 90
    /// Instead of what the object says (PS3.18 Section 8.3.5.1.4).
    package var window: VOIWindow?
    package var viewport: Viewport?
    /// Overlay planes are drawn.
    package var showsOverlays = true
    /// Lines of text in the upper left corner (PS3.18 Section 8.3.5.1.1); the caller composes them.
    package var annotation: [String] = []

    package init() {}
}

/// The room that an image is fitted into, and the part of the image that is shown (PS3.18 Section 8.3.5.1.3).
package struct Viewport: Sendable, Hashable, Codable {
    /// Part of the image in pixels; negative sizes mirror.
    package struct Region: Sendable, Hashable, Codable {
        package var x: Double
        package var y: Double
        package var width: Double
        package var height: Double

        package init(x: Double, y: Double, width: Double, height: Double) {
            (self.x, self.y, self.width, self.height) = (x, y, width, height)
        }
    }

    /// No side of an answer is longer.
    package static let longestSide = 8_192

    package let width: Int
    package let height: Int
    package let region: Region?

    /// No image is larger: what is further away, infinite or no number names no part of one.
    private static let farthest = 1e6

    private static func isLawful(_ region: Region) -> Bool {
        [region.width, region.height].allSatisfy { (1...farthest).contains(abs($0)) }
            && [region.x, region.y].allSatisfy { abs($0) <= farthest }
    }

    /// A viewport; nil when a side is no length.
    package init?(width: Int, height: Int, region: Region? = nil) {
        guard (1...Self.longestSide).contains(width), (1...Self.longestSide).contains(height),
            region.map(Self.isLawful) ?? true
        else { return nil }
        self.width = width
        self.height = height
        self.region = region
    }
}

/// A rendered image.
package struct RenderedImage: Sendable, Equatable {
    package let bytes: [UInt8]
    package let mediaType: String

    package init(bytes: [UInt8], mediaType: String) {
        self.bytes = bytes
        self.mediaType = mediaType
    }
}
