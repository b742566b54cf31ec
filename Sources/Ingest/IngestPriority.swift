// How urgent an object is: who stands in front of whom when senders wait for the one writer.

/// The class that an object waits in. An object of a higher class overtakes all of a lower one.
package enum IngestPriority: String, Sendable, CaseIterable, Comparable, Codable {
    /// Migrations and imports: whole archives that may take their time.
    case bulk
    /// The daily work of modalities.
    case routine
    /// Emergencies (STAT).
    case stat

    /// Its place in the order, from 0.
    var rank: Int {
        switch self {
        case .bulk: 0
        case .routine: 1
        case .stat: 2
        }
    }

    package static func < (one: IngestPriority, other: IngestPriority) -> Bool { one.rank < other.rank }
}
