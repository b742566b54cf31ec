// phim order: orders without a hospital information system, and a look at those that it sent.

import Access
import Archive
import ArgumentParser
import DICOMCore
import Encounters
import Foundation
import Records

struct OrderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order",
        abstract: "Enter, list, show, complete and cancel orders: what modalities find in their worklist.",
        discussion: "An order counts at once; the server need not be restarted.",
        subcommands: [Add.self, List.self, Show.self, Complete.self, Cancel.self])
}

extension OrderCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Enter an order, for a known patient or a new one.",
            discussion: """
                Prints the Accession Number. The Study Instance UID is given here, so that the images find their order.
                Example: phim order add --patient-id BN0001 --name "Nguyễn Văn Đức" --birth-date 19800215 --sex M \
                --modality CT --code CT-BRAIN --meaning "CT sọ não" --at 202611210930 --data DIR
                """)

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var patient: PatientOptions
        @OptionGroup var step: StepOptions
        @Option(help: "Number of the order with who ordered; one is made otherwise.") var number: String?
        @Option(help: "Accession Number, at most 16 characters; one is made otherwise.") var accession: String?
        @Option(help: "Number of the visit, at most 100 characters.") var visit: String?
        @Option(help: "Department of the visit.") var department: String?

        func run() throws {
            let (report, warning) = try options.withArchive { archive in
                let outcome = try archive.encounters.change(by: Author.terminal.account) { desk in
                    try desk.enter(try entry(desk.settings, asOf: desk.records.now), repetition: .changes)
                }
                archive.noteOperator(.administer, detail: "order entered")
                let line = try archive.encounters.look { try $0.line(outcome.procedure) }
                return (OrderReport(line), outcome.warning)
            }
            if let warning { Terminal.note(warning) }
            if output.json { return try Terminal.printJSON(report) }
            Terminal.print(report.accessionNumber)
        }

        private func entry(_ settings: OrderSettings, asOf: Int64) throws -> OrderEntry {
            let (issuer, department) = (settings.issuer, department)
            let visit = visit.map { number in
                EncounterFacts(issuer: issuer, number: number, asOf: asOf) { details in
                    if let department { details.department = department }
                    details.facility = details.facility.isEmpty ? issuer : details.facility
                }
            }
            var entry = OrderEntry(
                person: .told(try patient.facts(issuer: issuer, asOf: asOf)), visit: visit, number: number,
                accessionNumber: accession, amend: step.amend)
            entry.renames = patient.rename
            return entry
        }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cancel an order: it leaves the worklist.",
            discussion: "What a modality reports to be under way or done cannot be cancelled any more.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Accession Number, number of the order, or Study Instance UID.") var order: String
        @Option(help: "Why.") var reason: String?

        func run() throws {
            let report = try options.take(.cancel, order, reason: reason ?? "cancelled at the terminal")
            if output.json { return try Terminal.printJSON(report) }
            Terminal.print("\(report.accessionNumber) \(report.state)")
        }
    }

    struct Complete: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that an order is done: it leaves the worklist.",
            discussion: "For modalities that do not report what they did.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Accession Number, number of the order, or Study Instance UID.") var order: String
        @Option(help: "Why.") var reason: String?

        func run() throws {
            let report = try options.take(.complete, order, reason: reason ?? "completed at the terminal")
            if output.json { return try Terminal.printJSON(report) }
            Terminal.print("\(report.accessionNumber) \(report.state)")
        }
    }
}

extension ArchiveOptions {
    /// Takes an order one step on.
    fileprivate func take(_ step: ProcedureStep, _ order: String, reason: String) throws -> OrderReport {
        try withArchive { archive in
            let procedure = try archive.encounters.change(by: Author.terminal.account) { desk in
                try desk.orders.step(step, try desk.records.order(named: order), reason: reason).procedure
            }
            archive.noteOperator(.administer, studies: [procedure.studyInstanceUID], detail: "order: \(step.rawValue)")
            return OrderReport(try archive.encounters.look { try $0.line(procedure) })
        }
    }
}

