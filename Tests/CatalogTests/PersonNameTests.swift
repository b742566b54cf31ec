// Finding people by name the way names are typed (PS3.4 Section C.2.2.2.1 leaves the fold to the archive).

import Catalog
import Testing

@Suite("Person names")
struct PersonNames {
    static let people = [
        "Nguyễn^Văn^Đức", "NGUYEN^VAN^DUC ANH", "Trần^Thị^Nga", "Đỗ^Mười", "Müller^Jörg^^Dr.", "山田^太郎",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "Vũ^Lê", "O'Brien^Mary",
    ]

    static func catalog(_ scratch: Scratch) throws -> CatalogStore {
        let catalog = try scratch.catalog()
        try catalog.enroll(
            people.enumerated().map { index, name in
                sample(
                    "1.\(index)", study: "2.\(index)", series: "3.\(index)", patient: "P\(index)",
                    ["PatientName": name, "ReferringPhysicianName": name, "OperatorsName": "First^Man\\\(name)"])
            })
        return catalog
    }

    @Test(
        "marks, case, carets and the order of words do not count",
        arguments: [
            ("nguyen van duc", [0]), ("NGUYEN^VAN^DUC", [0]), ("Đức Nguyễn Văn", [0]), ("duc^nguyen^van", [0]),
            ("Nguye\u{302}\u{303}n^Va\u{306}n^D\u{1B0}\u{301}c", [0]), ("nguyen van duc anh", [1]), ("nguyen van", []),
            ("nguyen*", [0, 1]), ("*duc*", [0, 1]), ("van nguyen*", [0, 1]), ("*an*duc", [0]), ("do muoi", [3]),
            ("mười đỗ", [3]), ("muller jorg dr.", [4]), ("MULLER*", [4]), ("*ller*", [4]), ("le vu", [7]),
            ("*vu*", [7]),
            ("v?", [7]), ("v? l?", [7]), ("山田*", [5, 6]), ("*太郎*", [5, 6]), ("やまだ^たろう", [6]), ("yamada tarou", [6]),
            ("*o'b*", [8]), ("nobody", []), ("*\"*", []), ("*", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ] as [(String, [Int])])
    func names(typed: String, expected: [Int]) throws {
        let scratch = try Scratch()
        let catalog = try Self.catalog(scratch)
        for keyword in ["PatientName", "ReferringPhysicianName"] {
            let found = try catalog.values("PatientID", level: .study, [keyword: typed]).sorted()
            #expect(found == expected.map { "P\($0)" }, "\(keyword)")
        }
    }

    @Test("of several names any may match")
    func multiple() throws {
        let scratch = try Scratch()
        let catalog = try Self.catalog(scratch)
        #expect(try catalog.values("PatientID", level: .series, ["OperatorsName": "nga tran thi"]) == ["P2"])
        #expect(
            try catalog.values("PatientID", level: .series, ["OperatorsName": "man first"]).count == Self.people.count)
        #expect(try catalog.values("PatientID", level: .series, ["OperatorsName": "first tran"]).isEmpty)
    }

    @Test("the name comes back as it was sent")
    func unfolded() throws {
        let scratch = try Scratch()
        let catalog = try Self.catalog(scratch)
        #expect(try catalog.values("PatientName", level: .patient, ["PatientID": "P0"]) == ["Nguyễn^Văn^Đức"])
    }
}
