// phim route: which studies are sent on, where to, how urgent, in what form, on what legal ground.

import Access
import Archive
import ArgumentParser
import Forwarding
import Records

struct RouteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route",
        abstract: "Rules of what is sent on: add, try, explain, switch on and off.",
        discussion: """
            A rule holds from the next image on; the server need not be restarted. What came before stays where it is: \
            phim outbox send sends single studies. Of several rules for one destination the most urgent counts.
            Conditions are key=value,value or key!=value; * and ? stand for any characters, marks and case do not count. \
            Keys: \(StudyTraits.Key.allCases.map(\.rawValue).joined(separator: ", ")).
            Example: phim route add heads --to centre --when modality=CT,MR --when bodyPart=HEAD,BRAIN --priority stat \
            --data DIR
            """,
        subcommands: [
            Add.self, Change.self, List.self, Show.self, Remove.self, On.self, Off.self, Explain.self, Try.self,
        ], defaultSubcommand: List.self)
}

/// What a rule says, as it is named on the command line; what is not given stays as it is.
struct RouteOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A condition; all of them must hold. None: every study.", valueName: "key=value"))
    var when: [String] = []
    @Flag(help: "Without conditions: every study.") var everything = false
    @Option(help: "stat, normal or bulk. A study whose order is STAT is sent as stat in any case.") var priority:
        String?
    @Flag(inversion: .prefixedNo, help: "Compress without loss for the line, where the destination takes it.")
    var compress: Bool?
    @Option(help: ArgumentHelp("De-identify (PS3.15 Annex E), such as basic; \"\" for no more.", valueName: "profile"))
    var deidentify: String?
    @Option(help: ArgumentHelp("Write texts in this character set, such as ISO_IR 192.", valueName: "term"))
    var characterSet: String?
    @Option(help: ArgumentHelp("On which ground studies are shared, such as referral.", valueName: "words"))
    var legalBasis: String?

    func validate() throws {
        guard when.isEmpty || !everything else { throw ValidationError("Give --when or --everything, not both.") }
    }

    func apply(to settings: inout RouteSettings) {
        if everything || !when.isEmpty { settings.conditions = when }
        settings.priority = priority?.lowercased() ?? settings.priority
        settings.transform.compresses = compress ?? settings.transform.compresses
        settings.transform.deidentification = deidentify ?? settings.transform.deidentification
        settings.transform.characterSet = characterSet ?? settings.transform.characterSet
        settings.legalBasis = legalBasis ?? settings.legalBasis
    }
}

extension RouteReport {
    var form: String {
        [compress ? "compressed" : nil, deidentify.map { "de-identified (\($0))" }, characterSet].compactMap { $0 }
            .joined(separator: ", ")
    }

    var text: String {
        """
        \(name)  to \(destination)  \(isOn ? "on" : "OFF")\(isFromFile ? "  (configuration file)" : "")
          when      \(when.isEmpty ? "every study" : when.joined(separator: " and "))
          priority  \(priority)
          form      \(form.isEmpty ? "as it is stored" : form)
          legal     \(legalBasis ?? "no basis given")
        """
    }
}

