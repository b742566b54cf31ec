// phim facility: hospitals, stations and their points, each with the time in which its code is true.

import Access
import Archive
import ArgumentParser
import Encounters
import Records

struct FacilityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "facility",
        abstract: "Facilities and their points: add, list, end.",
        discussion: "Codes change when hospitals merge: what a code means depends on the day.",
        subcommands: [Add.self, List.self, End.self], defaultSubcommand: List.self)
}

extension FacilityCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a facility or a point, or renew what is known of it.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The code that insurance knows it by (MA_CSKCB), or the hospital's own for a point.")
        var code: String
        @Argument(help: "Its name.") var name: String
        @Option(help: "Code of the facility that a point belongs to.") var of: String?
        @Option(help: "First day, yyyymmdd.") var from = ""
        @Option(help: "Last day, yyyymmdd.") var until = ""

        func run() throws {
            let report = try options.withArchive { archive in
                let facility = try FacilityRecord(
                    code: code, name: name, parent: of, validFrom: from, validUntil: until)
                try archive.encounters.change(by: Author.terminal.account) { try $0.facilities.put(facility) }
                archive.noteOperator(.administer, detail: "facility \(code)")
                return FacilityReport(facility)
            }
            try output.show(report, FacilityReport.table([report]))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List what is known, or what was true on a day.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only what is true on this day, yyyymmdd.") var on: String?

        func run() throws {
            let reports = try options.withArchive { archive in
                try archive.encounters.look { records in
                    let known = try records.facilities()
                    guard let on else { return known }
                    return try Set(known.map(\.code)).sorted().compactMap { try records.facility(code: $0, on: on) }
                }.map(FacilityReport.init)
            }
            if output.json { return try Terminal.printJSON(reports) }
            guard !reports.isEmpty else { return Terminal.note("None is known.") }
            Terminal.print(FacilityReport.table(reports))
        }
    }

    struct End: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say on which day a code is true for the last time.",
            discussion: "What was sent under it stays; the code may mean another facility from the next day on.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The code.") var code: String
        @Option(help: "Last day, yyyymmdd.") var on: String

        func run() throws {
            let report = try options.withArchive { archive in
                let ended = try archive.encounters.change(by: Author.terminal.account) { desk in
                    try desk.facilities.end(code: code, on: on)
                }
                archive.noteOperator(.administer, detail: "facility \(code)")
                return FacilityReport(ended)
            }
            try output.show(report, FacilityReport.table([report]))
        }
    }
}

/// A facility, as it is printed.
struct FacilityReport: Encodable {
    let code: String
    let name: String
    let parent: String?
    let validFrom: String
    let validUntil: String

    init(_ facility: FacilityRecord) {
        code = facility.code
        name = facility.name
        parent = facility.parent
        validFrom = facility.validFrom
        validUntil = facility.validUntil
    }

    static func table(_ reports: [FacilityReport]) -> String {
        Terminal.table(
            ["CODE", "NAME", "OF", "FROM", "UNTIL"],
            reports.map { [$0.code, $0.name, $0.parent ?? "", $0.validFrom, $0.validUntil] })
    }
}
