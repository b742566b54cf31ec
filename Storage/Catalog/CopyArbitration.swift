// What happens when a SOP Instance UID comes a second time: nothing is destroyed, and the order does not matter.

import DICOMCore
import Foundation
import GRDB
import Volumes

extension EnrollmentBatch {
    /// The primary among several copies is the one a person chose, else the earliest. The others are secondary: they
    /// count nowhere and are listed as a conflict.
    mutating func arbitrate(_ arrival: Enrollment) throws -> EnrollmentOutcome {
        let uid = arrival.facts.sopInstanceUID
        guard let primary = try Enrollment.instance(db, uid: uid) else { throw CatalogError.corrupt }
        let others = try Enrollment.secondaries(db, uid: uid)
        if ([primary.3] + others.map(\.1)).contains(where: { $0.place == arrival.place }) { return .known }

        if primary.3.digest == arrival.digest {
            guard arrival.precedence < primary.3.precedence else { return .duplicate(surplus: arrival.place) }
            try move(primary.id, to: arrival)
            return .duplicate(surplus: primary.3.place)
        }
        if let same = others.first(where: { $0.1.digest == arrival.digest }) {
            guard arrival.precedence < same.1.precedence else { return .duplicate(surplus: arrival.place) }
            try db.run("DELETE FROM secondary WHERE id = ?", [same.id.sql])
            try rank(arrival, against: primary)
            return .duplicate(surplus: same.1.place)
        }
        try rank(arrival, against: primary)
        note(.conflict, arrival.facts)
        return .conflict
    }

    private mutating func rank(
        _ arrival: Enrollment, against primary: (id: Int64, series: Int64, chosen: Bool, enrollment: Enrollment)
    ) throws {
        if primary.chosen || primary.enrollment.precedence < arrival.precedence {
            try addSecondary(arrival)
        } else {
            try db.run("DELETE FROM instance WHERE id = ?", [primary.id.sql])
            try Upkeep.refresh(db, series: [primary.series])
            try addSecondary(primary.enrollment)
            try insert(arrival)
        }
    }

    /// Puts another copy in the place of the primary, by a person's decision.
    mutating func choose(
        _ copy: (id: Int64, enrollment: Enrollment),
        over primary: (id: Int64, series: Int64, chosen: Bool, enrollment: Enrollment)
    ) throws {
        try forgetRows()
        try db.run("DELETE FROM secondary WHERE id = ?", [copy.id.sql])
        try db.run("DELETE FROM instance WHERE id = ?", [primary.id.sql])
        try Upkeep.refresh(db, series: [primary.series])
        try addSecondary(primary.enrollment)
        try insert(copy.enrollment, chosen: true)
        try forgetRows()
    }

    /// Makes the earliest secondary copy of a UID without primary the primary.
    mutating func promote(uid: String) throws {
        guard let heir = try Enrollment.secondaries(db, uid: uid).first else { return }
        try forgetRows()
        try db.run("DELETE FROM secondary WHERE id = ?", [heir.id.sql])
        try insert(heir.1)
        try forgetRows()
        note(.stored, heir.1.facts)
    }

    private func addSecondary(_ enrollment: Enrollment) throws {
        let facts = enrollment.facts
        var arguments: [DatabaseValue] = [
            facts.sopInstanceUID.sql, facts.studyInstanceUID.sql, facts.seriesInstanceUID.sql,
        ]
        arguments += enrollment.place.sql
        arguments += [
            enrollment.dataSetOffset.sql, Data(enrollment.digest).sql, enrollment.receivedAt.sql,
            enrollment.source.sql, facts.flaws.rawValue.sql, facts.encoded(levels: .patient ... .image).sql,
        ]
        try db.run(
            """
            INSERT INTO secondary (uid, studyUID, seriesUID, volume, entryOffset, bodyOffset, length, dataSetOffset,
                digest, receivedAt, source, flaws, facts)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, arguments)
    }
}
