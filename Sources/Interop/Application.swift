// What each message does: one table of triggers.

import Encounters
import HL7
import Records

/// One message, applied to the desks of one transaction.
struct Application {
    let message: Message
    let desk: Desk

    /// ADT triggers about a visit (HL7 v2.5.1 Section 3.3).
    static let visits: [String: EncounterEvent] = [
        "A01": .admit, "A02": .transfer, "A03": .discharge, "A04": .register, "A05": .preadmit, "A06": .toInpatient,
        "A07": .toOutpatient, "A08": .update, "A11": .cancelAdmit, "A12": .cancelTransfer, "A13": .cancelDischarge,
    ]
    /// ADT triggers about the person alone.
    static let people: Set<String> = ["A28", "A31"]
    /// Order messages.
    static let orders: Set<String> = ["ORM^O01", "OMI^O23", "OMG^O19"]

    /// - Returns: What is worth a look although the message was applied.
    /// - Throws: `MessageFault`.
    func run() throws -> [Acknowledgement.Issue] {
        guard !message.controlID.isEmpty else {
            throw MessageFault(.requiredFieldMissing, at: Location("MSH", 10), "a control ID is required", .reject)
        }
        guard message.code == "ADT" else {
            guard Self.orders.contains("\(message.code)^\(message.trigger)") else {
                throw MessageFault(
                    .unsupportedMessageType, at: Location("MSH", 9), "messages of this type are not taken here", .reject
                )
            }
            return try OrderMessage(message: message, desk: desk).apply()
        }
        let admission = AdmissionMessage(message: message, desk: desk)
        if let event = Self.visits[message.trigger] { return try admission.apply(event) }
        switch message.trigger {
        case "A28", "A31": return try admission.person()
        case "A40": return try admission.merge()
        case "A45": return try admission.moveVisit()
        case "A47": return try admission.changeIdentifier()
        default:
            throw MessageFault(
                .unsupportedEventCode, at: Location("MSH", 9, 2), "this trigger event is not taken here", .reject)
        }
    }
}

extension Application {
    /// Runs what the records may refuse; a refusal is told at a place in the message.
    static func at<Value>(_ location: Location?, _ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let fault as MessageFault {
            throw fault
        } catch let failure as EncounterFailure {
            throw MessageFault(failure, at: location)
        } catch let failure as RecordsError {
            throw MessageFault(.records(failure), at: location)
        } catch let failure as HL7Failure {
            throw MessageFault(failure.code, at: failure.location, failure.description)
        }
    }
}
