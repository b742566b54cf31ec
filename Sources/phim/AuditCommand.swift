// phim audit: who did what to which study, and whether the trail is as it was written.

import Access
import Archive
import ArgumentParser
import Foundation
import Records

extension AuditEvent.Kind: ExpressibleByArgument {}

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Search the audit trail, and check that nobody changed it.",
        subcommands: [Verify.self, Find.self])
}

extension AuditCommand {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compute the chain of the trail anew.",
            discussion: """
                Exit status 1 when a row was edited, removed, put in between or moved. The last line is the head of the \
                trail, NUMBER:HEX. Keep it elsewhere, on paper or another machine: with --head it shows later whether \
                the whole trail up to it is still the same.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: ArgumentHelp("A head noted earlier; may be given several times.", valueName: "number:hex"))
        var head: [String] = []

        struct Report: Encodable {
            let rows: Int64
            /// The last of those that were cut because of their age.
            let cut: String?
            let head: String?
            let flaws: [String]
        }

        func run() throws {
            let heads = try head.map { text in
                guard let head = AuditHead(text) else { throw CannotBegin("--head: \(text) is not like NUMBER:HEX") }
                return head
            }
            let found = try options.withAccess { try $0.audit.verify(heads: heads) }
            if output.json {
                try Terminal.printJSON(
                    Report(
                        rows: found.rows, cut: found.cut?.description, head: found.head?.description,
                        flaws: found.flaws))
            } else {
                for flaw in found.flaws { Terminal.error("audit trail: \(flaw)") }
                Terminal.note(
                    "\(found.rows) rows, \(found.flaws.isEmpty ? "as they were written" : "NOT as they were written")")
                if let cut = found.cut { Terminal.note("rows up to \(cut.number) were cut because of their age") }
                if let head = found.head { Terminal.print(head.description) }
            }
            if !found.flaws.isEmpty { throw ExitStatus.incomplete }
        }
    }

    struct Find: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Search the trail, the latest first.",
            discussion: "Example: phim audit find --study 1.2.3 --from 2026-01-01 --data DIR")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(
            help: """
                Only of this account; dicom:NAME for a peer or an AE title, hl7:NAME for a hospital's system, operator:NAME \
                for the command line.
                """)
        var account: String?
        @Option(help: "Only of this Study Instance UID.") var study: String?
        @Option(help: ArgumentHelp("Only of this kind: \(AuditCommand.kinds).", valueName: "kind"))
        var kind: AuditEvent.Kind?
        @Option(help: "From this time: 2026-01-31 or 2026-01-31T08:00:00Z.") var from: String?
        @Option(help: "Up to this time.") var to: String?
        @Option(help: "At most this many.") var limit = 1_000

        func run() throws {
            var search = AuditSearch()
            search.account = account
            search.studyInstanceUID = study
            search.kind = kind?.rawValue
            search.from = try from.map { try Self.time($0, "--from", isEnd: false) }
            search.to = try to.map { try Self.time($0, "--to", isEnd: true) }
            search.limit = max(1, limit)
            let rows = try options.withAccess { try $0.audit.find(search) }
            let reports = rows.map { AuditReport($0) }
            try output.list(
                reports, none: "Nothing of the kind.",
                ["NUMBER", "TIME", "KIND", "COUNT", "ACCOUNT", "BY", "FROM", "STUDY", "DETAIL"]
            ) {
                [
                    String($0.number), $0.at.ISO8601Format(), $0.kind, String($0.count), $0.account,
                    $0.credential, $0.address, $0.study ?? "-", $0.detail,
                ]
            }
        }

        private static func time(_ text: String, _ option: String, isEnd: Bool) throws -> Int64 {
            if let date = try? Date(text, strategy: .iso8601) { return Int64(date.timeIntervalSince1970 * 1e6) }
            guard let day = try? Date(text + "T00:00:00Z", strategy: .iso8601) else {
                throw CannotBegin("\(option): \(text) is not like 2026-01-31 or 2026-01-31T08:00:00Z")
            }
            return Int64(day.timeIntervalSince1970 * 1e6) + (isEnd ? 86_400_000_000 - 1 : 0)
        }
    }

    static let kinds = AuditEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
}
