// How facts become rows and rows become facts again.

import DICOMCore
import Foundation
import GRDB
import Volumes

/// Column lists and statements derived from the attribute table, built once.
enum RowSQL {
    /// Header attributes of a level, in table order.
    static func attributes(_ level: QueryLevel) -> [Attribute] {
        Attribute.table.filter { $0.level == level && $0.origin == .header }
    }

    static let instanceAttributes = attributes(.image)

    static let insertInstance: String = {
        let names =
            ["series", "claim"] + instanceAttributes.map(\.name) + [
                "volume", "entryOffset", "bodyOffset", "length", "dataSetOffset", "digest", "receivedAt", "source",
                "flaws", "chosen",
            ]
        let marks = names.map { _ in "?" }.joined(separator: ", ")
        return "INSERT INTO instance (\(names.joined(separator: ", "))) VALUES (\(marks))"
    }()

    /// Sets every header attribute of the level's row, and who speaks for it. Identifiers are left alone.
    static func adopt(_ level: QueryLevel) -> String {
        let list = spoken(level).map { "\($0) = ?" }.joined(separator: ", ")
        return "UPDATE \(level.table) SET \(list) WHERE id = ?"
    }

    /// Makes a row that says at once what `adopt` would make it say: its words enter the search index once.
    private static func insert(_ level: QueryLevel, _ identifiers: [String]) -> String {
        let names = identifiers + spoken(level)
        let marks = names.map { _ in "?" }.joined(separator: ", ")
        return "INSERT INTO \(level.table) (\(names.joined(separator: ", "))) VALUES (\(marks))"
    }

    /// The columns that hold who speaks for a row, and what it says.
    private static func spoken(_ level: QueryLevel) -> [String] {
        ["receivedAt", "volume", "entryOffset"] + adopted(level).flatMap { [$0.name] + ($0.keyName.map { [$0] } ?? []) }
    }

    static let insertPatient = insert(.patient, ["patientID", "issuerOfPatientID", "loneStudyUID"])
    static let insertStudy = insert(.study, ["uid", "patient", "sopClasses"])

    static let adoptPatient = adopt(.patient)
    static let adoptStudy = adopt(.study)
    static let adoptSeries = adopt(.series)

    static func adopted(_ level: QueryLevel) -> [Attribute] {
        let fixed: [Attribute] = [.patientID, .issuerOfPatientID, .studyInstanceUID, .seriesInstanceUID]
        return attributes(level).filter { !fixed.contains($0) }
    }

    static let adoptedPatient = adopted(.patient)
    static let adoptedStudy = adopted(.study)
    static let adoptedSeries = adopted(.series)

    /// Arguments of `adopt`.
    static func arguments(_ attributes: [Attribute], of facts: InstanceFacts, _ by: Precedence, id: Int64)
        -> [DatabaseValue]
    {
        arguments(attributes, of: facts, by) + [id.sql]
    }

    /// Arguments of `insert`, behind the identifiers.
    static func arguments(_ attributes: [Attribute], of facts: InstanceFacts, _ by: Precedence) -> [DatabaseValue] {
        var arguments: [DatabaseValue] = [by.receivedAt.sql, by.volume.sql, by.entryOffset.sql]
        for attribute in attributes {
            arguments.append(facts.stored(attribute))
            if attribute.keyColumn != nil { arguments.append(facts.key(attribute).sql) }
        }
        return arguments
    }
}

extension InstanceFacts {
    /// Binds the value as `stored` gives it.
    func bind(_ attribute: Attribute, to row: inout HotStatement.Values) {
        let value = self[attribute]
        guard attribute.kind == .integer else { return row.bind(value) }
        if value.isEmpty { return row.bindNull() }
        guard let number = Int64(value) else { return row.bind(value) }
        row.bind(number)
    }

    /// The value as its column holds it: missing numbers are NULL, illegal ones stay as text.
    func stored(_ attribute: Attribute) -> DatabaseValue {
        let value = self[attribute]
        guard attribute.kind == .integer else { return value.sql }
        if value.isEmpty { return .null }
        return Int64(value)?.sql ?? value.sql
    }

    /// The value as it is searched: names folded, one per line; times of full length.
    func key(_ attribute: Attribute) -> String {
        let value = self[attribute]
        switch attribute.kind {
        case .personName:
            guard attribute.isMultiple else { return Fold.fold(value) }
            return value.split(separator: "\\").map { Fold.fold(String($0)) }.joined(separator: "\n")
        case .time: return TimeRange.normalized(value) ?? ""
        case .code, .text, .uid, .date, .dateTime, .integer: return value
        }
    }
}

extension DatabaseValue {
    /// The text of a stored value; NULL is the empty value.
    var text: String {
        switch storage {
        case .string(let value): value
        case .int64(let value): String(value)
        case .double(let value): String(value)
        case .null, .blob: ""
        }
    }
}

extension Place {
    /// From the columns volume, entryOffset, bodyOffset, length, starting at `column`.
    init(_ row: Row, at column: Int) {
        self.init(
            volume: row[column], entryOffset: row[column + 1], bodyOffset: row[column + 2], length: row[column + 3])
    }

    var sql: [DatabaseValue] { [volume.sql, entryOffset.sql, bodyOffset.sql, length.sql] }
}

extension Enrollment {
    /// The enrolment that an instance row stands for, with the row's id and whether a person chose it.
    static func instance(_ db: Database, uid: String) throws -> (id: Int64, series: Int64, chosen: Bool, Enrollment)? {
        guard let row = try db.first(selectInstance, [uid.sql]) else { return nil }
        let base = RowSQL.instanceAttributes.count
        var facts = InstanceFacts(encoded: [row[base]], flaws: InstanceFacts.Flaws(rawValue: row[base + 9]))
        for (column, attribute) in RowSQL.instanceAttributes.enumerated() {
            facts.restore((row[column] as DatabaseValue).text, of: attribute)
        }
        let enrollment = Enrollment(
            facts: facts, place: Place(row, at: base + 1), dataSetOffset: row[base + 5],
            digest: [UInt8](row[base + 6] as Data), receivedAt: row[base + 7], source: row[base + 8])
        return (row[base + 10], row[base + 11], row[base + 12], enrollment)
    }

    private static let selectInstance: String = {
        let names = RowSQL.instanceAttributes.map(\.column).joined(separator: ", ")
        return """
            SELECT \(names), claim.body, volume, entryOffset, bodyOffset, length, dataSetOffset, digest, receivedAt,
                source, flaws, instance.id, instance.series, chosen
            FROM instance JOIN claim ON claim.id = instance.claim WHERE instance.uid = ?
            """
    }()

    /// Every secondary copy of a UID with its row id, earliest first.
    static func secondaries(_ db: Database, uid: String) throws -> [(id: Int64, Enrollment)] {
        let sql = """
            SELECT id, facts, volume, entryOffset, bodyOffset, length, dataSetOffset, digest, receivedAt, source, flaws
            FROM secondary WHERE uid = ? ORDER BY receivedAt, volume, entryOffset
            """
        return try db.all(sql, [uid.sql]).map { row in
            let facts = InstanceFacts(encoded: [row[1]], flaws: InstanceFacts.Flaws(rawValue: row[10]))
            let enrollment = Enrollment(
                facts: facts, place: Place(row, at: 2), dataSetOffset: row[6], digest: [UInt8](row[7] as Data),
                receivedAt: row[8], source: row[9])
            return (row[0], enrollment)
        }
    }
}
