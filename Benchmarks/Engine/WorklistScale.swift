// The worklist with as many open orders as wanted: what a station waits for, without the network.

import ArgumentParser
import DICOMCore
import DIMSEServer
import Encounters
import Foundation
import Records

struct WorklistScale: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worklist", abstract: "Fill the records with open orders and ask as stations do.",
        discussion: "A time is that of the search and of encoding every answer, the first hundred where there are more."
    )

    @Option(help: "Open orders.") var orders = 100_000
    @Option(help: "Folder for the records: some 3 KiB per order.") var folder: String
    @Option(help: "Times that each question is asked.") var rounds = 200

    private struct Outcome: Encodable {
        let orders: Int
        let filledPerSecond: Double
        let questions: [Question]
    }

    private struct Question: Encodable {
        let question: String
        let answers: Int
        let latency: Latencies?
        /// Of the asking thread alone, whatever else the machine does.
        let processor: Latencies?
        let firstAnswer: Latencies?
    }

    func validate() throws {
        guard orders > 0, rounds > 0 else { throw ValidationError("numbers are positive") }
    }

    func run() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/worklist.sqlite"
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        let records = try RecordStore(path: path)
        defer { try? records.close() }
        let encounters = Encounters(records: records, settings: OrderSettings(issuer: MadeUpHospital.issuer))
        let start = ContinuousClock.now
        try MadeUpHospital.fill(encounters, orders: orders)
        let filled = Double(orders) / (start.duration(to: .now) / .seconds(1))
        let questions = try Self.questions.map { try ask(encounters, $0) }
        try Report.line(Outcome(orders: orders, filledPerSecond: filled, questions: questions))
    }

    // MARK: - Questions

    private typealias Keys = (name: String, root: [Tag: String], step: [Tag: String])

    private static let questions: [Keys] = [
        ("a station, its day", [:], [.scheduledStationAETitle: "CT1", .scheduledProcedureStepStartDate: "20261015"]),
        ("a modality, a day", [:], [.modality: "DX", .scheduledProcedureStepStartDate: "20261015"]),
        ("a modality, a week", [:], [.modality: "MR", .scheduledProcedureStepStartDate: "20261010-20261016"]),
        ("a modality, all days", [:], [.modality: "MG"]),
        ("*van duc*, a day", [.patientName: "*van duc*"], [.scheduledProcedureStepStartDate: "20261015"]),
        ("*van duc*, all days", [.patientName: "*van duc*"], [:]),
        ("nguyen*, a day", [.patientName: "nguyen*"], [.scheduledProcedureStepStartDate: "20261015"]),
        ("nguyen*, all days", [.patientName: "nguyen*"], [:]),
        ("*thach*, all days", [.patientName: "*thach*"], [:]),
        ("*xyzzy*, all days", [.patientName: "*xyzzy*"], [:]),
        ("*qx*, all days", [.patientName: "*qx*"], [:]),
        ("nguyen*, a station", [.patientName: "nguyen*"], [.scheduledStationAETitle: "MG1"]),
        (
            "a performer, a day", [:],
            [
                .scheduledPerformingPhysicianName: "KTV 7", .scheduledProcedureStepStartDate: "20261015",
            ]
        ),
        ("a patient", [.patientID: "BN4711"], [:]),
        ("an accession number", [.accessionNumber: "*00471*"], [:]),
        ("a scheduled step", [:], [.scheduledProcedureStepID: "none"]),
    ]

    private func ask(_ encounters: Encounters, _ keys: Keys) throws -> Question {
        let worklist = Worklist(
            encounters: encounters, policy: WorklistPolicy(issuer: MadeUpHospital.issuer), callingAETitle: "CT1",
            characterSet: .ascii)
        let syntax = TransferSyntax.implicitVRLittleEndian.uid
        let identifier = Self.identifier(keys)
        var (times, processorTimes, firstTimes, answers) = ([Double](), [Double](), [Double](), 0)
        for _ in 0..<rounds {
            let (start, processor) = (ContinuousClock.now, Report.threadSeconds)
            let query = try WorklistQuery(identifier, transferSyntax: syntax)
            answers = 0
            _ = try worklist.forEach(query) { item in
                _ = worklist.dataSet(item, query, transferSyntax: syntax)
                answers += 1
                if answers == 1 { firstTimes.append(start.duration(to: .now) / .milliseconds(1)) }
                return answers < 100
            }
            times.append(start.duration(to: .now) / .milliseconds(1))
            processorTimes.append((Report.threadSeconds - processor) * 1_000)
        }
        return Question(
            question: keys.name, answers: answers, latency: Latencies(milliseconds: times),
            processor: Latencies(milliseconds: processorTimes), firstAnswer: Latencies(milliseconds: firstTimes))
    }

    /// The keys of a console, with all that it shows.
    private static func identifier(_ keys: Keys) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .implicitVRLittleEndian, characterSet: .utf8)
        var step = writer.makeItem()
        for tag in [
            Tag.scheduledStationAETitle, .scheduledProcedureStepStartDate, .scheduledProcedureStepStartTime, .modality,
            .scheduledPerformingPhysicianName, .scheduledProcedureStepDescription, .scheduledProcedureStepID,
        ] { step.put(tag, keys.step[tag].map { [$0] } ?? []) }
        step.put(.scheduledProtocolCodeSequence, items: [])
        for tag in [
            Tag.patientName, .patientID, .patientBirthDate, .patientSex, .accessionNumber, .studyInstanceUID,
            .requestedProcedureID, .requestedProcedureDescription, .referringPhysicianName, .admissionID,
            .patientWeight, .medicalAlerts, .allergies, .pregnancyStatus,
        ] { writer.put(tag, keys.root[tag].map { [$0] } ?? []) }
        writer.put(.scheduledProcedureStepSequence, items: [step])
        return writer.finish()
    }
}
