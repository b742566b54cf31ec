// The images behind a link from the EMR, as far as its caller may see them.

import Access
import Catalog
import DICOMCore
import Encounters
import Records

/// What became of a wish for images.
enum FoundImages: Sendable {
    /// Study Instance UIDs, the newest first.
    case studies([String])
    /// Ordered, and nothing has come yet.
    case none([OrderReport])
    case unknown
    /// Not for this caller, who does not learn either whether it exists.
    case hidden
    /// The number is that of several people.
    case ambiguous
    /// Several facilities gave this number to a visit.
    case issuers([String], number: String)

    /// Studies that are opened at once; a viewer holds no more.
    static let most = 30

    /// Blocks.
    init(_ wanted: WantedImages, for caller: Caller, in services: HospitalServices) throws {
        let search = ImageSearch(caller: caller, services: services)
        let found =
            switch wanted {
            case .visit(let number, let issuer): try search.visit(number, issuer)
            case .orders(let numbers, let patient): try search.orders(numbers, patient)
            case .studies(let uids): try search.shown(uids, orders: [])
            case .patient(let id, let issuer, let narrowing): try search.patient(id, issuer, narrowing)
            case .subject(let subject): try search.subject(subject)
            }
        // Who sees single studies only must not try numbers out.
        if case .unknown = found, caller.scope != .all { self = .hidden } else { self = found }
    }
}

private struct ImageSearch {
    let caller: Caller
    let services: HospitalServices

    func visit(_ number: String, _ issuer: String?) throws -> FoundImages {
        let visits = try services.encounters.look { records in
            try records.encounters(number: number).filter { issuer == nil || $0.issuer == issuer }
        }
        guard let visit = visits.first else { return .unknown }
        guard visits.count == 1 else {
            return caller.scope == .all ? .issuers(visits.map(\.issuer), number: number) : .hidden
        }
        return try subject(.encounter(visit.id))
    }

    func subject(_ subject: LinkSubject) throws -> FoundImages {
        let orders = try services.encounters.look { records in
            switch subject {
            case .study: return [ProcedureRecord]()
            case .encounter(let id): return try records.procedures(encounter: id)
            case .procedure(let id): return [try records.procedure(id: id)]
            }
        }
        return try shown(try studies(openedBy: subject), orders: orders, isOwn: caller.subject == subject)
    }

    func orders(_ numbers: [String], _ patient: (id: String, issuer: String?)?) throws -> FoundImages {
        let orders = try services.encounters.look { records in
            let all = try numbers.flatMap { try records.procedures(accessionNumber: $0) }
            guard let patient else { return try all.map { ($0, try records.patient(id: $0.patient).root) } }
            let roots = Set(
                try records.patients(identifierValue: patient.id, type: nil, issuer: patient.issuer).map(\.root))
            return try all.map { ($0, try records.patient(id: $0.patient).root) }.filter { roots.contains($0.1) }
        }
        guard orders.isEmpty else {
            // One number, two people: showing both would show somebody the wrong images.
            guard Set(orders.map(\.1)).count == 1 else { return caller.scope == .all ? .ambiguous : .hidden }
            let procedures = orders.map(\.0)
            let uids = try procedures.flatMap { try studies(openedBy: .procedure($0.id)) }
            let isOwn = procedures.contains {
                caller.subject == .procedure($0.id) || $0.encounter.map { caller.subject == .encounter($0) } == true
            }
            return try shown(uids, orders: procedures, isOwn: isOwn)
        }
        // Without an order the images speak for themselves.
        var filters: [Tag: MatchingKey] = [.accessionNumber: .list(numbers)]
        if let patient { filters[.patientID] = .single(patient.id) }
        let matches = try find(filters)
        guard isOnePerson(matches) else { return caller.scope == .all ? .ambiguous : .hidden }
        return try shown(matches.compactMap { $0.values[.studyInstanceUID] }, orders: [])
    }

    /// Whether studies name one person: by ID and who gave it. Without an ID nobody can tell.
    private func isOnePerson(_ matches: [Match]) -> Bool {
        guard let first = matches.first, matches.count > 1 else { return true }
        guard first.values[.patientID]?.isEmpty == false else { return false }
        func person(_ match: Match) -> [String] {
            let issuer = match.values[.issuerOfPatientID] ?? ""
            return [match.values[.patientID] ?? "", issuer.isEmpty ? services.issuer : issuer]
        }
        return Set(matches.map(person)).count == 1
    }

    func patient(_ id: String, _ issuer: String?, _ narrowing: PatientNarrowing) throws -> FoundImages {
        let people = try services.encounters.look { try $0.patients(identifierValue: id, type: nil, issuer: issuer) }
        guard people.count <= 1 else { return caller.scope == .all ? .ambiguous : .hidden }
        var filters: [Tag: MatchingKey] = [.patientID: .single(id)]
        if let issuer { filters[.issuerOfPatientID] = .single(issuer) }
        let byImages = try find(filters).compactMap { $0.values[.studyInstanceUID] }
        guard let person = people.first else { return try shown(byImages, orders: [], narrowing) }
        let uids = try services.encounters.look { records in
            // What a person has placed elsewhere is not this patient's, whatever the images say.
            let unplaced = try byImages.filter { uid in
                guard let link = try records.link(ofStudy: uid) else { return true }
                return try records.patient(id: link.target.patient).root == person.root
            }
            return try records.links(patient: person).map(\.studyInstanceUID) + unplaced
        }
        let found = try shown(uids, orders: [], narrowing)
        if case .unknown = found { return .none([]) }
        return found
    }

    private func studies(openedBy subject: LinkSubject) throws -> [String] {
        do throws(RecordsError) { return try services.encounters.records.studies(openedBy: subject).sorted() } catch {
            throw EncounterFailure.records(error)
        }
    }

    private func find(_ filters: [Tag: MatchingKey]) throws -> [Match] {
        do throws(CatalogError) { return try services.catalog.find(Query(level: .study, filters: filters)) } catch {
            throw EncounterFailure.records(error == .busy ? .busy : .corrupt)
        }
    }

    /// Those of the studies that are here and in the caller's scope, the newest first.
    /// - Parameter isOwn: whether the caller's own link is for this, so that waiting is no secret.
    func shown(
        _ uids: [String], orders: [ProcedureRecord], isOwn: Bool = false, _ narrowing: PatientNarrowing = .init()
    ) throws -> FoundImages {
        let allowed = Set(uids).filter { caller.scope.contains($0) }
        let here = allowed.isEmpty ? [] : try find([.studyInstanceUID: .list(allowed.sorted())])
        let fitting = here.filter { match in
            let date = match.values[.studyDate] ?? ""
            let modalities = (match.values[.modalitiesInStudy] ?? "").split(separator: "\\").map(String.init)
            return (narrowing.from.map { $0 <= date } ?? true) && (narrowing.through.map { date <= $0 } ?? true)
                && (narrowing.modalities.isEmpty || !narrowing.modalities.isDisjoint(with: modalities))
        }
        let ordered = fitting.map { match in
            let time = (match.values[.studyDate] ?? "") + (match.values[.studyTime] ?? "")
            return (time, match.values[.studyInstanceUID] ?? "")
        }.sorted { $0 > $1 }.map(\.1).prefix(min(narrowing.mostRecent ?? FoundImages.most, FoundImages.most))
        if !ordered.isEmpty { return .studies(Array(ordered)) }
        guard caller.scope == .all || isOwn else { return .hidden }
        if orders.isEmpty, !isOwn { return .unknown }
        return .none(try services.encounters.look { records in try orders.map { OrderReport(try records.line($0)) } })
    }
}
