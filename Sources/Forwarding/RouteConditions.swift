// What a rule asks of a study.

import DICOMCore
import Foundation
package import Records

/// What of a study a rule may ask.
package struct StudyTraits: Hashable, Sendable {
    /// The keys of conditions. Values of DICOM attributes are as in PS3.3; the others are of the hospital's records.
    package enum Key: String, CaseIterable, Sendable {
        /// Modality (0008,0060) of any series.
        case modality
        /// Calling AE title of whoever sent it, or its name among the peers.
        case peer
        /// Code of the facility of the visit.
        case facility
        /// Body Part Examined (0018,0015) of any series, or the order's body site.
        case bodyPart
        /// HL7 table 0004 of the visit: I, O, E.
        case encounter
        /// Referring physician, of the visit or of the images: `*` for any referral.
        case referral
        /// Priority of the order: STAT, HIGH, ROUTINE, MEDIUM, LOW.
        case priority
        /// Department of the visit.
        case department
        /// Institution Name (0008,0080) of any series.
        case institution
        /// Study Description (0008,1030).
        case description
    }

    package var studyInstanceUID: String
    package var values: [Key: [String]] = [:]

    package init(studyInstanceUID: String) { self.studyInstanceUID = studyInstanceUID }
}

/// The conditions of a rule: all must hold.
package struct RouteConditions: Hashable, Sendable {
    private struct Condition: Hashable, Sendable {
        let key: StudyTraits.Key
        let isNot: Bool
        let patterns: [String]

        var text: String { "\(key.rawValue)\(isNot ? "!=" : "=")\(patterns.joined(separator: ","))" }

        /// Names are compared without marks and case.
        func holds(_ traits: StudyTraits) -> Bool {
            let values = (traits.values[key] ?? []).map(Fold.fold)
            let matches = patterns.contains { pattern in
                let pattern = Fold.fold(pattern)
                return values.contains { !$0.isEmpty && Wildcard.matches(pattern: pattern, value: $0) }
            }
            return matches != isNot
        }
    }

    private let conditions: [Condition]

    /// Reads `key=value,value` and `key!=value`; values may hold `*` and `?`.
    package init(_ texts: [String]) throws(ForwardingFailure) {
        var conditions: [Condition] = []
        for text in texts {
            guard let equals = text.firstIndex(of: "=") else { throw Self.malformed(text) }
            var word = text[..<equals].trimmed
            let isNot = word.hasSuffix("!")
            if isNot { word = String(word.dropLast()).trimmed }
            let patterns = text[text.index(after: equals)...].split(separator: ",").map(\.trimmed).filter {
                !$0.isEmpty
            }
            guard let key = StudyTraits.Key.allCases.first(where: { $0.rawValue.lowercased() == word.lowercased() }),
                !patterns.isEmpty
            else { throw Self.malformed(text) }
            conditions.append(Condition(key: key, isNot: isNot, patterns: patterns))
        }
        self.conditions = conditions
    }

    private static func malformed(_ text: String) -> ForwardingFailure {
        let keys = StudyTraits.Key.allCases.map(\.rawValue).joined(separator: ", ")
        return .invalid(field: "when", reason: "\(text) is no condition; write key=value,value with one of: \(keys)")
    }

    /// The first condition that does not hold, as it was written; nil when all do.
    package func failing(_ traits: StudyTraits) -> String? { conditions.first { !$0.holds(traits) }?.text }
}

/// Whether a study may be shared with a destination: contract and legal basis.
package enum SharingPermission {
    /// - Parameter today: `yyyymmdd`, local.
    /// - Returns: Why not; nil when it may.
    package static func refusal(_ settings: DestinationSettings, legalBasis: String, today: String) -> String? {
        if settings.needsLegalBasis, legalBasis.trimmed.isEmpty {
            return "no legal basis is given, and this destination needs one"
        }
        if !settings.contractFrom.isEmpty, today < settings.contractFrom {
            return "the contract with this destination begins on \(settings.contractFrom)"
        }
        if !settings.contractUntil.isEmpty, today > settings.contractUntil {
            return "the contract with this destination ended on \(settings.contractUntil)"
        }
        return nil
    }
}

extension StringProtocol {
    var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
