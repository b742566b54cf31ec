// What a service class user asks for: C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET.

/// What came of a C-STORE request of ours.
package struct StoreOutcome: Sendable, Equatable {
    package let status: Status
    package let errorComment: String?
    /// Whether the peer cancelled the operation that this was a sub-operation of.
    package let cancelled: Bool

    package init(status: Status, errorComment: String? = nil, cancelled: Bool = false) {
        self.status = status
        self.errorComment = errorComment
        self.cancelled = cancelled
    }
}

/// An instance to be sent: what names it, and where its encoded data set comes from.
package struct StoreRequest: Sendable {
    package var sopClassUID: String
    package var sopInstanceUID: String
    package var priority: CommandSet.Priority
    /// Who asked for it, when it is a sub-operation of C-MOVE (PS3.7 Section 9.1.1.1.7).
    package var moveOriginator: (aeTitle: String, messageID: UInt16)?
    /// The operation on this association that it is a sub-operation of, for C-GET.
    package var cancelling: UInt16?

    package init(
        sopClassUID: String, sopInstanceUID: String, priority: CommandSet.Priority = .medium,
        moveOriginator: (aeTitle: String, messageID: UInt16)? = nil, cancelling: UInt16? = nil
    ) {
        self.sopClassUID = sopClassUID
        self.sopInstanceUID = sopInstanceUID
        self.priority = priority
        self.moveOriginator = moveOriginator
        self.cancelling = cancelling
    }
}

extension Association {
    /// The accepted contexts of an abstract syntax, in the order of their ids.
    package func contexts(for abstractSyntax: String) -> [NegotiatedContext] {
        contexts.values.filter { $0.abstractSyntax == abstractSyntax }.sorted { $0.id < $1.id }
    }

    /// C-ECHO (PS3.7 Section 9.1.5).
    package func echo() throws(NetworkError) -> Status {
        guard let context = contexts(for: "1.2.840.10008.1.1").first else {
            throw .refused("the peer does not accept verification")
        }
        let id = nextMessageID()
        try send(.echoRequest(messageID: id), on: context.id)
        var cancelled = false
        return try response(to: id, cancelled: &cancelled).command.status
    }

    /// C-STORE of a data set of `length` bytes in the transfer syntax of the context (PS3.7 Section 9.1.1). `read`
    /// gives it piece by piece, at most as many bytes as asked for.
    package func store(
        _ instance: StoreRequest, on contextID: UInt8, dataSetLength length: Int, read: (Int) throws -> [UInt8]
    ) throws -> StoreOutcome {
        let id = nextMessageID()
        try send(storeCommand(instance, id), on: contextID, dataSetLength: length, read: read)
        return try storeOutcome(id, instance)
    }

    /// C-STORE of a data set in memory.
    package func store(
        _ instance: StoreRequest, on contextID: UInt8, dataSet: [UInt8]
    ) throws(NetworkError) -> StoreOutcome {
        let id = nextMessageID()
        try send(storeCommand(instance, id), on: contextID, dataSet: dataSet)
        return try storeOutcome(id, instance)
    }

    private func storeCommand(_ instance: StoreRequest, _ id: UInt16) -> CommandSet {
        .storeRequest(
            messageID: id, sopClassUID: instance.sopClassUID, sopInstanceUID: instance.sopInstanceUID,
            priority: instance.priority, moveOriginator: instance.moveOriginator)
    }

    private func storeOutcome(_ id: UInt16, _ instance: StoreRequest) throws(NetworkError) -> StoreOutcome {
        var cancelled = false
        let command = try response(to: id, cancelling: instance.cancelling, cancelled: &cancelled).command
        return StoreOutcome(status: command.status, errorComment: command.errorComment, cancelled: cancelled)
    }

    /// Matches that are read away after a C-CANCEL, at most: one that goes on for longer has not heard it.
    package static let mostMatchesAfterCancel = 10_000

    /// C-FIND (PS3.7 Section 9.1.2): hands each match to `body`, which returns false to cancel. Returns the final
    /// status. A peer that does not stop is left: the association is aborted, and the status is that of a cancelled query.
    package func find(
        on contextID: UInt8, identifier: [UInt8], limit: Int = 1 << 20, body: ([UInt8]) throws -> Bool
    ) throws -> Status {
        let id = try request(.cFindRequest, on: contextID, identifier: identifier)
        var matchesAfterCancel: Int?
        while true {
            var cancelled = false
            let message = try response(to: id, cancelled: &cancelled)
            let status = message.command.status
            guard status.isPending else { return status }
            if let late = matchesAfterCancel {
                guard late < Self.mostMatchesAfterCancel else {
                    abort()
                    return .cancel
                }
                matchesAfterCancel = late + 1
                try discardDataSet()
                continue
            }
            let match = try readDataSet(limit: limit)
            if try !body(match) {
                matchesAfterCancel = 0
                try send(.cancelRequest(messageIDBeingRespondedTo: id), on: contextID)
            }
        }
    }

    /// C-MOVE (PS3.7 Section 9.1.4): hands each response, the last one included, to `progress`. Returns the last.
    package func move(
        on contextID: UInt8, to destination: String, identifier: [UInt8], progress: (CommandSet) -> Void = { _ in }
    ) throws(NetworkError) -> CommandSet {
        let id = try request(.cMoveRequest, on: contextID, identifier: identifier, destination: destination)
        while true {
            var cancelled = false
            let message = try response(to: id, cancelled: &cancelled)
            progress(message.command)
            try discardDataSet()
            if !message.command.status.isPending { return message.command }
        }
    }

    /// C-GET (PS3.7 Section 9.1.3): hands each incoming C-STORE request to `receive`, which reads the data set from
    /// this association and says with what status to answer. Returns the final response.
    package func get(
        on contextID: UInt8, identifier: [UInt8], receive: (Message) throws -> Status
    ) throws -> CommandSet {
        let id = try request(.cGetRequest, on: contextID, identifier: identifier)
        while true {
            let message = try nextIncoming()
            switch message.command.field {
            case .cStoreRequest:
                let status = try receive(message)
                try discardDataSet()
                try send(CommandSet(answering: message.command, status: status), on: message.contextID)
            case .cGetResponse where message.command.messageIDBeingRespondedTo == id:
                if !message.command.status.isPending { return message.command }
            default:
                abort()
                throw NetworkError.malformed("unexpected message during C-GET")
            }
        }
    }

    private func request(
        _ field: CommandField, on contextID: UInt8, identifier: [UInt8], destination: String? = nil
    ) throws(NetworkError) -> UInt16 {
        guard let context = contexts[contextID] else { throw .refused("presentation context is not accepted") }
        var command = CommandSet(field)
        command.messageID = nextMessageID()
        command.affectedSOPClassUID = context.abstractSyntax
        command.priority = .medium
        command.moveDestination = destination
        try send(command, on: contextID, dataSet: identifier)
        return command.messageID
    }
}
