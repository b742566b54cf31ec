// Attribute matching, rule by rule (PS3.4 Section C.2.2.2).

import Catalog
import DICOMCore
import Testing

/// Three studies of three patients, searched over and over.
private func hospital() throws -> (Scratch, CatalogStore) {
    let scratch = try Scratch()
    let catalog = try scratch.catalog()
    try catalog.enroll([
        sample(
            "1.1", study: "1.2.1", series: "1.2.1.1", patient: "BN-001",
            [
                "PatientName": "Nguyễn^Văn^Đức", "StudyDate": "20240115", "StudyTime": "093000",
                "AccessionNumber": "A100",
                "StudyDescription": "CT Chest [routine]", "Modality": "CT", "PatientSex": "M", "SeriesNumber": "2",
                "OtherPatientIDs": "OLD1\\OLD2", "ReferringPhysicianName": "Lê^Thị^Hoa", "ContentTime": "093001.5",
                "AcquisitionDateTime": "20240115093000+0700", "InstanceNumber": "007",
            ]),
        sample(
            "1.2", study: "1.2.2", series: "1.2.2.1", patient: "BN-002",
            [
                "PatientName": "Trần^Thị^Nga", "StudyDate": "2024.01.16", "StudyTime": "10:15:30.25",
                "AccessionNumber": "A200", "StudyDescription": "ct chest", "Modality": "MR", "PatientSex": "F",
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "ContentTime": "1015",
            ]),
        sample(
            "1.3", study: "1.2.3", series: "1.2.3.1", patient: "BN-003",
            ["PatientName": "SMITH^JOHN", "AccessionNumber": "B*1", "Modality": "SR"]),
        sample(
            "1.4", study: "1.2.1", series: "1.2.1.2", patient: "BN-001",
            ["PatientName": "Nguyễn^Văn^Đức", "Modality": "SEG"]),
    ])
    return (scratch, catalog)
}

@Suite("Matching at study level")
struct StudyMatching {
    @Test(
        "single values are equal or not, case counts, padding does not (PS3.4 Section C.2.2.2.1)",
        arguments: [
            ("AccessionNumber", "A100", ["1.2.1"]), ("AccessionNumber", "a100", []),
            ("AccessionNumber", " A100 ", ["1.2.1"]),
            ("AccessionNumber", "A10", []), ("PatientID", "BN-002", ["1.2.2"]),
            ("StudyDescription", "ct chest", ["1.2.2"]),
            ("PatientSex", "M", ["1.2.1"]), ("OtherPatientIDs", "OLD2", ["1.2.1"]), ("OtherPatientIDs", "OLD", []),
            ("StudyDate", "20240116", ["1.2.2"]), ("StudyDate", "2024.01.15", ["1.2.1"]),
            ("StudyTime", "0930", ["1.2.1"]),
            ("StudyTime", "101530.25", ["1.2.2"]), ("StudyTime", "101530.26", []), ("StudyDate", "nonsense", []),
        ])
    func single(keyword: String, value: String, expected: [String]) throws {
        let (scratch, catalog) = try hospital()
        #expect(try catalog.values("StudyInstanceUID", level: .study, [keyword: value]).sorted() == expected)
        withExtendedLifetime(scratch) {}
    }

    @Test(
        "a list of UIDs matches any of them (PS3.4 Section C.2.2.2.2)",
        arguments: [
            ("1.2.1\\1.2.3", ["1.2.1", "1.2.3"]), ("1.2.9\\1.2.2", ["1.2.2"]), ("1.2.9", []), ("1.2.1\\", ["1.2.1"]),
        ])
    func list(value: String, expected: [String]) throws {
        let (scratch, catalog) = try hospital()
        #expect(try catalog.values("StudyInstanceUID", level: .study, ["StudyInstanceUID": value]).sorted() == expected)
        withExtendedLifetime(scratch) {}
    }

    @Test("a list of a thousand UIDs is one query")
    func longList() throws {
        let (scratch, catalog) = try hospital()
        let list = ((100..<1_100).map { "1.2.\($0)" } + ["1.2.3"]).joined(separator: "\\")
        #expect(try catalog.values("StudyInstanceUID", level: .study, ["StudyInstanceUID": list]) == ["1.2.3"])
        withExtendedLifetime(scratch) {}
    }

    @Test(
        "an empty key and a lone * match everything, also entities without a value (PS3.4 Section C.2.2.2.3)",
        arguments: ["", "*", "**", "  "])
    func universal(value: String) throws {
        let (scratch, catalog) = try hospital()
        for keyword in ["StudyDescription", "PatientName", "StudyDate", "StudyInstanceUID", "ModalitiesInStudy"] {
            #expect(try catalog.values("StudyInstanceUID", level: .study, [keyword: value]).count == 3)
        }
        withExtendedLifetime(scratch) {}
    }

