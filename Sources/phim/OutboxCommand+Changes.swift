// What a person does with the outbox; each is told to the audit trail.

import Access
import Archive
import ArgumentParser
import Forwarding
import Records

extension ShipmentArgument {
    /// Does something to the shipment, notes it, and prints what came of it.
    func change(
        _ options: ArchiveOptions, _ output: OutputOptions, _ detail: String,
        _ body: (Outbox, ShipmentReport) throws -> Void
    ) throws {
        let report = try options.withArchive { archive in
            let found = try find(archive)
            try body(archive.outbox, found)
            archive.noteOperator(
                .administer, studies: [found.studyInstanceUID], detail: "shipment \(found.number) \(detail)")
            return try archive.outbox.shipment(found.number)
        }
        try output.show(report, report.why)
    }
}

extension OutboxCommand {
    struct Hold: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send nothing of it until it is released.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument

        func run() throws {
            try which.change(options, output, "held") { try $0.hold($1.number, true, by: Author.terminal.account) }
        }
    }

    struct Release: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let go what was held.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument

        func run() throws {
            try which.change(options, output, "released") { try $0.hold($1.number, false, by: Author.terminal.account) }
        }
    }

    struct First: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send it before all others of its priority.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument

        func run() throws {
            try which.change(options, output, "put first") {
                try $0.reorder($1.number, isFirst: true, by: Author.terminal.account)
            }
        }
    }

    struct Last: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send it after all others of its priority.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument

        func run() throws {
            try which.change(options, output, "put last") {
                try $0.reorder($1.number, isFirst: false, by: Author.terminal.account)
            }
        }
    }

    struct Priority: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send it more, or less, urgently.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument
        @Argument(help: "stat, normal or bulk.") var priority: ShipmentRecord.Priority

        func run() throws {
            try which.change(options, output, "is \(priority.word)") {
                try $0.reorder($1.number, priority: priority, by: Author.terminal.account)
            }
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try at once what waits for its next attempt: one study, or all of a destination.",
            discussion: "A study that was dropped or refused is put in line again, if it may leave now.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Study Instance UID, or the number of the shipment.") var study: String?
        @Option(name: [.customLong("to"), .customLong("destination")], help: "Name of the destination.")
        var to: String?

        func validate() throws {
            guard study != nil || to != nil else {
                throw ValidationError("Give a study, or --to for all of a destination.")
            }
        }

        func run() throws {
            try options.withArchive { archive in
                let actor = Author.terminal.account
                guard let study else {
                    let known = try archive.routeBook.destination(to ?? "").name
                    try archive.outbox.retry(destination: known, by: actor)
                    return archive.noteOperator(.administer, detail: "everything for \(known) tried again")
                }
                var which = ShipmentArgument()
                (which.study, which.to) = (study, to)
                let found = try which.find(archive)
                try archive.outbox.retry(found.number, by: actor)
                archive.noteOperator(
                    .administer, studies: [found.studyInstanceUID], detail: "shipment \(found.number) tried again")
                Terminal.print(try archive.outbox.shipment(found.number).why)
            }
        }
    }

    struct Resend: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send all of it again, also what the destination has taken.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument

        func run() throws {
            try which.change(options, output, "sent again") { try $0.resend($1.number, by: Author.terminal.account) }
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Do not send it any more.",
            discussion:
                "What was sent stays there. It stays in the list, with who dropped it and why; retry takes it back.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var which: ShipmentArgument
        @Option(help: "Why; kept with it.") var reason = ""

        func run() throws {
            try which.change(options, output, "dropped") {
                try $0.drop($1.number, reason: reason, by: Author.terminal.account)
            }
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send nothing to a destination until it is resumed.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Name of the destination.") var destination: String

        func run() throws { try options.withArchive { try $0.pause(destination, true) } }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send again to a destination that was paused.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Name of the destination.") var destination: String

        func run() throws { try options.withArchive { try $0.pause(destination, false) } }
    }
}
