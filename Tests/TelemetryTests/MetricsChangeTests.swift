// Rates and percentiles from two readings.

import Telemetry
import Testing

@Suite struct MetricsChangeTests {
    private func change(_ earlier: String, _ later: String, seconds: Double = 2) throws -> MetricsChange {
        MetricsChange(
            from: try MetricsReading(exposition: earlier), to: try MetricsReading(exposition: later), seconds: seconds)
    }

    /// A histogram's lines with buckets up to 1, 2, 4 and above.
    private func histogram(_ counts: [Int], sum: Double) -> String {
        zip(["1", "2", "4", "+Inf"], counts).map { "h_bucket{le=\"\($0)\"} \($1)\n" }.joined()
            + "h_sum \(sum)\nh_count \(counts.last ?? 0)\n"
    }

    @Test("A rate is growth by time, series by series")
    func rates() throws {
        let change = try change("c{x=\"1\"} 10\nc{x=\"2\"} 5\n", "c{x=\"1\"} 30\nc{x=\"2\"} 5\nc{x=\"new\"} 4\n")
        #expect(change.growth("c") == 24)
        #expect(change.rate("c") == 12)
        #expect(change.rate("c", where: ["x": "1"]) == 10)
        #expect(change.rate("c", where: ["x": "2"]) == 0)
        #expect(change.rate("c", where: ["x": "new"]) == 2)
        #expect(change.rate("absent") == 0)
    }

    @Test("A counter that fell was begun anew, the others were not")
    func restart() throws {
        let change = try change("c{x=\"1\"} 100\nc{x=\"2\"} 1\n", "c{x=\"1\"} 6\nc{x=\"2\"} 3\n")
        #expect(change.growth("c") == 8)
    }

    @Test("Percentiles are of what came between the readings, spread evenly inside a bucket")
    func quantiles() throws {
        let change = try change(histogram([100, 100, 100, 100], sum: 50), histogram([100, 110, 120, 120], sum: 90))
        let seen = try #require(change.distribution("h"))
        #expect(seen.count == 20)
        #expect(seen.mean == 2)
        #expect(seen.quantile(0.25) == 1.5)
        #expect(seen.quantile(0.5) == 2)
        #expect(seen.quantile(0.75) == 3)
        #expect(seen.quantile(1) == 4)
        #expect(seen.quantile(0) == 1)
    }

    @Test("What lies above the last bound counts as that bound")
    func aboveAll() throws {
        let change = try change(histogram([0, 0, 0, 0], sum: 0), histogram([1, 1, 1, 10], sum: 900))
        #expect(change.distribution("h")?.quantile(0.99) == 4)
        #expect(change.distribution("h")?.quantile(0.05) == 0.5)
    }

    @Test("Nothing observed has no percentile and no mean")
    func nothing() throws {
        let change = try change(histogram([3, 3, 3, 3], sum: 2), histogram([3, 3, 3, 3], sum: 2))
        let seen = try #require(change.distribution("h"))
        #expect(seen.count == 0)
        #expect(seen.mean == nil)
        #expect(seen.quantile(0.5) == nil)
        #expect(change.distribution("absent") == nil)
    }

    @Test("A histogram that fell, or is new, counts whole")
    func histogramRestart() throws {
        let fell = try change(histogram([5, 5, 5, 5], sum: 5), histogram([0, 2, 2, 2], sum: 3))
        #expect(fell.distribution("h")?.count == 2)
        #expect(fell.distribution("h")?.mean == 1.5)
        let new = try change("", histogram([0, 2, 2, 2], sum: 3))
        #expect(new.distribution("h")?.count == 2)
    }

    @Test("Series of one histogram are put together")
    func several() throws {
        let text = [("a", 1), ("b", 3)].map { label, count in
            "h_bucket{x=\"\(label)\",le=\"1\"} \(count)\nh_bucket{x=\"\(label)\",le=\"+Inf\"} \(count)\n"
                + "h_sum{x=\"\(label)\"} 1\nh_count{x=\"\(label)\"} \(count)\n"
        }.joined()
        let seen = try #require(try MetricsReading(exposition: text).distribution("h"))
        #expect(seen.count == 4)
        #expect(seen.sum == 2)
    }
}
