// Reads a server's metrics again and again, and notices when it stops or starts anew.

import Archive
import Telemetry

/// What one more reading told.
enum TopNews: Sendable {
    case report(TopReport)
    /// The server runs, but its metrics did not come.
    case silent(String)
    /// No server runs in the folder any more.
    case stopped
}

struct TopPoll: Sendable {
    private let folder: ArchiveFolder
    private let token: String?
    private let interval: Duration
    private var server: RunningServer
    private var last: TimedReading
    private var due: ContinuousClock.Instant

    /// Takes the first reading.
    init(folder: ArchiveFolder, server: RunningServer, token: String?, interval: Duration) async throws {
        self.folder = folder
        self.server = server
        self.token = token
        self.interval = interval
        last = TimedReading(reading: try await MetricsClient(server, token: token).read())
        due = last.instant + interval
    }

    /// Totals without rates, from the last reading alone.
    var sinceStart: TopReport { TopReport(server, from: last, to: last) }

    /// Waits until the next reading is due; nil when cancelled.
    mutating func next() async -> TopNews? {
        do { try await ContinuousClock().sleep(until: due) } catch { return nil }
        do {
            let reading = TimedReading(reading: try await MetricsClient(server, token: token).read())
            // Another server, which has taken the same port.
            if reading.start != last.start { server = RunningServer.current(in: folder) ?? server }
            let report = TopReport(server, from: last, to: reading)
            last = reading
            // A reading that came late does not make the next ones come faster.
            due = max(due + interval, .now)
            return .report(report)
        } catch {
            due = .now + interval
            guard let current = RunningServer.current(in: folder) else { return .stopped }
            server = current
            return .silent("\(error)")
        }
    }
}
