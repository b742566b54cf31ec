// The fields of a command set by name, and responses made from requests.

extension CommandSet {
    /// Nil when the number is no operation of the standard; `rawField` has it then.
    package var field: CommandField? { CommandField(rawValue: rawField) }
    package var rawField: UInt16 { self[short: .commandField] ?? 0 }

    package var messageID: UInt16 {
        get { self[short: .messageID] ?? 0 }
        set { self[short: .messageID] = newValue }
    }

    package var messageIDBeingRespondedTo: UInt16 {
        get { self[short: .messageIDBeingRespondedTo] ?? 0 }
        set { self[short: .messageIDBeingRespondedTo] = newValue }
    }

    package var affectedSOPClassUID: String? {
        get { self[text: .affectedSOPClassUID] }
        set { self[text: .affectedSOPClassUID] = newValue }
    }

    package var affectedSOPInstanceUID: String? {
        get { self[text: .affectedSOPInstanceUID] }
        set { self[text: .affectedSOPInstanceUID] = newValue }
    }

    package var requestedSOPClassUID: String? {
        get { self[text: .requestedSOPClassUID] }
        set { self[text: .requestedSOPClassUID] = newValue }
    }

    package var requestedSOPInstanceUID: String? {
        get { self[text: .requestedSOPInstanceUID] }
        set { self[text: .requestedSOPInstanceUID] = newValue }
    }

    /// Message priority (PS3.7 Section 9.1.1.1.6).
    package enum Priority: UInt16, Sendable {
        case medium = 0, high = 1, low = 2
    }

    package var priority: Priority {
        get { self[short: .priority].flatMap(Priority.init) ?? .medium }
        set { self[short: .priority] = newValue.rawValue }
    }

    package var moveDestination: String? {
        get { self[text: .moveDestination] }
        set { self[text: .moveDestination] = newValue }
    }

    package var moveOriginatorAETitle: String? {
        get { self[text: .moveOriginatorAETitle] }
        set { self[text: .moveOriginatorAETitle] = newValue }
    }

    package var moveOriginatorMessageID: UInt16? {
        get { self[short: .moveOriginatorMessageID] }
        set { self[short: .moveOriginatorMessageID] = newValue }
    }

    package var eventTypeID: UInt16? {
        get { self[short: .eventTypeID] }
        set { self[short: .eventTypeID] = newValue }
    }

    package var actionTypeID: UInt16? {
        get { self[short: .actionTypeID] }
        set { self[short: .actionTypeID] = newValue }
    }

    /// The response's status; a response without one counts as a processing failure.
    package var status: Status {
        get { self[short: .status].map { Status($0) } ?? .processingFailure }
        set { self[short: .status] = newValue.rawValue }
    }

    /// Error Comment (0000,0902), VR LO: cut to 64 characters of plain ASCII, because a command has no character set.
    package var errorComment: String? {
        get { self[text: .errorComment] }
        set {
            self[text: .errorComment] = newValue.map { text in
                String(
                    decoding: text.utf8.filter { (0x20..<0x7F).contains($0) && $0 != 0x5C }.prefix(64), as: UTF8.self)
            }
        }
    }

    /// Error ID (0000,0903), where a service defines them (PS3.7 Annex C).
    package var errorID: UInt16? {
        get { self[short: .errorID] }
        set { self[short: .errorID] = newValue }
    }

    /// Attribute Identifier List (0000,1005): group in the upper, element in the lower sixteen bits of each
    /// (PS3.7 Section 10.1.2.1.5). Empty when absent.
    package var attributeIdentifiers: [UInt32] {
        get {
            let bytes = self[bytes: .attributeIdentifierList] ?? []
            return stride(from: 0, to: bytes.count - bytes.count % 4, by: 4).map { at in
                let (group, element) = (Self.short(bytes, at), Self.short(bytes, at + 2))
                return UInt32(group) << 16 | UInt32(element)
            }
        }
        set {
            let bytes = newValue.flatMap { tag in
                [16, 24, 0, 8].map { UInt8(truncatingIfNeeded: tag >> UInt32($0)) }
            }
            self[bytes: .attributeIdentifierList] = newValue.isEmpty ? nil : bytes
        }
    }

    package var remainingSubOperations: UInt16? {
        get { self[short: .remainingSubOperations] }
        set { self[short: .remainingSubOperations] = newValue }
    }

    package var completedSubOperations: UInt16? {
        get { self[short: .completedSubOperations] }
        set { self[short: .completedSubOperations] = newValue }
    }

    package var failedSubOperations: UInt16? {
        get { self[short: .failedSubOperations] }
        set { self[short: .failedSubOperations] = newValue }
    }

    package var warningSubOperations: UInt16? {
        get { self[short: .warningSubOperations] }
        set { self[short: .warningSubOperations] = newValue }
    }

    /// Command Data Set Type (0000,0800): 0101H means none, anything else means one follows (PS3.7 Annex E.1).
    package var hasDataSet: Bool {
        get { (self[short: .dataSetType] ?? 0x0101) != 0x0101 }
        set { self[short: .dataSetType] = newValue ? 0x0000 : 0x0101 }
    }

    /// The response to a request: message id, SOP class and instance taken over (PS3.7 Section 9.3 and 10.3).
    package init(answering request: CommandSet, status: Status, comment: String? = nil) {
        self.init(.cEchoResponse)
        self[short: .commandField] = request.rawField | 0x8000
        messageIDBeingRespondedTo = request.messageID
        affectedSOPClassUID = request.affectedSOPClassUID ?? request.requestedSOPClassUID
        affectedSOPInstanceUID = request.affectedSOPInstanceUID ?? request.requestedSOPInstanceUID
        self[short: .eventTypeID] = request.eventTypeID
        self[short: .actionTypeID] = request.actionTypeID
        self.status = status
        if let comment { errorComment = comment }
    }

    /// C-ECHO-RQ (PS3.7 Section 9.3.5.1).
    package static func echoRequest(messageID: UInt16) -> CommandSet {
        var command = CommandSet(.cEchoRequest)
        command.messageID = messageID
        command.affectedSOPClassUID = "1.2.840.10008.1.1"
        return command
    }

    /// C-STORE-RQ (PS3.7 Section 9.3.1.1).
    package static func storeRequest(
        messageID: UInt16, sopClassUID: String, sopInstanceUID: String, priority: Priority = .medium,
        moveOriginator: (aeTitle: String, messageID: UInt16)? = nil
    ) -> CommandSet {
        var command = CommandSet(.cStoreRequest)
        command.messageID = messageID
        command.affectedSOPClassUID = sopClassUID
        command.affectedSOPInstanceUID = sopInstanceUID
        command.priority = priority
        if let moveOriginator {
            command.moveOriginatorAETitle = moveOriginator.aeTitle
            command.moveOriginatorMessageID = moveOriginator.messageID
        }
        return command
    }

    /// C-CANCEL-RQ (PS3.7 Section 9.3.2.3).
    package static func cancelRequest(messageIDBeingRespondedTo: UInt16) -> CommandSet {
        var command = CommandSet(.cCancelRequest)
        command.messageIDBeingRespondedTo = messageIDBeingRespondedTo
        return command
    }
}