/// Who an order is for.
struct PatientOptions: ParsableArguments {
    @Option(name: .customLong("patient-id"), help: "The hospital's patient code.") var patientID: String
    @Option(help: "Name; needed once, when the patient is new.") var name: String?
    @Flag(help: "The known patient of this code has this name from now on.") var rename = false
    @Option(help: "Birth date: yyyymmdd, or as much of it as is known.") var birthDate: String?
    @Option(help: "M, F or O.") var sex: String?
    @Option(help: "Citizen number, 12 digits.") var citizenID: String?
    @Option(help: "Insurance card.") var insurance: String?

    func validate() throws {
        if let sex, !["M", "F", "O"].contains(sex) { throw ValidationError("--sex is M, F or O") }
        if rename, name == nil { throw ValidationError("--rename goes with --name") }
    }

    func facts(issuer: String, asOf: Int64) throws -> PatientFacts {
        var identifiers = [
            try PatientIdentifier(type: PatientIdentifier.medicalRecord, issuer: issuer, value: patientID)
        ]
        if let citizenID {
            identifiers.append(try PatientIdentifier(type: PatientIdentifier.citizen, issuer: "", value: citizenID))
        }
        if let insurance {
            identifiers.append(try PatientIdentifier(type: PatientIdentifier.insurance, issuer: "", value: insurance))
        }
        let (name, birthDate, sex) = (name?.precomposedStringWithCanonicalMapping, birthDate, sex)
        return PatientFacts(identifiers: identifiers, asOf: asOf) { person in
            if let name { person.name = name }
            if let birthDate { person.birthDate = birthDate }
            if let sex { person.sex = sex }
        }
    }
}

/// What is to be done, where and when.
struct StepOptions: ParsableArguments {
    @Option(help: "Modality: CT, MR, DX, US, …") var modality: String
    @Option(help: "AE title of the station; any of its modality otherwise.") var station: String?
    @Option(help: "Name of the station.") var stationName: String?
    @Option(help: "Room or place.") var location: String?
    @Option(help: "When: yyyymmdd[HHMM[SS]], local; now otherwise.") var at: String?
    @Option(help: "Code of the procedure.") var code: String?
    @Option(help: "Its coding scheme.") var scheme: String?
    @Option(help: "Its name.") var meaning: String?
    @Option(help: ArgumentHelp("Code of the protocol at the modality.", valueName: "code")) var protocolCode: String?
    @Option(help: "STAT, HIGH, ROUTINE, MEDIUM or LOW.") var priority: String?
    @Option(help: "Who ordered it.") var physician: String?
    @Option(help: "Who is to do it.") var performer: String?
    @Option(help: "Why it is done.") var reason: String?
    @Option(help: "Pregnancy: 1 no, 2 possibly, 3 definitely, 4 unknown.") var pregnancy: Int?
    @Option(help: "Medical alerts, separated by semicolons.") var alerts: String?
    @Option(help: "Allergies, separated by semicolons.") var allergies: String?
    @Option(help: "Kilogrammes.") var weight: Double?
    @Option(help: "Metres.") var size: Double?

    func validate() throws {
        if let priority, !["STAT", "HIGH", "ROUTINE", "MEDIUM", "LOW"].contains(priority) {
            throw ValidationError("--priority is STAT, HIGH, ROUTINE, MEDIUM or LOW")
        }
        if let pregnancy, !(1...4).contains(pregnancy) { throw ValidationError("--pregnancy is 1, 2, 3 or 4") }
        if let station, !Peer.isAETitle(station) { throw ValidationError("--station is no AE title") }
    }

    var amend: @Sendable (inout ProcedureDetails) -> Void {
        let texts: [(String?, any WritableKeyPath<ProcedureDetails, String> & Sendable)] = [
            (modality, \.modality), (station, \.stationAETitle), (stationName, \.stationName), (location, \.location),
            (at, \.scheduledAt), (code, \.code.value), (scheme, \.code.scheme), (meaning, \.code.meaning),
            (protocolCode, \.protocolCode.value), (priority, \.priority), (physician, \.requestingPhysician),
            (performer, \.performingPhysician), (reason, \.reason), (pregnancy.map { "\($0)" }, \.pregnancyStatus),
            (alerts, \.medicalAlerts), (allergies, \.allergies), (weight.map { "\($0)" }, \.patientWeight),
            (size.map { "\($0)" }, \.patientSize),
        ]
        return { details in
            for (text, path) in texts {
                if let text { details[keyPath: path] = text.precomposedStringWithCanonicalMapping }
            }
        }
    }
}
