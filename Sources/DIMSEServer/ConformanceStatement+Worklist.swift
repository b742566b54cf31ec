// The conformance statement's part about worklists and performed procedure steps.

import DICOMCore
import Encounters

extension ConformanceStatement {
    static var worklist: String {
        let keys = WorklistItem.returnKeys
        let rows = keys.map { row in
            "| \(row.sequence.map { ($0.keyword ?? "") + " > " } ?? "")\(row.tag.keyword ?? "") | `\(row.tag)` | "
                + "\(matching(row.tag, in: row.sequence)) |"
        }
        return """
            ## Modality worklist

            One answer for each open step: ordered, scheduled, arrived or in progress. Universal matching of the station \
            is what it says: a caller that asks for no station gets the steps of all, unless `hospital.worklistOwnStation` \
            is set. A step that names no station is for any of its modality, and is answered with the AE title that was \
            asked for, or the caller's.

            Keys without a mark below are returned and not matched; a value given for one is told of by FF01H. Keys that \
            are not listed are returned without a value. A sequence of zero length, or with an empty item, is answered \
            with all of its attributes; otherwise with those that its item names. Ranges of start date and start time \
            together are one span, from the first day's time to the last day's. Person names match as in queries. A value \
            that is no date or time where one is asked for is refused with A900H. Values are cut to the length of their \
            VR.

            | attribute | tag | matching |
            |---|---|---|
            \(rows.joined(separator: "\n"))
            """
    }

    private static func matching(_ tag: Tag, in sequence: Tag?) -> String {
        let isMatched =
            sequence == .scheduledProcedureStepSequence
            ? WorklistQuery.matchedInStep.contains(tag) : sequence == nil && WorklistQuery.matched.contains(tag)
        guard isMatched else { return "" }
        return switch DataDictionary.vr(of: tag) {
        case .PN: "person name, wildcard"
        case .UI: "single value, list of UID"
        case .DA, .TM: "single value, range"
        default:
            tag == .modality || tag == .scheduledStationAETitle
                ? "single value, wildcard, any of several values" : "single value, wildcard"
        }
    }

    static let commitment = """
        ## Storage commitment

        Push model. A request is kept before it is answered. Every instance is then read again and digested; one whose bytes \
        are what was received is committed to, others fail with 0112H (not here), 0119H (another SOP class) or 0110H \
        (cannot be read as it was). A caller that stays silent on its association for a second after that is told there. \
        Otherwise, and until it answers with success or a warning, the report goes to the peer's address on associations of \
        our own, with the role of SCP proposed; the time between attempts doubles from two seconds to a quarter of an hour, \
        and a restart begins anew; after 30 days no more is sent. The same Transaction UID asked again by the same caller is verified and reported again.

        As SCU: what was sent to a destination that is to be asked is named in one N-ACTION with a new Transaction UID, on an \
        association of its own. The report is waited for there for 30 seconds; later it is taken on an association of the \
        peer's, whatever roles that proposes, when it is of a transaction that this peer was asked for (0115H otherwise). A \
        report that comes again is answered with success. What a report calls failed is sent again.
        """

    static var performedSteps: String {
        let settled = PerformedStep.settled.sorted().compactMap(\.keyword).joined(separator: ", ")
        return """
            ## Modality performed procedure step

            N-CREATE needs the attributes of type 1 and the status IN PROGRESS; without a SOP Instance UID one is given. \
            What is of type 2 may be absent. N-SET changes every attribute but these, which keep their first value: \
            \(settled). After COMPLETED or DISCONTINUED nothing changes any more. Success is sent after the report is on \
            stable storage. The report is kept whole, character sets converted to UTF-8. It moves the procedure that it \
            names by Study Instance UID, Accession Number or Scheduled Procedure Step ID; one that names none, or one \
            whose state does not allow the step, is kept all the same. N-GET gives the attributes that it names, or all.
            """
    }
}
