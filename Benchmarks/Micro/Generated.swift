// Data that is the same in every run: names, headers and objects made from a seed.

import Catalog
import DICOMCore

/// A small generator with a seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}

/// Made-up people, as a Vietnamese hospital would register them.
enum Names {
    private static let families = [
        "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô",
    ]
    private static let middles = ["Văn", "Thị", "Đức", "Hữu", "Thị Ngọc", "Minh", "Quang", "Thanh", "Xuân", "Kim"]
    private static let givens = [
        "An", "Bình", "Cường", "Dũng", "Đạt", "Hằng", "Hiếu", "Hương", "Khánh", "Lan", "Mỹ", "Ngân", "Phượng", "Quỳnh",
        "Sơn", "Thảo", "Thuỷ", "Tuấn", "Uyên", "Việt", "Yến",
    ]

    /// A value of VR PN (PS3.5 Section 6.2.1). Four people of ten are Nguyễn, as in the country.
    static func patient(_ number: Int) -> String {
        var generator = SeededGenerator(state: UInt64(number))
        let family = number % 5 < 2 ? families[0] : families[pick(families.count, &generator)]
        let middle = middles[pick(middles.count, &generator)]
        return "\(family)^\(middle)^\(givens[pick(givens.count, &generator)])"
    }

    private static func pick(_ count: Int, _ generator: inout SeededGenerator) -> Int {
        Int(generator.next() % UInt64(count))
    }
}

/// UIDs by number (PS3.5 Section B.2), a range for each kind.
enum UIDs {
    static func study(_ number: Int) -> String { "2.25.10000000000000000000000000000\(100_000_000 + number)" }
    static func series(_ number: Int) -> String { "2.25.20000000000000000000000000000\(100_000_000 + number)" }
    static func instance(_ number: Int) -> String { "2.25.30000000000000000000000000000\(100_000_000 + number)" }
}

/// CT slices. The number decides study (500 slices each), series and instance; no two are alike.
enum Slices {
    static let transferSyntax = TransferSyntax.explicitVRLittleEndian

    /// A data set as a C-STORE brings it, close to `size` bytes long; the rest of them are pixels.
    static func dataSet(_ number: Int, size: Int) -> [UInt8] {
        var writer = header(number)
        let length = max(64, size - writer.finish().count - 12) & ~1
        var generator = SeededGenerator(state: UInt64(number))
        var pixels: [UInt8] = []
        pixels.reserveCapacity(length + 8)
        while pixels.count < length {
            let word = generator.next()
            for shift in 0..<8 { pixels.append(UInt8(truncatingIfNeeded: word >> (UInt64(shift) * 8))) }
        }
        writer.put(.pixelData, .OW, bytes: Array(pixels.prefix(length)))
        return writer.finish()
    }

    /// The same behind a file header (PS3.10 Section 7.1).
    static func file(_ number: Int, size: Int) -> [UInt8] {
        Part10.header(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: UIDs.instance(number),
            transferSyntaxUID: transferSyntax.uid) + dataSet(number, size: size)
    }

    /// Elements before the pixels.
    static let elements = 256

    /// A header of that many elements, most of them the maker's own, as CT scanners write them.
    static func header(_ number: Int) -> DataSetWriter {
        var writer = DataSetWriter(transferSyntax: transferSyntax, characterSet: .utf8)
        for (keyword, value) in attributes(number) {
            if let tag = DataDictionary.tag(keyword: keyword) { writer.put(tag, value) }
        }
        var reference = writer.makeItem()
        reference.put(.referencedSOPClassUID, SOPClass.ctImageStorage)
        reference.put(.referencedSOPInstanceUID, UIDs.instance(number / 500 * 500))
        for keyword in ["ReferencedImageSequence", "SourceImageSequence"] {
            if let tag = DataDictionary.tag(keyword: keyword) { writer.put(tag, items: [reference]) }
        }
        let representations: [(VR, [String])] = [
            (.DS, ["12.5", "-0.75"]), (.IS, ["4096"]), (.LO, ["RECON-B30f"]), (.SH, ["HELICAL"]), (.US, ["17"]),
            (.FD, ["0.9765625"]),
        ]
        // Two sequences, the creator of the private block and Specific Character Set count too.
        let missing = elements - attributes(number).count - 4
        writer.put(Tag(0x0019, 0x0010), .LO, ["PHIM BENCHMARK 1.0"])
        for index in 0..<missing {
            let (vr, values) = representations[index % representations.count]
            writer.put(Tag(0x0019, UInt16(0x1000 + index)), vr, values)
        }
        return writer
    }

