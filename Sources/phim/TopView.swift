// How phim top looks: a report as lines of plain text.

import Foundation

enum TopView {
    /// All of it, for a file or a pipe.
    static func lines(_ report: TopReport) -> [String] { summary(report) + [""] + table(report) }

    /// As much of it as a screen holds; the last line says how to leave, or what is wrong.
    static func screen(_ report: TopReport, columns: Int, rows: Int, note: String?) -> [String] {
        let foot = note ?? "q quits"
        let room = rows - 1
        var body = lines(report)
        if body.count > room {
            let peersShown = max(0, room - 1 - (body.count - report.peers.count))
            let peersLeft = report.peers.count - min(peersShown, report.peers.count)
            body =
                Array(body.prefix(max(0, room - 1)))
                + (room > 0 ? [peersLeft > 0 ? "… \(peersLeft) more peers" : "…"] : [])
        }
        body += Array(repeating: "", count: max(0, room - body.count))
        return (body + [foot]).map { String($0.prefix(columns)) }
    }

    private static func summary(_ report: TopReport) -> [String] {
        let reasons = report.refusals.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) \($0.value)" }
        let waiting = ["stat", "routine", "bulk"].map { "\($0) \(report.waiting[$0] ?? 0)" }
        let free = report.freeBytes.map { "\(size($0)) free" } ?? "not known"
        let held = report.catalogInstances.map { "   \($0) instances in the catalogue" } ?? ""
        let latencies = [
            report.latencies.append, report.latencies.sync, report.latencies.enroll, report.latencies.acknowledge,
        ]
        return [
            "Phim \(report.version)   process \(report.pid)   up \(uptime(report.uptimeSeconds))   \(report.data)",
            "",
            "Received      \(rates(report.instancesPerSecond, report.bytesPerSecond))   total \(report.instances)",
            "Refused       \(pad(rate(report.refusedPerSecond), 8))/s                 total \(report.refused)"
                + (reasons.isEmpty ? "" : "   " + reasons.joined(separator: ", ")),
            "Associations  \(report.associations) open",
            "Waiting       " + waiting.joined(separator: "   ") + "   memory \(size(report.memoryBytes))",
            "Batches       " + batches(report),
            "Storage       " + free + held,
            "",
            "              " + row(["append", "sync", "enrol", "answer"]),
            "  p50         " + row(latencies.map { latency($0.p50) }),
            "  p99         " + row(latencies.map { latency($0.p99) }),
        ]
    }

    private static func table(_ report: TopReport) -> [String] {
        guard !report.peers.isEmpty else { return ["No peer has sent anything yet."] }
        let header = "Peer".padding(toLength: 16, withPad: " ", startingAt: 0)
        return [header + " " + row(["inst/s", "volume/s", "total", "refused"])]
            + report.peers.map { peer in
                printable(peer.name).padding(toLength: 16, withPad: " ", startingAt: 0) + " "
                    + row([
                        rate(peer.instancesPerSecond), size(Int(clamping: peer.bytesPerSecond)), "\(peer.instances)",
                        "\(peer.refused)",
                    ])
            }
    }

    private static func batches(_ report: TopReport) -> String {
        guard let instances = report.batchInstances else { return "none" }
        let bytes = report.batchBytes.map { ", \(size(Int(clamping: $0)))" } ?? ""
        return String(format: "%.1f instances", instances) + bytes + " on average"
    }

    private static func rates(_ instances: Double, _ bytes: Double) -> String {
        "\(pad(rate(instances), 8))/s  \(pad(size(Int(clamping: bytes)), 10))/s"
    }

    private static func row(_ cells: [String]) -> String { cells.map { pad($0, 11) }.joined(separator: " ") }

    private static func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func rate(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func size(_ bytes: Int) -> String { Terminal.bytes(Int64(bytes)) }

    private static func latency(_ seconds: Double?) -> String {
        guard let seconds else { return "-" }
        return switch seconds {
        case ..<0.001: String(format: "%.2f ms", seconds * 1e3)
        case ..<0.01: String(format: "%.1f ms", seconds * 1e3)
        case ..<1: String(format: "%.0f ms", seconds * 1e3)
        default: String(format: "%.1f s", seconds)
        }
    }

    private static func uptime(_ seconds: Double) -> String {
        let whole = Int(clamping: seconds)
        let clock = String(format: "%d:%02d:%02d", whole / 3600 % 24, whole / 60 % 60, whole % 60)
        return whole < 86_400 ? clock : "\(whole / 86_400) d \(clock)"
    }

    /// Names come from other machines: nothing in them may steer the terminal.
    private static func printable(_ name: String) -> String {
        String(name.unicodeScalars.map { (" "..."~").contains($0) ? Character($0) : "?" })
    }
}
