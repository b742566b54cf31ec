// phim token: what programs prove themselves with.

import Access
import Archive
import ArgumentParser
import Foundation
import Records

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Issue, list and revoke tokens for programs.",
        discussion: "A program sends its token with every request: Authorization: Bearer TOKEN",
        subcommands: [Issue.self, List.self, Revoke.self])
}

extension TokenCommand {
    struct Issue: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Issue a token; it alone is printed, this once.",
            discussion: """
                Example: phim token issue --account emr --role integration --data DIR
                With --role the token may less than its account; without, as much as the account may at the time.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "The account that the program acts for.") var account: String
        @Option(name: .long, help: "A role, of less or as much right as the account's; may be given several times.")
        var role: [Role] = []
        @Option(help: "What to call it in lists.") var name: String = ""
        @Option(help: "Days until it expires; without, it lasts until it is revoked.") var days: Int?

        struct Report: Encodable {
            let id: Int64
            let token: String
        }

        func validate() throws {
            if let days, !(1...36_500).contains(days) { throw ValidationError("--days: from 1 to 36500") }
        }

        func run() throws {
            let token = try options.withAccess { access in
                let expiresAt = days.map { access.records.now() + Int64($0) * 86_400_000_000 }
                return try access.issueToken(
                    account: account, label: name, roles: role.isEmpty ? nil : Set(role), expiresAt: expiresAt,
                    by: .terminal)
            }
            if output.json { return try Terminal.printJSON(Report(id: token.id, token: token.secret)) }
            Terminal.print(token.secret)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List tokens; the tokens themselves are not kept.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only those of this account.") var account: String?

        struct Report: Encodable {
            let id: Int64
            let account: String
            let name: String
            let roles: [String]?
            let createdAt: Date
            let expiresAt: Date?
            let revokedAt: Date?
        }

        func run() throws {
            let tokens = try options.withAccess { access in
                try access.tokens(account: try account.map { try access.account(named: $0).id })
            }
            let reports = tokens.map { token in
                Report(
                    id: token.id, account: token.accountName, name: token.name, roles: token.roles?.sorted(),
                    createdAt: Self.date(token.createdAt), expiresAt: token.expiresAt.map(Self.date),
                    revokedAt: token.revokedAt.map(Self.date))
            }
            try output.list(
                reports, none: "No tokens.",
                ["NUMBER", "ACCOUNT", "NAME", "ROLES", "ISSUED", "EXPIRES", "REVOKED"]
            ) { report in
                [
                    String(report.id), report.account, report.name,
                    report.roles?.joined(separator: ", ") ?? "the account's",
                    report.createdAt.ISO8601Format(), report.expiresAt?.ISO8601Format() ?? "never",
                    report.revokedAt?.ISO8601Format() ?? "-",
                ]
            }
        }

        private static func date(_ microseconds: Int64) -> Date {
            Date(timeIntervalSince1970: Double(microseconds) / 1e6)
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a token; a running server refuses it within two seconds.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Its number: phim token list.") var number: Int64

        func run() throws { try options.withAccess { try $0.revokeToken(number, by: .terminal) } }
    }
}
