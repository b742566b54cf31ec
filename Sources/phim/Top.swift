// phim top: what a running server does, live.

import Archive
import ArgumentParser
import Foundation
import Glibc
import Telemetry

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch a running server: throughput, queues, latencies and peers.",
        discussion: """
            Rates, averages and percentiles are of the last interval, totals since the server started; what the \
            numbers mean stands in docs/metrics.md.
            Leave with q or Ctrl-C. It ends by itself, with status 0, when the server stops.
            With --once or --json, or when the output is no terminal, one report of one interval is printed; \
            status 1 when the server stops meanwhile.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("Seconds between two readings (0.1 to 3600).", valueName: "seconds"))
    var interval = 1.0

    @Flag(help: "Print one report and end.")
    var once = false

    @Option(
        help: ArgumentHelp(
            "A file that holds a token of an administrator or an integration; without, PHIM_TOKEN is used if it is set.",
            discussion: "Needed where the server does not listen on the loopback address.", valueName: "file"))
    var tokenFile: String?

    func validate() throws {
        guard (0.1...3600).contains(interval) else { throw ValidationError("--interval: 0.1 to 3600 seconds") }
    }

    func run() async throws {
        let folder = options.folder
        guard folder.exists else { throw Fault.opening(ArchiveError.noArchive(folder.path)) }
        guard let server = RunningServer.current(in: folder) else {
            throw CannotBegin("\(folder.path): no server runs here. Start one with: phim serve --data \(folder.path)")
        }
        var poll: TopPoll
        let token = try self.token()
        do {
            poll = try await TopPoll(folder: folder, server: server, token: token, interval: .seconds(interval))
        } catch {
            throw Fault.opening(error)
        }
        let isDumb = ["", "dumb"].contains(ProcessInfo.processInfo.environment["TERM"] ?? "")
        if once || output.json || isDumb || isatty(STDOUT_FILENO) != 1 {
            try await printOnce(&poll)
        } else {
            await watch(poll)
        }
    }

    /// Never on the command line, where others on the machine could read it.
    private func token() throws -> String? {
        let text: String?
        if let tokenFile {
            guard let read = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
                throw CannotBegin("--token-file: \(tokenFile) cannot be read")
            }
            text = read
        } else {
            text = ProcessInfo.processInfo.environment["PHIM_TOKEN"]
        }
        let token = text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw CannotBegin("this is no token") }
        return token.isEmpty ? nil : token
    }

    private func printOnce(_ poll: inout TopPoll) async throws {
        switch await poll.next() {
        case .report(let report) where output.json: try Terminal.printJSON(report)
        case .report(let report): Terminal.print(TopView.lines(report).joined(separator: "\n"))
        case .silent(let why):
            Terminal.error(why)
            throw ExitStatus.incomplete
        case .stopped, nil:
            Terminal.error("the server has stopped")
            throw ExitStatus.incomplete
        }
    }

    private enum Event: Sendable {
        case news(TopNews)
        case redraw
    }

    private func watch(_ poll: TopPoll) async {
        let (events, sender) = AsyncStream<Event>.makeStream(bufferingPolicy: .bufferingNewest(16))
        let screen = TopScreen(quit: { sender.finish() }, redraw: { sender.yield(.redraw) })
        let farewell = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var poll = poll
                while let news = await poll.next() { sender.yield(.news(news)) }
            }
            defer { group.cancelAll() }
            return await Self.show(events, on: screen, first: poll.sinceStart)
        }
        screen.leave()
        if let farewell { Terminal.note(farewell) }
    }

    /// Draws until there is reason to end.
    /// - Returns: what to say afterwards, if anything.
    private static func show(_ events: AsyncStream<Event>, on screen: TopScreen, first: TopReport) async -> String? {
        var report = first
        var note: String?
        func draw() -> Bool {
            let (columns, rows) = screen.size
            return screen.show(TopView.screen(report, columns: columns, rows: rows, note: note))
        }
        guard draw() else { return nil }
        for await event in events {
            switch event {
            case .redraw: screen.enter()
            case .news(.report(let newer)): (report, note) = (newer, nil)
            case .news(.silent(let why)): note = why + "; trying again, q quits"
            case .news(.stopped): return "The server has stopped."
            }
            guard draw() else { return nil }
        }
        return nil
    }
}
