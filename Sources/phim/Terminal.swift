// Writing to the person or script at the other end: results to standard output, everything else to standard error.

import Foundation
import Glibc
import Synchronization

enum Terminal {
    private static let lost = Atomic<Bool>(false)

    /// Whether something printed did not reach whoever should read it: a full disk, a reader that went away.
    static var hasLostOutput: Bool { lost.load(ordering: .relaxed) }

    static func print(_ text: String) {
        do { try FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8)) } catch {
            lost.store(true, ordering: .relaxed)
        }
    }

    static func error(_ text: String) { note("phim: " + text) }

    static func note(_ text: String) { draw(text + "\n") }

    /// To standard error as it is; nobody needs to read it.
    static func draw(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// A value as one line of JSON with sorted keys.
    static func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    static func bytes(_ count: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : String(format: "%.1f %@", value, units[unit])
    }

    /// Columns padded to their widest cell; wide characters count as one.
    static func table(_ header: [String], _ rows: [[String]]) -> String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let cells = zip(row, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }
            return cells.joined(separator: "  ").replacing(/\s+$/, with: "")
        }.joined(separator: "\n")
    }
}

/// A progress bar on standard error, drawn only when a person watches.
final class ProgressBar: Sendable {
    private let label: String
    private let isShown = isatty(STDERR_FILENO) == 1
    private let lastDrawn = Mutex<ContinuousClock.Instant?>(nil)

    init(_ label: String) { self.label = label }

    /// - Parameters:
    ///   - done: units of work done.
    ///   - total: all units, nil while unknown.
    ///   - detail: what to show behind the bar.
    func show(_ done: Int, of total: Int?, detail: String = "") {
        guard isShown else { return }
        let now = ContinuousClock.now
        let isDue = lastDrawn.withLock { last in
            if let last, now - last < .milliseconds(100), done != total { return false }
            last = now
            return true
        }
        guard isDue else { return }
        var line = "\r\u{1B}[K\(label) "
        if let total, total > 0 {
            let filled = min(30, 30 * done / total)
            line += "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: 30 - filled) + "] "
            line += "\(done)/\(total) "
        } else {
            line += "\(done) "
        }
        Terminal.draw(line + detail)
    }

    func finish() {
        guard isShown else { return }
        Terminal.draw("\r\u{1B}[K")
    }
}
