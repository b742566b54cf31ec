// Values of the neighbouring rooms made from ours, and their failures turned into ours.

import Catalog
import Volumes

extension NewEntry {
    init(_ inspected: Inspected, receivedAt: Int64, source: String, body: EntryBuffer) {
        self.init(facts: EntryFacts(inspected, receivedAt: receivedAt, source: source), body: body)
    }
}

extension EntryFacts {
    init(_ inspected: Inspected, receivedAt: Int64, source: String) {
        self.init(
            studyInstanceUID: inspected.facts.studyInstanceUID, seriesInstanceUID: inspected.facts.seriesInstanceUID,
            sopInstanceUID: inspected.facts.sopInstanceUID, digest: inspected.digest,
            receipt: EntryReceipt(
                receivedAt: receivedAt, source: source, dataSetOffset: inspected.dataSetOffset))
    }
}

extension Enrollment {
    init(_ inspected: Inspected, _ place: Place, of facts: EntryFacts, replacing rotten: [Place]) {
        self.init(
            facts: inspected.facts, place: place, dataSetOffset: inspected.dataSetOffset, digest: inspected.digest,
            receivedAt: facts.receipt.receivedAt, source: facts.receipt.source, replaced: rotten)
    }

    init(_ inspected: Inspected, _ place: Place, of entry: NewEntry, replacing rotten: [Place]) {
        self.init(inspected, place, of: entry.facts, replacing: rotten)
    }
}

extension Receipt.Outcome {
    /// - Parameter place: where the object itself lies; a duplicate whose surplus copy is the other one is kept.
    init(_ outcome: EnrollmentOutcome, of place: Place) {
        switch outcome {
        case .new, .known: self = .stored
        case .duplicate(let surplus): self = surplus == place ? .duplicate : .stored
        case .conflict: self = .conflict
        }
    }
}

extension IngestFailure {
    init(_ failure: VolumeFailure) {
        switch failure {
        case .noSpace: self = .outOfSpace
        default: self = .storage(reason: "\(failure)")
        }
    }

    init(_ failure: CatalogError) {
        switch failure {
        case .full: self = .outOfSpace
        case .busy: self = .busy
        default: self = .storage(reason: "\(failure)")
        }
    }
}
