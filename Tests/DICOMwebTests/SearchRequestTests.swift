// Every kind of parameter that a search can have, and what it comes to (PS3.18 Sections 8.3.4 and 10.6.1).

import Catalog
import DICOMCore
import DICOMweb
import Hummingbird
import Testing
import Web

typealias Tag = DICOMCore.Tag

private let study = "1.2.840.113619.2.1"

/// Reads a query at a level; a study or series in the path as given.
private func read(
    _ query: String, _ level: QueryLevel = .study, study: String? = nil, series: String? = nil
) throws(Problem) -> SearchRequest {
    try SearchRequest(try QueryParameters(query), target: SearchTarget(level, study: study, series: series))
}

@Suite("Parameters of a search")
struct SearchRequestTests {
    /// A query, the attribute it is about, and the key that comes of it; nil for none.
    static let keys: [(String, Tag, MatchingKey?)] = [
        // Names of attributes.
        ("PatientID=A1", .patientID, .single("A1")),
        ("00100020=A1", .patientID, .single("A1")),
        ("0020000d=1.2.3", .studyInstanceUID, .single("1.2.3")),
        ("0020000D=1.2.3", .studyInstanceUID, .single("1.2.3")),
        ("StudyInstanceUID=1.2.3", .studyInstanceUID, .single("1.2.3")),
        ("%50atientID=A1", .patientID, .single("A1")),
        // Universal matching.
        ("PatientID=", .patientID, nil),
        ("PatientID", .patientID, nil),
        ("PatientID=*", .patientID, nil),
        ("PatientName=**", .patientName, nil),
        ("StudyDate=*", .studyDate, nil),
        ("StudyInstanceUID=", .studyInstanceUID, nil),
        // Single values.
        ("PatientID=%20A1%20", .patientID, .single("A1")),
        ("PatientID=A+1", .patientID, .single("A 1")),
        ("PatientID=A%2B1", .patientID, .single("A+1")),
        ("PatientID=A,1", .patientID, .single("A,1")),
        ("PatientID=A%2C1", .patientID, .single("A,1")),
        ("PatientID=a=b", .patientID, .single("a=b")),
        ("PatientID=%26%3D%3F%23", .patientID, .wildcard("&=?#")),
        ("PatientID=%E1%BA%A0", .patientID, .single("Ạ")),
        ("AccessionNumber=20240315001", .accessionNumber, .single("20240315001")),
        ("StudyDescription=CT%20ngực,%20bụng", .studyDescription, .single("CT ngực, bụng")),
        ("PatientSex=F", Tag(0x0010, 0x0040), .single("F")),
        ("NumberOfStudyRelatedInstances=12", Tag(0x0020, 0x1208), .single("12")),
        // Lists.
        ("StudyInstanceUID=1.2,1.3", .studyInstanceUID, .list(["1.2", "1.3"])),
        ("StudyInstanceUID=1.2%5C1.3", .studyInstanceUID, .list(["1.2", "1.3"])),
        ("StudyInstanceUID=1.2%2C1.3,1.4", .studyInstanceUID, .list(["1.2", "1.3", "1.4"])),
        ("StudyInstanceUID=1.2,", .studyInstanceUID, .single("1.2")),
        ("ModalitiesInStudy=CT,MR", .modalitiesInStudy, .list(["CT", "MR"])),
        ("ModalitiesInStudy=CT%5CMR", .modalitiesInStudy, .list(["CT", "MR"])),
        ("ModalitiesInStudy=CT", .modalitiesInStudy, .single("CT")),
        ("PatientID=A%5CB", .patientID, .list(["A", "B"])),
        ("00080061=CT,MR,PT", .modalitiesInStudy, .list(["CT", "MR", "PT"])),
        // Wild cards at either end, both, and in the middle.
        ("PatientID=A*", .patientID, .wildcard("A*")),
        ("PatientID=*A", .patientID, .wildcard("*A")),
        ("PatientID=*A*", .patientID, .wildcard("*A*")),
        ("PatientID=%2AA%2A", .patientID, .wildcard("*A*")),
        ("PatientID=A?1", .patientID, .wildcard("A?1")),
        ("PatientID=A%3F1", .patientID, .wildcard("A?1")),
        ("00100020=*ACRIN*", .patientID, .wildcard("*ACRIN*")),
        ("StudyDescription=*CT*", .studyDescription, .wildcard("*CT*")),
        ("AccessionNumber=*123*", .accessionNumber, .wildcard("*123*")),
        ("ModalitiesInStudy=C*", .modalitiesInStudy, .wildcard("C*")),
        // Dates.
        ("StudyDate=20240315", .studyDate, .single("20240315")),
        ("StudyDate=20240101-20240131", .studyDate, .range(lower: "20240101", upper: "20240131")),
        ("StudyDate=20240101-", .studyDate, .range(lower: "20240101", upper: nil)),
        ("StudyDate=-20240131", .studyDate, .range(lower: nil, upper: "20240131")),
        ("StudyDate=19600101-19601231", .studyDate, .range(lower: "19600101", upper: "19601231")),
        ("00080020=20240101-20240131", .studyDate, .range(lower: "20240101", upper: "20240131")),
        ("PatientBirthDate=19700131", Tag(0x0010, 0x0030), .single("19700131")),
        // Times; a time of less than full precision is the span that it covers.
        (
            "StudyTime=1030-1100", .studyTime,
            .range(lower: "103000.000000", upper: "110059.999999")
        ),
        ("StudyTime=10", .studyTime, .range(lower: "100000.000000", upper: "105959.999999")),
        ("StudyTime=-1200", .studyTime, .range(lower: nil, upper: "120059.999999")),
        // Person names.
        ("PatientName=Nguyen", .patientName, .personName(PersonNamePattern("Nguyen"))),
        ("PatientName=Nguy%E1%BB%85n", .patientName, .personName(PersonNamePattern("NGUYEN"))),
        ("PatientName=*nguyen*", .patientName, .personName(PersonNamePattern("*nguyen*"))),
        ("PatientName=Nguyen^Van^Duc", .patientName, .personName(PersonNamePattern("nguyen van duc"))),
        ("PatientName=Nguyen%5EVan", .patientName, .personName(PersonNamePattern("nguyen van"))),
        ("PatientName=Nguyen,Duc", .patientName, .personName(PersonNamePattern("Nguyen,Duc"))),
        ("ReferringPhysicianName=*mai*", Tag(0x0008, 0x0090), .personName(PersonNamePattern("*mai*"))),
        (
            "PatientName=nguyen+duc&fuzzymatching=true", .patientName,
            .personName(PersonNamePattern("nguyen* duc*"))
        ),
        (
            "fuzzymatching=true&PatientName=*acr**", .patientName,
            .personName(PersonNamePattern("*acr**"))
        ),
        (
            "PatientName=nguyen&fuzzymatching=false", .patientName,
            .personName(PersonNamePattern("nguyen"))
        ),
    ]

