// The operations and notifications of DIMSE.

/// Command Field (0000,0100) of PS3.7 Annex E.1.
package enum CommandField: UInt16, Sendable, CaseIterable {
    case cStoreRequest = 0x0001
    case cGetRequest = 0x0010
    case cFindRequest = 0x0020
    case cMoveRequest = 0x0021
    case cEchoRequest = 0x0030
    case nEventReportRequest = 0x0100
    case nGetRequest = 0x0110
    case nSetRequest = 0x0120
    case nActionRequest = 0x0130
    case nCreateRequest = 0x0140
    case nDeleteRequest = 0x0150
    case cCancelRequest = 0x0FFF
    case cStoreResponse = 0x8001
    case cGetResponse = 0x8010
    case cFindResponse = 0x8020
    case cMoveResponse = 0x8021
    case cEchoResponse = 0x8030
    case nEventReportResponse = 0x8100
    case nGetResponse = 0x8110
    case nSetResponse = 0x8120
    case nActionResponse = 0x8130
    case nCreateResponse = 0x8140
    case nDeleteResponse = 0x8150

    package var isResponse: Bool { rawValue & 0x8000 != 0 }

    /// The response that answers this request; nil for responses and for C-CANCEL, which has none.
    package var response: CommandField? {
        self == .cCancelRequest ? nil : isResponse ? nil : CommandField(rawValue: rawValue | 0x8000)
    }
}
