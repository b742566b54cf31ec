// Carries corrections from the records, where they are true, to the catalogue, from which everything goes out.

package import Catalog
import DICOMCore
import Records

/// The corrections of one archive. Calls block: make them on plain threads. Several processes may call at once, and a
/// process may end at any moment: what is due stays due, and what is not projected yet is known by its number.
package struct Corrections: Sendable {
    private let catalog: CatalogStore
    private let encounters: Encounters

    private static let batch = 200
    private static let page = 10_000

    package init(catalog: CatalogStore, encounters: Encounters) {
        self.catalog = catalog
        self.encounters = encounters
    }

    /// Derives what is due, and brings the catalogue up to date.
    package func settle() throws(EncounterFailure) {
        while true {
            let due = try encounters.look { try $0.dueCorrections(limit: Self.batch) }
            if due.isEmpty { break }
            try derive(due)
        }
        try project()
    }

    private func derive(_ due: [DueCorrection]) throws(EncounterFailure) {
        var studies = Set(due.lazy.map(\.studyInstanceUID).filter { !$0.isEmpty })
        for patientID in Set(due.lazy.map(\.patientID).filter { !$0.isEmpty }) {
            studies.formUnion(try self.studies(patientID: patientID))
        }
        let uids = studies.sorted()
        for start in stride(from: 0, to: uids.count, by: Self.batch) {
            let page = Array(uids[start..<min(start + Self.batch, uids.count)])
            let claims = try claims(of: page)
            try encounters.change(by: "rule") { desk in for study in claims { try desk.corrections.derive(study) } }
        }
        // Last: what came to nothing before this is done again.
        try encounters.change(by: "rule") { try $0.records.removeDue(due) }
    }

    /// Every study that is shown under a Patient ID, or was until it was corrected: some consoles give all one ID.
    private func studies(patientID: String) throws(EncounterFailure) -> Set<String> {
        var found: Set<String> = []
        func collect(_ page: (_ beyond: String) throws(EncounterFailure) -> [String]) throws(EncounterFailure) {
            var last = ""
            while case let uids = try page(last), let next = uids.last {
                found.formUnion(uids)
                last = next
            }
        }
        try collect { beyond throws(EncounterFailure) in
            try read { () throws(CatalogError) in
                try catalog.studies(patientID: patientID, beyond: beyond, limit: Self.page)
            }
        }
        try collect { beyond throws(EncounterFailure) in
            try encounters.look {
                try $0.correctedStudies(ownPatientID: patientID, beyond: beyond, limit: Self.page)
            }
        }
        return found
    }

    /// What the images of studies say themselves; studies that are not here are left out.
    package func claims(of uids: [String]) throws(EncounterFailure) -> [StudyClaims] {
        try read { () throws(CatalogError) in try catalog.claims(of: uids) }
    }

    /// Brings the catalogue up to the newest revision: after a crash in between, and all of it into a catalogue that was
    /// made anew.
    package func project() throws(EncounterFailure) {
        var through = try read { () throws(CatalogError) in try catalog.correctedThrough() }
        let last = try encounters.look { try $0.lastCorrection() }
        if last < through {
            // The records were restored from an earlier day.
            try read { () throws(CatalogError) in try catalog.forgetCorrections() }
            through = 0
        }
        while through < last {
            let revisions = try encounters.look { try $0.corrections(after: through, limit: Self.batch) }
            guard let newest = revisions.last?.revision else { return }
            try read { () throws(CatalogError) in
                try catalog.project(revisions.map(StudyCorrection.init), through: newest)
            }
            through = newest
        }
    }

    private func read<Value>(_ body: () throws(CatalogError) -> Value) throws(EncounterFailure) -> Value {
        do throws(CatalogError) { return try body() } catch { throw .records(error == .busy ? .busy : .corrupt) }
    }
}

extension StudyCorrection {
    init(_ record: CorrectionRecord) {
        var attributes: [Tag: String] = [:]
        for (code, value) in record.attributes {
            if let raw = UInt32(code, radix: 16) { attributes[Tag(rawValue: raw)] = value }
        }
        self.init(
            studyInstanceUID: record.studyInstanceUID, revision: record.revision, at: record.at,
            isByHand: !record.byHand.isEmpty, attributes: attributes)
    }
}
