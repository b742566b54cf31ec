// What people decide about studies, with a word for who decided the same at the same time.

package import Records

extension Desk {
    /// Says where a study belongs.
    /// - Parameter seen: number of the link that this decision replaces; nil where the study had none.
    package func decide(
        study uid: String, target: LinkTarget, reason: String, replacing seen: Int64?
    ) throws -> StudyLinkRecord {
        let holding = try records.link(ofStudy: uid)
        if holding?.id != seen {
            // The same decision twice is one: an answer may be lost.
            guard let holding, try isSame(holding.target, target) else { throw Self.overtaken }
            return holding
        }
        try links.decide(study: uid, target: target, reason: reason)
        guard let link = try records.link(ofStudy: uid) else { throw EncounterFailure.records(.notFound) }
        return link
    }

    /// Takes a link away.
    /// - Parameter seen: number of the link that is meant.
    package func undo(study: StudyFacts, link seen: Int64, reason: String) throws {
        guard try records.link(ofStudy: study.studyInstanceUID)?.id == seen else { throw Self.overtaken }
        try links.undo(study: study, reason: reason)
    }

    private static let overtaken = EncounterFailure.conflict(
        reason: "Somebody has decided about this study meanwhile; look at it again")

    private func isSame(_ held: LinkTarget, _ wanted: LinkTarget) throws -> Bool {
        if wanted.procedure != nil { return held.procedure == wanted.procedure }
        if wanted.encounter != nil { return held.procedure == nil && held.encounter == wanted.encounter }
        guard held.procedure == nil, held.encounter == nil else { return false }
        return try records.patient(id: held.patient).root == records.patient(id: wanted.patient).root
    }
}
