// What a caller says of a person.

import Encounters
import Foundation
import Records
import Web

/// A person with what they are known by.
struct PersonWish: Decodable, Sendable {
    struct Identifier: Decodable, Sendable {
        /// MR where none is said.
        let type: String?
        /// This hospital where none is said.
        let issuer: String?
        let value: String
    }

    /// Of a person that is here already.
    let number: Int64?
    /// As it was seen, for a change.
    let version: Int64?
    /// In the order of trust.
    let identifiers: [Identifier]?
    let name: String?
    let birthDate: String?
    let birthTime: String?
    let sex: String?
    let address: String?
    let telephone: String?
    let ethnicGroup: String?

    func facts(issuer: String, asOf: Int64) throws(EncounterFailure) -> PatientFacts {
        var known: [PatientIdentifier] = []
        for identifier in identifiers ?? [] {
            guard (1...20).contains((identifier.type ?? "MR").count), (identifier.issuer ?? "").count <= 64 else {
                throw .invalid(field: "identifiers", reason: "a type of 1 to 20 and an issuer of at most 64 characters")
            }
            do throws(RecordsError) {
                known.append(
                    try PatientIdentifier(
                        type: identifier.type ?? PatientIdentifier.medicalRecord,
                        issuer: identifier.issuer ?? issuer, value: identifier.value))
            } catch { throw .records(error) }
        }
        if let sex, !["M", "F", "O", ""].contains(sex) {
            throw .invalid(field: "sex", reason: "M, F, O or nothing")
        }
        if let birthTime, birthTime.wholeMatch(of: /([0-9]{4}([0-9]{2})?)?/) == nil {
            throw .invalid(field: "birthTime", reason: "HHMM or HHMMSS")
        }
        let texts: [(String, String?, any WritableKeyPath<Demographics, String> & Sendable)] = [
            ("name", name, \.name), ("birthDate", birthDate, \.birthDate), ("birthTime", birthTime, \.birthTime),
            ("sex", sex, \.sex), ("address", address, \.address), ("telephone", telephone, \.telephone),
            ("ethnicGroup", ethnicGroup, \.ethnicGroup),
        ]
        for (field, text, _) in texts { try WishText.check(text, field) }
        return PatientFacts(identifiers: known, asOf: asOf) { person in
            for (_, text, path) in texts {
                if let text { person[keyPath: path] = text.precomposedStringWithCanonicalMapping }
            }
        }
    }
}

/// Texts that people type.
enum WishText {
    private static let longest = 1_024

    /// No control characters but the end of a line, and not without end.
    static func check(_ text: String?, _ field: String, most: Int = longest) throws(EncounterFailure) {
        guard let text else { return }
        guard text.count <= most else { throw .invalid(field: field, reason: "\(most) characters at most") }
        let hasControl = text.unicodeScalars.contains {
            $0.properties.generalCategory == .control && $0 != "\n" && $0 != "\r" && $0 != "\t"
        }
        guard !hasControl else { throw .invalid(field: field, reason: "no control characters") }
    }

    /// `yyyymmdd[HH[MM[SS]]]`, local; nothing where nothing is known.
    static func checkTime(_ text: String?, _ field: String) throws(EncounterFailure) {
        guard let text, !text.isEmpty else { return }
        guard LocalTime.instant(text) != nil else { throw .invalid(field: field, reason: "yyyymmdd[HHMM[SS]]") }
    }
}
