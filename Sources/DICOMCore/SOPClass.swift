// The service-object pair classes of the standard, by UID (PS3.6 Table A-1).

/// SOP classes that the program speaks of, and the registered tables.
package enum SOPClass {
    /// Verification (PS3.4 Annex A).
    package static let verification = "1.2.840.10008.1.1"
    /// Media Storage Directory, the class of a DICOMDIR (PS3.10 Section 8.6).
    package static let mediaStorageDirectory = "1.2.840.10008.1.3.10"
    /// Storage Commitment Push Model (PS3.4 Annex J).
    package static let storageCommitmentPushModel = "1.2.840.10008.1.20.1"
    /// Patient Root Query/Retrieve - FIND (PS3.4 Section C.6.1).
    package static let patientRootFind = "1.2.840.10008.5.1.4.1.2.1.1"
    /// Patient Root Query/Retrieve - MOVE (PS3.4 Section C.6.1).
    package static let patientRootMove = "1.2.840.10008.5.1.4.1.2.1.2"
    /// Patient Root Query/Retrieve - GET (PS3.4 Section C.6.1).
    package static let patientRootGet = "1.2.840.10008.5.1.4.1.2.1.3"
    /// Study Root Query/Retrieve - FIND (PS3.4 Section C.6.2).
    package static let studyRootFind = "1.2.840.10008.5.1.4.1.2.2.1"
    /// Study Root Query/Retrieve - MOVE (PS3.4 Section C.6.2).
    package static let studyRootMove = "1.2.840.10008.5.1.4.1.2.2.2"
    /// Study Root Query/Retrieve - GET (PS3.4 Section C.6.2).
    package static let studyRootGet = "1.2.840.10008.5.1.4.1.2.2.3"
    /// Modality Worklist - FIND (PS3.4 Annex K).
    package static let modalityWorklistFind = "1.2.840.10008.5.1.4.31"
    /// CT Image Storage (PS3.4 Table B.5-1).
    package static let ctImageStorage = "1.2.840.10008.5.1.4.1.1.2"
    /// MR Image Storage (PS3.4 Table B.5-1).
    package static let mrImageStorage = "1.2.840.10008.5.1.4.1.1.4"
    /// Secondary Capture Image Storage (PS3.4 Table B.5-1).
    package static let secondaryCaptureImageStorage = "1.2.840.10008.5.1.4.1.1.7"

    /// Every registered storage class, the retired ones too, in order of UID (PS3.4 Table B.5-1, PS3.6 Table A-1).
    package static let storage: [(uid: String, name: String)] = UIDTable.storageClasses.entries.map {
        ($0.uid, $0.name)
    }

    /// Whether the class is a registered storage class.
    package static func isStorage(_ uid: String) -> Bool { UIDTable.storageClasses.name(of: uid) != nil }

    /// Whether a registered class is retired.
    package static func isRetired(_ uid: String) -> Bool {
        UIDTable.storageClasses.isRetired(uid) || UIDTable.otherClasses.isRetired(uid)
    }

    /// The registered name, nil for a private class.
    package static func name(of uid: String) -> String? {
        UIDTable.storageClasses.name(of: uid) ?? UIDTable.otherClasses.name(of: uid)
    }
}

/// A generated table of registered UIDs.
struct UIDTable: Sendable {
    struct Entry: Sendable {
        let uid: String
        let name: String
        let isRetired: Bool
    }

    static let storageClasses = UIDTable(storageClassTable)
    static let otherClasses = UIDTable(otherClassTable)
    static let transferSyntaxes = UIDTable(transferSyntaxTable)

    let entries: [Entry]
    private let positions: [String: Int]

    init(_ text: StaticString) {
        entries = text.description.split(separator: "\n").map { line in
            let fields = line.split(separator: "|")
            return Entry(uid: String(fields[0]), name: String(fields[1]), isRetired: fields.count > 2)
        }
        positions = [String: Int](uniqueKeysWithValues: entries.enumerated().map { ($0.element.uid, $0.offset) })
    }

    func name(of uid: String) -> String? { positions[uid].map { entries[$0].name } }
    func isRetired(_ uid: String) -> Bool { positions[uid].map { entries[$0].isRetired } ?? false }
}