    @Test(
        "wild cards, * any run and ? one character, nothing else is special (PS3.4 Section C.2.2.2.4)",
        arguments: [
            ("AccessionNumber", "A*", ["1.2.1", "1.2.2"]), ("AccessionNumber", "?200", ["1.2.2"]),
            ("AccessionNumber", "*00", ["1.2.1", "1.2.2"]), ("AccessionNumber", "A?0*", ["1.2.1", "1.2.2"]),
            ("AccessionNumber", "*20*", ["1.2.2"]), ("AccessionNumber", "B*1", ["1.2.3"]),
            ("AccessionNumber", "a*", []),
            ("StudyDescription", "*Chest*", ["1.2.1"]), ("StudyDescription", "*[routine]", ["1.2.1"]),
            ("StudyDescription", "CT Chest*", ["1.2.1"]), ("StudyDescription", "*h?st*", ["1.2.1", "1.2.2"]),
            ("StudyDescription", "*ch*", ["1.2.2"]), ("PatientID", "*-00?", ["1.2.1", "1.2.2", "1.2.3"]),
            ("OtherPatientIDs", "*D1", ["1.2.1"]), ("StudyDescription", "*\"*", []), ("PatientID", "%", []),
        ])
    func wildcards(keyword: String, value: String, expected: [String]) throws {
        let (scratch, catalog) = try hospital()
        #expect(try catalog.values("StudyInstanceUID", level: .study, [keyword: value]).sorted() == expected)
        withExtendedLifetime(scratch) {}
    }

    @Test(
        "ranges include their ends; no value, no match (PS3.4 Section C.2.2.2.5)",
        arguments: [
            ("StudyDate", "20240115-20240116", ["1.2.1", "1.2.2"]), ("StudyDate", "20240116-", ["1.2.2"]),
            ("StudyDate", "-20240115", ["1.2.1"]), ("StudyDate", "20240117-", []), ("StudyDate", "-20231231", []),
            ("StudyTime", "0930-1015", ["1.2.1", "1.2.2"]), ("StudyTime", "-0929", []),
            ("StudyTime", "093001-", ["1.2.2"]),
            ("StudyTime", "-235959", ["1.2.1", "1.2.2"]),
        ])
    func ranges(keyword: String, value: String, expected: [String]) throws {
        let (scratch, catalog) = try hospital()
        #expect(try catalog.values("StudyInstanceUID", level: .study, [keyword: value]).sorted() == expected)
        withExtendedLifetime(scratch) {}
    }

    @Test("date and time ranges together are one range of instants when negotiated (PS3.4 Section C.2.2.2.5.4)")
    func combined() throws {
        let (scratch, catalog) = try hospital()
        var between = query(.study, ["StudyDate": "20240115-20240116", "StudyTime": "1000-0900"])
        #expect(try catalog.find(between).isEmpty)
        between.combinesDateAndTime = true
        #expect(try catalog.find(between).isEmpty)
        var wide = query(.study, ["StudyDate": "20240115-20240116", "StudyTime": "0900-1200"])
        wide.combinesDateAndTime = true
        #expect(try catalog.find(wide).count == 2)
        var night = query(.study, ["StudyDate": "20240115-20240116", "StudyTime": "0945-1200"])
        night.combinesDateAndTime = true
        #expect(try catalog.find(night).map { $0.values[attribute("StudyInstanceUID").tag] } == ["1.2.2"])
        withExtendedLifetime(scratch) {}
    }

    @Test(
        "Modalities in Study and SOP Classes in Study match any of the study's (PS3.4 Section C.3.4)",
        arguments: [
            ("ModalitiesInStudy", "CT", ["1.2.1"]), ("ModalitiesInStudy", "SEG", ["1.2.1"]),
            ("ModalitiesInStudy", "MR\\SR", ["1.2.2", "1.2.3"]), ("ModalitiesInStudy", "S*", ["1.2.1", "1.2.3"]),
            ("ModalitiesInStudy", "T", []), ("SOPClassesInStudy", "1.2.840.10008.5.1.4.1.1.4", ["1.2.2"]),
        ])
    func computed(keyword: String, value: String, expected: [String]) throws {
        let (scratch, catalog) = try hospital()
        #expect(try catalog.values("StudyInstanceUID", level: .study, [keyword: value]).sorted() == expected)
        withExtendedLifetime(scratch) {}
    }

    @Test("keys of different attributes must all match, wherever their tables are")
    func conjunction() throws {
        let (scratch, catalog) = try hospital()
        let filters = ["PatientName": "*a*", "StudyDate": "20240116-", "ModalitiesInStudy": "MR"]
        #expect(try catalog.values("PatientID", level: .study, filters) == ["BN-002"])
        withExtendedLifetime(scratch) {}
    }
}

