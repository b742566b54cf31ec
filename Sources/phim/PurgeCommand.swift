// phim purge: gives up images here that another archive has proven to hold.

import Access
import Archive
import ArgumentParser
import Forwarding
import Foundation

struct PurgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Free space: give up studies that another archive has proven to hold.",
        discussion: """
            Only studies whose every object left as it is stored here and is proven to be there within the last day: by a \
            signed receipt, for which the other side has read the same data sets again, or by storage commitment, which \
            names objects and says nothing of their octets. Of older proofs a new one is asked for; the running server does \
            that, then give the command again. The last image must have come so many days ago, nobody may hold the study, \
            its order is closed, and no object is here with several contents. What this archive has itself proven to others \
            to keep stays, unless --promised. The records refuse without proof. The longest proven go first. The study \
            stays in the ledger: phim outbox explain says where it is.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Days since a study's last image; otherwise forwarding.purge.afterDays.") var olderThan: Int?
    @Option(help: "Only this one: its Study Instance UID.") var study: String?
    @Option(help: ArgumentHelp("Stop when so much is free, such as 50GiB.", valueName: "bytes")) var toFree: String?
    @Flag(
        help: """
            Also studies of which others were told, by a receipt or storage commitment, that they are kept here: these may \
            have given up theirs. Never do this at two archives that send to each other.
            """)
    var promised = false
    @Flag(help: "Only say what would go, and why the rest stays.") var dryRun = false
    @Flag(help: "Do not ask.") var yes = false

    struct Report: Encodable {
        let plan: PurgePlan
        let outcome: PurgeOutcome?
    }

    func validate() throws {
        if let toFree, ByteSize(toFree) == nil { throw ValidationError("--to-free is a size like 512MiB or 50GiB.") }
        if let olderThan, olderThan < 0 { throw ValidationError("--older-than is a number of days.") }
    }

    func run() throws {
        let bar = ProgressBar("Giving up")
        let report = try options.withArchive { archive in
            guard let days = olderThan ?? archive.configuration.forwarding.purge.afterDays else {
                throw CannotBegin("say how old studies must be: --older-than DAYS, or forwarding.purge.afterDays")
            }
            let wish = PurgeWish(
                olderThan: days, toFree: toFree.flatMap { ByteSize($0)?.bytes }, study: study,
                isDespitePromises: promised)
            let actor = Author.terminal.account
            let finished = dryRun ? PurgeOutcome() : try archive.finishPurges(by: actor)
            let plan = try archive.purge.plan(wish)
            let isIdle = plan.candidates.isEmpty && plan.stale.isEmpty && finished.isNothing
            guard !dryRun, !isIdle else { return Report(plan: plan, outcome: nil) }
            if !plan.candidates.isEmpty { try confirm(plan) }
            let outcome = try archive.purge(plan, wish, by: actor, after: finished) { bar.show($0, of: $1) }
            archive.finishSealing()
            return Report(plan: plan, outcome: outcome)
        }
        bar.finish()
        if output.json { try Terminal.printJSON(report) } else { say(report) }
        if report.outcome?.failures.isEmpty == false { throw ExitStatus.incomplete }
    }

    private func say(_ report: Report) {
        if let outcome = report.outcome {
            for (study, reason) in outcome.failures.sorted(by: { $0.key < $1.key }) {
                Terminal.print("NOT GIVEN UP  \(study)  \(reason)")
            }
            Terminal.print(
                "\(outcome.studies) studies given up, \(outcome.instances) instances, \(Terminal.bytes(outcome.bytes)) freed"
            )
        } else if report.plan.candidates.isEmpty, report.plan.stale.isEmpty {
            Terminal.note("Nothing may go.")
        } else if !report.plan.candidates.isEmpty {
            Terminal.print(
                Terminal.table(
                    ["STUDY", "AT", "INSTANCES", "SIZE"],
                    report.plan.candidates.map {
                        [$0.studyInstanceUID, $0.destination, "\($0.instances)", Terminal.bytes($0.bytes)]
                    }))
            Terminal.print("\(report.plan.candidates.count) studies would go, \(Terminal.bytes(report.plan.bytes))")
        }
        let stale = report.plan.stale.count
        if report.outcome != nil, stale > 0 {
            Terminal.print(
                "\(stale) may go once they are proven anew, which is asked for now; then give the command again")
        } else if stale > 0 {
            Terminal.print("\(stale) would have to be proven anew first")
        }
        for (reason, count) in report.plan.kept.sorted(by: { $0.value > $1.value }) {
            Terminal.print("\(count) stay: \(reason)")
        }
    }

    private func confirm(_ plan: PurgePlan) throws {
        guard !yes else { return }
        let what = "\(plan.candidates.count) studies, \(Terminal.bytes(plan.bytes))"
        guard isatty(STDIN_FILENO) == 1 else { throw CannotBegin("\(what) would be given up; confirm with --yes") }
        Terminal.note("Give up \(what) here for good? Other archives hold them. Type yes:")
        guard readLine() == "yes" else { throw CannotBegin("nothing was given up") }
    }
}
