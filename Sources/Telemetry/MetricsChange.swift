// Two readings of a server's metrics and the time between them: rates, and distributions of that time alone.

/// What happened between two readings.
package struct MetricsChange: Sendable {
    private let earlier: MetricsReading
    private let later: MetricsReading
    private let seconds: Double

    /// - Parameter seconds: from one reading to the other, more than zero.
    package init(from earlier: MetricsReading, to later: MetricsReading, seconds: Double) {
        self.earlier = earlier
        self.later = later
        self.seconds = seconds
    }

    /// Growth of counters, those with these labels added up. A counter that fell was begun anew by a restart.
    package func growth(_ name: String, where labels: [String: String] = [:]) -> Double {
        let before = Dictionary(
            earlier.samples(name, where: labels).map { ($0.labels, $0.value) }, uniquingKeysWith: { first, _ in first })
        return later.samples(name, where: labels).reduce(0) { sum, sample in
            let old = before[sample.labels] ?? 0
            return sum + (sample.value >= old ? sample.value - old : sample.value)
        }
    }

    /// Growth per second.
    package func rate(_ name: String, where labels: [String: String] = [:]) -> Double {
        growth(name, where: labels) / seconds
    }

    /// What a histogram observed meanwhile; nil where there is none.
    package func distribution(_ name: String) -> Distribution? {
        guard let now = later.distribution(name) else { return nil }
        guard let before = earlier.distribution(name) else { return now }
        return now.since(before)
    }
}
