// A made-up archive of any size: what a Vietnamese hospital's devices would have sent, from a number alone.

import Catalog
import DICOMCore
import Volumes

/// Instances by number: the same number is always the same instance, so nothing needs to be kept.
struct MadeUpArchive: Sendable {
    /// How devices make UIDs.
    enum UIDStyle: String, Sendable, CaseIterable {
        /// A device's root, then what grows with time: neighbours in time are neighbours in order.
        case device
        /// `2.25.` and 128 random bits (PS3.5 B.2): neighbours in time lie anywhere.
        case random
    }

    let uidStyle: UIDStyle
    let instancesPerStudy: Int

    /// Devices that send at once; batches are a mixture of their studies.
    private static let devices = 4
    private static let instancesPerSeries = 25

    init(uidStyle: UIDStyle, instancesPerStudy: Int) {
        self.uidStyle = uidStyle
        self.instancesPerStudy = max(instancesPerStudy, 1)
    }

    /// The enrolment of one instance, as the ingest line would hand it over.
    func enrollment(_ number: Int) -> Enrollment {
        let device = number % Self.devices
        let turn = number / Self.devices
        let study = turn / instancesPerStudy * Self.devices + device
        let position = turn % instancesPerStudy
        let series = position / Self.instancesPerSeries + 1
        let date = Self.date(study)
        var values = Self.fixed[device]
        values[Key.patientID] = Self.padded(Self.patient(of: study), 8, "BN")
        values[Key.patientName] = Self.name(Self.patient(of: study))
        values[Key.birthDate] = "\(1_930 + Self.patient(of: study) % 90)0\(1 + study % 9)15"
        values[Key.studyDate] = date
        values[Key.studyTime] = Self.padded(60_000 + study % 14 * 10_000 + study % 60 * 100, 6)
        values[Key.accessionNumber] = Self.padded(study, 9, "ACC")
        values[Key.studyID] = "\(study)"
        values[Key.seriesNumber] = "\(series)"
        values[Key.instanceNumber] = "\(position % Self.instancesPerSeries + 1)"
        values[Key.contentDate] = date
        values[Key.contentTime] = Self.padded(60_000 + position, 6, "", ".250000")
        values[Key.studyUID] = uid(0, study, device, study, date)
        values[Key.seriesUID] = uid(1, study * 64 + series, device, study, date)
        values[Key.sopUID] = uid(2, number, device, study, date)
        var random = Mixer(UInt64(number))
        let digest = (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let entry = Int64(number % 4_000) * 530_432
        return Enrollment(
            facts: InstanceFacts(values),
            place: Place(
                volume: 1 + number / 4_000, entryOffset: entry, bodyOffset: entry + 1_536, length: 528_384),
            dataSetOffset: 402, digest: digest, receivedAt: 1_700_000_000_000_000 + Int64(number) * 997,
            source: "CT\(device)")
    }

    /// Enrolments of a run of numbers.
    func batch(_ numbers: Range<Int>) -> [Enrollment] { numbers.map(enrollment) }

    // MARK: - Identifiers

    private func uid(_ kind: Int, _ number: Int, _ device: Int, _ study: Int, _ date: String)
        -> String
    {
        if uidStyle == .random {
            var random = Mixer(UInt64(number) << 2 | UInt64(kind))
            return "2.25.\(UInt128(random.next()) << 64 | UInt128(random.next()))"
        }
        let count = Self.padded(number, 11)
        return switch device {
        case 0: "1.3.12.2.1107.5.1.4.73491.300000\(date)0\(1 + kind)\(count)"
        case 1: "1.2.840.113619.2.55.3.2831868886.\(713 + kind).\(date).\(study).\(number)"
        case 2: "1.3.46.670589.33.1.63\(date)\(count).\(3 + kind)\(study % 97)"
        default: "1.2.392.200036.9125.\(2 + kind).\(date)0\(study).64\(count)"
        }
    }

    /// Studies over three years, nearly in order: some come late.
    private static func date(_ study: Int) -> String {
        let day = study / 90 - (study % 53 == 0 ? study % 7 : 0)
        let (year, month, rest) = (2_022 + max(day, 0) / 372, max(day, 0) % 372 / 31, max(day, 0) % 31)
        return padded(year * 10_000 + (month + 1) * 100 + min(rest, 27) + 1, 8)
    }

    /// Five studies for every three patients.
    private static func patient(of study: Int) -> Int {
        var random = Mixer(UInt64(study) &+ 77)
        return Int(random.next() % UInt64(max(study * 3 / 5, 1) + 1))
    }

    // MARK: - People

    /// Families by their share of a thousand people.
    private static let families: [(String, Int)] = [
        ("Nguyễn", 384), ("Trần", 121), ("Lê", 95), ("Phạm", 71), ("Huỳnh", 51), ("Phan", 45),
        ("Vũ", 39), ("Võ", 30),
        ("Đặng", 21), ("Bùi", 20), ("Đỗ", 14), ("Hồ", 13), ("Ngô", 13), ("Dương", 10), ("Lý", 5),
        ("Đinh", 5),
        ("Trương", 22), ("Mai", 8), ("Lâm", 8), ("Cao", 8), ("Châu", 5), ("Tạ", 4), ("Thạch", 3),
        ("Quách", 2),
        ("Ưng", 1), ("Khổng", 1), ("Doãn", 1),
    ]
    private static let middles = [
        "Văn", "Thị", "Đức", "Minh", "Ngọc", "Thanh", "Quang", "Hữu", "Xuân", "Kim", "Hải", "Anh",
        "Thị Mỹ", "Văn Bá",
        "Quốc", "Đình", "Công", "Thị Thu", "Thị Hồng", "Hoàng",
    ]
    private static let givens = [
        "Anh", "Bình", "Châu", "Dũng", "Đức", "Giang", "Hà", "Hải", "Hạnh", "Hiếu", "Hoa", "Hùng",
        "Hương", "Khánh",
        "Lan", "Linh", "Long", "Mai", "Nam", "Nga", "Phong", "Phúc", "Quân", "Sơn", "Tâm", "Thảo",
        "Trang", "Tuấn",
        "Vinh", "Yến", "Khuê", "Oanh", "Thủy", "Nhung", "Vy", "Duyên", "Nghĩa", "Thịnh", "Cường",
        "Kiệt",
    ]

    private static func name(_ patient: Int) -> String {
        var random = Mixer(UInt64(patient) &+ 1_000_003)
        var share = Int(random.next() % 1_000)
        let family =
            families.first {
                share -= $0.1
                return share < 0
            }?.0 ?? "Nguyễn"
        let middle = middles[Int(random.next() % UInt64(middles.count))]
        let given = givens[Int(random.next() % UInt64(givens.count))]
        return "\(family)^\(given)^\(middle)"
    }

    // MARK: - Values

    private enum Key {
        static let sopUID = key("SOPInstanceUID")
        static let studyUID = key("StudyInstanceUID")
        static let seriesUID = key("SeriesInstanceUID")
        static let patientID = key("PatientID")
        static let patientName = key("PatientName")
        static let birthDate = key("PatientBirthDate")
        static let studyDate = key("StudyDate")
        static let studyTime = key("StudyTime")
        static let studyID = key("StudyID")
        static let accessionNumber = key("AccessionNumber")
        static let seriesNumber = key("SeriesNumber")
        static let instanceNumber = key("InstanceNumber")
        static let contentDate = key("ContentDate")
        static let contentTime = key("ContentTime")
    }

    private static func key(_ keyword: String) -> Attribute {
        guard let attribute = Attribute.table.first(where: { $0.keyword == keyword }) else {
            preconditionFailure("the catalogue does not keep \(keyword)")
        }
        return attribute
    }

    /// What is the same in everything a device sends.
    private static let fixed: [[Attribute: String]] = [
        (
            "CT", "1.2.840.10008.5.1.4.1.1.2", "SIEMENS", "CT NGUC CO TIEM THUOC CAN QUANG",
            "Lung 1.0 Br59"
        ),
        (
            "MR", "1.2.840.10008.5.1.4.1.1.4", "GE MEDICAL SYSTEMS", "MRI SO NAO KHONG TIEM",
            "Ax T2 FLAIR"
        ),
        ("DX", "1.2.840.10008.5.1.4.1.1.1.1", "Philips", "X QUANG NGUC THANG", "PA"),
        ("CT", "1.2.840.10008.5.1.4.1.1.2", "FUJIFILM", "CT BUNG CHAU", "Abdomen 5.0"),
    ].map { modality, sopClass, manufacturer, study, series in
        [
            key("Modality"): modality, key("SOPClassUID"): sopClass, key("Manufacturer"): manufacturer,
            key("StudyDescription"): study, key("SeriesDescription"): series, key("PatientSex"): "F",
            key("AvailableTransferSyntaxUID"): "1.2.840.10008.1.2.4.70", key("BodyPartExamined"): "CHEST",
            key("InstitutionName"): "BENH VIEN DA KHOA TINH", key("ReferringPhysicianName"): "Lê^Hoa^Thị",
            key("StationName"): "STATION1", key("ManufacturerModelName"): "MODEL",
            key("ProtocolName"): series,
            key("Rows"): "512", key("Columns"): "512", key("BitsAllocated"): "16",
            key("PhotometricInterpretation"): "MONOCHROME2", key("ImageType"): "ORIGINAL\\PRIMARY\\AXIAL",
        ]
    }

    private static func padded(
        _ number: Int, _ width: Int, _ before: String = "", _ behind: String = ""
    ) -> String {
        let digits = String(number)
        return before + String(repeating: "0", count: max(width - digits.count, 0)) + digits + behind
    }
}

/// Numbers that follow from a seed alone (SplitMix64).
struct Mixer {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
