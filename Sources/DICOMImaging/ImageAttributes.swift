// Everything that a header says about showing its frames, taken out once (PS3.3 Sections C.7.6 and C.11).

package import DICOMCore

/// Red, green and blue tables (PS3.3 Section C.7.9).
package struct Palette: Sendable, Hashable, Codable {
    package let red: LookupTable
    package let green: LookupTable
    package let blue: LookupTable

    init?(_ dataSet: DataSet, isSigned: Bool) {
        let tables = (UInt16(0)..<3).map { index in
            LookupTable(
                dataSet, descriptor: Tag(0x0028, 0x1101 + index), data: Tag(0x0028, 0x1201 + index),
                segmented: Tag(0x0028, 0x1221 + index), isSigned: isSigned)
        }
        guard let red = tables[0], let green = tables[1], let blue = tables[2] else { return nil }
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    /// Entries of 8 bits.
    var bytes: (red: [UInt8], green: [UInt8], blue: [UInt8]) {
        // Some writers say 16 bits and mean 8.
        let isNarrow = [red, green, blue].allSatisfy { $0.bits <= 8 || $0.entries.allSatisfy { $0 <= 0xFF } }
        func narrow(_ table: LookupTable) -> [UInt8] {
            table.entries.map { isNarrow ? UInt8(truncatingIfNeeded: $0) : UInt8($0 >> UInt16(max(0, table.bits - 8))) }
        }
        return (narrow(red), narrow(green), narrow(blue))
    }
}

/// The grey transformations of one frame.
package struct FrameAttributes: Sendable, Hashable, Codable {
    package var modality = ModalityTransform.identity
    /// Windows and tables, the one to be shown first in front.
    package var voi: [VOITransform] = []
}

/// What a header says about showing its frames.
package struct ImageAttributes: Sendable {
    package let layout: PixelLayout
    /// As the header says, at least 1.
    package let numberOfFrames: Int
    /// Stored values that are no part of the image (PS3.3 Section C.7.5.1.1.2).
    package let padding: ClosedRange<Int>?
    package let palette: Palette?
    /// Presentation LUT Shape INVERSE (PS3.3 Section C.11.6).
    package let isInverse: Bool
    /// Height of a pixel by its width, where the object says that they differ (PS3.3 Section C.7.6.3.1.7).
    package let aspect: Double
    /// Milliseconds of a frame, nil when the object is no cine.
    package let frameTime: Double?
    private let common: FrameAttributes
    private let perFrame: [FrameAttributes]
    private let overlaySource: DataSet?

    /// The transformations of a frame, numbered from 1.
    package func frame(_ number: Int) -> FrameAttributes {
        perFrame.indices.contains(number - 1) ? perFrame[number - 1] : common
    }

    /// Overlay planes of a frame.
    package func overlays(_ frame: Int) -> [Overlay] {
        overlaySource.map { Overlay.planes($0, frame: frame, layout: layout) } ?? []
    }

    /// Reads a header.
    package init(_ header: Header) throws(ImagingFailure) {
        try self.init(header.dataSet, pixelData: header.pixelData?.tag ?? .pixelData)
    }

    /// Reads a data set.
    package init(_ dataSet: DataSet, pixelData: Tag = .pixelData) throws(ImagingFailure) {
        layout = try PixelLayout(dataSet, pixelData: pixelData)
        numberOfFrames = max(1, dataSet.int(.numberOfFrames) ?? 1)
        padding = Self.padding(dataSet, layout)
        palette =
            layout.photometricInterpretation == .paletteColor ? Palette(dataSet, isSigned: layout.isSigned) : nil
        isInverse = dataSet.string(.presentationLUTShape)?.uppercased() == "INVERSE"
        aspect = Self.aspect(dataSet)
        let time = dataSet.doubles(.frameTime).first
        let rate = dataSet.doubles(.recommendedDisplayFrameRate).first ?? dataSet.doubles(.cineRate).first
        frameTime = time.flatMap { $0 > 0 ? $0 : nil } ?? rate.flatMap { $0 > 0 ? 1_000 / $0 : nil }
        let isSigned = layout.isSigned
        let top = GreyAttributes(dataSet, isSigned: isSigned)
        let shared = dataSet.items(.sharedFunctionalGroupsSequence).first.map {
            GreyAttributes(functionalGroups: $0, isSigned: isSigned)
        }
        let base = GreyAttributes(shared, over: top)
        common = base.frame
        perFrame = dataSet.items(.perFrameFunctionalGroupsSequence).map { item in
            GreyAttributes(GreyAttributes(functionalGroups: item, isSigned: isSigned), over: base).frame
        }
        let hasOverlays = dataSet.elements.contains { $0.tag.group & 0xFFE1 == 0x6000 && $0.tag.element == 0x0010 }
        overlaySource = hasOverlays ? dataSet : nil
    }

    /// Beyond ten to one it is a mistake, and the image is better seen as it is.
    private static func aspect(_ dataSet: DataSet) -> Double {
        let ratio = dataSet.doubles(.pixelAspectRatio)
        guard ratio.count == 2, ratio[1] > 0, (0.1...10).contains(ratio[0] / ratio[1]) else { return 1 }
        return ratio[0] / ratio[1]
    }

    private static func padding(_ dataSet: DataSet, _ layout: PixelLayout) -> ClosedRange<Int>? {
        func value(_ tag: Tag) -> Int? {
            dataSet.int(tag).map {
                // US and SS are confused often; Pixel Representation decides.
                layout.isSigned && $0 > 0x7FFF ? $0 - 0x1_0000 : !layout.isSigned && $0 < 0 ? $0 + 0x1_0000 : $0
            }
        }
        guard let first = value(.pixelPaddingValue) else { return nil }
        let limit = value(.pixelPaddingRangeLimit) ?? first
        return min(first, limit)...max(first, limit)
    }
}

/// The transformations of one level: the data set itself, the shared functional groups, or those of a frame.
private struct GreyAttributes {
    var modality: ModalityTransform?
    var voi: [VOITransform] = []

    var frame: FrameAttributes { FrameAttributes(modality: modality ?? .identity, voi: voi) }

    init(_ dataSet: DataSet, isSigned: Bool) {
        modality = GreyReader.modality(dataSet, isSigned: isSigned)
        voi = GreyReader.voi(dataSet, modality: modality, isSigned: isSigned)
    }

    /// An item of the shared or per-frame functional groups (PS3.3 Sections C.7.6.16.2.9 and C.7.6.16.2.10).
    init(functionalGroups item: DataSet, isSigned: Bool) {
        modality = item.items(.pixelValueTransformationSequence).first.flatMap {
            GreyReader.modality($0, isSigned: isSigned)
        }
        voi =
            item.items(.frameVOILUTSequence).first.map {
                GreyReader.voi($0, modality: modality, isSigned: isSigned)
            } ?? []
    }

    init(_ inner: GreyAttributes?, over outer: GreyAttributes) {
        modality = inner?.modality ?? outer.modality
        voi = inner.flatMap { $0.voi.isEmpty ? nil : $0.voi } ?? outer.voi
    }
}

/// Reads grey transformations, of images and of presentation states.
enum GreyReader {
    static func modality(_ dataSet: DataSet, isSigned: Bool) -> ModalityTransform? {
        if let item = dataSet.items(.modalityLUTSequence).first, let table = LookupTable(item: item, isSigned: isSigned)
        {
            return .table(table)
        }
        guard let slope = dataSet.doubles(.rescaleSlope).first, slope != 0, slope.isFinite else { return nil }
        return .linear(slope: slope, intercept: dataSet.doubles(.rescaleIntercept).first ?? 0)
    }

    /// Windows in their order, then tables; tables first where there are no windows.
    static func voi(_ dataSet: DataSet, modality: ModalityTransform?, isSigned: Bool) -> [VOITransform] {
        let centers = dataSet.doubles(.windowCenter)
        let widths = dataSet.doubles(.windowWidth)
        let explanations = dataSet.strings(.windowCenterWidthExplanation)
        let function =
            dataSet.string(.voiLUTFunction).flatMap { VOIWindow.Function(rawValue: $0.uppercased()) } ?? .linear
        let windows = zip(centers, widths).enumerated().compactMap { index, pair in
            VOIWindow(
                center: pair.0, width: pair.1, function: function,
                explanation: explanations.indices.contains(index) ? explanations[index] : nil)
        }
        // Inputs of the table are outputs of the modality transformation, which may be negative.
        var mayBeNegative = isSigned
        if case .linear(_, let intercept) = modality, intercept < 0 { mayBeNegative = true }
        let tables = dataSet.items(.voiLUTSequence).compactMap { item in
            LookupTable(item: item, isSigned: mayBeNegative).map {
                VOITransform.table($0, explanation: item.string(Tag(0x0028, 0x3003)))
            }
        }
        return windows.map(VOITransform.window) + tables
    }
}
