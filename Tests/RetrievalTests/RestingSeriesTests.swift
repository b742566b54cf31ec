// When the metadata of a series is built ahead of anybody's asking.

import Catalog
import Retrieval
import Testing

@Suite("Series at rest")
struct RestingSeriesTests {
    private let start = ContinuousClock.now

    private static func change(_ series: String) -> Change {
        Change(sequence: 1, kind: .stored, studyInstanceUID: "1.2", seriesInstanceUID: series, instances: 1, at: 0)
    }

    @Test("A series is due when nothing has happened to it for long enough, and once")
    func rests() {
        var resting = RestingSeries()
        resting.note(Self.change("1.2.1"), at: start)
        resting.note(Self.change("1.2.2"), at: start + .seconds(1))
        #expect(resting.next(at: start + .seconds(2)) == nil)
        resting.note(Self.change("1.2.1"), at: start + .seconds(2))
        #expect(resting.next(at: start + .seconds(4))?.series == "1.2.2")
        #expect(resting.next(at: start + .seconds(4)) == nil)
        #expect(resting.next(at: start + .seconds(5))?.series == "1.2.1")
        #expect(resting.next(at: start + .seconds(60)) == nil)
    }

    @Test("No more than a bounded number of series is remembered")
    func bounded() {
        var resting = RestingSeries()
        for number in 0..<RestingSeries.most + 10 { resting.note(Self.change("1.2.\(number)"), at: start) }
        var count = 0
        while resting.next(at: start + RestingSeries.rest) != nil { count += 1 }
        #expect(count == RestingSeries.most)
    }
}
