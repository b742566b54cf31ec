// What two archives say to each other, as JSON: docs/forwarding.md, "Between two archives".

import Forwarding
package import Foundation
import HTTPTypes
import Records

/// Paths and header fields.
enum ExchangeWords {
    static let root = "api/v1/exchange"
    /// SOP Instance UID of the object.
    static let instance = HTTPField.Name("Phim-Instance")!
    /// SHA-256 of the object as the station holds it, in hexadecimal.
    static let digest = HTTPField.Name("Phim-Digest")!
    /// `stat`, `routine` or `bulk`.
    static let priority = HTTPField.Name("Phim-Priority")!
    /// draft-ietf-httpbis-resumable-upload Section 4.
    static let uploadOffset = HTTPField.Name("Upload-Offset")!
    static let uploadComplete = HTTPField.Name("Upload-Complete")!
    static let uploadLength = HTTPField.Name("Upload-Length")!
    /// With a refusal: the form that the object may come in, `plain`, which is without the codecs of frames.
    static let wanted = HTTPField.Name("Phim-Wanted")!
    /// Octets of a digest that an offer names: no other object of a study begins with them.
    static let prefix = 16
}

/// A study that a station would hand over.
struct StudyOffer: Codable, Sendable {
    /// SHA-256 over the lines of its manifest, in hexadecimal.
    let manifest: String
    let instances: Int
    /// What the station found out about the study after its images came: values by tag; absent where nothing is said.
    let correction: [String: String]?
    /// The beginning of each object's digest, in hexadecimal, by SOP Instance UID; only where it was asked for.
    var objects: [String: String]?
}

/// What the centre has of an offered study.
struct OfferAnswer: Codable, Sendable {
    /// Whether every object is here, byte for byte.
    let isComplete: Bool
    /// Of the objects that were offered, those that are here; 0 where they were not listed and are not all here.
    let instances: Int
    /// A bit for each offered object, in order of their UIDs, the first in the highest bit, as base64: it is here.
    var held: String?
    /// What has arrived of objects that were cut off: octets by digest of the coded form.
    var partial: [String: Int64]
    /// Whether the correction holds here now; absent where none was said. It is taken of a study that this station alone has
    /// handed over, and that nobody at the centre has corrected.
    var correctionTaken: Bool?
    /// Attributes of the correction, by tag, that were passed over.
    var rejected: [String]?
}

/// Asks for proof.
struct ReceiptRequest: Codable, Sendable {
    let transactionUID: String
    let manifest: String
    let instances: Int
    /// As in the offer: one that was made after everything was sent comes with the question for proof.
    let correction: [String: String]?
    /// Digests in hexadecimal by SOP Instance UID; only where it was asked for.
    var objects: [String: String]?
}

/// A signed receipt, and the key that signs.
struct ReceiptAnswer: Codable, Sendable {
    let receipt: String
    /// As in the answer to an offer.
    var correctionTaken: Bool?
    var rejected: [String]?
}

struct KeyAnswer: Codable, Sendable {
    let name: String
    /// Ed25519, base64.
    let key: String
}

/// What a station says of itself.
package struct StationReport: Codable, Hashable, Sendable {
    package struct Waiting: Codable, Hashable, Sendable {
        /// `stat`, `normal` or `bulk`.
        package var priority: String
        package var studies: Int
        package var instances: Int
        package var octets: Int64
        /// When the oldest was put there, microseconds since 1970.
        package var oldest: Int64

        package init(priority: String, studies: Int, instances: Int, octets: Int64, oldest: Int64) {
            self.priority = priority
            self.studies = studies
            self.instances = instances
            self.octets = octets
            self.oldest = oldest
        }
    }

    package var name: String
    package var version: String
    /// The station's clock, microseconds since 1970.
    package var time: Int64
    package var diskFree: Int64
    package var diskTotal: Int64
    package var backlog: [Waiting]
    /// When its newest image came, microseconds since 1970; nil while it has none.
    package var newestAt: Int64?

    package init(
        name: String, version: String, time: Int64, diskFree: Int64, diskTotal: Int64, backlog: [Waiting],
        newestAt: Int64?
    ) {
        self.name = name
        self.version = version
        self.time = time
        self.diskFree = diskFree
        self.diskTotal = diskTotal
        self.backlog = backlog
        self.newestAt = newestAt
    }
}

extension StationReport {
    /// No count and no size is larger: sums of them overflow nothing.
    package static let most: Int64 = 1_000_000_000_000_000
    /// The end of the year 9999, microseconds since 1970: the last that can be written as ISO 8601.
    private static let last: Int64 = 253_402_300_799_999_999

    /// Whether it is within the bounds of what a station may say. Its clock may be anything.
    package var isSane: Bool {
        let priorities = backlog.map(\.priority)
        let moments = backlog.map(\.oldest) + (newestAt.map { [$0] } ?? [])
        return (1...64).contains(name.count) && !name.contains(where: \.isNewline) && version.count <= 64
            && priorities.allSatisfy { ShipmentRecord.Priority(word: $0)?.word == $0 }
            && Set(priorities).count == priorities.count
            && (backlog.flatMap { [Int64($0.studies), Int64($0.instances), $0.octets] } + [diskFree, diskTotal])
                .allSatisfy { (0...Self.most).contains($0) }
            && moments.allSatisfy { (0...Self.last).contains($0) }
    }
}

/// What the centre says to it.
package struct ContactAnswer: Codable, Hashable, Sendable {
    package let name: String
    package let version: String
    /// The centre's clock, microseconds since 1970.
    package let time: Int64
}

/// A station as the centre keeps it.
struct StationSeen: Codable, Sendable {
    let report: StationReport
    /// How far its clock was ahead, microseconds.
    let skew: Int64
}

/// A station as the fleet shows it.
package struct FleetStation: Codable, Sendable {
    package let name: String
    package let account: String
    package let firstAt: Date
    package let lastAt: Date
    /// Nothing was heard of it for a while.
    package let isSilent: Bool
    package let version: String
    package let diskFree: Int64
    package let diskTotal: Int64
    package let backlog: [Backlog]
    package let newestAt: Date?
    /// How many seconds its clock is ahead.
    package let clockSkew: Double

    package struct Backlog: Codable, Sendable {
        package let priority: String
        package let studies: Int
        package let instances: Int
        package let octets: Int64
        package let oldest: Date
    }
}
