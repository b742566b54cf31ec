// A DIMSE command set: group 0000 in implicit VR little endian, as typed fields.

/// The command part of a message (PS3.7 Section 6.3.1). Decoding forgives what does no harm and has limits.
package struct CommandSet: Sendable, Equatable {
    /// Values by element number, unpadded or padded as they came; (0000,0000) is made when encoding.
    private var values: [UInt16: [UInt8]] = [:]

    /// More bytes than this no command needs.
    package static let sizeLimit = 64 * 1024
    private static let elementLimit = 256

    /// An empty set of a kind.
    package init(_ field: CommandField) {
        self[short: .commandField] = field.rawValue
        hasDataSet = false
    }

    /// What makes bytes unusable as a command.
    package struct DecodingFailure: Error, Equatable, Sendable {
        package let reason: String
    }

    /// Reads a command set. Order, padding and group length are not insisted on; elements of other groups end it.
    package init(decoding bytes: [UInt8]) throws(DecodingFailure) {
        guard bytes.count <= Self.sizeLimit else { throw DecodingFailure(reason: "command set too large") }
        var at = 0
        var elements = 0
        while at < bytes.count {
            guard bytes.count - at >= 8 else { throw DecodingFailure(reason: "truncated command element") }
            let group = Self.short(bytes, at)
            let element = Self.short(bytes, at + 2)
            let length = Int(Self.short(bytes, at + 4)) | Int(Self.short(bytes, at + 6)) << 16
            at += 8
            guard group == 0 else { throw DecodingFailure(reason: "command set with an element outside group 0000") }
            guard length <= bytes.count - at else { throw DecodingFailure(reason: "command element runs past the end") }
            elements += 1
            guard elements <= Self.elementLimit else { throw DecodingFailure(reason: "too many command elements") }
            if element != 0, values[element] == nil { values[element] = Array(bytes[at..<at + length]) }
            at += length
        }
        guard self[short: .commandField] != nil else {
            throw DecodingFailure(reason: "command set without command field")
        }
        guard self[short: .dataSetType] != nil else {
            throw DecodingFailure(reason: "command set without data set type")
        }
    }

    /// The bytes to send: ascending elements, even lengths, group length first (PS3.7 Section 6.3.1).
    package func encoded() -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(128)
        for (element, value) in values.sorted(by: { $0.key < $1.key }) {
            Self.append(element: element, value: value, to: &body)
        }
        var all: [UInt8] = []
        all.reserveCapacity(body.count + 12)
        let length = UInt32(body.count)
        Self.append(element: 0, value: (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }, to: &all)
        all.append(contentsOf: body)
        return all
    }

    private static func append(element: UInt16, value: [UInt8], to bytes: inout [UInt8]) {
        let length = UInt32(value.count + value.count % 2)
        bytes.append(contentsOf: [0, 0, UInt8(element & 0xFF), UInt8(element >> 8)])
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: length >> UInt32(shift))) }
        bytes.append(contentsOf: value)
        // UIDs are padded with NUL, text with space; numbers are even already.
        if value.count % 2 == 1 { bytes.append(Element.uids.contains(element) ? 0 : 0x20) }
    }

    static func short(_ bytes: [UInt8], _ at: Int) -> UInt16 {
        UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8
    }

    /// An element of VR US; nil when absent, or not two bytes.
    package subscript(short element: Element) -> UInt16? {
        get {
            guard let value = values[element.rawValue], value.count >= 2 else { return nil }
            return Self.short(value, 0)
        }
        set { values[element.rawValue] = newValue.map { [UInt8($0 & 0xFF), UInt8($0 >> 8)] } }
    }

    /// An element of VR UI, AE or LO without its padding; nil when absent or empty.
    package subscript(text element: Element) -> String? {
        get {
            guard let value = values[element.rawValue] else { return nil }
            let start = value.drop { $0 == 0x20 }
            let bare = start.reversed().drop { $0 == 0 || $0 == 0x20 }.reversed()
            return bare.isEmpty ? nil : String(decoding: bare, as: UTF8.self)
        }
        set { values[element.rawValue] = newValue.map { Array($0.utf8) } }
    }

    /// The bytes of an element, as they are.
    package subscript(bytes element: Element) -> [UInt8]? {
        get { values[element.rawValue] }
        set { values[element.rawValue] = newValue }
    }
}

extension CommandSet {
    /// Elements of group 0000 (PS3.7 Annex E.1).
    package enum Element: UInt16, Sendable {
        case affectedSOPClassUID = 0x0002
        case requestedSOPClassUID = 0x0003
        case commandField = 0x0100
        case messageID = 0x0110
        case messageIDBeingRespondedTo = 0x0120
        case moveDestination = 0x0600
        case priority = 0x0700
        case dataSetType = 0x0800
        case status = 0x0900
        case offendingElement = 0x0901
        case errorComment = 0x0902
        case errorID = 0x0903
        case affectedSOPInstanceUID = 0x1000
        case requestedSOPInstanceUID = 0x1001
        case eventTypeID = 0x1002
        case attributeIdentifierList = 0x1005
        case actionTypeID = 0x1008
        case remainingSubOperations = 0x1020
        case completedSubOperations = 0x1021
        case failedSubOperations = 0x1022
        case warningSubOperations = 0x1023
        case moveOriginatorAETitle = 0x1030
        case moveOriginatorMessageID = 0x1031

        static let uids: Set<UInt16> = [0x0002, 0x0003, 0x1000, 0x1001]
    }
}
