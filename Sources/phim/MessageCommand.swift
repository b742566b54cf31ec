// phim message: what the hospital's system sent, what was refused and why, and trying it again.

import Access
import Archive
import ArgumentParser
import Encounters
import Foundation
import HL7
import Interop
import Records

struct MessageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "message",
        abstract: "Messages of the hospital's system: list, show, and apply again what was refused.",
        subcommands: [List.self, Show.self, Replay.self])
}

extension MessageCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List messages, the newest first.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Flag(help: "Only what was refused.") var refused = false
        @Option(help: "At most this many.") var limit: Int = 100

        func run() throws {
            let messages = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "messages")
                return try archive.encounters.look { try $0.messages(refusedOnly: refused, limit: limit) }
                    .map(MessageReport.init)
            }
            if output.json { return try Terminal.printJSON(messages) }
            Terminal.print(
                Terminal.table(
                    ["NUMBER", "AT", "FROM", "TYPE", "CONTROL ID", "ANSWER", "WHY"],
                    messages.map { ["\($0.number)", $0.at, $0.source, $0.type, $0.controlID, $0.code, $0.reason] }))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a message as it was read, one segment a line.",
            discussion: "--raw writes the bytes as they came, for repair: phim message replay NUMBER --file FILE")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Number of the message.") var number: Int64
        @Flag(help: "The bytes as they came.") var raw = false

        func run() throws {
            let message = try options.withArchive { archive in
                archive.noteOperator(.read, detail: "message \(number)")
                return try archive.encounters.look { try $0.message(id: number) }
            }
            if raw {
                try FileHandle.standardOutput.write(contentsOf: Data(message.bytes))
                return
            }
            Terminal.note("\(message.source)  \(message.characterSet)  \(message.code)  \(message.reason)")
            Terminal.print(MessageReport.lines(of: message))
        }
    }

    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Apply a refused message again, as it came or repaired.",
            discussion: "What came stays kept as it came; the new outcome takes the place of the earlier one.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Number of the message.") var number: Int64
        @Option(help: ArgumentHelp("The repaired message.", valueName: "path")) var file: String?

        func run() throws {
            let repaired = try file.map { path in
                guard let data = FileManager.default.contents(atPath: path) else {
                    throw CannotBegin("no file \(path)")
                }
                return MessageIntake.bytes(ofLines: String(decoding: data, as: UTF8.self))
            }
            let report = try options.withArchive { archive in
                let intake = MessageIntake(encounters: archive.encounters, logger: archive.logger)
                _ = try intake.replay(number, repaired: repaired, by: Author.terminal.account)
                archive.noteOperator(.administer, detail: "message \(number) applied again")
                return MessageReport(try archive.encounters.look { try $0.message(id: number) })
            }
            if output.json {
                try Terminal.printJSON(report)
            } else {
                Terminal.print("\(report.code)  \(report.reason)")
            }
            if report.code != "AA" { throw ExitStatus.incomplete }
        }
    }
}