    @Test("keys", arguments: keys)
    func key(query: String, tag: Tag, key: MatchingKey?) throws {
        let request = try read(query)
        #expect(request.filters[tag] == key)
        #expect(request.filters.count == (key == nil ? 0 : 1))
        #expect(request.included.contains(tag))
        #expect(request.warnings.isEmpty)
    }

    /// Queries that are refused, and the word that the sentence must have.
    static let refusals: [(String, String)] = [
        ("PatientNme=x", "PatientNme"), ("patientname=x", "patientname"), ("PatientName%20=x", "PatientName?"),
        ("0010002=x", "0010002"), ("001000200=x", "001000200"), ("0010002G=x", "0010002G"), ("=x", "no name"),
        ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=", "limit"), ("limit=1.5", "limit"),
        ("limit=99999999999999999999", "limit"), ("offset=-1", "offset"), ("offset=x", "offset"),
        ("limit=%2B1", "limit"), ("limit=1&limit=2", "limit"), ("fuzzymatching=yes", "fuzzymatching"),
        ("fuzzymatching=TRUE", "fuzzymatching"), ("fuzzymatching=", "fuzzymatching"),
        ("includefield=Nonsense", "Nonsense"), ("includefield=00100010,xx", "xx"),
        ("orderby=Nonsense", "Nonsense"), ("orderby=Modality", "Modality"), ("orderby=-", "orderby"),
        ("orderby=PixelData", "PixelData"), ("orderby=ModalitiesInStudy", "ModalitiesInStudy"),
        ("StudyDate=yesterday", "StudyDate"), ("StudyDate=20241301", "StudyDate"),
        ("StudyDate=20240101-x", "StudyDate"),
        ("StudyDate=2024-01-01", "StudyDate"), ("StudyTime=25", "StudyTime"), ("StudyTime=noon", "StudyTime"),
        ("StudyInstanceUID=1.2.x", "StudyInstanceUID"), ("StudyInstanceUID=1.2*", "StudyInstanceUID"),
        ("StudyInstanceUID=" + String(repeating: "1", count: 65), "StudyInstanceUID"),
        ("NumberOfStudyRelatedSeries=many", "NumberOfStudyRelatedSeries"),
        ("PatientID=A&PatientID=B", "PatientID"), ("RequestAttributesSequence=x", "RequestAttributesSequence"),
        ("PatientID.PatientName=x", "PatientID.PatientName"), (".PatientID=x", ".PatientID"),
        ("PatientID.=x", "PatientID."), ("RequestAttributesSequence..PatientID=x", "RequestAttributesSequence"),
        ("PatientName=%zz", "percent"), ("PatientName=%4", "percent"), ("PatientName=%", "percent"),
        ("PatientName=%C3%28", "percent"), ("PatientName=%FF", "percent"), ("PatientName=a%00b", "percent"),
        ("PatientName=a%0Ab", "percent"), ("%00=x", "percent"), ("PatientName=%ED%A0%80", "percent"),
        ("PatientName=" + String(repeating: "a", count: 5_000), "PatientName"),
        ("emptyvaluematching=perhaps", "emptyvaluematching"),
    ]

