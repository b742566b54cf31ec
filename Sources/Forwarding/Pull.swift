// Studies fetched from another archive: the door to every way of asking, and what is compared before anything is fetched.

package import Catalog
package import Ingest
package import Records
import Volumes

/// Which studies are asked for; one of these, with the values as the other archive has them.
package enum RemoteQuestion: Hashable, Sendable {
    case study(uid: String)
    case accession(String)
    /// Issuer of Patient ID (0010,0021); empty: not asked for.
    case patient(id: String, issuer: String)

    /// Characters that would make a pattern or a list of a value (PS3.4 Section C.2.2.2).
    private static let wild: Set<Character> = ["*", "?", "\\"]

    /// Whether the value names one thing.
    package var isExact: Bool {
        let value =
            switch self {
            case .study(let uid): uid
            case .accession(let number): number
            case .patient(let id, _): id
            }
        return !value.isEmpty && value.count <= 64 && !value.contains(where: Self.wild.contains)
    }
}

/// A study as another archive describes it. Empty where it says nothing.
package struct RemoteStudy: Hashable, Sendable {
    package var studyInstanceUID: String
    /// `yyyymmdd`
    package var date = ""
    package var modalities: [String] = []
    package var description = ""
    package var accessionNumber = ""
    package var patientID = ""
    package var issuerOfPatientID = ""
    /// `yyyymmdd`
    package var patientBirthDate = ""
    package var instances: Int?

    package init(studyInstanceUID: String) { self.studyInstanceUID = studyInstanceUID }

    /// Whether it is what was asked for: some archives give more than that.
    func answers(_ question: RemoteQuestion) -> Bool {
        switch question {
        case .study(let uid): studyInstanceUID == uid
        case .accession(let number): accessionNumber == number
        case .patient(let id, let issuer):
            patientID == id && (issuer.isEmpty || issuerOfPatientID.isEmpty || issuerOfPatientID == issuer)
        }
    }
}

/// An object of a study at another archive.
package struct RemoteInstance: Hashable, Sendable {
    package let seriesInstanceUID: String
    package let sopInstanceUID: String
    /// Empty where the archive does not say.
    package let sopClassUID: String

    package init(seriesInstanceUID: String, sopInstanceUID: String, sopClassUID: String) {
        self.seriesInstanceUID = seriesInstanceUID
        self.sopInstanceUID = sopInstanceUID
        self.sopClassUID = sopClassUID
    }
}

/// What a study holds at another archive.
package struct RemoteListing: Hashable, Sendable {
    package var instances: [RemoteInstance] = []
    /// Body Part Examined (0018,0015) of its series.
    package var bodyParts: Set<String> = []
    /// Modality (0008,0060) by Series Instance UID.
    package var modalities: [String: String] = [:]

    package init() {}
}

/// What came of fetching a study.
package struct PullTally: Hashable, Sendable {
    /// Objects that were missing and are here now, and their stored length.
    package let received: Int
    package let octets: Int64
    /// Objects that are still missing.
    package let failed: Int
    /// Why, of the first of them.
    package let reason: String
    /// Why the source gave no more in the middle of it; nil when it was asked for everything.
    package let failure: PullFailure?
}

/// Why an archive cannot be asked. Texts name no patient.
package enum PullFailure: Error, Hashable, Sendable {
    /// There is no connection.
    case unreached(String)
    /// It does not answer this.
    case refused(String)
    /// It broke off, or said nothing.
    case failed(String)
    /// Our own catalogue or records cannot be read or written now.
    case unavailable(String)

    package var words: String {
        switch self {
        case .unreached(let words), .refused(let words), .failed(let words), .unavailable(let words): words
        }
    }
}

