// What it costs to find out where a study belongs, with as many orders as wanted.

import ArgumentParser
import Encounters
import Foundation
import Records

struct LinkScale: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Fill the records with orders and let studies come.",
        discussion: """
            A time is that of one study, from what its images say to its link, or its place in the inbox, written. Studies
            come a hundred to a transaction, as from the change feed; committing is in the rate, not in the times.
            """)

    @Option(help: "Orders.") var orders = 1_000_000
    @Option(help: "Folder for the records: some 3 KiB per order.") var folder: String
    @Option(help: "Studies of each kind.") var studies = 2_000

    private struct Outcome: Encodable {
        let orders: Int
        let filledPerSecond: Double
        let kinds: [Kind]
    }

    private struct Kind: Encodable {
        let kind: String
        let studies: Int
        let linked: Int
        let perSecond: Double
        let latency: Latencies?
        /// Of the deciding thread alone, whatever else the machine does.
        let processor: Latencies?
    }

    func validate() throws {
        guard studies > 0, orders >= studies * Way.allCases.count else {
            throw ValidationError("there are \(Way.allCases.count) kinds of studies, and each study has its own order")
        }
    }

    func run() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/link.sqlite"
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        let records = try RecordStore(path: path)
        defer { try? records.close() }
        let encounters = Encounters(records: records, settings: OrderSettings(issuer: MadeUpHospital.issuer))
        let start = ContinuousClock.now
        try MadeUpHospital.fill(encounters, orders: orders)
        let filled = Double(orders) / (start.duration(to: .now) / .seconds(1))
        let kinds = try Way.allCases.map { try arrive(encounters, $0) }
        try Report.line(Outcome(orders: orders, filledPerSecond: filled, kinds: kinds))
    }

    // MARK: - Studies

    /// What the images of a study know.
    private enum Way: String, CaseIterable {
        case studyInstanceUID = "Study Instance UID of the order"
        case accessionNumber = "accession number"
        case patient = "patient code, name, modality and time"
        case name = "name and birth date"
        case nothing = "an unknown patient"
    }

    private func arrive(_ encounters: Encounters, _ way: Way) throws -> Kind {
        // Each kind has orders of its own, spread over all.
        let apart = orders / (studies * Way.allCases.count)
        let first = Way.allCases.firstIndex(of: way) ?? 0
        let numbers = (0..<studies).map { ($0 * Way.allCases.count + first) * apart }
        let facts = try encounters.look { records in try numbers.map { try Self.facts($0, way, records) } }
        var (times, processorTimes, linked) = ([Double](), [Double](), 0)
        let start = ContinuousClock.now
        for batch in stride(from: 0, to: studies, by: 100) {
            try encounters.change(by: "rule") { desk in
                for study in facts[batch..<min(batch + 100, studies)] {
                    let (start, processor) = (ContinuousClock.now, Report.threadSeconds)
                    if try desk.links.arrived(study) != nil { linked += 1 }
                    times.append(start.duration(to: .now) / .milliseconds(1))
                    processorTimes.append((Report.threadSeconds - processor) * 1_000)
                }
            }
        }
        let seconds = start.duration(to: .now) / .seconds(1)
        return Kind(
            kind: way.rawValue, studies: studies, linked: linked, perSecond: Double(studies) / seconds,
            latency: Latencies(milliseconds: times), processor: Latencies(milliseconds: processorTimes))
    }

    private static func facts(_ number: Int, _ way: Way, _ records: RecordTransaction) throws -> StudyFacts {
        guard let order = try records.procedure(placer: IssuedNumber(issuer: "HIS", value: "\(number)")) else {
            throw ValidationError("order \(number) is missing")
        }
        let isKnown = way != .nothing
        var facts = StudyFacts(
            studyInstanceUID: way == .studyInstanceUID
                ? order.studyInstanceUID : "1.2.826.0.1.3680043.2.1125.\(number)")
        facts.accessionNumber = way == .accessionNumber ? order.accession.value : ""
        facts.patientID = way == .name ? "" : isKnown ? "BN\(number)" : "X\(number)"
        facts.patientName = isKnown ? MadeUpHospital.name(number) : "NOBODY \(number)"
        facts.patientBirthDate = isKnown ? MadeUpHospital.birthDate(number) : ""
        facts.modalities = [order.details.modality]
        facts.startedAt = order.details.scheduledAt
        return facts
    }
}
