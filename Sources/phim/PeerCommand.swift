// phim peer: whom the archive talks to.

import Archive
import ArgumentParser
import DICOMCore
import DIMSEServer
import Foundation
import Records

struct PeerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer",
        abstract: "Add, list, remove and try peers; see who was refused.",
        discussion: "A change counts from the next association on; the server need not be restarted.",
        subcommands: [Add.self, List.self, Remove.self, Echo.self, Knocks.self])
}

extension OutputCharacterSet: ExpressibleByArgument {}
extension Peer.Priority: ExpressibleByArgument {}

extension PeerCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a peer.",
            discussion: """
                A peer may call us from its host, may be asked for by C-MOVE, and may be sent to.
                Example: phim peer add ct1 --ae-title CT1 --host 192.0.2.10 --port 104 --data DIR
                What a peer of priority stat sends overtakes the rest, and it gets in when the server is full; one \
                of priority bulk (a migration) gives way to everybody. Without --priority each C-STORE request says \
                for itself: HIGH means stat, anything else routine.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "A name for people.") var name: String
        @Option(help: "The peer's application entity title.") var aeTitle: String
        @Option(help: "Its address: a name or a number.") var host: String
        @Option(help: "Its DICOM port.") var port: Int
        @Option(help: "Character set of our answers: utf8, latin1 or ascii.") var charset: OutputCharacterSet?
        @Option(help: "At most this many associations at once.") var maxAssociations: Int?
        @Option(help: "How urgent what it sends is: stat, routine or bulk.") var priority: Peer.Priority?
        @Flag(help: "It is called by DICOM TLS, as dicom.tls in the configuration file says.") var tls = false

        func run() throws {
            let peer = try options.withArchive { archive in
                let peer = try Peer(
                    name: name, aeTitle: aeTitle, host: host, port: port,
                    characterSet: charset.flatMap { Peer.CharacterSet(rawValue: $0.rawValue) } ?? .utf8,
                    maxAssociations: maxAssociations, priority: priority, isSecure: tls)
                try archive.records.addPeer(peer)
                return peer
            }
            if output.json { try Terminal.printJSON(PeerReport(KnownPeer(peer), origin: "added")) }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the peers, added and configured.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let peers = try options.withArchive { try $0.allPeers() }
            if output.json { return try Terminal.printJSON(peers.map { PeerReport($0.peer, origin: $0.origin) }) }
            guard !peers.isEmpty else { return Terminal.note("No peers yet: phim peer add --help") }
            Terminal.print(
                Terminal.table(
                    ["NAME", "AE TITLE", "HOST", "PORT", "TLS", "CHARSET", "PRIORITY", "FROM"],
                    peers.map {
                        [
                            $0.peer.name, $0.peer.aeTitle, $0.peer.host, String($0.peer.port),
                            $0.peer.isSecure ? "yes" : "-", $0.peer.characterSet?.rawValue ?? "-",
                            $0.peer.priorityName ?? "-", $0.origin,
                        ]
                    }))
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a peer that was added.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The peer's name.") var name: String

        struct Report: Encodable {
            let removed: String
        }

        func run() throws {
            try options.withArchive { archive in
                do { try archive.records.removePeer(named: name) } catch RecordsError.notFound {
                    let isConfigured = archive.configuration.peers.contains {
                        $0.name.lowercased() == name.lowercased()
                    }
                    throw CannotBegin(
                        isConfigured
                            ? "\(name) is in the configuration file; remove it there" : "there is no peer \(name)")
                }
            }
            if output.json { try Terminal.printJSON(Report(removed: name)) }
        }
    }

    struct Echo: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask a peer whether it hears us (C-ECHO).",
            discussion: "Exit status 1 when it does not; the answer says at which step.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The peer's name.") var name: String

        struct Report: Encodable {
            let peer: String
            let isReached: Bool
            let reason: String?
            let milliseconds: Int
        }

        func run() throws {
            let (peer, dialing) = try options.withArchive { archive in
                (try archive.peer(named: name), try archive.dialing())
            }
            let started = ContinuousClock.now
            let failure = dialing.echo(peer)
            let elapsed = (ContinuousClock.now - started).components
            let milliseconds = Int(elapsed.seconds) * 1000 + Int(elapsed.attoseconds / 1_000_000_000_000_000)
            if output.json {
                try Terminal.printJSON(
                    Report(peer: name, isReached: failure == nil, reason: failure, milliseconds: milliseconds))
            } else if let failure {
                Terminal.error("\(name) (\(peer.aeTitle) at \(peer.host):\(peer.port)): \(failure)")
            } else {
                Terminal.print("\(name) answered in \(milliseconds) ms")
            }
            if failure != nil { throw ExitStatus.incomplete }
        }
    }

    struct Knocks: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List callers that were refused, why, and what admits them.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions

        struct Report: Encodable {
            let callingAETitle: String
            let calledAETitle: String
            let address: String
            let reason: String
            let asked: String
            let count: Int
            let lastAt: Date
            let admit: String
        }

        func run() throws {
            let reports = try options.withArchive { archive in
                let remedy = Remedy(
                    data: options.data, configurationFile: options.config ?? archive.folder.configuration,
                    aeTitle: archive.callingAETitle, peers: try archive.allPeers())
                return try archive.records.knocks().map { knock in
                    Report(
                        callingAETitle: knock.callingAETitle, calledAETitle: knock.calledAETitle,
                        address: knock.address,
                        reason: knock.reason, asked: knock.asked, count: knock.count,
                        lastAt: Date(timeIntervalSince1970: Double(knock.lastAt) / 1e6),
                        admit: remedy.text(for: knock))
                }
            }
            if output.json { return try Terminal.printJSON(reports) }
            guard !reports.isEmpty else { return Terminal.note("Nobody was refused.") }
            for report in reports {
                Terminal.print(
                    """
                    \(report.callingAETitle) at \(report.address), \(report.count) times, last \(report.lastAt.ISO8601Format())
                      why    \(report.reason)
                      asked  \(report.asked)
                      admit  \(report.admit)
                    """)
            }
        }
    }

    struct PeerReport: Encodable {
        let name: String
        let aeTitle: String
        let host: String
        let port: Int
        let charset: String?
        let maxAssociations: Int?
        let priority: String?
        let tls: Bool
        let origin: String

        init(_ peer: KnownPeer, origin: String) {
            name = peer.name
            aeTitle = peer.aeTitle
            host = peer.host
            port = peer.port
            charset = peer.characterSet?.rawValue
            maxAssociations = peer.maxAssociations
            priority = peer.priorityName
            tls = peer.isSecure
            self.origin = origin
        }
    }
}
