// Pages of a search: totals, orders, items of sequences, limits to some studies, and the number that moves with commits.

import Catalog
import DICOMCore
import Testing

@Suite("Pages of matches")
struct PageTests {
    /// Ten studies of five patients, dated one after the other.
    private func filled(_ scratch: Scratch) throws -> CatalogStore {
        let catalog = try scratch.catalog()
        for number in 0..<10 {
            try catalog.enroll([
                sample(
                    "1.\(number).1.1", study: "1.\(number)", series: "1.\(number).1", patient: "P\(number % 5)",
                    ["PatientName": "Nguyễn^\(number % 5)", "StudyDate": "2024010\(number)"])
            ])
        }
        return catalog
    }

    @Test("a study is here or it is not")
    func holds() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        #expect(try catalog.holds(study: "1.3"))
        #expect(try !catalog.holds(study: "1.3.1") && !catalog.holds(study: "") && !catalog.holds(study: "1.%"))
    }

    @Test("totals are exact where everything was looked at, whatever the page")
    func totals() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        let everything = try catalog.page(Query(level: .study, limit: 3))
        #expect(everything.total == .exactly(10))
        #expect(everything.hasMore && everything.matches.count == 3)
        #expect(try !catalog.page(Query(level: .study, limit: 10)).hasMore)
        var some = Query(level: .study, filters: [Attribute.patientID.tag: .single("P1")], limit: 1)
        #expect(try catalog.page(some).total == .exactly(2))
        #expect(try catalog.page(some).hasMore)
        some.offset = 1
        #expect(try catalog.page(some).total == .exactly(2))
        #expect(try !catalog.page(some).hasMore)
        some.offset = 5
        #expect(try catalog.page(some).total == .exactly(2))
        #expect(try catalog.page(some).matches.isEmpty)
    }

    @Test("counting stops at its bound")
    func bound() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        let named = Query(
            level: .study, filters: [Attribute.patientName.tag: .personName(PersonNamePattern("*nguyen*"))], limit: 2)
        #expect(try catalog.page(named, countingTo: 4).total == .atLeast(4))
        #expect(try catalog.page(named, countingTo: 100).total == .exactly(10))
        #expect(try catalog.page(named, countingTo: 4).matches.count == 2)
    }

    @Test("the walk and the lists give the same pages")
    func ways() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        let walking = try scratch.catalog(effort: SearchEffort(longList: 1, reach: 3))
        for offset in 0..<11 {
            for limit in [1, 2, 5, 20] {
                let query = Query(
                    level: .study, filters: [Attribute.patientName.tag: .personName(PersonNamePattern("*nguyen*"))],
                    limit: limit, offset: offset)
                let (one, other) = (try catalog.page(query), try walking.page(query))
                #expect(one.matches.map(\.values) == other.matches.map(\.values))
                #expect(one.hasMore == other.hasMore)
            }
        }
    }

    @Test("orders that are asked for")
    func order() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        func studies(_ keys: [SortKey]) throws -> [String] {
            var query = Query(level: .study, limit: 4)
            query.order = keys
            return try catalog.page(query).matches.compactMap { $0.values[Attribute.studyInstanceUID.tag] }
        }
        #expect(try studies([]) == ["1.9", "1.8", "1.7", "1.6"])
        #expect(try studies([SortKey(.studyDate)]) == ["1.0", "1.1", "1.2", "1.3"])
        #expect(try studies([SortKey(.studyDate, isAscending: false)]) == ["1.9", "1.8", "1.7", "1.6"])
        #expect(try studies([SortKey(.patientID)]) == ["1.5", "1.0", "1.6", "1.1"])
    }

    @Test("a query that is confined to some studies finds no others")
    func confinement() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        for level in QueryLevel.allCases {
            var query = Query(level: level, limit: 100)
            query.studies = ["1.3", "1.7", "9.9"]
            #expect(try catalog.page(query).total == .exactly(2))
            query.studies = []
            #expect(try catalog.page(query).total == .exactly(0))
        }
    }

    @Test("very long lists and patterns of many pieces are answered")
    func long() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        let pattern = PersonNamePattern(String(repeating: "*n", count: 2_000))
        let list = (0..<3_000).map { "CT\($0)" }
        #expect(
            try catalog.page(
                Query(level: .study, filters: [Attribute.patientName.tag: .personName(pattern)], limit: 1)
            ).matches.isEmpty)
        #expect(
            try catalog.page(
                Query(level: .study, filters: [Tag.modalitiesInStudy: .list(list)], limit: 1)
            ).matches.isEmpty)
    }

    @Test("the generation moves with every commit of any connection, and with nothing else")
    func generation() throws {
        let scratch = try Scratch()
        let catalog = try filled(scratch)
        let other = try scratch.catalog()
        let generation = try CatalogGeneration(catalog)
        let first = try generation.current()
        _ = try catalog.page(Query(level: .study, limit: 1))
        #expect(try generation.current() == first)
        try catalog.enroll([sample("2.1")])
        let second = try generation.current()
        #expect(second != first)
        try other.enroll([sample("2.2")])
        let third = try generation.current()
        #expect(third != second)
        _ = try other.beginErasure(Scope(studyUIDs: ["1.1"]))
        #expect(try generation.current() != third)
    }
}
