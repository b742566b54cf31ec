// What enters the catalogue and what comes back for one instance.

package import Volumes

/// One durable instance on its way into the catalogue. The bytes at `place` are on stable storage already.
package struct Enrollment: Sendable {
    package let facts: InstanceFacts
    package let place: Place
    /// Offset of the data set in the Part 10 file.
    package let dataSetOffset: Int
    /// SHA-256 of the whole Part 10 file.
    package let digest: [UInt8]
    /// Microseconds since 1970.
    package let receivedAt: Int64
    /// Calling AE title, or how else it came.
    package let source: String
    /// Places of copies that have rotted; they leave the catalogue in the transaction in which this one enters it.
    package var replaced: [Place]

    package init(
        facts: InstanceFacts, place: Place, dataSetOffset: Int, digest: [UInt8], receivedAt: Int64, source: String,
        replaced: [Place] = []
    ) {
        self.replaced = replaced
        self.facts = facts
        self.place = place
        self.dataSetOffset = dataSetOffset
        self.digest = digest
        self.receivedAt = receivedAt
        self.source = source
    }

    var precedence: Precedence {
        Precedence(receivedAt: receivedAt, volume: place.volume, entryOffset: place.entryOffset)
    }
}

/// The order that decides between instances wherever one must speak for several: earliest first. It depends on
/// nothing but the volumes, so a catalogue rebuilt in any order gives the same answers as the live one.
struct Precedence: Comparable {
    let receivedAt: Int64
    let volume: Int
    let entryOffset: Int64

    /// After everything real.
    static let last = Precedence(receivedAt: .max, volume: .max, entryOffset: .max)

    static func < (left: Precedence, right: Precedence) -> Bool {
        (left.receivedAt, left.volume, left.entryOffset) < (right.receivedAt, right.volume, right.entryOffset)
    }
}

/// What enrolling one instance came to.
package enum EnrollmentOutcome: Hashable, Sendable {
    /// First copy of this SOP Instance UID.
    case new
    /// This very place is enrolled already (or waits for its erasure): nothing to do, nothing surplus.
    case known
    /// The same bytes are enrolled from another place. `surplus` is the place that the catalogue does not name:
    /// only that one may be given back.
    case duplicate(surplus: Place)
    /// Same UID, other bytes: both are kept, and the conflict is listed.
    case conflict
}

/// One stored instance as retrieval needs it.
package struct StoredInstance: Hashable, Sendable {
    /// Row of the catalogue; not stable across a rebuild.
    package let id: Int64
    package let studyInstanceUID: String
    package let seriesInstanceUID: String
    package let sopInstanceUID: String
    package let sopClassUID: String
    package let transferSyntaxUID: String
    package let place: Place
    package let dataSetOffset: Int
    package let digest: [UInt8]
    package let instanceNumber: Int?
    /// 1 when Number of Frames is absent.
    package let numberOfFrames: Int
    package let receivedAt: Int64
    package let source: String
    package let flaws: InstanceFacts.Flaws
    /// What goes out otherwise than the bytes say; nil for most studies.
    package private(set) var correction: StudyCorrection?

    /// The same, to go out as it was received, whatever was found out since.
    package var asReceived: StoredInstance {
        var received = self
        received.correction = nil
        return received
    }
}

/// One of several copies that share a SOP Instance UID but not their bytes.
package struct StoredCopy: Hashable, Sendable {
    package let isPrimary: Bool
    package let studyInstanceUID: String
    package let seriesInstanceUID: String
    package let place: Place
    package let digest: [UInt8]
    package let receivedAt: Int64
    package let source: String
}

/// A SOP Instance UID with more than one content (architecture: a duplicate never destroys).
package struct Conflict: Hashable, Sendable {
    package let sopInstanceUID: String
    /// The primary first, then the others, earliest first.
    package let copies: [StoredCopy]
}

/// Bytes that left the catalogue and wait to be erased from their volume.
package struct Erasure: Hashable, Sendable {
    package let id: Int64
    package let sopInstanceUID: String
    package let place: Place
}

/// Which instances an operation means: every non-empty part restricts, all empty means everything.
package struct Scope: Hashable, Sendable {
    package var patientID: String?
    package var studyUIDs: [String]
    package var seriesUIDs: [String]
    package var sopUIDs: [String]

    package init(patientID: String? = nil, studyUIDs: [String] = [], seriesUIDs: [String] = [], sopUIDs: [String] = [])
    {
        self.patientID = patientID
        self.studyUIDs = studyUIDs
        self.seriesUIDs = seriesUIDs
        self.sopUIDs = sopUIDs
    }

    /// True when nothing is named.
    package var isEmpty: Bool { patientID == nil && studyUIDs.isEmpty && seriesUIDs.isEmpty && sopUIDs.isEmpty }
}
