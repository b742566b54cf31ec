// What one header says about showing the images of its series (PS3.3 Sections C.7.6, C.8.x, C.11).

import DICOMCore

extension ViewerImage {
    private static let planeOrientationSequence = Tag(0x0020, 0x9116)
    private static let pixelMeasuresSequence = Tag(0x0028, 0x9110)
    private static let frameVOILUTSequence = Tag(0x0028, 0x9132)
    private static let pixelValueTransformationSequence = Tag(0x0028, 0x9145)
    private static let perFrameFunctionalGroupsSequence = Tag(0x5200, 0x9230)
    private static let bitsAllocatedTag = Tag(0x0028, 0x0100)
    private static let photometricTag = Tag(0x0028, 0x0004)

    /// - Parameter modality: of the series, for the windows that are usual there.
    init(header: DataSet, modality: String?) {
        // Enhanced objects say it in functional groups: for all frames, or for the first one.
        let groups =
            header.items(.sharedFunctionalGroupsSequence).prefix(1)
            + header.items(Self.perFrameFunctionalGroupsSequence).prefix(1)
        func place(of tag: Tag, in sequence: Tag) -> DataSet? {
            if header[tag] != nil { return header }
            return groups.lazy.compactMap { $0.items(sequence).first }.first { $0[tag] != nil }
        }
        func numbers(_ tag: Tag, _ sequence: Tag) -> [Double] {
            place(of: tag, in: sequence)?.doubles(tag).filter(\.isFinite) ?? []
        }
        photometricInterpretation = header.string(Self.photometricTag)
        samplesPerPixel = header.int(.samplesPerPixel) ?? 1
        bitsAllocated = header.int(Self.bitsAllocatedTag) ?? 8
        bitsStored = header.int(.bitsStored) ?? header.int(Self.bitsAllocatedTag) ?? 8
        isSigned = header.int(.pixelRepresentation) == 1
        rescaleSlope = numbers(.rescaleSlope, Self.pixelValueTransformationSequence).first
        rescaleIntercept = numbers(.rescaleIntercept, Self.pixelValueTransformationSequence).first
        rescaleType = place(of: .rescaleType, in: Self.pixelValueTransformationSequence)?.string(.rescaleType)
        let voi = place(of: .windowCenter, in: Self.frameVOILUTSequence)
        let own = Self.windows(
            centers: voi?.doubles(.windowCenter) ?? [], widths: voi?.doubles(.windowWidth) ?? [],
            names: voi?.strings(.windowCenterWidthExplanation) ?? [])
        windows = own + (modality == "CT" ? Self.usualForCT : [])
        let directions = numbers(.imageOrientationPatient, Self.planeOrientationSequence)
        orientation = directions.count == 6 ? directions : nil
        plane = AnatomicalPlane.of(directions)
        let spacing = numbers(.pixelSpacing, Self.pixelMeasuresSequence)
        pixelSpacing = spacing.count == 2 ? spacing : nil
        sliceThickness = numbers(.sliceThickness, Self.pixelMeasuresSequence).first
        spacingBetweenSlices = numbers(.spacingBetweenSlices, Self.pixelMeasuresSequence).first
        frameTime = header.doubles(.frameTime).first.flatMap { $0.isFinite ? $0 : nil }
    }

    /// Pairs of Window Center and Window Width; a width below one is none (PS3.3 Section C.11.2.1.2).
    static func windows(centers: [Double], widths: [Double], names: [String]) -> [Window] {
        zip(centers, widths).enumerated().compactMap { index, pair in
            guard pair.0.isFinite, pair.1.isFinite, pair.1 >= 1 else { return nil }
            let name = index < names.count && !names[index].isEmpty ? names[index] : nil
            return Window(center: pair.0, width: pair.1, name: name, source: "image")
        }
    }

    /// In Hounsfield units.
    private static let usualForCT: [Window] = [
        ("soft tissue", 40, 400), ("lung", -600, 1_500), ("bone", 400, 1_800), ("brain", 40, 80),
        ("liver", 60, 160), ("mediastinum", 50, 350), ("stroke", 35, 35),
    ].map { Window(center: $0.1, width: $0.2, name: $0.0, source: "usual") }
}
