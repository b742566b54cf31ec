// The Prometheus text format read back: what a server's metrics were at one moment.

/// The page is not in the text format.
package struct NotExposition: Error, Equatable, Sendable {
    /// Counted from 1.
    package let line: Int

    package init(line: Int) { self.line = line }
}

/// All samples of one exposition (Prometheus text exposition format 0.0.4).
package struct MetricsReading: Sendable {
    /// One line: a series and its value.
    package struct Sample: Equatable, Sendable {
        package let labels: [String: String]
        package let value: Double

        package init(labels: [String: String], value: Double) {
            self.labels = labels
            self.value = value
        }

        func matches(_ wanted: [String: String]) -> Bool { wanted.allSatisfy { labels[$0.key] == $0.value } }
    }

    private var samples: [String: [Sample]] = [:]

    package init(exposition text: String) throws(NotExposition) {
        var number = 0
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            var scanner = LineScanner(line)
            scanner.skipSpaces()
            if scanner.isAtEnd || scanner.next == UInt8(ascii: "#") { continue }
            guard let (name, sample) = scanner.sample() else { throw NotExposition(line: number) }
            samples[name, default: []].append(sample)
        }
    }

    /// The series of one name that have these labels, and perhaps others.
    package func samples(_ name: String, where labels: [String: String] = [:]) -> [Sample] {
        (samples[name] ?? []).filter { $0.matches(labels) }
    }

    /// The values of these series added up; nil where there is none.
    package func total(_ name: String, where labels: [String: String] = [:]) -> Double? {
        let found = samples(name, where: labels)
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }

    /// What a label is in the series of a name, sorted.
    package func values(of label: String, in name: String) -> [String] {
        Set(samples(name).compactMap { $0.labels[label] }).sorted()
    }

    /// The histogram of a name, all its series put together; nil where there is none.
    package func distribution(_ name: String) -> Distribution? {
        var cumulative: [Double: Double] = [:]
        for sample in samples(name + "_bucket") {
            guard let bound = sample.labels["le"].flatMap(Double.init) else { continue }
            cumulative[bound, default: 0] += sample.value
        }
        guard let sum = total(name + "_sum"), !cumulative.isEmpty else { return nil }
        let sorted = cumulative.sorted { $0.key < $1.key }
        return Distribution(
            buckets: sorted.map { Distribution.Bucket(bound: $0.key, cumulative: $0.value) }, sum: sum)
    }
}

/// Reads one line: `name{label="value",…} number [time]`.
private struct LineScanner {
    private var rest: Substring.UTF8View.SubSequence

    init(_ line: Substring.UTF8View.SubSequence) { rest = line }

    var isAtEnd: Bool { rest.isEmpty }
    var next: UInt8? { rest.first }

    mutating func skipSpaces() { rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } }

    mutating func sample() -> (String, MetricsReading.Sample)? {
        guard let name = name() else { return nil }
        skipSpaces()
        var labels: [String: String] = [:]
        if take("{") {
            skipSpaces()
            while !take("}") {
                guard let (label, value) = pair() else { return nil }
                labels[label] = value
                skipSpaces()
                if !take(","), next != UInt8(ascii: "}") { return nil }
                skipSpaces()
            }
            skipSpaces()
        }
        // A time may stand behind the value; we do not use it.
        guard let text = word(), let value = Double(text) else { return nil }
        return (name, MetricsReading.Sample(labels: labels, value: value))
    }

    private mutating func pair() -> (String, String)? {
        guard let label = name() else { return nil }
        skipSpaces()
        guard take("=") else { return nil }
        skipSpaces()
        guard take("\""), let value = quoted() else { return nil }
        return (label, value)
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func name() -> String? {
        let name = rest.prefix { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        guard !name.isEmpty else { return nil }
        rest = rest[name.endIndex...]
        return String(Substring(name))
    }

    private mutating func word() -> String? {
        let word = rest.prefix { $0 > UInt8(ascii: " ") }
        guard !word.isEmpty else { return nil }
        rest = rest[word.endIndex...]
        return String(Substring(word))
    }

    /// Up to the closing quote, which is taken too.
    private mutating func quoted() -> String? {
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { return nil }
                bytes.append(escaped == UInt8(ascii: "n") ? UInt8(ascii: "\n") : escaped)
            default: bytes.append(byte)
            }
        }
        return nil
    }
}
