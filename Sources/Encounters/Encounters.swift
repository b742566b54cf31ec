// The door of this room: transactions over the hospital's records, with failures that say what was wrong.

package import Records

/// Patients, visits, orders and links of one archive. Calls block: make them on plain threads.
package struct Encounters: Sendable {
    package let records: RecordStore
    package let settings: OrderSettings

    package init(records: RecordStore, settings: OrderSettings) {
        self.records = records
        self.settings = settings
    }

    /// Everything that `body` does, or nothing.
    package func change<Value>(
        by actor: String, _ body: (Desk) throws -> Value
    ) throws(EncounterFailure) -> Value {
        do {
            return try records.transaction { records in
                try body(Desk(records: records, settings: settings, actor: actor))
            }
        } catch {
            throw EncounterFailure(error)
        }
    }

    /// One unchanging view of the records.
    package func look<Value>(_ body: (RecordTransaction) throws -> Value) throws(EncounterFailure) -> Value {
        do { return try records.view(body) } catch { throw EncounterFailure(error) }
    }
}

/// The desks of one transaction.
package struct Desk {
    package let records: RecordTransaction
    package let settings: OrderSettings
    package let actor: String

    package var patients: PatientIndex { PatientIndex(records, actor: actor) }
    package var facilities: FacilityDesk { FacilityDesk(records) }
    package var encounters: EncounterDesk { EncounterDesk(records, actor: actor) }
    package var orders: OrderDesk { OrderDesk(records, settings: settings, actor: actor) }
    package var performedSteps: PerformedStepDesk { PerformedStepDesk(records, orders: orders) }
    package var corrections: CorrectionDesk { CorrectionDesk(records, actor: actor) }
    package var links: LinkDesk { LinkDesk(records, settings: settings, actor: actor) }
}
