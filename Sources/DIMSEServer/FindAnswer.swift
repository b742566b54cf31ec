// One match as the identifier of a pending response: the keys that were asked for, and only those (PS3.4 Section C.4.1.1.3.2).

import Catalog
import DICOMCore

struct FindAnswer {
    /// Keys as asked, without those that steer the query.
    private let keys: [DataElement]
    private let level: QueryLevel
    private let aeTitle: String
    private let characterSet: OutputCharacterSet

    /// Whether a value was given for a key that the catalogue does not match (PS3.4 Table C.4-1: FF01H).
    let ignoresKeys: Bool

    init(identifier: Identifier, aeTitle: String, characterSet: OutputCharacterSet) {
        let steering: Set<Tag> = [.specificCharacterSet, .queryRetrieveLevel, .retrieveAETitle, .timezoneOffsetFromUTC]
        keys = identifier.dataSet.elements.filter { !steering.contains($0.tag) && $0.tag.element != 0 }
        level = identifier.level
        self.aeTitle = aeTitle
        self.characterSet = characterSet
        ignoresKeys = keys.contains { $0.length > 0 && Attribute.of($0.tag) == nil }
    }

    /// - Parameter header: of one instance below the match, for keys that the catalogue does not hold.
    func dataSet(_ match: Match, _ header: DataSet?, transferSyntax: String) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: TransferSyntax(transferSyntax), characterSet: characterSet)
        // Said even when a value happens to be plain ASCII: some readers take their default from the first answer.
        if characterSet.definedTerm != nil { writer.putEmpty(.specificCharacterSet) }
        writer.put(.queryRetrieveLevel, .CS, [level.term])
        // Always there, asked for or not (PS3.4 Section C.4.1.1.3.2).
        writer.put(.retrieveAETitle, .AE, [aeTitle])
        for key in keys {
            if let value = match.values[key.tag] {
                writer.put(key.tag, DataDictionary.vr(of: key.tag), value.isEmpty ? [] : [value])
            } else if let header, let element = header[key.tag] {
                writer.put(element, from: header)
            } else {
                writer.putEmpty(key.tag)
            }
        }
        return writer.finish()
    }
}

extension QueryLevel {
    /// The value of Query/Retrieve Level (0008,0052).
    var term: String {
        switch self {
        case .patient: "PATIENT"
        case .study: "STUDY"
        case .series: "SERIES"
        case .image: "IMAGE"
        }
    }
}