extension RouteCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a rule.",
            discussion: "phim route try shows beforehand how much it would have sent; --off adds it switched off.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var rule: RouteOptions
        @Argument(help: "A name for people.") var name: String
        @Option(help: "A destination, or a peer: then a destination of its name is made.") var to: String
        @Flag(help: "Add it switched off.") var off = false

        func run() throws {
            let report = try options.withArchive { archive in
                if try archive.routeBook.routes().contains(where: { $0.name.lowercased() == name.lowercased() }) {
                    throw CannotBegin("\(name) is there already; phim route change alters it")
                }
                var settings = RouteSettings()
                rule.apply(to: &settings)
                return try archive.put(rule: name, to: to, settings, isOn: !off)
            }
            try output.show(report, report.text)
        }
    }

    struct Change: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change what a rule says; the rest stays.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var rule: RouteOptions
        @Argument(help: "Its name.") var name: String
        @Option(help: "Another destination.") var to: String?

        func run() throws {
            let report = try options.withArchive { archive in
                let known = try archive.routeBook.route(name)
                try archive.routeBook.demandOwn(route: name)
                var settings = known.settings
                rule.apply(to: &settings)
                return try archive.put(rule: known.name, to: to ?? known.destination, settings, isOn: known.isOn)
            }
            try output.show(report, report.text)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the rules, in the order in which they came.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let found = try options.withArchive { try $0.routeBook.routes() }
            try output.list(
                found, none: "No rules yet: phim route add --help",
                ["NAME", "TO", "WHEN", "PRIORITY", "FORM", "LEGAL BASIS", "STATE", "FROM"]
            ) {
                [
                    $0.name, $0.destination, $0.when.isEmpty ? "every study" : $0.when.joined(separator: " "),
                    $0.priority, $0.form, $0.legalBasis ?? "", $0.isOn ? "on" : "off",
                    $0.isFromFile ? "file" : "added",
                ]
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Everything about one rule.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Its name.") var name: String

        func run() throws {
            let report = try options.withArchive { RouteReport(try $0.routeBook.route(name)) }
            try output.show(report, report.text)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a rule.",
            discussion: "What it has put into the outbox stays there; phim outbox drop takes it out.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Its name.") var name: String

        func run() throws {
            try options.withArchive { archive in
                _ = try archive.routeBook.route(name)
                try archive.routeBook.demandOwn(route: name)
                try archive.routeBook.remove(route: name, by: Author.terminal.account)
                archive.noteOperator(.administer, detail: "rule \(name) removed")
            }
        }
    }

    struct On: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Switch a rule on.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Its name.") var name: String

        func run() throws { try options.withArchive { try $0.turn(name, on: true) } }
    }

    struct Off: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Switch a rule off; it is kept.")

        @OptionGroup var options: ArchiveOptions
        @Argument(help: "Its name.") var name: String

        func run() throws { try options.withArchive { try $0.turn(name, on: false) } }
    }

    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What every rule says of a study, and why; nothing is done.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Study Instance UID.") var study: String

        func run() throws {
            let verdicts = try options.withArchive { archive in
                archive.noteOperator(.read, studies: [study], detail: "rules explained")
                return try archive.routeBook.explain(study: study).map(RouteVerdictReport.init)
            }
            try output.list(
                verdicts, none: "There are no rules: phim route add --help",
                ["RULE", "TO", "SENDS", "PRIORITY", "WHY"]
            ) { [$0.route, $0.destination, $0.applies ? "yes" : "no", $0.priority, $0.why] }
        }
    }

    struct Try: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How much conditions would have sent of the last days; nothing is done.",
            discussion: "Example: phim route try --when modality=CT --when description=*SO\\ NAO* --days 30 --data DIR")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: ArgumentHelp("A condition, as of phim route add.", valueName: "key=value")) var when: [String] =
            []
        @Option(help: "An existing rule, instead of conditions.") var rule: String?
        @Option(help: "So many days back, by Study Date.") var days = 30
        @Option(help: "Look at the newest so many studies at most.") var limit = 5_000

        func validate() throws {
            guard rule == nil || when.isEmpty else { throw ValidationError("Give --rule or --when, not both.") }
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000") }
        }

        func run() throws {
            let trial = try options.withArchive { archive in
                archive.noteOperator(.search, detail: "rule tried")
                let conditions = try rule.map { try archive.routeBook.route($0).settings.conditions } ?? when
                return try archive.routeBook.trial(of: conditions, days: days, limit: limit)
            }
            if output.json { return try Terminal.printJSON(trial) }
            let modalities = trial.byModality.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            Terminal.print(
                """
                \(trial.studies) of \(trial.looked) studies of the last \(trial.days) days fit
                  instances  \(trial.instances), \(Terminal.bytes(trial.bytes))
                  a day      \(Terminal.bytes(trial.bytesPerDay))
                  kinds      \(modalities.isEmpty ? "none" : modalities.joined(separator: ", "))
                """)
            for (condition, count) in trial.keptOut.sorted(by: { $0.value > $1.value }) {
                Terminal.print("  kept out   \(count) by \(condition)")
            }
            if trial.isCut {
                Terminal.note("There were more: only the newest \(trial.looked) were looked at (--limit).")
            }
        }
    }
}

extension OpenArchive {
    fileprivate func put(
        rule name: String, to destination: String, _ settings: RouteSettings, isOn: Bool
    ) throws -> RouteReport {
        let actor = Author.terminal.account
        if try makeDestination(ofPeer: destination, by: actor) {
            Terminal.note("There was no destination \(destination); one was made of the peer of this name.")
            noteOperator(.administer, detail: "destination \(destination) is dimse peer \(destination)")
        }
        try routeBook.put(route: name, to: destination, settings, isOn: isOn, by: actor)
        noteOperator(.administer, detail: "rule \(name) to \(destination)")
        return RouteReport(try routeBook.route(name))
    }

    fileprivate func turn(_ name: String, on isOn: Bool) throws {
        try routeBook.demandOwn(route: name)
        try routeBook.turn(route: name, on: isOn, by: Author.terminal.account)
        noteOperator(.administer, detail: "rule \(name) switched \(isOn ? "on" : "off")")
    }
}
