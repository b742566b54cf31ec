// The Prometheus text format read back.

import Telemetry
import Testing

@Suite struct MetricsReadingTests {
    @Test("Samples with and without labels, comments, blank lines, spaces and times")
    func samples() throws {
        let reading = try MetricsReading(
            exposition: """
                # HELP a what it is
                # TYPE a counter
                a 3

                b{x="1",y="two words"} 2.5e3 1700000000000
                \tb { x = "2" , }  +Inf
                c{x="q\\"b\\\\n\\n,}"} -1
                """)
        #expect(reading.total("a") == 3)
        #expect(
            reading.samples("b", where: ["x": "1"])
                == [MetricsReading.Sample(labels: ["x": "1", "y": "two words"], value: 2500)])
        #expect(reading.total("b", where: ["x": "2"]) == .infinity)
        #expect(reading.samples("c").first?.labels["x"] == "q\"b\\n\n,}")
        #expect(reading.values(of: "x", in: "b") == ["1", "2"])
        #expect(reading.total("absent") == nil)
        #expect(reading.total("b", where: ["x": "3"]) == nil)
    }

    @Test("Series are added up unless their labels are asked for")
    func totals() throws {
        let reading = try MetricsReading(
            exposition: "c{a=\"1\",b=\"1\"} 1\nc{a=\"1\",b=\"2\"} 2\nc{a=\"2\",b=\"2\"} 4\n")
        #expect(reading.total("c") == 7)
        #expect(reading.total("c", where: ["a": "1"]) == 3)
        #expect(reading.total("c", where: ["a": "1", "b": "2"]) == 2)
    }

    @Test(
        "A page that is no exposition is told by its first bad line",
        arguments: [
            ("<!doctype html>", 1), ("a 1\nb", 2), ("a x", 1), ("a{x} 1", 1), ("a{x=\"1\" y=\"2\"} 1", 1),
            ("{x=\"1\"} 1", 1),
            ("a{x=\"1} 1", 1), ("a{x=\"1\\", 1), ("a{", 1), ("a{x=\"1\"", 1), ("# fine\n\n\u{1F600} 1", 3),
        ])
    func malformed(text: String, line: Int) {
        #expect(throws: NotExposition(line: line)) { try MetricsReading(exposition: text) }
    }

    @Test("An empty page has no samples")
    func empty() throws {
        #expect(try MetricsReading(exposition: "").samples("a").isEmpty)
    }
}
