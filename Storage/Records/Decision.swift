// Decisions: which of several contents of one SOP Instance UID a person chose to show.

import Foundation
import GRDB

/// A person's choice. No volume knows it, so a rebuilt catalogue asks for it here.
package struct Decision: Hashable, Sendable {
    package let sopInstanceUID: String
    /// SHA-256 of the chosen copy.
    package let digest: [UInt8]

    package init(sopInstanceUID: String, digest: [UInt8]) {
        self.sopInstanceUID = sopInstanceUID
        self.digest = digest
    }
}

extension RecordStore {
    /// Notes a choice; a later one for the same UID takes its place.
    package func noteDecision(_ decision: Decision) throws(RecordsError) {
        let at = now()
        try write { db in
            try db.execute(
                sql: """
                    INSERT INTO decision (sopInstanceUID, digest, at) VALUES (?, ?, ?)
                    ON CONFLICT (sopInstanceUID) DO UPDATE SET digest = excluded.digest, at = excluded.at
                    """, arguments: [decision.sopInstanceUID, Data(decision.digest), at])
        }
    }

    /// Every choice, in the order in which they were made.
    package func decisions() throws(RecordsError) -> [Decision] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT sopInstanceUID, digest FROM decision ORDER BY at, sopInstanceUID").map {
                Decision(sopInstanceUID: $0[0], digest: [UInt8]($0[1] as Data))
            }
        }
    }
}
