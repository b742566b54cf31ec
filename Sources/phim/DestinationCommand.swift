// phim destination: where studies are sent on to.

import Access
import Archive
import ArgumentParser
import Encounters
import Forwarding
import Records

struct DestinationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "destination",
        abstract: "Where studies are sent on to: add, change, list, test, pause.",
        discussion: """
            A destination is a DICOM peer (C-STORE), a DICOMweb server (STOW-RS) or another Phim, which gets only what is \
            missing, resumes inside an object and proves what arrived. Which studies go there is said by phim route; what \
            waits is shown by phim outbox. A change counts at once; the server need not be restarted.
            Example: phim destination add centre --phim https://pacs.example.org --token-file secrets/centre --data DIR
            """,
        subcommands: [
            Add.self, Change.self, List.self, Show.self, Remove.self, Pause.self, Resume.self, Test.self,
        ], defaultSubcommand: List.self)
}

/// How a destination is reached, as it is named on the command line; what is not given stays as it is.
struct DestinationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A peer (phim peer list), by C-STORE.", valueName: "name")) var peer: String?
    @Option(help: ArgumentHelp("Root of a server's DICOMweb services.", valueName: "url")) var dicomweb: String?
    @Option(help: ArgumentHelp("Another Phim, by the address of its page.", valueName: "url")) var phim: String?
    @Option(help: "File with a bearer token, or name:password. Paths begin at the data directory.")
    var tokenFile: String?
    @Option(help: "File in PEM with the authorities that are believed; otherwise those of the system.") var ca: String?
    @Option(help: "File in PEM with our certificate, for mutual TLS.") var certificate: String?
    @Option(help: "File in PEM with its key.") var key: String?
    @Flag(inversion: .prefixedNo, help: "DICOM TLS, for a peer.") var tls: Bool?
    @Flag(inversion: .prefixedNo, help: "Ask a peer for storage commitment: proof that it holds what was sent.")
    var commit: Bool?
    @Option(help: "Associations or connections at once, at most (2).") var lanes: Int?
    @Option(
        help: ArgumentHelp(
            """
            A line of the week's timetable, such as "mon-fri 06:00-20:00 2M"; may be given several times, the first that \
            speaks of an hour holds. Rates: 512k, 2M (bits a second), all, stat (urgent ones only), closed.
            """,
            valueName: "days span rate"))
    var rate: [String] = []
    @Flag(help: "Without a timetable: as fast as the line goes at any hour.") var alwaysFree = false
    @Option(help: ArgumentHelp("First day of the contract with the partner.", valueName: "yyyymmdd"))
    var contractFrom: String?
    @Option(help: ArgumentHelp("Its last day; afterwards nothing leaves.", valueName: "yyyymmdd"))
    var contractUntil: String?
    @Flag(inversion: .prefixedNo, help: "Refuse to send what is given no legal basis.") var needsLegalBasis: Bool?

    var ways: Int { [peer, dicomweb, phim].compactMap { $0 }.count }

    func validate() throws {
        guard ways <= 1 else { throw ValidationError("Give one of --peer, --dicomweb and --phim.") }
        guard rate.isEmpty || !alwaysFree else { throw ValidationError("Give --rate or --always-free, not both.") }
    }

    func apply(to settings: inout DestinationSettings) {
        if ways == 1 {
            settings.way = peer != nil ? .dimse : dicomweb != nil ? .dicomweb : .phim
            settings.peer = peer ?? ""
            let url = dicomweb ?? phim ?? ""
            // Another archive has another key.
            if url != settings.url { settings.receiptKey = "" }
            settings.url = url
        }
        settings.tokenFile = tokenFile ?? settings.tokenFile
        settings.caFile = ca ?? settings.caFile
        settings.certificateFile = certificate ?? settings.certificateFile
        settings.keyFile = key ?? settings.keyFile
        settings.isSecure = tls ?? settings.isSecure
        settings.commits = commit ?? settings.commits
        settings.lanes = lanes ?? settings.lanes
        if alwaysFree || !rate.isEmpty { settings.timetable = rate }
        settings.contractFrom = contractFrom ?? settings.contractFrom
        settings.contractUntil = contractUntil ?? settings.contractUntil
        settings.needsLegalBasis = needsLegalBasis ?? settings.needsLegalBasis
    }
}

extension DestinationReport {
    var text: String {
        let free = timetable.isEmpty ? "as fast as the line goes" : timetable.joined(separator: "; ")
        let files = [
            tokenFile.map { "token \($0)" }, caFile.map { "CA \($0)" }, certificateFile.map { "certificate \($0)" },
        ].compactMap { $0 }.joined(separator: ", ")
        let contract =
            contractFrom == nil && contractUntil == nil
            ? "" : "\n  contract   \(contractFrom ?? "…") to \(contractUntil ?? "…")"
        return """
            \(name)  \(way) \(place)  \(state.rawValue)\(isFromFile ? "  (configuration file)" : "")
              line       \(isSecure ? "encrypted" : "NOT ENCRYPTED"), up to \(lanes) at once\(files.isEmpty ? "" : "; \(files)")
              timetable  \(free); now \(allowance)
              proof      \(proof)
              legal      \(needsLegalBasis ? "nothing leaves without a legal basis" : "no legal basis is asked for")\(contract)
              reached    \(reachedAt ?? "never yet")\(since.map { "; nothing gets through since \($0): \(reason)" } ?? "")
            """
    }

