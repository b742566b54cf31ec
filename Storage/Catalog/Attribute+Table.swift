// The rows of the attribute table: keys of PS3.4 Tables C.6-1 to C.6-4 and what a study list shows besides.

import DICOMCore

extension Attribute {
    /// Every attribute that the catalogue keeps, by level.
    package static let table: [Attribute] = (patient + study + series + image).enumerated().map { ordinal, row in
        let table = row.level.table
        let key: String? =
            switch row.kind {
            case .personName: row.column + "Key"
            case .time where row.indexed: row.column + "Key"
            default: nil
            }
        return Attribute(
            tag: Tag(rawValue: row.tag), sequence: row.sequence, keyword: row.keyword, level: row.level, kind: row.kind,
            isMultiple: row.multiple, origin: row.derived ? .derived : .header,
            code: String(String(UInt64(row.tag) | 1 << 32, radix: 16, uppercase: true).dropFirst()), ordinal: ordinal,
            column: "\(table).\(row.column)", keyColumn: key.map { "\(table).\($0)" },
            trigrams: row.trigrams ? Trigrams(table: "\(table)_text", column: key ?? row.column) : nil)
    }

    private struct Row {
        let tag: UInt32
        let keyword: String
        let level: QueryLevel
        let kind: Kind
        let column: String
        var multiple = false
        var derived = false
        var indexed = false
        var trigrams = false
        var sequence: Tag?
    }

    private static func row(
        _ level: QueryLevel, _ tag: UInt32, _ keyword: String, _ kind: Kind, column: String? = nil,
        multiple: Bool = false, derived: Bool = false, indexed: Bool = false, trigrams: Bool = false
    ) -> Row {
        Row(
            tag: tag, keyword: keyword, level: level, kind: kind,
            column: column ?? keyword.prefix(1).lowercased() + keyword.dropFirst(),
            multiple: multiple, derived: derived, indexed: indexed, trigrams: trigrams)
    }

    /// An attribute of the items of a sequence.
    private static func row(_ level: QueryLevel, _ sequence: Tag, _ tag: UInt32, _ keyword: String) -> Row {
        var row = row(level, tag, keyword, .code, multiple: true)
        row.sequence = sequence
        return row
    }

    private static let patient: [Row] = [
        row(.patient, 0x0010_0010, "PatientName", .personName, trigrams: true),
        row(.patient, 0x0010_0020, "PatientID", .code, trigrams: true),
        row(.patient, 0x0010_0021, "IssuerOfPatientID", .code),
        row(.patient, 0x0010_0030, "PatientBirthDate", .date),
        row(.patient, 0x0010_0032, "PatientBirthTime", .time),
        row(.patient, 0x0010_0040, "PatientSex", .code),
        row(.patient, 0x0010_1000, "OtherPatientIDs", .code, multiple: true),
        row(.patient, 0x0010_2160, "EthnicGroup", .code),
        row(.patient, 0x0010_4000, "PatientComments", .text),
        row(.patient, 0x0020_1200, "NumberOfPatientRelatedStudies", .integer, column: "studies", derived: true),
        row(.patient, 0x0020_1202, "NumberOfPatientRelatedSeries", .integer, column: "series", derived: true),
        row(.patient, 0x0020_1204, "NumberOfPatientRelatedInstances", .integer, column: "instances", derived: true),
    ]