    @Test("what is wrong is refused by name", arguments: refusals)
    func refusal(query: String, word: String) throws {
        let problem = #expect(throws: Problem.self) { try read(query) }
        #expect(problem?.status == .badRequest)
        #expect(problem?.detail.contains(word) == true)
    }

    @Test("a value is never said back")
    func silence() throws {
        for query in ["StudyDate=Nguyen", "limit=Nguyen", "StudyInstanceUID=Nguyen", "fuzzymatching=Nguyen"] {
            let problem = #expect(throws: Problem.self) { try read(query) }
            #expect(problem?.detail.contains("Nguyen") == false)
        }
    }

    @Test("a query that is too long, or has too many parameters")
    func tooMuch() throws {
        let long = #expect(throws: Problem.self) { try read("PatientID=" + String(repeating: "1", count: 70_000)) }
        #expect(long?.status == .uriTooLong)
        let many = (0..<300).map { "includefield=0010\(1000 + $0)" }.joined(separator: "&")
        let refused = #expect(throws: Problem.self) { try read(many) }
        #expect(refused?.status == .badRequest)
        let list = (0..<1_000).map { "1.2.840.\($0)" }.joined(separator: ",")
        #expect(try read("StudyInstanceUID=" + list).filters.count == 1)
    }

    @Test("paging, flags and order")
    func parameters() throws {
        let request = try read(
            "limit=101&offset=200&fuzzymatching=true&orderby=-PatientName,StudyTime&orderby=00100020")
        #expect(request.limit == 101)
        #expect(request.offset == 200)
        #expect(request.isFuzzy)
        #expect(request.order.map(\.attribute.keyword) == ["PatientName", "StudyTime", "PatientID"])
        #expect(request.order.map(\.isAscending) == [false, true, true])
        #expect(try read("").limit == nil)
        #expect(try read("&&").offset == 0)
        #expect(try read("limit=0").limit == 0)
        #expect(try read("orderby=Modality", .series).order.count == 1)
    }

