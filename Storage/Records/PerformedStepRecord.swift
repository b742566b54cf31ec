// Performed procedure steps as modalities report them (PS3.4 Annex F.7).

import Foundation
import GRDB

/// One performed procedure step.
package struct PerformedStepRecord: Hashable, Sendable {
    package let sopInstanceUID: String
    package let studyInstanceUID: String
    /// IN PROGRESS, COMPLETED or DISCONTINUED (0040,0252).
    package let status: String
    package let peer: String
    /// All attributes so far, Explicit VR Little Endian.
    package let dataSet: [UInt8]
    package let createdAt: Int64
    package let updatedAt: Int64

    init(_ row: Row) {
        sopInstanceUID = row["sopInstanceUID"]
        studyInstanceUID = row["studyInstanceUID"]
        status = row["status"]
        peer = row["peer"]
        dataSet = [UInt8](row["dataSet"] as Data)
        createdAt = row["createdAt"]
        updatedAt = row["updatedAt"]
    }
}

extension RecordTransaction {
    package func addPerformedStep(
        sopInstanceUID: String, studyInstanceUID: String, status: String, peer: String, dataSet: [UInt8]
    ) throws {
        try run(
            """
            INSERT INTO performedStep (sopInstanceUID, studyInstanceUID, status, peer, dataSet, createdAt, updatedAt)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, [sopInstanceUID, studyInstanceUID, status, peer, Data(dataSet), now, now])
    }

    /// Says that a step is, also, the work of these procedures.
    package func addProcedures(_ ids: [Int64], toPerformedStep uid: String) throws {
        for id in ids {
            try run(
                "INSERT INTO performedStepProcedure (procedure, performedStep) VALUES (?, ?) ON CONFLICT DO NOTHING",
                [id, uid])
        }
    }

    package func setPerformedStep(_ sopInstanceUID: String, status: String, dataSet: [UInt8]) throws {
        try run(
            "UPDATE performedStep SET status = ?, dataSet = ?, updatedAt = ? WHERE sopInstanceUID = ?",
            [status, Data(dataSet), now, sopInstanceUID])
        // A study that still settles may be whole with this.
        try run(
            """
            UPDATE settling SET dueAt = min(dueAt, ?1) WHERE studyInstanceUID IN (
                SELECT studyInstanceUID FROM performedStep WHERE sopInstanceUID = ?2
                UNION SELECT studyLink.studyInstanceUID FROM performedStepProcedure
                    JOIN studyLink ON studyLink.procedure = performedStepProcedure.procedure AND undoneAt IS NULL
                    WHERE performedStepProcedure.performedStep = ?2)
            """, [now, sopInstanceUID])
    }

    package func performedStep(_ sopInstanceUID: String) throws -> PerformedStepRecord? {
        try row("SELECT * FROM performedStep WHERE sopInstanceUID = ?", [sopInstanceUID]).map(PerformedStepRecord.init)
    }

    package func performedSteps(procedure: Int64) throws -> [PerformedStepRecord] {
        let select = """
            SELECT performedStep.* FROM performedStepProcedure
                JOIN performedStep ON sopInstanceUID = performedStepProcedure.performedStep
            WHERE procedure = ? ORDER BY createdAt
            """
        return try rows(select, [procedure]).map(PerformedStepRecord.init)
    }

    /// Of a study: those that name it, and those of the procedure that it is linked to.
    package func performedSteps(ofStudy uid: String) throws -> [PerformedStepRecord] {
        let select = """
            SELECT * FROM performedStep WHERE sopInstanceUID IN (
                SELECT sopInstanceUID FROM performedStep WHERE studyInstanceUID = ?1
                UNION SELECT performedStepProcedure.performedStep FROM studyLink
                    JOIN performedStepProcedure ON performedStepProcedure.procedure = studyLink.procedure
                    WHERE studyLink.studyInstanceUID = ?1 AND undoneAt IS NULL)
            ORDER BY createdAt
            """
        return try rows(select, [uid]).map(PerformedStepRecord.init)
    }
}