@Suite("Matching at other levels")
struct OtherLevels {
    @Test(
        "series and instances are found by their own keys and those above (PS3.4 Section C.4.1.2.2)",
        arguments: [
            (QueryLevel.series, "SeriesNumber", "02", 1), (.series, "Modality", "SEG", 1),
            (.series, "PatientID", "BN-001", 2),
            (.image, "InstanceNumber", "7", 1), (.image, "InstanceNumber", "007", 1),
            (.image, "StudyDate", "20240115", 2),
            (.image, "AcquisitionDateTime", "20240115023000-20240115023000", 1),
            (.image, "AcquisitionDateTime", "20240115093000+0700", 1), (.image, "AcquisitionDateTime", "2023-", 1),
            (.image, "ContentTime", "0930-0931", 1), (.image, "ContentTime", "101500-", 1),
            (.patient, "PatientSex", "F", 1),
        ])
    func levels(level: QueryLevel, keyword: String, value: String, count: Int) throws {
        let (scratch, catalog) = try hospital()
        #expect(try catalog.find(query(level, [keyword: value])).count == count)
        withExtendedLifetime(scratch) {}
    }

    @Test("a relational key below the level asks for a descendant that matches (PS3.4 Section C.4.1.2.2.2)")
    func relational() throws {
        let (scratch, catalog) = try hospital()
        #expect(try catalog.values("PatientID", level: .patient, ["Modality": "SEG"]) == ["BN-001"])
        #expect(try catalog.values("PatientID", level: .study, ["SOPInstanceUID": "1.2"]) == ["BN-002"])
        #expect(try catalog.find(query(.patient, ["Modality": "SEG", "SOPInstanceUID": "1.1"])).isEmpty)
        withExtendedLifetime(scratch) {}
    }

    @Test("an identifier becomes a query: values match, names alone are wanted back")
    func identifier() throws {
        let (scratch, catalog) = try hospital()
        var writer = DataSetWriter(transferSyntax: .implicitVRLittleEndian, characterSet: .utf8)
        writer.put(Tag(0x0008, 0x0052), "STUDY")
        writer.put(attribute("PatientName").tag, "NGUYEN*")
        writer.put(attribute("StudyDate").tag, "20240101-20240131")
        writer.put(attribute("Modality").tag, "MR")
        writer.putEmpty(attribute("ModalitiesInStudy").tag)
        writer.putEmpty(Tag(0x0018, 0x0060))
        let header = try HeaderReader.read(writer.finish(), transferSyntax: .implicitVRLittleEndian)
        let strict = Query(identifier: header.dataSet, level: .study)
        let matches = try catalog.find(strict)
        #expect(matches.map { $0.values[attribute("ModalitiesInStudy").tag] } == ["CT\\SEG"])
        #expect(matches.first?.values[attribute("StudyInstanceUID").tag] == "1.2.1")
        #expect(matches.first?.values[attribute("StudyDescription").tag] == nil)
        #expect(matches.first?.representative?.sopInstanceUID == "1.4")
        #expect(try catalog.find(Query(identifier: header.dataSet, level: .study, isRelational: true)).isEmpty)
        withExtendedLifetime(scratch) {}
    }

    @Test("limit, offset and an order that repeats: studies from the newest")
    func paging() throws {
        let (scratch, catalog) = try hospital()
        var page = Query(level: .study, limit: 2)
        #expect(try catalog.find(page).map { $0.values[attribute("StudyInstanceUID").tag] } == ["1.2.2", "1.2.1"])
        page.offset = 2
        #expect(try catalog.find(page).map { $0.values[attribute("StudyInstanceUID").tag] } == ["1.2.3"])
        withExtendedLifetime(scratch) {}
    }

    @Test("a visitor that returns false ends the query, as C-CANCEL must (PS3.4 Section C.4.1.3.2)")
    func cancel() throws {
        let (scratch, catalog) = try hospital()
        var seen = 0
        try catalog.find(Query(level: .image)) { _ in
            seen += 1
            return seen < 2
        }
        #expect(seen == 2)
        withExtendedLifetime(scratch) {}
    }

    @Test("counters come with every match (PS3.4 Section C.3.4)")
    func counters() throws {
        let (scratch, catalog) = try hospital()
        let match = try #require(try catalog.find(query(.series, ["SeriesInstanceUID": "1.2.1.2"])).first)
        func value(_ keyword: String) -> String? { match.values[attribute(keyword).tag] }
        #expect(value("NumberOfStudyRelatedSeries") == "2")
        #expect(value("NumberOfStudyRelatedInstances") == "2")
        #expect(value("NumberOfSeriesRelatedInstances") == "1")
        #expect(value("NumberOfPatientRelatedStudies") == "1")
        #expect(value("ModalitiesInStudy") == "CT\\SEG")
        #expect(match.values[Tag(0x0008, 0x0056)] == "ONLINE")
        withExtendedLifetime(scratch) {}
    }
}
