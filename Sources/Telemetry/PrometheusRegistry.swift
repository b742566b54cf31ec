// The registry behind swift-metrics: hands out instruments and prints them in the Prometheus text format.

package import CoreMetrics
import Glibc
import Synchronization

/// A `MetricsFactory` whose state is printed on request (Prometheus text exposition format 0.0.4).
package final class PrometheusRegistry: MetricsFactory, Sendable {
    private struct Key: Hashable {
        let name: String
        let labels: String
    }

    private enum Instrument {
        case counter(CounterInstrument)
        case gauge(GaugeInstrument)
        case histogram(HistogramInstrument)

        var kind: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private let instruments = Mutex<[Key: Instrument]>([:])

    package init() {
        makeMeter(label: "process_start_time_seconds", dimensions: []).set(Int64(time(nil)))
    }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let found = instrument(label, dimensions) { .counter(CounterInstrument()) }
        guard case .counter(let counter) = found else { return CounterInstrument() }
        return counter
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        let found = instrument(label, dimensions) { .gauge(GaugeInstrument()) }
        guard case .gauge(let gauge) = found else { return GaugeInstrument() }
        return gauge
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        let found = instrument(label, dimensions) {
            aggregate
                ? .histogram(HistogramInstrument(bounds: HistogramInstrument.sizeBounds)) : .gauge(GaugeInstrument())
        }
        switch found {
        case .counter: return GaugeInstrument()
        case .gauge(let gauge): return gauge
        case .histogram(let histogram): return histogram
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let found = instrument(label, dimensions) {
            .histogram(HistogramInstrument(bounds: HistogramInstrument.secondsBounds))
        }
        guard case .histogram(let histogram) = found else {
            return HistogramInstrument(bounds: HistogramInstrument.secondsBounds)
        }
        return histogram
    }

    /// A gauge whose value is not known any more is not printed until it is made again.
    package func destroyMeter(_ handler: any MeterHandler) {
        instruments.withLock { known in
            let key = known.first { if case .gauge(let gauge) = $0.value { gauge === handler } else { false } }?.key
            if let key { known[key] = nil }
        }
    }

    // Other instruments live as long as the process: labels come from a bounded set (peers, kinds, outcomes).
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    /// Everything known now, one metric family after the other, sorted by name and labels.
    package func exposition() -> String {
        let all = instruments.withLock { $0 }
        var lines: [String] = []
        var lastName = ""
        for (key, instrument) in all.sorted(by: { ($0.key.name, $0.key.labels) < ($1.key.name, $1.key.labels) }) {
            if key.name != lastName {
                lines.append("# TYPE \(key.name) \(instrument.kind)")
                lastName = key.name
            }
            lines.append(contentsOf: Self.samples(key, instrument))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func samples(_ key: Key, _ instrument: Instrument) -> [String] {
        let braces = key.labels.isEmpty ? "" : "{\(key.labels)}"
        switch instrument {
        case .counter(let counter): return ["\(key.name)\(braces) \(counter.value)"]
        case .gauge(let gauge): return ["\(key.name)\(braces) \(number(gauge.value))"]
        case .histogram(let histogram):
            let prefix = key.labels.isEmpty ? "" : key.labels + ","
            let bounds = histogram.bounds.map(number) + ["+Inf"]
            var running: Int64 = 0
            var lines = zip(bounds, histogram.counts).map { bound, count in
                running += count
                return "\(key.name)_bucket{\(prefix)le=\"\(bound)\"} \(running)"
            }
            lines.append("\(key.name)_sum\(braces) \(histogram.sum)")
            lines.append("\(key.name)_count\(braces) \(running)")
            return lines
        }
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }

    private func instrument(
        _ label: String, _ dimensions: [(String, String)], make: () -> Instrument
    ) -> Instrument {
        let key = Key(name: Self.name(label), labels: Self.labels(dimensions))
        return instruments.withLock { known in
            if let found = known[key] { return found }
            let made = make()
            known[key] = made
            return made
        }
    }

    private static func name(_ label: String) -> String {
        String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
    }

    private static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.map { key, value in
            // Scalar by scalar: to Swift, a carriage return and a line feed are one character.
            let escaped = value.unicodeScalars.reduce(into: "") { text, scalar in
                switch scalar {
                case "\\": text += "\\\\"
                case "\"": text += "\\\""
                case "\n": text += "\\n"
                default: text.unicodeScalars.append(scalar)
                }
            }
            return "\(name(key))=\"\(escaped)\""
        }.joined(separator: ",")
    }
}