    private static func attributes(_ number: Int) -> [(String, String)] {
        let study = number / 500
        let day = String(20_240_100 + study % 28 + 1)
        return [
            ("ImageType", "ORIGINAL\\PRIMARY\\AXIAL"), ("SOPClassUID", SOPClass.ctImageStorage),
            ("SOPInstanceUID", UIDs.instance(number)), ("StudyDate", day), ("SeriesDate", day),
            ("AcquisitionDate", day), ("ContentDate", day), ("StudyTime", "081500"), ("SeriesTime", "081732.250"),
            ("AcquisitionTime", "081801.500"), ("ContentTime", "081802"), ("AccessionNumber", "A\(700_000 + study)"),
            ("Modality", "CT"), ("Manufacturer", "PHIM"), ("InstitutionName", "Bệnh viện Đa khoa Tỉnh"),
            ("ReferringPhysicianName", "Trần^Thị^Hương"), ("StationName", "CT01"),
            ("StudyDescription", "CT ngực có tiêm thuốc cản quang"), ("SeriesDescription", "Ngực 1.0 B30f"),
            ("InstitutionalDepartmentName", "Chẩn đoán hình ảnh"), ("ManufacturerModelName", "Slice 64"),
            ("PatientName", Names.patient(study)), ("PatientID", "BN\(1_000_000 + study)"),
            ("PatientBirthDate", String(19_400_101 + study % 60 * 10_000)), ("PatientSex", study % 2 == 0 ? "F" : "M"),
            ("PatientAge", "054Y"), ("PatientWeight", "56.5"), ("BodyPartExamined", "CHEST"),
            ("SliceThickness", "1.25"),
            ("KVP", "120"), ("DataCollectionDiameter", "500"), ("SoftwareVersions", "4.2"), ("ProtocolName", "Ngực"),
            ("ReconstructionDiameter", "380"), ("GantryDetectorTilt", "0"), ("TableHeight", "155"),
            ("RotationDirection", "CW"), ("ExposureTime", "500"), ("XRayTubeCurrent", "220"), ("Exposure", "110"),
            ("FilterType", "BODY"), ("GeneratorPower", "26"), ("FocalSpots", "1.2"), ("ConvolutionKernel", "B30f"),
            ("PatientPosition", "FFS"), ("StudyInstanceUID", UIDs.study(study)),
            ("SeriesInstanceUID", UIDs.series(study)), ("StudyID", "\(study)"), ("SeriesNumber", "2"),
            ("AcquisitionNumber", "1"), ("InstanceNumber", "\(number % 500 + 1)"),
            ("ImagePositionPatient", "-190\\-190\\-\(number % 500).5"),
            ("ImageOrientationPatient", "1\\0\\0\\0\\1\\0"), ("FrameOfReferenceUID", UIDs.series(study) + ".1"),
            ("SliceLocation", "-\(number % 500).5"), ("SamplesPerPixel", "1"),
            ("PhotometricInterpretation", "MONOCHROME2"), ("Rows", "512"), ("Columns", "512"),
            ("PixelSpacing", "0.7421875\\0.7421875"), ("BitsAllocated", "16"), ("BitsStored", "12"), ("HighBit", "11"),
            ("PixelRepresentation", "1"), ("WindowCenter", "40\\-600"), ("WindowWidth", "400\\1200"),
            ("RescaleIntercept", "-1024"), ("RescaleSlope", "1"),
        ]
    }
}
