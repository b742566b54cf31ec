// The orders of one message: ORC, OBR and what follows them (HL7 v2.5.1 Section 4.4).

import HL7

/// One order of a message.
struct OrderGroup: Sendable {
    /// A segment, and which of its name it is in the message.
    struct Numbered: Sendable {
        let segment: Segment
        let number: Int
    }

    /// The most orders that one message may hold: while they are entered nobody else writes.
    static let most = 100

    var common: Numbered?
    var request: Numbered?
    var timing: Segment?
    var notes: [Segment] = []
    var imaging: Numbered?
    /// ZDS, by which IHE's scheduled workflow gives the Study Instance UID (RAD TF-2 4.4).
    var study: Segment?
    var observations: [Numbered] = []
    /// Whether other OBR stand under the same ORC: then each is named by its own OBR-2.
    var isOneOfSeveral = false
    /// Whether its OBR is not the first of its ORC.
    var isFurther = false
    /// A TQ1 before the first OBR: it is for all of the ORC.
    private var commonTiming: Segment?

    private init(common: Numbered? = nil) { self.common = common }

    /// All orders of a message, in its order.
    /// - Throws: `MessageFault` for none, too many, and for what one order cannot hold.
    static func read(_ message: Message) throws -> [OrderGroup] {
        var groups: [OrderGroup] = []
        var numbers: [String: Int] = [:]
        // Before the first order there may be a ZDS of the only one.
        var early: Segment?
        for segment in message.segments {
            numbers[segment.name, default: 0] += 1
            let numbered = Numbered(segment: segment, number: numbers[segment.name, default: 1])
            switch segment.name {
            case "ORC": groups.append(OrderGroup(common: numbered))
            case "OBR": take(request: numbered, into: &groups)
            case "ZDS" where groups.isEmpty: early = segment
            case _ where groups.isEmpty: break
            default: try groups[groups.count - 1].take(numbered)
            }
        }
        guard !groups.isEmpty else {
            throw MessageFault(.segmentSequence, at: Location("ORC"), "an ORC segment is required")
        }
        guard groups.count <= most else {
            throw MessageFault(
                .internalError, at: groups[most].place(nil),
                "the message holds \(groups.count) orders, more than the \(most) that are taken in one")
        }
        if groups.count == 1, groups[0].study == nil { groups[0].study = early }
        return groups
    }

    /// Some systems send OBR alone, or several after one ORC.
    private static func take(request: Numbered, into groups: inout [OrderGroup]) {
        if let last = groups.last, last.request != nil {
            groups[groups.count - 1].isOneOfSeveral = true
            var group = OrderGroup(common: last.common)
            (group.isOneOfSeveral, group.isFurther) = (true, true)
            (group.timing, group.commonTiming) = (last.commonTiming, last.commonTiming)
            groups.append(group)
        } else if groups.isEmpty {
            groups.append(OrderGroup())
        }
        groups[groups.count - 1].request = request
    }

    private mutating func take(_ numbered: Numbered) throws {
        let segment = numbered.segment
        switch segment.name {
        case "TQ1":
            timing = segment
            if request == nil { commonTiming = segment }
        case "NTE": notes.append(segment)
        case "ZDS": study = segment
        case "OBX": observations.append(numbered)
        case "IPC":
            guard imaging == nil || imaging?.segment == segment else {
                throw MessageFault(
                    .segmentSequence, at: Location("IPC", occurrence: numbered.number),
                    "a second step under one OBR is not taken; each step needs an order of its own")
            }
            imaging = imaging ?? numbered
        default: break
        }
    }

    /// The place of a field of ORC, or of OBR where there is no ORC or it is of several.
    func place(_ field: Int?) -> Location {
        if let common, !isOneOfSeveral { return Location("ORC", occurrence: common.number, field) }
        return Location("OBR", occurrence: request?.number ?? 1, field)
    }
}
