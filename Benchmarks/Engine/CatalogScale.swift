// The catalogue at its full size against an empty one: enrolment, opening, and searching while others enrol.

import ArgumentParser
import Catalog
import DICOMCore
import Dispatch
import Foundation
import Synchronization
import Volumes

struct CatalogScale: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog-scale",
        abstract: "Fill a catalogue and compare it with an empty one.",
        discussion: """
            Enrolment is measured in turns, a little in the full catalogue and as much in the empty one, so that what
            else the machine does falls on both. Processor time is of the enrolling thread alone.
            """)

    @Option(help: "Instances in the full catalogue.") var instances = 10_000_000
    @Option(help: "Studies that they belong to.") var studies = 100_000
    @Option(help: "Folder for the two catalogues: some 500 bytes per instance.") var folder: String
    @Option(help: "How devices make UIDs: device or random.") var uids: MadeUpArchive.UIDStyle =
        .device
    @Option(help: "Searches per pattern.") var searches = 200
    @Option(help: "Turns of enrolment.") var turns = 20
    @Flag(help: "One JSON object instead of a table.") var json = false
    @Flag(help: "Go on with the full catalogue that the folder has.") var keep = false

    func validate() throws {
        guard instances > 0, studies > 0, studies <= instances, searches > 0, turns > 0 else {
            throw ValidationError("numbers are positive, and every study has an instance")
        }
    }

    func run() throws {
        let archive = MadeUpArchive(uidStyle: uids, instancesPerStudy: instances / studies)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in keep ? ["empty"] : ["empty", "full"] { remove(name) }
        defer { remove("empty") }
        var full = try CatalogStore(path: path("full"))
        let filling = try fill(full, archive)
        let enrolment = try compare(full, archive)
        let bytes = try size()
        try full.close()
        let opening = try (0..<5).map { _ in
            let start = ContinuousClock.now
            full = try CatalogStore(path: path("full"))
            _ = try full.enrolledPositions()
            let spent = start.duration(to: .now)
            try full.close()
            return spent.milliseconds
        }
        full = try CatalogStore(path: path("full"))
        let (underIngest, rate) = try search(full, archive)
        let lookups = try lookUp(full, archive)
        try full.close()
        let outcome = Outcome(
            instances: instances, studies: studies, uids: uids.rawValue,
            bytesPerInstance: bytes / instances,
            fillingPerSecond: filling, enrolment: enrolment, openingMilliseconds: opening.max() ?? 0,
            enrolledPerSecondDuringSearch: rate, searches: underIngest, lookups: lookups)
        if json { try Report.line(outcome) } else { outcome.printTable() }
    }

    private func path(_ name: String) -> String { folder + "/\(name).sqlite" }

    private func remove(_ name: String) {
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: path(name) + suffix)
        }
    }

    private func size() throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path("full"))[.size] as? Int ?? 0
    }

    // MARK: - Enrolment

    /// Instances come in order of their numbers, so this is the next number too.
    private func count(_ catalog: CatalogStore) throws -> Int { try catalog.statistics(perModality: false).instances }

    private func fill(_ catalog: CatalogStore, _ archive: MadeUpArchive) throws -> Double? {
        var next = try count(catalog)
        let (first, start) = (next, ContinuousClock.now)
        guard first < instances else { return nil }
        while next < instances {
            let batch = archive.batch(next..<min(next + 4_096, instances))
            _ = try catalog.enroll(batch, enrolledTo: [:])
            next += batch.count
            if next % 1_000_000 < 4_096 { FileHandle.standardError.write(Data("filled \(next)\n".utf8)) }
        }
        return Double(instances - first) / start.duration(to: .now).seconds
    }

    /// Enrols in both catalogues by turns, in batches of several sizes.
    private func compare(_ full: CatalogStore, _ archive: MadeUpArchive) throws -> [Enrolment] {
        let empty = try CatalogStore(path: path("empty"))
        defer { try? empty.close() }
        var (next, nextInEmpty) = (try count(full), 0)
        return try [(1, 512), (8, 1_024), (64, 4_096)].map { size, share in
            var (inFull, inEmpty) = (Pace(), Pace())
            for turn in 0..<turns {
                let fullFirst = turn.isMultiple(of: 2)
                if fullFirst { try enroll(full, archive, &next, share, size, &inFull) }
                try enroll(empty, archive, &nextInEmpty, share, size, &inEmpty)
                if !fullFirst { try enroll(full, archive, &next, share, size, &inFull) }
            }
            return Enrolment(
                batch: size, instances: share * turns, fullMicroseconds: inFull.processor,
                emptyMicroseconds: inEmpty.processor, processorRatio: inEmpty.processor / inFull.processor,
                rateRatio: inEmpty.wall / inFull.wall,
                fullTransaction: Latencies(milliseconds: inFull.transactions),
                emptyTransaction: Latencies(milliseconds: inEmpty.transactions))
        }
    }

    private func enroll(
        _ catalog: CatalogStore, _ archive: MadeUpArchive, _ next: inout Int, _ share: Int, _ size: Int,
        _ pace: inout Pace
    ) throws {
        let batches = stride(from: next, to: next + share, by: size).map {
            archive.batch($0..<$0 + size)
        }
        for batch in batches {
            let place = batch[batch.count - 1].place
            let (processor, start) = (Self.threadSeconds, ContinuousClock.now)
            _ = try catalog.enroll(batch, enrolledTo: [place.volume: place.end])
            pace.add(start.duration(to: .now), Self.threadSeconds - processor, batch.count)
        }
        next += share
    }

    private struct Pace {
        private var instances = 0
        private var seconds = 0.0
        private var processorSeconds = 0.0
        private(set) var transactions: [Double] = []

        mutating func add(_ spent: Duration, _ processor: Double, _ count: Int) {
            instances += count
            seconds += spent.seconds
            processorSeconds += processor
            transactions.append(spent.milliseconds)
        }

        /// Microseconds per instance.
        var wall: Double { seconds * 1e6 / Double(instances) }
        var processor: Double { processorSeconds * 1e6 / Double(instances) }
    }

    private static var threadSeconds: Double { Report.threadSeconds }

    // MARK: - Search

    /// What study lists are asked for: everything, names with many hits and with few, pieces of two letters.
    private static let patterns: [[String: String]] = [
        [:], ["PatientName": "*nguyen*"], ["PatientName": "*thi*"], ["PatientName": "*van duc*"],
        ["PatientName": "*thach*"], ["PatientName": "*khong*"], ["PatientName": "*xyzzy*"],
        ["PatientName": "*a*"],
        ["PatientName": "*vo*"], ["PatientName": "*qx*"], ["PatientID": "*1234*"],
        ["AccessionNumber": "*99*"],
        ["PatientName": "*nguyen*", "ModalitiesInStudy": "MR"],
        ["PatientName": "*nguyen*", "StudyDate": "20220101-20220630"],
        ["PatientName": "nguyen anh van", "StudyDate": "2022-"],
    ]

    /// Searches in turns while another thread enrols without a pause.
    private func search(
        _ catalog: CatalogStore, _ archive: MadeUpArchive
    ) throws -> (searches: [Search], enrolledPerSecond: Double) {
        let queries = Self.patterns.map(Self.query)
        let progress = Progress()
        let first = try count(catalog)
        let start = ContinuousClock.now
        Thread.detachNewThread { [progress] in
            var next = first
            while !progress.isDone.load(ordering: .acquiring) {
                guard (try? catalog.enroll(archive.batch(next..<next + 64), enrolledTo: [:])) != nil else {
                    break
                }
                next += 64
                progress.enrolled.add(64, ordering: .relaxed)
            }
            progress.ended.signal()
        }
        defer {
            progress.isDone.store(true, ordering: .releasing)
            progress.ended.wait()
        }
        var times = [[Double]](repeating: [], count: queries.count)
        var processorTimes = times
        var found = [Int](repeating: 0, count: queries.count)
        for _ in 0..<searches {
            for (index, query) in queries.enumerated() {
                let (processor, start) = (Self.threadSeconds, ContinuousClock.now)
                found[index] = try catalog.find(query).count
                times[index].append(start.duration(to: .now).milliseconds)
                processorTimes[index].append((Self.threadSeconds - processor) * 1_000)
            }
        }
        let rate = Double(progress.enrolled.load(ordering: .relaxed)) / start.duration(to: .now).seconds
        let searches = Self.patterns.indices.map { index in
            let pattern = Self.patterns[index].sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(
                separator: " ")
            return Search(
                pattern: pattern, found: found[index], latency: Latencies(milliseconds: times[index]),
                processor: Latencies(milliseconds: processorTimes[index]))
        }
        return (searches, rate)
    }

    private static func query(_ filters: [String: String]) -> Query {
        let keys = filters.compactMap { keyword, value in
            attribute(keyword).map { ($0.tag, MatchingKey(value, for: $0)) }
        }
        let wanted = [
            "StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "PatientBirthDate",
            "PatientSex",
            "StudyInstanceUID", "StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedSeries",
            "NumberOfStudyRelatedInstances",
        ]
        return Query(
            level: .study, filters: [Tag: MatchingKey](uniqueKeysWithValues: keys),
            returnKeys: wanted.compactMap { attribute($0)?.tag }, limit: 101)
    }

    private static func attribute(_ keyword: String) -> Attribute? {
        Attribute.table.first { $0.keyword == keyword }
    }

    // MARK: - Duplicates

    /// The question asked for every object that comes: is its UID known?
    private func lookUp(_ catalog: CatalogStore, _ archive: MadeUpArchive) throws -> Lookups {
        func time(_ numbers: [Int]) throws -> Double {
            let uids = numbers.map { archive.enrollment($0).facts.sopInstanceUID }
            let before = Self.threadSeconds
            for uid in uids { _ = try catalog.copies(sopInstanceUID: uid) }
            return (Self.threadSeconds - before) * 1e6 / Double(uids.count)
        }
        let known = (0..<2_000).map { ($0 &* 7_919_777) % instances }
        return Lookups(
            unknownMicroseconds: try time((0..<2_000).map { instances * 2 + $0 * 97 }),
            knownMicroseconds: try time(known))
    }
}

