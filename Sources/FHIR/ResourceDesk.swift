// The way in: resources become facts for the desks that HL7 messages go to, all in one transaction.

import Encounters
import Foundation
import HTTPTypes
import Records
import Web

/// `Patient/12`, also as a whole address of this service.
struct LocalReference: Hashable, Sendable {
    let type: String
    let id: String

    init?(_ text: String) {
        var steps = text.split(separator: "/", omittingEmptySubsequences: false)[...]
        // The version of a reference says nothing here: what is known now is meant.
        if steps.count > 2, steps[steps.endIndex - 2] == "_history" { steps.removeLast(2) }
        guard steps.count >= 2, let id = steps.last else { return nil }
        let base = steps.dropLast(2)
        guard base.isEmpty || base.joined(separator: "/").hasSuffix(FHIREdge.prefix) else { return nil }
        self.type = String(steps[steps.endIndex - 2])
        self.id = String(id)
    }
}

/// What became of a resource that was sent.
struct WrittenResource: Sendable {
    enum Outcome: Sendable {
        case created, changed, found
    }

    let resource: Resource
    let outcome: Outcome
    /// Something that a person may want to look at, such as the same procedure ordered twice.
    var warning: String?
}

/// Applies resources within one transaction.
struct ResourceDesk {
    let desk: Desk
    let reader: ResourceReader
    /// What entries of the same bundle became, by their full addresses: `urn:uuid:…` to `Patient/12`.
    var known: [String: String] = [:]

    private var records: RecordTransaction { desk.records }
    private var site: String { desk.settings.issuer }

    // MARK: Doors

    /// Makes a resource. What has the same number already is brought up to date.
    func create(_ resource: Resource, ifNoneExist: String? = nil, at root: String) throws -> WrittenResource {
        if let ifNoneExist, let found = try match(resource.type, ifNoneExist) {
            return WrittenResource(resource: found, outcome: .found)
        }
        switch resource {
        case .patient(let patient): return try register(patient, at: root)
        case .encounter(let encounter): return try admit(encounter, at: root)
        case .serviceRequest(let request): return try order(request, at: root)
        case .imagingStudy, .diagnosticReport, .endpoint, .outcome:
            throw FHIRFault(.methodNotAllowed, "not-supported", "\(resource.type) is not made here.")
        }
    }

    /// Brings a resource up to date, as a whole.
    func update(_ resource: Resource, id: String, ifMatch: String?, at root: String) throws -> WrittenResource {
        guard let current = try reader.resource(resource.type, id), let number = Int64(id) else {
            throw FHIRFault(
                .methodNotAllowed, "not-supported", "There is no such \(resource.type); new ones are made by POST.")
        }
        guard !FHIRFormat.isOutdated(ifMatch, current.meta) else {
            throw FHIRFault(.preconditionFailed, "conflict", "The resource was changed meanwhile; read it again.")
        }
        guard resource.id == nil || resource.id == id else {
            throw FHIRFault(.badRequest, "value", "The id is not that of the address.", at: root + ".id")
        }
        switch resource {
        case .patient(let patient): return try register(patient, as: number, at: root)
        case .encounter(let encounter): return try admit(encounter, as: number, at: root)
        case .serviceRequest(let request): return try order(request, as: number, at: root)
        case .imagingStudy, .diagnosticReport, .endpoint, .outcome:
            throw FHIRFault(.methodNotAllowed, "not-supported", "\(resource.type) is not changed here.")
        }
    }

    /// Brings the one resource up to date that a search finds, or makes one.
    func update(_ resource: Resource, where query: String, ifMatch: String?, at root: String) throws -> WrittenResource
    {
        guard let found = try match(resource.type, query), let id = found.id else {
            return try create(resource, at: root)
        }
        return try update(resource, id: id, ifMatch: ifMatch, at: root)
    }

    /// The one resource that a search finds.
    private func match(_ type: String, _ query: String) throws -> Resource? {
        guard let definition = ResourceDefinition.of(type) else { throw FHIRFault.absent(type) }
        // A value may hold a question mark; only one in front separates.
        let text = [type + "?", "?"].first(where: query.hasPrefix).map { String(query.dropFirst($0.count)) } ?? query
        let search = try SearchQuery(QueryParameters(text), of: definition, isLenient: false)
        guard !search.terms.isEmpty else {
            throw FHIRFault(.preconditionFailed, "incomplete", "The condition names no parameter.")
        }
        let found = try ResourceSearch(reader: reader, query: search).page(type).resources
        guard found.count < 2 else {
            throw FHIRFault(.preconditionFailed, "multiple-matches", "The condition is met by more than one \(type).")
        }
        return found.first
    }

    // MARK: Desks

    private func register(_ patient: Patient, as id: Int64? = nil, at root: String) throws -> WrittenResource {
        let facts = try patient.facts(site: site, asOf: records.now, isWhole: id != nil, at: root)
        return try Self.at(root + ".identifier") {
            let current = try id.flatMap { try reader.patient($0) }
            // What was read may be sent back as it is.
            guard patient.link == nil || patient.link == current?.link else {
                throw FHIRFault.value(root + ".link", "Patients are merged by HL7 ADT^A40.")
            }
            let owners = Set(try facts.identifiers.compactMap { try records.owner(of: $0) })
            let record = try desk.patients.register(facts)
            if let id {
                let target = try records.patient(id: id)
                guard target.mergedInto == nil else { throw EncounterFailure.merged }
                guard record.id == id else {
                    throw EncounterFailure.conflict(reason: "The identifiers are another patient's")
                }
            }
            try desk.links.reconsider(patient: record)
            return WrittenResource(
                resource: .patient(try reader.patient(records.patient(id: record.id))),
                outcome: id == nil && !owners.contains(record.id) ? .created : .changed)
        }
    }

