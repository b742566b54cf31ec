// The status code of a DIMSE response, and the codes this archive gives and understands.

/// A DIMSE status (PS3.7 Annex C). Codes are hexadecimal in the standard and here.
package struct Status: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    init(_ rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// What kind of answer a code is (PS3.7 Section C.1 to C.5).
    package enum Category: Sendable {
        case success, pending, cancel, warning, failure
    }

    package var category: Category {
        switch rawValue {
        case 0x0000: .success
        case 0xFF00, 0xFF01: .pending
        case 0xFE00: .cancel
        case 0x0001, 0x0107, 0x0116, 0xB000...0xBFFF: .warning
        default: .failure
        }
    }

    package var isSuccess: Bool { category == .success }
    package var isPending: Bool { category == .pending }
    package var isWarning: Bool { category == .warning }
    package var isFailure: Bool { category == .failure }

    /// Four hexadecimal digits and the meaning, as the standard writes codes.
    package var description: String {
        let digits = String(rawValue, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits + "H " + meaning
    }
}

extension Status {
    // PS3.7 Annex C: for every service.
    package static let success = Status(0x0000)
    package static let cancel = Status(0xFE00)
    package static let pending = Status(0xFF00)
    package static let sopClassNotSupported = Status(0x0122)
    package static let classInstanceConflict = Status(0x0119)
    package static let duplicateSOPInstance = Status(0x0111)
    package static let duplicateInvocation = Status(0x0210)
    package static let invalidArgumentValue = Status(0x0115)
    package static let invalidAttributeValue = Status(0x0106)
    package static let invalidSOPInstance = Status(0x0117)
    package static let missingAttribute = Status(0x0120)
    package static let missingAttributeValue = Status(0x0121)
    package static let mistypedArgument = Status(0x0212)
    package static let noSuchActionType = Status(0x0123)
    package static let noSuchArgument = Status(0x0114)
    package static let noSuchAttribute = Status(0x0105)
    package static let noSuchEventType = Status(0x0113)
    package static let noSuchSOPClass = Status(0x0118)
    package static let noSuchSOPInstance = Status(0x0112)
    package static let processingFailure = Status(0x0110)
    package static let resourceLimitation = Status(0x0213)
    package static let unrecognizedOperation = Status(0x0211)
    package static let notAuthorized = Status(0x0124)
    package static let attributeListError = Status(0x0107)
    package static let attributeValueOutOfRange = Status(0x0116)

    // PS3.4 Table B.2-1: C-STORE. A700 to A7FF, A900 to A9FF and C000 to CFFF are ranges.
    package static let outOfResources = Status(0xA700)
    package static let dataSetDoesNotMatchSOPClass = Status(0xA900)
    package static let cannotUnderstand = Status(0xC000)
    package static let coercionOfDataElements = Status(0xB000)
    package static let elementsDiscarded = Status(0xB006)
    package static let dataSetDoesNotMatchSOPClassWarning = Status(0xB007)

    // PS3.4 Table C.4-1: C-FIND. Table C.4-2: C-MOVE. Table C.4-3: C-GET.
    package static let pendingWarning = Status(0xFF01)
    package static let identifierDoesNotMatch = Status(0xA900)
    package static let unableToProcess = Status(0xC000)
    package static let refusedMatches = Status(0xA701)
    package static let refusedSubOperations = Status(0xA702)
    package static let moveDestinationUnknown = Status(0xA801)
    package static let subOperationsFailed = Status(0xB000)

    /// The standard's words for a code, as far as they do not depend on the service.
    package var meaning: String {
        if let text = Self.meanings[rawValue] { return text }
        switch rawValue {
        case 0xA700...0xA7FF: return "out of resources"
        case 0xA900...0xA9FF: return "data set or identifier does not match SOP class"
        case 0xB000...0xBFFF: return "warning"
        case 0xC000...0xCFFF: return "cannot understand, or unable to process"
        default: return "status not in the standard"
        }
    }

    private static let meanings: [UInt16: String] = [
        0x0000: "success", 0xFE00: "cancelled", 0xFF00: "pending", 0xFF01: "pending, optional keys not supported",
        0x0105: "no such attribute", 0x0106: "invalid attribute value", 0x0107: "attribute list error",
        0x0110: "processing failure", 0x0111: "duplicate SOP instance", 0x0112: "no such SOP instance",
        0x0113: "no such event type", 0x0114: "no such argument", 0x0115: "invalid argument value",
        0x0116: "attribute value out of range", 0x0117: "invalid SOP instance", 0x0118: "no such SOP class",
        0x0119: "class-instance conflict", 0x0120: "missing attribute", 0x0121: "missing attribute value",
        0x0122: "SOP class not supported", 0x0123: "no such action type", 0x0124: "not authorized",
        0x0210: "duplicate invocation", 0x0211: "unrecognized operation", 0x0212: "mistyped argument",
        0x0213: "resource limitation", 0xA701: "out of resources: matches", 0xA702: "out of resources: sub-operations",
        0xA801: "move destination unknown", 0xB006: "elements discarded",
        0xB007: "data set does not match SOP class",
    ]
}