/// An archive that studies are fetched from. Calls block: make them on plain threads.
package protocol ImageSource: Sendable {
    /// What people call it.
    var name: String { get }
    /// Studies that match, at most so many.
    func studies(_ question: RemoteQuestion, limit: Int) throws(PullFailure) -> [RemoteStudy]
    /// All that it holds of a study.
    func listing(ofStudy uid: String) throws(PullFailure) -> RemoteListing
    /// Fetches these objects of a study and takes each in as it comes; nothing else crosses the line.
    /// - Parameter listing: all that the source holds of the study: whole series may be asked for at once.
    /// - Returns: why something did not come; empty when nothing is known of that.
    func fetch(
        _ missing: [RemoteInstance], ofStudy uid: String, of listing: RemoteListing, into ingest: IngestPipeline
    ) throws(PullFailure) -> String
}

/// A study, and what of it is not here yet.
package struct PullPlan: Sendable {
    package let study: RemoteStudy
    package let listing: RemoteListing
    package let missing: [RemoteInstance]
}

/// Fetches from one archive what is missing here.
package struct StudyPull: Sendable {
    /// Studies that one question may bring.
    package static let mostStudies = 500

    package let source: any ImageSource
    private let catalog: CatalogStore
    private let records: RecordStore
    private let ingest: IngestPipeline

    package init(source: any ImageSource, catalog: CatalogStore, records: RecordStore, ingest: IngestPipeline) {
        self.source = source
        self.catalog = catalog
        self.records = records
        self.ingest = ingest
    }

    /// Studies that answer a question, as the source describes them.
    package func studies(_ question: RemoteQuestion) throws(PullFailure) -> [RemoteStudy] {
        guard question.isExact else { throw .refused("wildcards and lists are not fetched") }
        return try source.studies(question, limit: Self.mostStudies).filter { $0.answers(question) }
    }

    /// Compares what the source holds of a study with what is here.
    package func plan(_ study: RemoteStudy) throws(PullFailure) -> PullPlan {
        let listing = try source.listing(ofStudy: study.studyInstanceUID)
        let known = Set(try here(study.studyInstanceUID).map(\.sopInstanceUID))
        return PullPlan(
            study: study, listing: listing, missing: listing.instances.filter { !known.contains($0.sopInstanceUID) })
    }

    /// Fetches what is missing. A study of which nothing was here before is marked as the source's, before its first object
    /// comes; one that was made here is never.
    /// - Returns: what came, also when the source broke off.
    package func fetch(_ plan: PullPlan) throws(PullFailure) -> PullTally {
        let uid = plan.study.studyInstanceUID
        let isNew = try !holds(uid) && !plan.missing.isEmpty
        let name = source.name
        if isNew {
            try change { records in
                if try !records.isPurged(study: uid) { try records.markExternal(study: uid, source: name) }
            }
        }
        defer {
            if isNew, (try? holds(uid)) == false { try? change { try $0.unmarkExternal(study: uid) } }
        }
        var (reason, failure) = ("", PullFailure?.none)
        if !plan.missing.isEmpty {
            do throws(PullFailure) {
                reason = try source.fetch(plan.missing, ofStudy: uid, of: plan.listing, into: ingest)
            } catch { (reason, failure) = (error.words, error) }
        }
        let wanted = Set(plan.missing.map(\.sopInstanceUID))
        let came = try here(uid).filter { wanted.contains($0.sopInstanceUID) }
        let failed = plan.missing.count - came.count
        return PullTally(
            received: came.count, octets: came.reduce(0) { $0 + $1.place.length }, failed: failed,
            reason: failed == 0 ? "" : reason.isEmpty ? "it did not come" : reason, failure: failure)
    }

    private func here(_ uid: String) throws(PullFailure) -> [StoredInstance] {
        do throws(CatalogError) {
            return try catalog.instances(Scope(studyUIDs: [uid], seriesUIDs: [], sopUIDs: []))
        } catch { throw .unavailable("The catalogue cannot be read now") }
    }

    private func holds(_ uid: String) throws(PullFailure) -> Bool {
        do throws(CatalogError) { return try catalog.holds(study: uid) } catch {
            throw .unavailable("The catalogue cannot be read now")
        }
    }

    private func change(_ body: (RecordTransaction) throws -> Void) throws(PullFailure) {
        do { try records.transaction(body) } catch { throw .unavailable("The records cannot be written now") }
    }
}
