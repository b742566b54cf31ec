// The terminal while phim top has it: a screen of its own, keys without echo, and everything put back afterwards.

import Dispatch
import Foundation
import Glibc

/// Takes the terminal when made and gives it back with `leave`.
final class TopScreen {
    private let saved: termios?
    private var sources: [any DispatchSourceProtocol] = []

    /// - Parameters:
    ///   - quit: called on q, Ctrl-C, the end of the input, and the signals that end programs.
    ///   - redraw: called when the window has another size, or the program goes on after a stop.
    init(quit: @escaping @Sendable () -> Void, redraw: @escaping @Sendable () -> Void) {
        var mode = termios()
        saved = unsafe isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &mode) == 0 ? mode : nil
        // Dispatch installs handlers of its own, which keeps these signals' effects away.
        sources = [SIGINT, SIGTERM, SIGHUP].map { Self.source($0, quit) }
        sources.append(Self.source(SIGWINCH, redraw))
        sources.append(Self.source(SIGCONT, redraw))
        if saved != nil { sources.append(Self.keys(quit)) }
        // A signal that came before its handler is there would end us with the terminal not put back.
        let installed = DispatchGroup()
        for source in sources {
            installed.enter()
            source.setRegistrationHandler { installed.leave() }
            source.resume()
        }
        installed.wait()
        enter()
    }

    /// Columns and rows.
    var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0
        else { return (80, 24) }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// Puts lines over what is there. The cursor goes home rather than the screen blank: nothing flickers.
    /// - Returns: false when the terminal is gone.
    func show(_ lines: [String]) -> Bool {
        write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    /// After a stop the shell has used the terminal for itself.
    func enter() {
        if var mode = saved {
            // Keys come at once, unseen, and as bytes, Ctrl-C and Ctrl-Z too.
            mode.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        }
        // The other screen, no cursor, and lines that are too long are cut instead of folded.
        _ = write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
    }

    func leave() {
        for source in sources { source.cancel() }
        sources = []
        _ = write("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
        if var mode = saved { _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &mode) }
    }

    private func write(_ text: String) -> Bool {
        (try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))) != nil
    }

    private static func source(_ number: Int32, _ act: @escaping @Sendable () -> Void) -> any DispatchSourceProtocol {
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler(handler: act)
        return source
    }

    private static func keys(_ quit: @escaping @Sendable () -> Void) -> any DispatchSourceProtocol {
        let source = DispatchSource.makeReadSource(fileDescriptor: STDIN_FILENO, queue: .global())
        source.setEventHandler {
            let typed = FileHandle.standardInput.availableData
            let controlC: UInt8 = 3
            let ends = typed.contains { [UInt8(ascii: "q"), UInt8(ascii: "Q"), controlC].contains($0) }
            if typed.isEmpty || ends { quit() }
        }
        return source
    }
}
