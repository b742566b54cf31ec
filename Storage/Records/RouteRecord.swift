// Rules of forwarding: which studies go where, how urgent, in what form, and on what legal ground.

import GRDB

/// What a rule says.
package struct RouteSettings: Codable, Hashable, Sendable, Blank {
    /// `key=value,value`; all of them must hold, of each any value. None: everything.
    package var conditions: [String] = []
    /// `stat`, `normal` or `bulk`.
    package var priority = "normal"
    package var transform = ShipmentTransform()
    /// On which ground studies are shared, such as `referral` or `emergency`; empty: none was given.
    package var legalBasis = ""

    package init() {}
}

/// What is done to objects before they leave.
package struct ShipmentTransform: Codable, Hashable, Sendable, Blank {
    /// Uncompressed images are compressed without loss where the destination accepts it.
    package var compresses = false
    /// A profile of PS3.15 Annex E, by name; empty: sent as what they are.
    package var deidentification = ""
    /// Specific Character Set (0008,0005) that texts are written in; empty: as received.
    package var characterSet = ""

    package init() {}
}

/// One rule.
package struct RouteRecord: Hashable, Sendable {
    package let name: String
    package let destination: String
    package let settings: RouteSettings
    package let isOn: Bool
    /// The configuration file says what it is: it is changed there.
    package let isFromFile: Bool
    package let addedAt: Int64

    init(_ row: Row) throws {
        name = row["name"]
        destination = row["destination"]
        settings = try Body.value(row["body"])
        isOn = row["isOn"]
        isFromFile = row["isFromFile"]
        addedAt = row["addedAt"]
    }
}

extension RecordTransaction {
    /// Adds a rule, or changes what it says. Throws `.notFound` for an unknown destination.
    package func putRoute(_ name: String, to destination: String, _ settings: RouteSettings, isOn: Bool = true) throws {
        guard (1...64).contains(name.count), !name.contains(where: \.isNewline) else {
            throw RecordsError.invalid(field: "name", reason: "1 to 64 characters")
        }
        guard let destination = try self.destination(destination) else { throw RecordsError.notFound }
        try run(
            """
            INSERT INTO route (name, destination, body, isOn, addedAt) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET destination = excluded.destination, body = excluded.body,
                isOn = excluded.isOn
            """, [name, destination.name, Body.text(settings), isOn, now])
    }

    package func removeRoute(_ name: String) throws {
        try run("DELETE FROM route WHERE name = ?", [name])
        guard db.changesCount > 0 else { throw RecordsError.notFound }
    }

    /// Rules in the order in which they were added.
    package func routes() throws -> [RouteRecord] {
        try rows("SELECT * FROM route ORDER BY addedAt, name").map(RouteRecord.init)
    }
}
