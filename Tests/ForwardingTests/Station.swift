// An archive with made-up studies and a destination that takes, refuses or is away as a test says.

import Catalog
import DICOMCore
import Encounters
import Forwarding
import Foundation
import Logging
import Records
import Synchronization
import Volumes

/// Catalogue and records on scratch files, with a clock of the test's.
final class Station: Sendable {
    let folder: String
    let catalog: CatalogStore
    let encounters: Encounters
    let outbox: Outbox
    let book: RouteBook
    private let follower: StudyFollower

    init() throws {
        let folder = NSTemporaryDirectory() + "phim-forwarding-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let holder = Holder(LocalTime.instant("20261122090000") ?? 0)
        self.folder = folder
        self.holder = holder
        catalog = try CatalogStore(path: folder + "/catalog.sqlite", now: { holder.now })
        let records = try RecordStore(path: folder + "/records.sqlite", now: { holder.now })
        encounters = Encounters(records: records, settings: OrderSettings(issuer: "24001", accessionPrefix: "BG"))
        outbox = Outbox(catalog: catalog, encounters: encounters)
        book = RouteBook(catalog: catalog, encounters: encounters)
        follower = StudyFollower(catalog: catalog, encounters: encounters, logger: Logger(label: "test"))
        try follower.begin()
    }

    private let holder: Holder

    private final class Holder: Sendable {
        private let instant: Mutex<Int64>
        init(_ instant: Int64) { self.instant = Mutex(instant) }
        var now: Int64 {
            instant.withLock {
                $0 += 1; return $0
            }
        }
        func pass(_ microseconds: Int64) { instant.withLock { $0 += microseconds } }
    }

    /// Lets time go by, in seconds.
    func pass(_ seconds: Int64) { holder.pass(seconds * 1_000_000) }

    deinit {
        try? encounters.records.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Images come: so many of one series.
    func receive(
        _ study: String, _ count: Int = 1, from first: Int = 1, content: UInt8 = 1, octets: Int64 = 5_000,
        _ more: [String: String] = [:], source: String = "CT1", volume: Int = 1
    ) throws {
        let batch = (first..<first + count).map { number -> Enrollment in
            let uid = "\(study).1.\(number)"
            var values: [String: String] = [
                "SOPInstanceUID": uid, "StudyInstanceUID": study, "SeriesInstanceUID": "\(study).1", "PatientID": "P1",
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT", "InstanceNumber": "\(number)",
                "AvailableTransferSyntaxUID": "1.2.840.10008.1.2.1",
            ]
            for (keyword, value) in more { values[keyword] = value }
            let attributes = values.compactMap { keyword, value in
                Tag(keyword: keyword).flatMap { Attribute.of($0) }.map { ($0, value) }
            }
            let entry = Int64(abs(uid.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) & 0xFFFF_FFFF })) * 512
            var digest = [UInt8](repeating: content, count: 32)
            digest[0] = UInt8(truncatingIfNeeded: number)
            return Enrollment(
                facts: InstanceFacts(Dictionary(uniqueKeysWithValues: attributes)),
                place: Place(volume: volume, entryOffset: entry, bodyOffset: entry + 1_024, length: octets),
                dataSetOffset: 300, digest: digest, receivedAt: 1_000, source: source)
        }
        _ = try catalog.enroll(batch, enrolledTo: [:])
        try follow()
    }

    /// What followers do between their beats.
    func follow() throws {
        try follower.catchUp()
        pass(1)
        while try book.judge() > 0 {}
    }

    /// Somebody says that a study has another description.
    func correct(_ study: String) throws {
        try encounters.change(by: "test") { desk in
            let claims = StudyClaims(
                studyInstanceUID: study, modalities: ["CT"], values: [.patientID: "P1"], all: [[.patientID: "P1"]])
            try desk.corrections.correct(claims, set: [.studyDescription: "HEAD"], reason: "test")
        }
        // What follows from it is told by the feed.
        try follow()
        try follow()
    }

    func destination(_ name: String = "centre", _ change: (inout DestinationSettings) -> Void = { _ in }) throws {
        var settings = DestinationSettings()
        settings.peer = name
        change(&settings)
        try book.put(destination: name, settings, by: "test")
    }

    func route(
        _ name: String = "all", to destination: String = "centre", when conditions: [String] = [],
        _ change: (inout RouteSettings) -> Void = { _ in }
    ) throws {
        var settings = RouteSettings()
        settings.conditions = conditions
        change(&settings)
        try book.put(route: name, to: destination, settings, by: "test")
    }

    func shipment(_ study: String, to destination: String = "centre") throws -> ShipmentRecord? {
        try encounters.look { try $0.shipment(destination: destination, study: study) }
    }

    /// Sends what may be sent, one object after the other, until nothing is due.
    /// - Returns: SOP Instance UIDs in the order in which they arrived.
    @discardableResult
    func drain(_ far: FarEnd, to destination: String = "centre", onlyStat: Bool = false) async throws -> [String] {
        let before = far.taken.count
        let queue = ParcelQueue(
            destination: try book.destination(destination), outbox: outbox,
            carrier: far,
            blocking: BlockingCalls(threads: 1))
        let lane = far.lane()
        while let parcel = try await queue.next(onlyStat: onlyStat) {
            try await queue.note(await lane.send(parcel), of: parcel)
        }
        return Array(far.taken.dropFirst(before))
    }
}

/// The other side, in memory.
final class FarEnd: Carrier, Lane {
    private struct State {
        var taken: [String] = []
        var held: Set<String>?
        var answers: [String: DeliveryOutcome] = [:]
        var isAway = false
        var inexact: Set<String> = []
        var before: (@Sendable (Parcel) -> Void)?
    }

    private let state = Mutex(State())

    /// In the order of arrival.
    var taken: [String] { state.withLock { $0.taken } }

    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
    func answer(_ uid: String, _ outcome: DeliveryOutcome?) { state.withLock { $0.answers[uid] = outcome } }
    /// These are taken in another form than they are stored in.
    func change(_ uids: Set<String>) { state.withLock { $0.inexact = uids } }
    func hold(_ uids: Set<String>?) { state.withLock { $0.held = uids } }
    func before(_ body: (@Sendable (Parcel) -> Void)?) { state.withLock { $0.before = body } }

    func held(of shipment: ShipmentRecord, _ instances: [StoredInstance]) async -> HeldAnswer {
        state.withLock { state in
            if state.isAway { return .failed(.unreached("away")) }
            return state.held.map(HeldAnswer.held) ?? .unknown
        }
    }

    func lane() -> any Lane { self }

    func prove(_ request: ProofRequest) async -> ProofOutcome? {
        let taken = Set(taken)
        let held = request.objects.map(\.sopInstanceUID).filter(taken.contains)
        let missing = request.objects.map(\.sopInstanceUID).filter { !taken.contains($0) }
        return .answered(held: held, missing: missing, body: "", words: "test")
    }

    func send(_ parcel: Parcel) async -> ParcelOutcome {
        state.withLock { $0.before }?(parcel)
        let uid = parcel.instance.sopInstanceUID
        return state.withLock { state in
            if state.isAway { return ParcelOutcome(.unreached("away"), lineOctets: 0) }
            if let answer = state.answers[uid] { return ParcelOutcome(answer, lineOctets: 10) }
            state.taken.append(uid)
            return ParcelOutcome(
                .taken("0000H"), lineOctets: parcel.instance.place.length, isExact: !state.inexact.contains(uid))
        }
    }

    func rest() async {}
    func close() async {}
}
