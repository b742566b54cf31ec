// Dates of FHIR: read with their precision, written with the hospital's zone.

import FHIR
import Testing

@Suite struct DateTests {
    @Test(
        "read in local time, as precise as written (FHIR R4 Section 2.24.0.1)",
        arguments: [
            ("1980", "1980"), ("1980-02", "198002"), ("1980-02-15", "19800215"),
            ("2026-11-21T07:30:00+07:00", "20261121073000"), ("2026-11-21T00:30:00Z", "20261121073000"),
            ("2026-11-20T23:30:00.123Z", "20261121063000"), ("2026-11-21T07:30", "202611210730"),
            ("2026-11-20T19:30:00-05:00", "20261121073000"), ("2016-12-31T23:59:60+07:00", "20161231235959"),
            ("2024-02-29", "20240229"),
        ])
    func reads(_ text: String, _ local: String) {
        #expect(FHIRDate(text)?.local == local)
    }

    @Test(
        "what is no date is not read",
        arguments: [
            "", "80", "1980-2", "1980-13", "1980-02-30", "2023-02-29", "0000", "1980-02-15T", "1980-02-15T24:00:00Z",
            "1980-02-15T07:30:00+25:00", "19800215", "1980-02-15 07:30", "mai", "1980-02-15T07:30:00+07:00x",
        ])
    func refuses(_ text: String) {
        #expect(FHIRDate(text) == nil)
    }

    @Test(
        "a date spans everything that it can mean",
        arguments: [
            ("1980", "19800101000000", "19801231235959"), ("2024-02", "20240201000000", "20240229235959"),
            ("2026-11-21", "20261121000000", "20261121235959"),
            ("2026-11-21T07:30", "20261121073000", "20261121073059"),
            ("2026-11-21T07:30:15+07:00", "20261121073015", "20261121073015"),
        ])
    func spans(_ text: String, _ low: String, _ high: String) throws {
        let bounds = try #require(FHIRDate(text)).bounds
        #expect(bounds.low == low)
        #expect(bounds.high == high)
    }

    @Test(
        "written as precise as known",
        arguments: [
            ("1980", "1980"), ("198002", "1980-02"), ("19800215", "1980-02-15"),
            ("2026112107", "2026-11-21T07:00:00+07:00"), ("202611210730", "2026-11-21T07:30:00+07:00"),
            ("20261121073015", "2026-11-21T07:30:15+07:00"),
        ])
    func writes(_ local: String, _ text: String) {
        #expect(FHIRDate.dateTime(local) == text)
        #expect(
            FHIRDate(text)?.local == (local.count == 10 ? local + "0000" : local.count == 12 ? local + "00" : local))
    }

    @Test func whatIsNoDateIsNotWritten() {
        for text in ["", "19", "198O", "1980021"] { #expect(FHIRDate.dateTime(text) == nil) }
    }
}

@Suite struct NameTests {
    @Test(
        "family first, as Vietnamese names are said",
        arguments: [
            ("NGUYỄN VĂN ĐỨC", "NGUYỄN VĂN ĐỨC", "NGUYỄN", ["VĂN", "ĐỨC"]),
            ("Nguyễn^Văn^Đức", "Nguyễn Văn Đức", "Nguyễn", ["Văn", "Đức"]),
            ("Trần^Ánh^^^=陳^英", "Trần Ánh", "Trần", ["Ánh"]), ("Y^", "Y", nil, ["Y"]),
        ] as [(String, String, String?, [String])])
    func names(_ personName: String, _ text: String, _ family: String?, _ given: [String]) throws {
        let name = try #require(HumanName(personName: personName))
        #expect(name.text == text)
        #expect(name.family == family)
        #expect(name.given == given)
        #expect(name.personName == text)
    }

    @Test func noNameIsNone() {
        #expect(HumanName(personName: "") == nil)
        #expect(HumanName(personName: "^^") == nil)
    }

    @Test func separatorsOfDICOMAreNoLetters() {
        #expect(HumanName(text: "A^B=C\\D").personName == "A B C D")
        // NFD becomes NFC.
        #expect(HumanName(family: "Nguye\u{302}\u{303}n", given: ["Va\u{306}n"]).personName == "Nguyễn Văn")
    }
}

@Suite struct IdentifierSystemTests {
    @Test(
        "a namespace becomes an URI and comes back",
        arguments: [
            "24001", "VN-CCCD", "VN-CMND", "VN-BHYT", "http://benhvien.vn/mabn", "urn:oid:1.2.3", "Bệnh viện Tỉnh",
            "A:B",
        ])
    func comesBack(_ issuer: String) throws {
        for kind in NumberKind.allCases {
            let uri = try #require(IdentifierSystem.uri(issuer, kind))
            #expect(IdentifierSystem.issuer(uri, kind) == issuer)
            #expect(uri.contains(":") && !uri.contains(" "))
        }
    }

    @Test func noNamespaceIsNoSystem() { #expect(IdentifierSystem.uri("", .patient) == nil) }

    @Test(arguments: [("DCM", "http://dicom.nema.org/resources/ontology/DCM"), ("LN", "http://loinc.org")])
    func codeSystems(_ scheme: String, _ system: String) {
        #expect(IdentifierSystem.codeSystem(scheme) == system)
        #expect(IdentifierSystem.scheme(system) == scheme)
    }
}
