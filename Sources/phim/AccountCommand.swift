// phim account: who may sign in.

import Access
import Archive
import ArgumentParser
import Foundation
import Records

extension Role: ExpressibleByArgument {}

struct AccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Add, list and change accounts.",
        discussion: """
            Roles: administrator, radiologist, technician, referring-physician (sees granted studies only), \
            integration (programs such as the EMR), clerk (patients, visits and orders, no images).
            A running server follows a change within two seconds; it need not be restarted.
            """,
        subcommands: [Add.self, List.self, Disable.self, Enable.self, Password.self, Roles.self, Remove.self])
}

extension AccountCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an account.",
            discussion: """
                The password is asked for, or read from the first line of standard input; it never stands on the \
                command line.
                Example: phim account add bs.lan --role radiologist --data DIR
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The account's name, as people type it to sign in.") var name: String
        @Option(name: .long, help: "A role; may be given several times.") var role: [Role] = []
        @Flag(help: "Make a password and print it once.") var generate = false
        @Flag(help: "No password: for programs, which use tokens.") var noPassword = false
        @Flag(help: "The password must be changed at the first sign-in.") var mustChange = false

        func validate() throws {
            guard !role.isEmpty else { throw ValidationError("Say what the account may be: --role ROLE.") }
            guard !(generate && noPassword) else { throw ValidationError("Either --generate or --no-password.") }
        }

        func run() throws {
            let password =
                noPassword ? nil : generate ? Secret.makePassword() : try PasswordInput.new(for: name)
            let account = try options.withAccess { access in
                try access.addAccount(
                    name: name, roles: Set(role), password: password, mustChangePassword: mustChange,
                    by: .terminal)
            }
            if output.json {
                return try Terminal.printJSON(AccountReport(account, password: generate ? password : nil))
            }
            if generate, let password { Terminal.print(password) }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the accounts.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let accounts = try options.withAccess { try $0.accounts() }
            if output.json { return try Terminal.printJSON(accounts.map { AccountReport($0) }) }
            guard !accounts.isEmpty else {
                return Terminal.note("No accounts yet: the first phim serve makes one, or phim account add --help")
            }
            Terminal.print(
                Terminal.table(
                    ["NAME", "ROLES", "STATE", "SIGNS IN BY"],
                    accounts.map { [$0.name, $0.roles.sorted().joined(separator: ", "), $0.state, $0.means] }))
        }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disable an account; its sessions, tokens and links stop at once.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "The account's name.") var name: String

        func run() throws {
            try options.withAccess { try $0.setDisabled(true, of: name, by: .terminal) }
        }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Enable an account, and unlock one that is locked after wrong passwords.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "The account's name.") var name: String

        func run() throws {
            try options.withAccess { try $0.setDisabled(false, of: name, by: .terminal) }
        }
    }

    struct Password: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set an account's password; its sessions end.",
            discussion: "The password is asked for, or read from the first line of standard input.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "The account's name.") var name: String
        @Flag(help: "Make a password and print it once.") var generate = false
        @Flag(help: "It must be changed at the next sign-in.") var mustChange = false

        func run() throws {
            let password = generate ? Secret.makePassword() : try PasswordInput.new(for: name)
            try options.withAccess {
                try $0.setPassword(password, mustChange: mustChange, of: name, by: .terminal)
            }
            if generate { Terminal.print(password) }
        }
    }

    struct Roles: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the roles of an account, in place of those it has.",
            discussion: "Example: phim account roles bs.lan radiologist administrator --data DIR")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "The account's name.") var name: String
        @Argument(help: "Its roles from now on.") var roles: [Role]

        func run() throws {
            try options.withAccess { try $0.setRoles(Set(roles), of: name, by: .terminal) }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an account with its sessions, tokens, grants and links.",
            discussion: "What it did stays in the audit trail. To keep its name from being used again, disable it.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "The account's name.") var name: String

        func run() throws {
            try options.withAccess { try $0.removeAccount(name, by: .terminal) }
        }
    }
}

struct AccountReport: Encodable {
    let name: String
    let roles: [String]
    let state: String
    let signsInBy: String
    let password: String?

    init(_ account: AccountRecord, password: String? = nil) {
        name = account.name
        roles = account.roles.sorted()
        state = account.state
        signsInBy = account.means
        self.password = password
    }
}

extension AccountRecord {
    fileprivate var state: String {
        if isDisabled { return "disabled" }
        let now = Int64(Date().timeIntervalSince1970 * 1e6)
        if let lockedUntil, lockedUntil > now { return "locked" }
        return mustChangePassword ? "must change password" : "enabled"
    }

    fileprivate var means: String { issuer ?? (password == nil ? "token" : "password") }
}

extension Author {
    /// Who typed the command.
    static var terminal: Author { Author(operator: NSUserName()) }
}

extension ArchiveOptions {
    /// Opens the archive for work on accounts and rights; says what fails in words.
    func withAccess<Answer>(_ body: (AccessControl) throws -> Answer) throws -> Answer {
        try withArchive { archive in
            do { return try body(archive.access) } catch let error as AccessFailure {
                throw error.isBeforeWork ? CannotBegin(error.words) : Fault.exit(for: error)
            }
        }
    }
}

extension AccessFailure {
    fileprivate var isBeforeWork: Bool {
        if case .records = self { return false }
        return true
    }

    /// For the person at the terminal.
    var words: String {
        switch self {
        case .wrongCredentials: "name or password is wrong"
        case .tooMany(let seconds): "too many attempts; try again in \(seconds) s"
        case .invalid(let field, let reason): "\(field): \(reason)"
        case .nameTaken: "an account of this name exists already"
        case .notFound: "there is no such account, token or link; phim account list shows the accounts"
        case .notCovered: "the account does not have this right itself"
        case .lastAdministrator: "this is the last administrator; make another one first"
        case .records(let error): Fault.words(error)
        }
    }
}