    static let included: [(String, Set<Tag>, Bool)] = [
        ("includefield=00081030,00080060", [.studyDescription, .modality], false),
        ("includefield=StudyDescription&includefield=PatientAge", [.studyDescription, Tag(0x0010, 0x1010)], false),
        ("includefield=all", [], true), ("includefield=all,PatientAge", [Tag(0x0010, 0x1010)], true),
        ("includefield=", [], false), ("includefield=%20PatientAge%20,", [Tag(0x0010, 0x1010)], false),
        ("includefield=RequestAttributesSequence.ScheduledProcedureStepID", [.requestAttributesSequence], false),
        ("includefield=00091001", [Tag(0x0009, 0x1001)], false),
        ("includefield=ProcedureCodeSequence", [Tag(0x0008, 0x1032)], false),
    ]

    @Test("includefield", arguments: included)
    func includes(query: String, tags: Set<Tag>, all: Bool) throws {
        let request = try read(query)
        #expect(request.included == tags)
        #expect(request.includesAll == all)
    }

    static let items: [(String, String, MatchingKey)] = [
        ("RequestAttributesSequence.ScheduledProcedureStepID=S1", "ScheduledProcedureStepID", .single("S1")),
        ("00400275.00400009=S1", "ScheduledProcedureStepID", .single("S1")),
        ("00400275.ScheduledProcedureStepID=S*", "ScheduledProcedureStepID", .wildcard("S*")),
        ("RequestAttributesSequence.00401001=R1", "RequestedProcedureID", .single("R1")),
        ("RequestAttributesSequence.RequestedProcedureID=R,1", "RequestedProcedureID", .single("R,1")),
    ]

    @Test("attributes of items", arguments: items)
    func item(query: String, keyword: String, key: MatchingKey) throws {
        let request = try read(query, .series)
        let attribute = try #require(request.itemFilters.keys.first)
        #expect(attribute.keyword == keyword)
        #expect(attribute.sequence == .requestAttributesSequence)
        #expect(request.itemFilters[attribute] == key)
        #expect(request.filters.isEmpty)
        #expect(request.included == [.requestAttributesSequence])
    }

    static let ignored = [
        "KVP=120", "00180060=120", "00091001=x", "00990099=x", "ProcedureCodeSequence.CodeValue=X",
        "RequestAttributesSequence.AccessionNumber=A", "RetrieveURL=x", "multiplevaluematching=true",
    ]

    @Test("what is lawful but not matched here is ignored with a warning", arguments: ignored)
    func ignoring(query: String) throws {
        let request = try read(query)
        #expect(request.filters.isEmpty && request.itemFilters.isEmpty)
        #expect(request.warnings.count == 1)
    }

    @Test("the path restricts, whatever the query says")
    func path() throws {
        #expect(try read("", .series, study: study).filters == [.studyInstanceUID: .single(study)])
        #expect(try read("StudyInstanceUID=\(study)", .series, study: study).filters.count == 1)
        #expect(
            try read("StudyInstanceUID=1.2,\(study)", .series, study: study).filters == [
                .studyInstanceUID: .single(study)
            ])
        #expect(try read("StudyInstanceUID=1.2", .series, study: study).filters == [.studyInstanceUID: .list([])])
        let both = try read("InstanceNumber=1", .image, study: study, series: "1.5")
        #expect(both.filters[.seriesInstanceUID] == .single("1.5"))
        #expect(both.filters[.studyInstanceUID] == .single(study))
    }
}