    private func admit(_ encounter: Encounter, as id: Int64? = nil, at root: String) throws -> WrittenResource {
        let current = try id.map { try records.encounter(id: $0) }
        let number =
            try encounter.identifier == nil && current != nil
            ? IssuedNumber(issuer: current?.issuer ?? "", value: current?.number ?? "")
            : encounter.number(site: site, at: root)
        if let current, number != IssuedNumber(issuer: current.issuer, value: current.number) {
            throw FHIRFault(.conflict, "conflict", "The number of a visit stays.", at: root + ".identifier")
        }
        let event = try encounter.event(at: root)
        let patient = try person(encounter.subject, at: root + ".subject")
        let facts = try encounter.facts(number, asOf: records.now, isWhole: id != nil, at: root)
        return try Self.at(root) {
            let isKnown = try records.encounter(issuer: number.issuer, number: number.value) != nil
            let record = try desk.encounters.apply(event, facts, patient: patient)
            try desk.links.reconsider(patient: patient)
            return WrittenResource(
                resource: .encounter(try reader.encounter(record)), outcome: isKnown ? .changed : .created)
        }
    }

    private func order(_ request: ServiceRequest, as id: Int64? = nil, at root: String) throws -> WrittenResource {
        let current = try id.map { try records.procedure(id: $0) }
        guard let placer = request.placer(site: site) ?? current?.placer else {
            throw FHIRFault.required(root + ".identifier", "The order's number is needed.")
        }
        if let current, placer != current.placer {
            throw FHIRFault(.conflict, "conflict", "The number of an order stays.", at: root + ".identifier")
        }
        let known = try records.procedure(placer: placer)
        let control = try request.control(known: known, at: root)
        let patient = try person(request.subject, at: root + ".subject")
        let visit = try request.encounter.map { try self.visit($0, of: patient, at: root + ".encounter") }
        let facts = try request.facts(placer: placer, asOf: records.now, isWhole: id != nil, at: root)
        return try Self.at(root) {
            let outcome = try desk.orders.apply(control, facts, patient: patient, encounter: visit)
            let procedure = outcome.procedure
            try desk.links.reconsider(study: procedure.studyInstanceUID)
            try desk.links.reconsider(patient: patient)
            return WrittenResource(
                resource: .serviceRequest(try reader.serviceRequest(records.procedure(id: procedure.id))),
                outcome: known == nil ? .created : .changed, warning: outcome.warning)
        }
    }

    /// Runs what the records may refuse; a refusal is told at a place in the resource.
    private static func at<Value>(_ expression: String, _ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as EncounterFailure {
            throw FHIRFault(failure, at: expression)
        } catch let failure as RecordsError {
            throw FHIRFault(.records(failure), at: expression)
        }
    }

    // MARK: References

    /// The person that a reference names.
    private func person(_ reference: Reference?, at expression: String) throws -> PatientRecord {
        guard let reference else { throw FHIRFault.required(expression, "Whose it is, is needed.") }
        let record: PatientRecord?
        if let id = try target(reference, "Patient", at: expression) {
            record = try? records.patient(id: id)
        } else if let identifier = reference.identifier {
            let known = try Patient.identifier(identifier, site: site, at: expression + ".identifier")
            record = try records.owner(of: known).map { try records.patient(id: $0) }
        } else {
            record = nil
        }
        guard let record else {
            throw FHIRFault(.unprocessableContent, "not-found", "There is no such patient.", at: expression)
        }
        guard record.mergedInto == nil else { throw FHIRFault(EncounterFailure.merged, at: expression) }
        return record
    }

    /// The visit that a reference names, which must be the patient's.
    private func visit(
        _ reference: Reference, of patient: PatientRecord, at expression: String
    ) throws -> EncounterRecord {
        let record: EncounterRecord?
        if let id = try target(reference, "Encounter", at: expression) {
            record = try? records.encounter(id: id)
        } else if let number = reference.identifier?.number(.visit, of: site) {
            record = try records.encounter(issuer: number.issuer, number: number.value)
        } else {
            record = nil
        }
        guard let record else {
            throw FHIRFault(.unprocessableContent, "not-found", "There is no such visit.", at: expression)
        }
        guard try records.patient(id: record.patient).root == patient.root else {
            throw FHIRFault(.conflict, "conflict", "This visit belongs to another patient.", at: expression)
        }
        return record
    }

    /// The row number behind a literal reference: an entry of the same bundle, a search, or an address of ours. Nil where
    /// there is none.
    private func target(_ reference: Reference, _ type: String, at expression: String) throws -> Int64? {
        guard let text = reference.reference else { return nil }
        var local = known[text].flatMap(LocalReference.init) ?? LocalReference(text)
        if known[text] == nil, text.hasPrefix(type + "?") {
            local = try match(type, text).flatMap { LocalReference($0.path) }
        }
        guard let local, local.type == type, let id = Int64(local.id) else {
            throw FHIRFault(
                .unprocessableContent, "not-found", "This is no \(type) that is known here.", at: expression)
        }
        return id
    }
}
