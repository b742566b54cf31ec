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
        #expect(text.contains("phim_seconds_bucket{way=\"in\",le=\"0.001\"} 0\n"))
        #expect(text.contains("phim_seconds_bucket{way=\"in\",le=\"0.0025\"} 1\n"))
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
        #expect(registry.exposition() == "# TYPE c counter\nc{x=\"1\"} 5\nc{x=\"2\"} 1\n")
    }
}
