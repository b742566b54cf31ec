// The ledger: queued, sent, proven, when, by which proof.

import Access
import Archive
import ArgumentParser
import Forwarding

extension OutboxCommand {
    struct Ledger: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A study's way to every destination: queued, sent, proven, when, by which proof.",
            discussion: "Also of a study whose images were given up here.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Study Instance UID.") var study: String

        func run() throws {
            let ledger = try options.withArchive { archive in
                archive.noteOperator(.read, studies: [study], detail: "ledger")
                return try archive.outbox.ledger(study: study)
            }
            if output.json { return try Terminal.printJSON(ledger) }
            for line in ledger.lines { Terminal.print(line) }
            for entry in ledger.entries {
                Terminal.print(
                    "\nshipment \(entry.shipment.number) to \(entry.shipment.destination), \(entry.shipment.cause)")
                for event in entry.events { Terminal.print("  \(event.at)  \(event.what)") }
                for receipt in entry.receipts { Terminal.print("  \(receipt.askedAt)  \(receipt.text)") }
            }
        }
    }

    struct Receipt: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a receipt as the other archive gave it: a JWS that its key verifies.",
            discussion:
                "Of a storage commitment there is nothing but what failed. --json says what is known of it besides.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Number of the receipt (phim outbox ledger).") var number: Int64

        func run() throws {
            let receipt = try options.withArchive { archive in
                archive.noteOperator(.read, detail: "receipt \(number)")
                return try archive.outbox.receipt(number)
            }
            if output.json { return try Terminal.printJSON(receipt) }
            if let body = receipt.body { return Terminal.print(body) }
            Terminal.note(receipt.text)
            if receipt.answeredAt == nil { throw ExitStatus.incomplete }
        }
    }
}

extension ReceiptReport {
    var text: String {
        let asked = "\(kind) \(transactionUID) for \(instances) instances (receipt \(number))"
        guard let answeredAt else { return "\(asked): not answered" }
        return "\(asked): answered \(answeredAt), \(failed == 0 ? "all are there" : "\(failed) are not there")"
    }
}
