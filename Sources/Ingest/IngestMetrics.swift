// What the pipeline tells of itself; labels come from bounded sets.

import Dispatch
import Metrics
import Synchronization

/// Called for every object, from as many threads as there are senders: instruments are made once, and nothing here locks.
enum IngestMetrics {
    private static let stored = instances(.stored)
    private static let duplicates = instances(.duplicate)
    private static let conflicts = instances(.conflict)
    private static let bytes = Counter(label: "phim_ingest_bytes_total")
    private static let acceptTime = Timer(label: "phim_ingest_accept_seconds")
    private static let refusals = RefusalReason.allCases.map {
        Counter(label: "phim_ingest_refusals_total", dimensions: [("reason", $0.rawValue)])
    }

    private static let batchSize = Recorder(label: "phim_ingest_batch_instances")
    private static let appendedBytes = Counter(label: "phim_volume_appended_bytes_total")
    private static let appendTime = Timer(label: "phim_volume_append_seconds")
    private static let syncTime = Timer(label: "phim_volume_sync_seconds")
    private static let enrolledInstances = Counter(label: "phim_catalog_enrolled_instances_total")
    private static let enrollTime = Timer(label: "phim_catalog_enroll_seconds")

    /// An object has come to its end and its sender may be told so.
    /// - Parameters:
    ///   - source: calling AE title, or the way in.
    ///   - count: length of the object.
    ///   - started: when its last byte had come in.
    static func finished(_ outcome: Receipt.Outcome, source: String, bytes count: Int64, since started: DispatchTime) {
        switch outcome {
        case .stored: stored.increment()
        case .duplicate: duplicates.increment()
        case .conflict: conflicts.increment()
        }
        bytes.increment(by: count)
        acceptTime.recordInterval(since: started)
        let sender = Sender.of(source)
        sender.instances.increment()
        sender.bytes.increment(by: count)
    }

    /// An object was not taken.
    static func refused(_ failure: IngestFailure, source: String) {
        refusals[RefusalReason(failure).index].increment()
        Sender.of(source).refusals.increment()
    }

    /// One batch is written and synchronized.
    static func appended(count: Int, bytes: Int64, since started: DispatchTime) {
        batchSize.record(count)
        appendedBytes.increment(by: bytes)
        appendTime.recordInterval(since: started)
    }

    /// What was written is on stable storage; the time of that alone.
    static func synchronized(since written: DispatchTime) { syncTime.recordInterval(since: written) }

    /// One batch is in the catalogue.
    static func enrolled(count: Int, since started: DispatchTime) {
        enrolledInstances.increment(by: count)
        enrollTime.recordInterval(since: started)
    }

    private static func instances(_ outcome: Receipt.Outcome) -> Counter {
        Counter(label: "phim_ingest_instances_total", dimensions: [("outcome", outcome.rawValue)])
    }
}

/// The counters of one sender.
private final class Sender: Sendable {
    let name: String
    let instances: Counter
    let bytes: Counter
    let refusals: Counter

    private init(_ name: String, label: String) {
        self.name = name
        let dimensions = [("source", label)]
        instances = Counter(label: "phim_source_instances_total", dimensions: dimensions)
        bytes = Counter(label: "phim_source_bytes_total", dimensions: dimensions)
        refusals = Counter(label: "phim_source_refusals_total", dimensions: dimensions)
    }

    private final class Place: Sendable {
        let sender = AtomicLazyReference<Sender>()
    }

    /// Senders name themselves: the first so many names are counted each for itself, all later ones as one.
    private static let most = 64
    private static let count = Atomic<Int>(0)
    /// A hash table that only fills, never by more than a quarter: most names are found at once.
    private static let places = (0..<4 * most).map { _ in Place() }
    private static let others = Sender("", label: "other")

    static func of(_ name: String) -> Sender {
        var index = Int(name.hashValue.magnitude % UInt(places.count))
        while true {
            guard let sender = places[index].sender.load() ?? settle(name, places[index]) else { return others }
            if sender.name == name { return sender }
            index = (index + 1) % places.count
        }
    }

    /// Gives a free place to a name; nil when there are enough. Another name may have been faster.
    private static func settle(_ name: String, _ place: Place) -> Sender? {
        guard count.load(ordering: .relaxed) < most else { return nil }
        let isLate = count.wrappingAdd(1, ordering: .relaxed).oldValue >= most
        let newcomer = isLate ? nil : Sender(name, label: label(name))
        let settled = newcomer.map { place.sender.storeIfNil($0) }
        if settled == nil || settled !== newcomer { count.wrappingSubtract(1, ordering: .relaxed) }
        return settled
    }

    /// What a label may hold: an AE title is at most 16 printable characters (PS3.5 Section 6.2), but callers send others.
    private static func label(_ source: String) -> String {
        guard !source.isEmpty else { return "unnamed" }
        return String(
            source.unicodeScalars.prefix(16).map { (" "..."~").contains($0) ? Character($0) : "?" })
    }
}

/// A refusal without what it carries.
private enum RefusalReason: String, CaseIterable {
    case outOfSpace = "out_of_space"
    case busy
    case stopped
    case unreadable
    case invalidIdentifier = "invalid_identifier"
    case identifierMismatch = "identifier_mismatch"
    case refused
    case tooLarge = "too_large"
    case storage

    init(_ failure: IngestFailure) {
        switch failure {
        case .outOfSpace: self = .outOfSpace
        case .busy: self = .busy
        case .stopped: self = .stopped
        case .unreadable: self = .unreadable
        case .invalidIdentifier: self = .invalidIdentifier
        case .identifierMismatch: self = .identifierMismatch
        case .refused: self = .refused
        case .tooLarge: self = .tooLarge
        case .storage: self = .storage
        }
    }

    var index: Int {
        switch self {
        case .outOfSpace: 0
        case .busy: 1
        case .stopped: 2
        case .unreadable: 3
        case .invalidIdentifier: 4
        case .identifierMismatch: 5
        case .refused: 6
        case .tooLarge: 7
        case .storage: 8
        }
    }
}
