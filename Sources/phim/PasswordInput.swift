// A new password from the person at the terminal, or from a script: never from the command line, which others can see.

import ArgumentParser
import Glibc

enum PasswordInput {
    /// Asked for twice at a terminal; otherwise the first line of standard input.
    static func new(for account: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = readLine(), !line.isEmpty else {
                throw CannotBegin("no password on standard input; or let one be made with --generate")
            }
            return line
        }
        let first = hidden("Password for \(account): ")
        guard first == hidden("Once more: ") else { throw CannotBegin("the two are not the same") }
        return first
    }

    /// One line without showing it.
    private static func hidden(_ prompt: String) -> String {
        Terminal.draw(prompt)
        var settings = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return readLine() ?? "" }
        var quiet = settings
        quiet.c_lflag &= ~tcflag_t(ECHO)
        _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet)
        defer {
            _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            Terminal.draw("\n")
        }
        return readLine() ?? ""
    }
}
