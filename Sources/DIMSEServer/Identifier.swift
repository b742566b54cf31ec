// Reads the identifier of a query or retrieval and holds it against its information model (PS3.4 Section C.6).

import Catalog
import DICOMCore
import DICOMNetwork

/// What is wrong with an identifier.
enum IdentifierFault: Error, Equatable {
    case unreadable
    case noLevel
    case levelNotInModel(String)
    case uniqueKeyMissing(String)

    var comment: String {
        switch self {
        case .unreadable: "Identifier cannot be read"
        case .noLevel: "QueryRetrieveLevel is missing"
        case .levelNotInModel(let level): "QueryRetrieveLevel \(level) is not in this information model"
        case .uniqueKeyMissing(let key): "One \(key) is required"
        }
    }
}

/// An identifier whose level is lawful in its model.
struct Identifier {
    let dataSet: DataSet
    let level: QueryLevel
    let model: InformationModel

    init(_ bytes: [UInt8], transferSyntax: String, model: InformationModel) throws(IdentifierFault) {
        guard let header = try? HeaderReader.read(bytes, transferSyntax: TransferSyntax(transferSyntax)) else {
            throw .unreadable
        }
        guard let name = header.dataSet.string(.queryRetrieveLevel) else { throw .noLevel }
        guard let level = QueryLevel(term: name) else { throw .levelNotInModel(String(name.prefix(16))) }
        if model == .studyRoot, level == .patient { throw .levelNotInModel(name) }
        dataSet = header.dataSet
        self.level = level
        self.model = model
    }

    /// Holds a query against the hierarchy (PS3.4 Section C.4.1.2.2.1): without relational queries, the unique keys above
    /// its level must each have one value. Patient ID is not demanded, nor anything of a query that names the unique
    /// key of its own level: its answer is bounded.
    func checkHierarchy(isRelational: Bool) throws(IdentifierFault) {
        guard !isRelational, dataSet.string(level.uniqueKey) == nil else { return }
        let above = QueryLevel.allCases.filter { $0 > .patient && $0 < level }.map(\.uniqueKey)
        for key in above {
            let values = dataSet.strings(key).filter { !$0.isEmpty }
            guard values.count == 1, !values[0].contains(where: { "*?".contains($0) }) else {
                throw .uniqueKeyMissing(key.keyword ?? "unique key")
            }
        }
    }

    /// What a C-MOVE or C-GET selects (PS3.4 Section C.4.2.1.4.1): the key of its own level must be there.
    ///
    /// Keys of the levels above narrow the selection where given; they are not demanded, so relational retrieval works
    /// whether negotiated or not.
    func selection() throws(IdentifierFault) -> Scope {
        func values(_ tag: Tag) -> [String] { dataSet.strings(tag).filter { !$0.isEmpty } }
        guard !values(level.uniqueKey).isEmpty else {
            throw .uniqueKeyMissing(level.uniqueKey.keyword ?? "unique key")
        }
        return Scope(
            patientID: dataSet.string(.patientID), studyUIDs: values(.studyInstanceUID),
            seriesUIDs: values(.seriesInstanceUID), sopUIDs: values(.sopInstanceUID))
    }
}
