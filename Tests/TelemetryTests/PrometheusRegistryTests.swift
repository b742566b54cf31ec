// The Prometheus text format, as a scraper reads it.

import CoreMetrics
import Telemetry
import Testing

@Suite struct PrometheusRegistryTests {
    @Test("Counters, gauges and histograms are printed with type, labels and buckets")
    func exposition() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "phim.things-total", dimensions: [("kind", "a\"b\\")]).increment(by: 3)
        registry.makeMeter(label: "phim_level", dimensions: []).set(2.5)
        let timer = registry.makeTimer(label: "phim_seconds", dimensions: [("way", "in")])
        timer.recordNanoseconds(2_000_000)
        timer.recordNanoseconds(20_000_000_000)
        let text = registry.exposition()
        #expect(text.contains("# TYPE phim_things_total counter\nphim_things_total{kind=\"a\\\"b\\\\\"} 3\n"))
        #expect(text.contains("# TYPE phim_level gauge\nphim_level 2.5\n"))
        #expect(text.contains("phim_seconds_bucket{way=\"in\",le=\"0.0015\"} 0\n"))
        #expect(text.contains("phim_seconds_bucket{way=\"in\",le=\"0.002\"} 1\n"))
        #expect(text.contains("phim_seconds_bucket{way=\"in\",le=\"10\"} 1\n"))
        #expect(text.contains("phim_seconds_bucket{way=\"in\",le=\"+Inf\"} 2\n"))
        #expect(text.contains("phim_seconds_count{way=\"in\"} 2\n"))
        #expect(text.hasSuffix("\n"))
    }

    @Test("One instrument per name and labels")
    func sameInstrument() {
        let registry = PrometheusRegistry()
        for _ in 0..<5 { registry.makeCounter(label: "c", dimensions: [("x", "1")]).increment(by: 1) }
        registry.makeCounter(label: "c", dimensions: [("x", "2")]).increment(by: 1)
        #expect(registry.exposition().hasPrefix("# TYPE c counter\nc{x=\"1\"} 5\nc{x=\"2\"} 1\n# TYPE process_"))
    }

    @Test("A gauge that was taken back is not printed until it is set again")
    func takenBack() {
        let registry = PrometheusRegistry()
        let gauge = registry.makeMeter(label: "level", dimensions: [])
        gauge.set(7.0)
        registry.makeMeter(label: "level", dimensions: [("of", "other")]).set(1.0)
        registry.destroyMeter(gauge)
        #expect(registry.exposition().hasPrefix("# TYPE level gauge\nlevel{of=\"other\"} 1\n# TYPE process_"))
        registry.makeMeter(label: "level", dimensions: []).set(8.0)
        #expect(registry.exposition().contains("\nlevel 8\n"))
    }

    @Test("Two spellings that print alike are one series")
    func alike() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "a.b", dimensions: []).increment(by: 1)
        registry.makeCounter(label: "a-b", dimensions: []).increment(by: 2)
        #expect(registry.exposition().hasPrefix("# TYPE a_b counter\na_b 3\n# TYPE process_"))
    }

    @Test("A label cannot break its line", arguments: ["\r\n", "\n", "a\nb 7\n", "\\n", "\"} 7\n#", "Đỗ"])
    func escaping(value: String) throws {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "c", dimensions: [("x", value)]).increment(by: 1)
        let text = registry.exposition()
        #expect(text.utf8.count { $0 == UInt8(ascii: "\n") } == 4)
        let samples = try MetricsReading(exposition: text).samples("c")
        #expect(samples == [MetricsReading.Sample(labels: ["x": value], value: 1)])
    }

    @Test("Many threads at once lose nothing")
    func concurrency() async throws {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for round in 1...1000 {
                        registry.makeCounter(label: "c", dimensions: [("x", "\(round % 10)")]).increment(by: 1)
                        registry.makeTimer(label: "t", dimensions: []).recordNanoseconds(Int64(round) * 1_000_000)
                        registry.makeMeter(label: "m", dimensions: []).increment(by: 0.5)
                    }
                }
            }
        }
        let reading = try MetricsReading(exposition: registry.exposition())
        #expect(reading.total("c") == 8000)
        #expect(reading.total("m") == 4000)
        let times = try #require(reading.distribution("t"))
        #expect(times.count == 8000)
        #expect(abs(times.sum - 8 * 500.5) < 0.001)
    }
}
