// Whichever way a search takes, the answer is the same.

import Catalog
import DICOMCore
import Testing

@Suite("The way of a search")
struct SearchPaths {
    private static let families = ["Nguyễn", "Nguyễn", "Nguyễn", "Trần", "Lê", "Võ", "Ưng"]

    /// Many studies on few days, some without a date, some people often and some once.
    private static func archive(_ seed: UInt64) -> [Enrollment] {
        var random = Seeded(seed)
        return (0..<300).map { number in
            let patient = Int.random(in: 0..<150, using: &random)
            var person = Seeded(UInt64(patient))
            let family = families.randomElement(using: &person) ?? ""
            let given = ["An", "Anh", "Bình", "Văn Đức", "Thị Yến"].randomElement(using: &person) ?? ""
            let day = Int.random(in: 0..<12, using: &random)
            return sample(
                "1.1.\(number)", study: "1.2.\(number)", series: "1.3.\(number)", patient: "BN\(patient)",
                receivedAt: Int64(number), offset: Int64(number) * 8_192,
                [
                    "PatientName": "\(family)^\(given)", "StudyDate": day == 0 ? "" : "202401\(10 + day)",
                    "StudyTime": "0\(Int.random(in: 7...9, using: &random))0000",
                    "AccessionNumber": "ACC\(number % 37)", "Modality": ["CT", "MR", "US"][number % 7 % 3],
                    "StudyDescription": number % 5 == 0 ? "CT ngực" : "MR sọ não",
                ])
        }
    }

    private static let keys: [[String: String]] = [
        [:], ["PatientName": "*nguyen*"], ["PatientName": "*ung*"], ["PatientName": "*a*"], ["PatientName": "*vo*"],
        ["PatientName": "nguyen duc van"], ["PatientName": "*nobody*"], ["PatientName": "*zz*"],
        ["PatientName": "*nguyen*", "ModalitiesInStudy": "US"], ["PatientName": "*nguyen*", "StudyDate": "20240115-"],
        ["PatientName": "*nguyen*", "StudyDate": "-20240114", "StudyTime": "080000-090000"],
        ["PatientName": "*nguyen*", "StudyDescription": "*ngực*"], ["PatientName": "*an*", "PatientID": "BN7"],
        ["PatientID": "*BN1*"], ["AccessionNumber": "*C3*"], ["AccessionNumber": "ACC3*"],
        ["StudyDate": "20240112-20240113"], ["StudyDate": "20240112"], ["ModalitiesInStudy": "MR"],
        ["PatientName": "*nguyen*", "Modality": "CT"], ["PatientName": "*nguyen*\\*tran*"],
    ]

    @Test(
        "a page is the beginning of everything that matches, by lists, by walking and by both",
        arguments: [
            SearchEffort(), SearchEffort(longList: 1, reach: 0), SearchEffort(longList: 1, reach: 25),
            SearchEffort(longList: 40, reach: 100), SearchEffort(longList: 0, reach: 1_000),
        ])
    func samePages(effort: SearchEffort) throws {
        let scratch = try Scratch()
        let catalog = try CatalogStore(path: scratch.path + "/catalog.sqlite", effort: effort)
        try catalog.enroll(Self.archive(11))
        for filters in Self.keys {
            for combines in [false, true] {
                var whole = query(.study, filters)
                whole.combinesDateAndTime = combines
                let all = try catalog.find(whole).map { $0.values[Attribute.studyInstanceUID.tag] }
                for (limit, offset) in [(1, 0), (7, 0), (7, 9), (60, 0), (1_000, 0), (5, all.count)] {
                    var page = whole
                    (page.limit, page.offset) = (limit, offset)
                    let found = try catalog.find(page).map { $0.values[Attribute.studyInstanceUID.tag] }
                    #expect(found == Array(all.dropFirst(offset).prefix(limit)), "\(filters) \(limit) from \(offset)")
                }
            }
        }
    }

    @Test("everything that matches is what a plain comparison of the names says")
    func honest() throws {
        let scratch = try Scratch()
        let catalog = try scratch.catalog()
        let archive = Self.archive(5)
        try catalog.enroll(archive)
        let wanted = archive.filter { $0.facts[.patientName].hasPrefix("Nguyễn") }.map(
            \.facts.studyInstanceUID)
        let found = try catalog.values("StudyInstanceUID", level: .study, ["PatientName": "*nguyen*"])
        #expect(!wanted.isEmpty)
        #expect(found.sorted() == wanted.sorted())
    }
}
