// phim fleet: at a centre, the archives that send to it.

import Access
import Archive
import ArgumentParser
import Exchange
import Foundation

struct FleetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet",
        abstract: "At a centre: the archives that send to it, their backlog, disk, version and clock.",
        discussion: """
            Each says how it is once a minute. It is silent when nothing was heard of it for five minutes: its line is down, \
            or it is. A station needs an account here with the role station: phim account add --help.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Only those that are silent.") var silent = false

    struct Report: Encodable {
        let stations: [FleetStation]
    }

    func run() throws {
        let stations = try options.withArchive { archive in
            archive.noteOperator(.search, detail: "fleet")
            return try Fleet.stations(of: archive.encounters).filter { !silent || $0.isSilent }
        }
        if output.json { return try Terminal.printJSON(Report(stations: stations)) }
        guard !stations.isEmpty else { return Terminal.note(silent ? "None is silent." : "No station has called yet.") }
        Terminal.print(
            Terminal.table(
                ["STATION", "ACCOUNT", "LAST CONTACT", "STATE", "WAITING", "OLDEST", "DISK FREE", "VERSION", "CLOCK"],
                stations.map { station in
                    let oldest = station.backlog.map(\.oldest).min()
                    let studies = station.backlog.reduce(0) { $0 + $1.studies }
                    let octets = station.backlog.reduce(0) { $0 + $1.octets }
                    return [
                        station.name, station.account, station.lastAt.ISO8601Format(),
                        station.isSilent ? "SILENT" : "in contact",
                        studies == 0 ? "nothing" : "\(studies) studies, \(Terminal.bytes(octets))",
                        oldest?.ISO8601Format() ?? "-",
                        "\(Terminal.bytes(station.diskFree)) of \(Terminal.bytes(station.diskTotal))", station.version,
                        abs(station.clockSkew) > 60 ? "off by \(Int(station.clockSkew)) s" : "right",
                    ]
                }))
    }
}
