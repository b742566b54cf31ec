// What the Basic Application Level Confidentiality Profile does to each attribute (PS3.15 Section E.2, Table E.1-1).

package import DICOMCore

/// The actions of Table E.1-1. Where the table leaves a choice to the IOD, the one is taken that every IOD allows: a
/// dummy before an empty value, an empty value before none. A sequence has no dummy: it is left out.
package enum ConfidentialityAction: Sendable {
    /// X.
    case remove
    /// Z, X/Z.
    case empty
    /// D, Z/D, X/D, X/Z/D.
    case dummy
    /// U.
    case replaceUID
    /// X/Z/U*: a sequence of references stays, its UIDs are replaced.
    case clean

    private init?(_ text: Substring) {
        switch text {
        case "X": self = .remove
        case "Z", "X/Z": self = .empty
        case "D", "Z/D", "X/D", "X/Z/D": self = .dummy
        case "U": self = .replaceUID
        case "X/Z/U*": self = .clean
        default: return nil
        }
    }

    /// The action of an attribute, nil for one that the table does not name.
    package static func of(_ tag: Tag) -> ConfidentialityAction? { table[tag] }

    /// Every attribute that the table names.
    package static let table: [Tag: ConfidentialityAction] = {
        var table: [Tag: ConfidentialityAction] = [:]
        for line in confidentialityTable.description.split(separator: "\n") {
            guard let tag = UInt32(line.prefix(8), radix: 16), let action = ConfidentialityAction(line.dropFirst(8))
            else { continue }
            table[Tag(rawValue: tag)] = action
        }
        return table
    }()
}