    private var proof: String {
        switch way {
        case "dimse": commits ? "storage commitment" : "none (--commit asks for storage commitment)"
        case "phim":
            hasReceiptKey ? "signed receipts, the key is known" : "signed receipts; the key is learnt at the first"
        default: "none"
        }
    }
}

extension DestinationCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a destination.",
            discussion: "Nothing goes there until a rule says so (phim route add), or somebody asks (phim outbox send)."
        )

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reached: DestinationOptions
        @Argument(help: "A name for people.") var name: String

        func validate() throws {
            guard reached.ways == 1 else { throw ValidationError("Give one of --peer, --dicomweb and --phim.") }
        }

        func run() throws {
            let report = try options.withArchive { archive in
                let book = archive.routeBook
                if try book.destinations().contains(where: { $0.name.lowercased() == name.lowercased() }) {
                    throw CannotBegin("\(name) is there already; phim destination change alters it")
                }
                return try archive.change(name) { reached.apply(to: &$0) }
            }
            try output.show(report, report.text)
        }
    }

    struct Change: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change how a destination is reached, or what is due there; the rest stays.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reached: DestinationOptions
        @Argument(help: "Its name.") var name: String
        @Flag(help: "Learn the key of its receipts anew: it was replaced there.") var forgetReceiptKey = false

        func run() throws {
            let report = try options.withArchive { archive in
                let known = try archive.routeBook.destination(name)
                var wished = known.settings
                reached.apply(to: &wished)
                if forgetReceiptKey, wished == known.settings { return try archive.forgetReceiptKey(known.name) }
                try archive.routeBook.demandOwn(destination: name)
                return try archive.change(known.name) { settings in
                    reached.apply(to: &settings)
                    if forgetReceiptKey { settings.receiptKey = "" }
                }
            }
            try output.show(report, report.text)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List destinations and how their lines are.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let found = try options.withArchive { try $0.routeBook.destinations() }
            try output.list(
                found, none: "No destinations yet: phim destination add --help",
                ["NAME", "WAY", "TO", "STATE", "NOW", "REACHED", "FROM", "REASON"]
            ) {
                [
                    $0.name, $0.way, $0.place, $0.state.rawValue, $0.allowance, $0.reachedAt ?? "never",
                    $0.isFromFile ? "file" : "added", $0.reason,
                ]
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Everything about one destination.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Its name.") var name: String

        func run() throws {
            let report = try options.withArchive { try $0.report(name) }
            try output.show(report, report.text)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a destination.",
            discussion: "Rules that lead there are removed first. What was sent stays in the ledger.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Its name.") var name: String

        func run() throws {
            try options.withArchive { archive in
                _ = try archive.routeBook.destination(name)
                try archive.routeBook.demandOwn(destination: name)
                try archive.routeBook.remove(destination: name, by: Author.terminal.account)
                archive.noteOperator(.administer, detail: "destination \(name) removed")
            }
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Send nothing there until it is resumed.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Its name.") var name: String

        func run() throws { try options.withArchive { try $0.pause(name, true) } }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send again to a destination that was paused, or that stopped taking; at once.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Its name.") var name: String

        func run() throws { try options.withArchive { try $0.pause(name, false) } }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask a destination whether it hears us, and whether it knows us.",
            discussion: """
                C-ECHO, a search over DICOMweb, or who we are at another Phim. No images go there. Exit status 1 when it \
                does not answer as it should.
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Its name.") var name: String

        struct Report: Encodable {
            let destination: String
            let isReached: Bool
            let reason: String?
        }

        func run() async throws {
            let archive = try options.open()
            defer { archive.close() }
            let failure: String?
            do {
                failure = try await archive.check(try archive.routeBook.destination(name).settings)
            } catch { throw Fault.exit(for: error) }
            let report = Report(destination: name, isReached: failure == nil, reason: failure)
            if output.json {
                try Terminal.printJSON(report)
            } else if let failure {
                Terminal.error("\(name): \(failure)")
            } else {
                Terminal.print("\(name) answers, and knows us")
            }
            if failure != nil { throw ExitStatus.incomplete }
        }
    }
}

extension OpenArchive {
    fileprivate func change(
        _ name: String, _ body: (inout DestinationSettings) -> Void
    ) throws -> DestinationReport {
        let peers = try peerNames
        try routeBook.change(destination: name, by: Author.terminal.account) { settings throws(EncounterFailure) in
            body(&settings)
            let peer = settings.peer.lowercased()
            guard settings.way != .dimse || peers.contains(where: { $0.lowercased() == peer }) else {
                throw .invalid(
                    field: "peer",
                    reason: "there is no peer \(settings.peer); phim peer list shows those there are")
            }
        }
        let report = try self.report(name)
        noteOperator(.administer, detail: "destination \(report.name) is \(report.way) \(report.place)")
        return report
    }

    fileprivate func forgetReceiptKey(_ name: String) throws -> DestinationReport {
        try routeBook.forgetReceiptKey(destination: name, by: Author.terminal.account)
        noteOperator(.administer, detail: "destination \(name): the key of its receipts is forgotten")
        return try report(name)
    }

    fileprivate func report(_ name: String) throws -> DestinationReport {
        DestinationReport(try routeBook.destination(name), now: records.now())
    }

    /// Stops or restarts what goes to a destination.
    func pause(_ name: String, _ isPaused: Bool) throws {
        let known = try routeBook.destination(name).name
        try outbox.pause(destination: known, isPaused, by: Author.terminal.account)
        if !isPaused { try outbox.retry(destination: known, by: Author.terminal.account) }
        noteOperator(.administer, detail: "destination \(known) \(isPaused ? "paused" : "resumed")")
    }
}
