// phim commitment: what modalities asked to be sure of, and whether they have been told.

import Access
import Archive
import ArgumentParser
import Encounters
import Foundation
import Records

struct CommitmentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commitment",
        abstract: "Storage commitments that modalities asked for, and their reports.",
        subcommands: [List.self, Drop.self])
}

extension CommitmentCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List commitments, the newest first.",
            discussion: """
                A report is sent again until it is acknowledged, at most every quarter of an hour, for 30 days. Then it is \
                unreported, and stays in the list until it is dropped or asked for again.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Flag(help: "Only those whose report is not acknowledged.") var open = false
        @Option(help: "At most this many.") var limit: Int = 100

        func run() throws {
            let commitments = try options.withArchive { archive in
                let givenUp = archive.records.now() - RecordStore.commitmentPatience
                return try archive.records.commitments(isOpen: open, limit: limit).map {
                    CommitmentLine($0, isGivenUp: $0.requestedAt <= givenUp)
                }
            }
            if output.json { return try Terminal.printJSON(commitments) }
            Terminal.print(
                Terminal.table(
                    ["NUMBER", "ASKED", "BY", "TRANSACTION", "STATE", "ATTEMPTS", "WHY"],
                    commitments.map {
                        ["\($0.number)", $0.at, $0.aeTitle, $0.transactionUID, $0.state, "\($0.attempts)", $0.failure]
                    }))
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a commitment: its report is not sent any more.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Number of the commitment.") var number: Int64

        func run() throws {
            try options.withArchive { archive in
                guard try archive.records.removeCommitment(number) else {
                    throw CannotBegin("no commitment \(number)")
                }
                archive.noteOperator(.administer, detail: "commitment \(number) dropped")
            }
            try output.show(["dropped": number], "dropped \(number)")
        }
    }
}

/// A commitment as it is listed.
private struct CommitmentLine: Encodable {
    let number: Int64
    let at: String
    let aeTitle: String
    let transactionUID: String
    /// asked, verified, acknowledged, or unreported: given up.
    let state: String
    let attempts: Int
    let failure: String

    init(_ record: CommitmentRecord, isGivenUp: Bool) {
        number = record.id
        at = LocalTime.text(record.requestedAt)
        aeTitle = record.aeTitle
        transactionUID = record.transactionUID
        let open = isGivenUp ? "unreported" : record.report != nil ? "verified" : "asked"
        state = record.acknowledgedAt != nil ? "acknowledged" : open
        attempts = record.attempts
        failure = record.failure
    }
}
