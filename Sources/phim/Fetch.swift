// phim fetch: brings in what another archive holds and this one does not.

import Access
import Archive
import ArgumentParser
import Forwarding
import Records

struct Fetch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fetch studies from another archive, only what is missing here.",
        discussion: """
            What the other archive holds is compared with what is here; only missing objects cross the line (C-GET, or C-MOVE \
            to us where it has no C-GET; WADO-RS of a DICOMweb server). A study of which nothing was here is shown as that \
            archive's. With --dry-run nothing is fetched. Exit status 1 when nothing was found, or not all of it came.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .customLong("from"), help: ArgumentHelp("A destination or peer.", valueName: "name")) var from: String
    @Option(help: "Study Instance UID.") var study: String?
    @Option(help: "Patient ID, as the other archive has it.") var patient: String?
    @Option(help: "Issuer of the Patient ID.") var issuer: String?
    @Option(help: "Accession Number.") var accession: String?
    @Flag(help: "Say what would be fetched.") var dryRun = false

    struct Report: Encodable {
        let studyInstanceUID: String
        let date: String
        let modalities: [String]
        /// Objects there, missing here, and what became of those.
        let instances: Int
        let missing: Int
        var received = 0
        var bytes: Int64 = 0
        var failed = 0
        var reason: String?
    }

    private var question: RemoteQuestion? {
        if let study { return .study(uid: study) }
        if let accession { return .accession(accession) }
        return patient.map { .patient(id: $0, issuer: issuer ?? "") }
    }

    func validate() throws {
        guard [study, patient, accession].compactMap({ $0 }).count == 1 else {
            throw ValidationError("Give one of --study, --patient and --accession.")
        }
        guard issuer == nil || patient != nil else { throw ValidationError("--issuer goes with --patient.") }
        guard question?.isExact == true else {
            throw ValidationError("A value of 1 to 64 characters, without wildcards.")
        }
    }

    func run() throws {
        let bar = ProgressBar("Fetching")
        let reports = try options.withArchive { archive in
            guard let question else { return [Report]() }
            guard archive.audit.isAccepting else { throw CannotBegin("the audit trail cannot be written") }
            let pull = try archive.studyPull(from: from)
            archive.noteOperator(.search, detail: "at \(pull.source.name)")
            do throws(PullFailure) {
                let studies = try pull.studies(question)
                var reports: [Report] = []
                for (index, study) in studies.enumerated() {
                    reports.append(try report(study, pull, archive))
                    bar.show(index + 1, of: studies.count)
                }
                return reports
            } catch {
                Terminal.error("\(from): \(error.words)")
                throw ExitStatus.incomplete
            }
        }
        bar.finish()
        try show(reports)
        if reports.isEmpty || reports.contains(where: { $0.failed > 0 }) { throw ExitStatus.incomplete }
    }

    private func report(
        _ study: RemoteStudy, _ pull: StudyPull, _ archive: OpenArchive
    ) throws(PullFailure) -> Report {
        let plan = try pull.plan(study)
        var report = Report(
            studyInstanceUID: study.studyInstanceUID, date: study.date, modalities: study.modalities,
            instances: plan.listing.instances.count, missing: plan.missing.count)
        guard !dryRun, !plan.missing.isEmpty else { return report }
        let tally = try pull.fetch(plan)
        archive.noteOperator(
            .store, studies: [study.studyInstanceUID], detail: "\(tally.received) objects from \(pull.source.name)")
        if let failure = tally.failure { throw failure }
        report.received = tally.received
        report.bytes = tally.octets
        report.failed = tally.failed
        report.reason = tally.reason.isEmpty ? nil : tally.reason
        return report
    }

    private func show(_ reports: [Report]) throws {
        if output.json { return try Terminal.printJSON(reports) }
        guard !reports.isEmpty else { return Terminal.note("Nothing found.") }
        for report in reports {
            Terminal.print(
                """
                \(report.date)  \(report.modalities.joined(separator: " "))  \(report.studyInstanceUID)
                  \(report.instances) there, \(report.missing) missing here\
                \(dryRun ? "" : ", \(report.received) fetched (\(Terminal.bytes(report.bytes)))")
                """)
            if let reason = report.reason { Terminal.print("  NOT FETCHED  \(report.failed)  \(reason)") }
        }
    }
}