    private static let study: [Row] = [
        row(.study, 0x0020_000D, "StudyInstanceUID", .uid, column: "uid"),
        row(.study, 0x0008_0020, "StudyDate", .date),
        row(.study, 0x0008_0030, "StudyTime", .time, indexed: true),
        row(.study, 0x0008_0050, "AccessionNumber", .code, trigrams: true),
        row(.study, 0x0020_0010, "StudyID", .code),
        row(.study, 0x0008_0201, "TimezoneOffsetFromUTC", .code),
        row(.study, 0x0008_1030, "StudyDescription", .code, trigrams: true),
        row(.study, 0x0008_0090, "ReferringPhysicianName", .personName, trigrams: true),
        row(.study, 0x0008_1060, "NameOfPhysiciansReadingStudy", .personName, multiple: true),
        row(.study, 0x0008_1080, "AdmittingDiagnosesDescription", .code, multiple: true),
        row(.study, 0x0010_1010, "PatientAge", .code),
        row(.study, 0x0010_1020, "PatientSize", .code),
        row(.study, 0x0010_1030, "PatientWeight", .code),
        row(.study, 0x0010_2180, "Occupation", .code),
        row(.study, 0x0010_21B0, "AdditionalPatientHistory", .text),
        row(.study, 0x0008_0061, "ModalitiesInStudy", .code, column: "modalities", multiple: true, derived: true),
        row(.study, 0x0008_0062, "SOPClassesInStudy", .uid, column: "sopClasses", multiple: true, derived: true),
        row(.study, 0x0020_1206, "NumberOfStudyRelatedSeries", .integer, column: "series", derived: true),
        row(.study, 0x0020_1208, "NumberOfStudyRelatedInstances", .integer, column: "instances", derived: true),
    ]

    private static let series: [Row] = [
        row(.series, 0x0020_000E, "SeriesInstanceUID", .uid, column: "uid"),
        row(.series, 0x0008_0060, "Modality", .code),
        row(.series, 0x0020_0011, "SeriesNumber", .integer),
        row(.series, 0x0008_103E, "SeriesDescription", .code),
        row(.series, 0x0008_0021, "SeriesDate", .date),
        row(.series, 0x0008_0031, "SeriesTime", .time),
        row(.series, 0x0018_0015, "BodyPartExamined", .code),
        row(.series, 0x0018_1030, "ProtocolName", .code),
        row(.series, 0x0020_0060, "Laterality", .code),
        row(.series, 0x0018_5100, "PatientPosition", .code),
        row(.series, 0x0008_0070, "Manufacturer", .code),
        row(.series, 0x0008_1090, "ManufacturerModelName", .code),
        row(.series, 0x0008_1010, "StationName", .code),
        row(.series, 0x0008_0080, "InstitutionName", .code),
        row(.series, 0x0008_1040, "InstitutionalDepartmentName", .code),
        row(.series, 0x0008_1050, "PerformingPhysicianName", .personName, multiple: true),
        row(.series, 0x0008_1070, "OperatorsName", .personName, multiple: true),
        row(.series, 0x0040_0244, "PerformedProcedureStepStartDate", .date),
        row(.series, 0x0040_0245, "PerformedProcedureStepStartTime", .time),
        row(.series, 0x0020_0052, "FrameOfReferenceUID", .uid),
        row(.series, .requestAttributesSequence, 0x0040_0009, "ScheduledProcedureStepID"),
        row(.series, .requestAttributesSequence, 0x0040_1001, "RequestedProcedureID"),
        row(.series, 0x0020_1209, "NumberOfSeriesRelatedInstances", .integer, column: "instances", derived: true),
    ]

    private static let image: [Row] = [
        row(.image, 0x0008_0018, "SOPInstanceUID", .uid, column: "uid"),
        row(.image, 0x0008_0016, "SOPClassUID", .uid, column: "sopClassUID"),
        row(.image, 0x0008_3002, "AvailableTransferSyntaxUID", .uid, column: "transferSyntaxUID"),
        row(.image, 0x0020_0013, "InstanceNumber", .integer),
        row(.image, 0x0008_0023, "ContentDate", .date),
        row(.image, 0x0008_0033, "ContentTime", .time),
        row(.image, 0x0008_0022, "AcquisitionDate", .date),
        row(.image, 0x0008_0032, "AcquisitionTime", .time),
        row(.image, 0x0008_002A, "AcquisitionDateTime", .dateTime),
        row(.image, 0x0028_0010, "Rows", .integer),
        row(.image, 0x0028_0011, "Columns", .integer),
        row(.image, 0x0028_0100, "BitsAllocated", .integer),
        row(.image, 0x0028_0008, "NumberOfFrames", .integer),
        row(.image, 0x0028_0004, "PhotometricInterpretation", .code),
        row(.image, 0x0008_0008, "ImageType", .code, multiple: true),
    ]
}