// MARK: - Outcome

extension CatalogScale {
    struct Enrolment: Encodable {
        let batch: Int
        let instances: Int
        /// Of processor time per instance.
        let fullMicroseconds: Double
        let emptyMicroseconds: Double
        /// The full catalogue's rate as a share of the empty one's: by processor time, and as the clock saw it.
        let processorRatio: Double
        let rateRatio: Double
        let fullTransaction: Latencies?
        let emptyTransaction: Latencies?
    }

    struct Search: Encodable {
        let pattern: String
        let found: Int
        let latency: Latencies?
        /// The same searches by processor time, which other work on the machine does not lengthen.
        let processor: Latencies?
    }

    struct Lookups: Encodable {
        let unknownMicroseconds: Double
        let knownMicroseconds: Double
    }

    struct Outcome: Encodable {
        let instances: Int
        let studies: Int
        let uids: String
        let bytesPerInstance: Int
        let fillingPerSecond: Double?
        let enrolment: [Enrolment]
        let openingMilliseconds: Double
        let enrolledPerSecondDuringSearch: Double
        let searches: [Search]
        let lookups: Lookups

        func printTable() {
            func number(_ value: Double?, _ digits: Int = 1) -> String {
                value.map { String(format: "%.\(digits)f", $0) } ?? "-"
            }
            func row(_ cells: [String]) {
                let widths = [58, 9, 9, 9, 9, 9, 9]
                print(
                    zip(cells, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined())
            }
            print(
                "\(instances) instances, \(studies) studies, \(uids) UIDs, \(bytesPerInstance) bytes per instance"
            )
            row([
                "enrolment, µs of processor per instance", "full", "empty", "ratio", "by clock", "p99 ms",
                "max ms",
            ])
            for each in enrolment {
                row([
                    "batches of \(each.batch)", number(each.fullMicroseconds), number(each.emptyMicroseconds),
                    number(each.processorRatio, 3), number(each.rateRatio, 3),
                    number(each.fullTransaction?.p99),
                    number(each.fullTransaction?.max),
                ])
            }
            print("opening: \(number(openingMilliseconds)) ms at most")
            print(
                "is a UID known, µs: \(number(lookups.unknownMicroseconds)) no, \(number(lookups.knownMicroseconds)) yes"
            )
            row([
                "search, ms, beside \(Int(enrolledPerSecondDuringSearch)) enrolled/s", "found", "p50", "p90", "p99",
                "max", "cpu p99",
            ])
            for each in searches {
                row([
                    each.pattern.isEmpty ? "everything" : each.pattern, "\(each.found)", number(each.latency?.p50),
                    number(each.latency?.p90), number(each.latency?.p99), number(each.latency?.max),
                    number(each.processor?.p99),
                ])
            }
        }
    }
}

extension MadeUpArchive.UIDStyle: ExpressibleByArgument {}

/// What the searching and the enrolling thread tell each other.
private final class Progress: Sendable {
    let isDone = Atomic(false)
    let enrolled = Atomic(0)
    let ended = DispatchSemaphore(value: 0)
}

extension Duration {
    fileprivate var seconds: Double { self / .seconds(1) }
    fileprivate var milliseconds: Double { self / .milliseconds(1) }
}
