// How the samples of a frame lie in memory (PS3.3 Section C.7.6.3; PS3.5 Section 8).

package import DICOMCore

/// The Image Pixel module as far as it says how to read samples.
package struct PixelLayout: Hashable, Sendable, Codable {
    package var rows: Int
    package var columns: Int
    package var samplesPerPixel = 1
    package var bitsAllocated: Int
    package var bitsStored: Int
    package var highBit: Int
    package var isSigned = false
    /// All samples of one colour, then all of the next (Planar Configuration 1).
    package var isPlanar = false
    package var photometricInterpretation = PhotometricInterpretation.monochrome2
    /// Float or Double Float Pixel Data (PS3.3 Sections C.7.6.24 and C.7.6.25).
    package var isFloatingPoint = false

    /// A frame of grey samples, other properties at their defaults.
    package init(rows: Int, columns: Int, bitsAllocated: Int, bitsStored: Int? = nil, highBit: Int? = nil) {
        self.rows = rows
        self.columns = columns
        self.bitsAllocated = bitsAllocated
        self.bitsStored = bitsStored ?? bitsAllocated
        self.highBit = highBit ?? (bitsStored ?? bitsAllocated) - 1
    }

    /// Reads and checks the attributes; what has an obvious default may be missing.
    package init(_ dataSet: DataSet, pixelData: Tag = .pixelData) throws(ImagingFailure) {
        guard let rows = dataSet.int(.rows), let columns = dataSet.int(.columns) else { throw .noPixels }
        let isFloatingPoint = pixelData != .pixelData
        let fallback = pixelData == .doubleFloatPixelData ? 64 : isFloatingPoint ? 32 : nil
        guard let allocated = fallback ?? dataSet.int(.bitsAllocated) else { throw .damaged("no Bits Allocated") }
        let stored = isFloatingPoint ? allocated : dataSet.int(.bitsStored) ?? allocated
        // Before anything is computed with them: a VR of 64 bits can stand at any attribute.
        guard (1...64).contains(allocated), (1...64).contains(stored) else {
            throw .damaged("Bits Allocated or Bits Stored")
        }
        self.init(
            rows: rows, columns: columns, bitsAllocated: allocated, bitsStored: stored,
            highBit: isFloatingPoint ? allocated - 1 : dataSet.int(.highBit))
        self.isFloatingPoint = isFloatingPoint
        samplesPerPixel = dataSet.int(.samplesPerPixel) ?? 1
        isSigned = dataSet.int(.pixelRepresentation) == 1
        isPlanar = samplesPerPixel > 1 && dataSet.int(.planarConfiguration) == 1
        let term = dataSet.string(.photometricInterpretation)?.uppercased() ?? ""
        photometricInterpretation =
            PhotometricInterpretation(rawValue: term) ?? (samplesPerPixel == 3 ? .rgb : .monochrome2)
        try check()
    }

    private func check() throws(ImagingFailure) {
        guard (1...65_535).contains(rows), (1...65_535).contains(columns) else { throw .damaged("Rows or Columns") }
        guard samplesPerPixel == 1 || samplesPerPixel == 3 else { throw .unsupported("Samples per Pixel") }
        guard [1, 8, 16, 32, 64].contains(bitsAllocated), bitsAllocated < 64 || isFloatingPoint,
            bitsAllocated > 1 || samplesPerPixel == 1
        else { throw .unsupported("Bits Allocated") }
        guard (1...bitsAllocated).contains(bitsStored), highBit < bitsAllocated, highBit >= bitsStored - 1 else {
            throw .damaged("Bits Stored or High Bit")
        }
        guard (photometricInterpretation.samples == 3) == (samplesPerPixel == 3) else {
            throw .damaged("Photometric Interpretation contradicts Samples per Pixel")
        }
    }

    /// Samples of one frame, chrominance that is shared between pixels counted once (PS3.5 Section 8.2).
    package var samplesPerFrame: Int {
        switch photometricInterpretation {
        case .ybrFull422 where samplesPerPixel == 3: rows * columns * 2
        case .ybrPartial420: rows * columns * 3 / 2
        default: rows * columns * samplesPerPixel
        }
    }

    /// Bits of one frame; frames of single bits follow each other without padding (PS3.5 Section 8.1.1).
    package var bitsPerFrame: Int { samplesPerFrame * bitsAllocated }
    /// Bytes of one frame that stands alone.
    package var bytesPerFrame: Int { (bitsPerFrame + 7) / 8 }

    /// The same image as a decoder gives it: samples by pixel, all of them.
    var interleaved: PixelLayout {
        var layout = self
        layout.isPlanar = false
        if layout.photometricInterpretation == .ybrFull422 || layout.photometricInterpretation == .ybrPartial420 {
            layout.photometricInterpretation = .ybrFull
        }
        return layout
    }
}
