// An open association: the next message, its data set as it arrives, and sending.
internal import DICOMToolkit

/// A command, and where it came from. A data set, when there is one, is read from the association.
package struct Message: Sendable {
    package let context: NegotiatedContext
    package let command: CommandSet

    package var contextID: UInt8 { context.id }
    package var hasDataSet: Bool { command.hasDataSet }
}

/// An established association. It belongs to one thread, on which every call may block; other threads have `control`.
package final class Association {
    /// What was asked for, ours or the peer's.
    package let request: AssociationRequest
    /// The contexts agreed on, by id.
    package let contexts: [UInt8: NegotiatedContext]
    /// SOP class extended negotiation as the acceptor answered it.
    package let acceptedExtendedNegotiation: [ExtendedNegotiation]
    /// The door for other threads.
    package let control: AssociationControl
    /// How the association ended badly; nil while it has not.
    package private(set) var failure: NetworkError?
    /// Whether it was released in order.
    package private(set) var isReleased = false

    let layer: UpperLayer
    let timeouts: AssociationTimeouts
    /// The context of a data set announced and not yet read.
    private var announced: UInt8?
    /// What was read while looking for something else.
    private var held: Held?
    private var lastMessageID: UInt16 = 0

    private enum Held {
        case message(Message)
        case releaseRequest
    }

    init(
        layer: UpperLayer, request: AssociationRequest, contexts: [NegotiatedContext],
        acceptedExtendedNegotiation: [ExtendedNegotiation], timeouts: AssociationTimeouts, control: AssociationControl
    ) {
        self.layer = layer
        self.request = request
        self.contexts = Dictionary(contexts.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.acceptedExtendedNegotiation = acceptedExtendedNegotiation
        self.timeouts = timeouts
        self.control = control
    }

    /// Lets other associations have the processor first from now on, for good. On the association's own thread.
    package func giveWay() { BlockingThread.giveWay() }

    /// A message id not used by the last 65,534 requests.
    package func nextMessageID() -> UInt16 {
        lastMessageID = lastMessageID == .max ? 1 : lastMessageID + 1
        return lastMessageID
    }

    /// The next request; nil when the peer released, which is answered. A data set left unread is read away first, and
    /// a C-CANCEL that came too late is dropped (PS3.7 Section 9.3.2.3: it has no response).
    package func nextMessage() throws(NetworkError) -> Message? {
        try discardDataSet()
        while true {
            if let held = take() {
                switch held {
                case .releaseRequest: return try acknowledgeRelease()
                case .message(let message): return announce(message)
                }
            }
            guard control.becomeIdle() else { throw fail(.stopped) }
            let incoming = try readMessage(wait: timeouts.idle)
            let goesOn = control.becomeBusy()
            switch incoming {
            case .releaseRequest: return try acknowledgeRelease()
            case .message where !goesOn: throw fail(.stopped)
            case .message(let message) where message.command.field == .cCancelRequest: continue
            case .message(let message): return announce(message)
            }
        }
    }

    /// Hands the data set of the current message to `sink`, fragment by fragment as it arrives. When `sink` throws, the
    /// rest is read away, so that the association stays usable, and its error is thrown.
    package func readDataSet(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        var refusal: (any Error)?
        try unsafe forEachFragment { bytes in
            guard refusal == nil else { return }
            do { try unsafe sink(bytes) } catch { refusal = error }
        }
        if let refusal { throw refusal }
    }

    /// The data set of the current message, empty when there is none. Larger than `limit` it is read away and refused.
    package func readDataSet(limit: Int) throws(NetworkError) -> [UInt8] {
        var whole: [UInt8] = []
        var size = 0
        try unsafe forEachFragment { bytes in
            size += bytes.count
            if size <= limit { unsafe whole.append(contentsOf: bytes) }
        }
        guard size <= limit else { throw .refused("data set of more than \(limit) bytes") }
        return whole
    }

    /// Reads the data set of the current message away.
    package func discardDataSet() throws(NetworkError) {
        try unsafe forEachFragment { _ in }
    }

    private func forEachFragment(_ body: (UnsafeRawBufferPointer) -> Void) throws(NetworkError) {
        guard let expected = announced else { return }
        announced = nil
        var last = false
        while !last {
            var flaw: String?
            let came = try unsafe fragment(wait: timeouts.stall) { fragment, bytes in
                if fragment.isCommand || fragment.contextID != expected {
                    flaw = "fragment of another message inside a data set"
                } else {
                    unsafe body(bytes)
                    last = fragment.isLast
                }
            }
            if !came { flaw = "release inside a data set" }
            if let flaw { throw violation(flaw) }
        }
    }

    // MARK: Looking ahead

    /// Whether the peer has said something that was not read yet, or is gone. Does not wait.
    package var hasIncoming: Bool { held != nil || layer.isReadable }

    /// Whether the peer wants operation `messageID` cancelled (or is leaving). Does not wait for anything to come.
    package func pollCancel(_ messageID: UInt16) throws(NetworkError) -> Bool {
        while held == nil, announced == nil, layer.isReadable {
            switch try readMessage(wait: timeouts.stall) {
            case .releaseRequest: held = .releaseRequest
            case .message(let message):
                guard message.command.field == .cCancelRequest else {
                    held = .message(message)
                    break
                }
                if message.command.messageIDBeingRespondedTo == messageID { return true }
            }
        }
        if case .releaseRequest = held { return true }
        return false
    }

    /// The response to our request `messageID`. A C-CANCEL of operation `cancelling` that comes instead is noted in
    /// `cancelled`, and the wait goes on: C-GET, where both sides are SCU of something (PS3.7 Section 9.1.3).
    package func response(
        to messageID: UInt16, cancelling: UInt16? = nil, cancelled: inout Bool
    ) throws(NetworkError) -> Message {
        try discardDataSet()
        while true {
            let incoming = try takeOrRead()
            guard case .message(let message) = incoming else { throw left() }
            if let field = message.command.field, field == .cCancelRequest {
                if message.command.messageIDBeingRespondedTo == cancelling { cancelled = true }
                continue
            }
            guard message.command.rawField & 0x8000 != 0, message.command.messageIDBeingRespondedTo == messageID else {
                throw violation("unexpected message instead of the response")
            }
            return announce(message)
        }
    }

    /// The next message whatever it is, for a requestor that serves C-STORE on its own association (C-GET).
    package func nextIncoming() throws(NetworkError) -> Message {
        try discardDataSet()
        guard case .message(let message) = try takeOrRead() else { throw left() }
        return announce(message)
    }

    private func takeOrRead() throws(NetworkError) -> Held {
        if let held = take() { return held }
        return try readMessage(wait: timeouts.response)
    }

    private func take() -> Held? {
        defer { held = nil }
        return held
    }

    private func announce(_ message: Message) -> Message {
        announced = message.hasDataSet ? message.contextID : nil
        return message
    }

    // MARK: Sending

    /// Sends a message; `dataSet` is encoded in the context's transfer syntax.
    package func send(_ command: CommandSet, on contextID: UInt8, dataSet: [UInt8]? = nil) throws(NetworkError) {
        try sendCommand(command, on: contextID, hasDataSet: dataSet != nil)
        guard let dataSet else { return }
        try write(dataSet, contextID: contextID, isLast: true)
    }

    /// Sends a message with a data set of `length` bytes, which `read` gives piece by piece, at most as many bytes as
    /// it is asked for. A source that fails leaves half a data set behind, so the association is aborted.
    package func send(
        _ command: CommandSet, on contextID: UInt8, dataSetLength length: Int, read: (Int) throws -> [UInt8]
    ) throws {
        try sendCommand(command, on: contextID, hasDataSet: true)
        let piece = max(1, 512 * 1_024 / layer.fragmentSize) * layer.fragmentSize
        var left = length
        repeat {
            let bytes: [UInt8]
            do {
                bytes = left == 0 ? [] : try read(min(left, piece))
                guard left == 0 || (!bytes.isEmpty && bytes.count <= left) else {
                    throw NetworkError.failed("data set source ended early")
                }
            } catch {
                abort()
                throw error
            }
            left -= bytes.count
            try write(bytes, contextID: contextID, isLast: left == 0)
        } while left > 0
    }

    private func sendCommand(_ command: CommandSet, on contextID: UInt8, hasDataSet: Bool) throws(NetworkError) {
        guard contexts[contextID] != nil else { throw .refused("presentation context \(contextID) is not accepted") }
        if let failure { throw failure }
        var command = command
        command.hasDataSet = hasDataSet
        let bytes = command.encoded()
        try checked { () throws(ToolkitError) in
            try layer.write(bytes, contextID: contextID, isCommand: true, isLast: true, more: hasDataSet)
        }
    }

    private func write(_ bytes: [UInt8], contextID: UInt8, isLast: Bool) throws(NetworkError) {
        try checked { () throws(ToolkitError) in
            try layer.write(bytes, contextID: contextID, isCommand: false, isLast: isLast)
        }
    }

    // MARK: End

    /// Releases the association and waits for the answer (PS3.8 Section 7.2).
    package func release() throws(NetworkError) {
        try checked { () throws(ToolkitError) in try layer.release() }
        isReleased = true
    }

    /// Sends A-ABORT and closes; harmless when the association has ended already.
    package func abort() {
        guard !isReleased else { return }
        layer.abort(source: 0, reason: 0)
        if failure == nil { failure = .failed("aborted from this side") }
    }

    private func acknowledgeRelease() throws(NetworkError) -> Message? {
        try checked { () throws(ToolkitError) in try layer.acknowledgeRelease() }
        isReleased = true
        return nil
    }

    /// The peer asks for release where it owes an answer, as one does whose request crossed ours: it is granted.
    private func left() -> NetworkError {
        do throws(NetworkError) { _ = try acknowledgeRelease() } catch { return error }
        let error = NetworkError.closed("released by the peer instead of an answer")
        failure = error
        return error
    }

    // MARK: Reading

    private func readMessage(wait: Duration) throws(NetworkError) -> Held {
        var bytes: [UInt8] = []
        var context: UInt8?
        var last = false
        while !last {
            var flaw: String?
            let came = try unsafe fragment(wait: context == nil ? wait : timeouts.stall) { fragment, raw in
                if !fragment.isCommand {
                    flaw = "data set fragment without a command"
                } else if let context, context != fragment.contextID {
                    flaw = "command fragments of two contexts interleaved"
                } else if bytes.count + raw.count > CommandSet.sizeLimit {
                    flaw = "command set too large"
                } else {
                    context = fragment.contextID
                    unsafe bytes.append(contentsOf: raw)
                    last = fragment.isLast
                }
            }
            if let flaw { throw violation(flaw) }
            if !came {
                guard context == nil else { throw violation("release inside a command") }
                return .releaseRequest
            }
        }
        guard let context, let negotiated = contexts[context] else {
            throw violation("message on a presentation context that is not accepted")
        }
        do throws(CommandSet.DecodingFailure) {
            return .message(Message(context: negotiated, command: try CommandSet(decoding: bytes)))
        } catch {
            throw violation(error.reason)
        }
    }

    /// Reads one fragment; false when the peer asked for release instead.
    private func fragment(
        wait: Duration, _ body: (Fragment, UnsafeRawBufferPointer) -> Void
    ) throws(NetworkError) -> Bool {
        if let failure { throw failure }
        do throws(ToolkitError) {
            try unsafe layer.readFragment(wait: wait, body)
            return true
        } catch .released {
            return false
        } catch {
            throw fail(NetworkError(error))
        }
    }

    // MARK: Failing

    /// Aborts because of what the peer sent (PS3.8 Table 9-26: service provider, invalid PDU parameter value).
    private func violation(_ text: String) -> NetworkError {
        layer.abort(source: 2, reason: 6)
        return fail(.malformed(text))
    }

    private func checked(_ body: () throws(ToolkitError) -> Void) throws(NetworkError) {
        do throws(ToolkitError) {
            try body()
        } catch {
            throw fail(NetworkError(error))
        }
    }

    private func fail(_ error: NetworkError) -> NetworkError {
        // Whatever failed, nothing more can be said on this association but A-ABORT; a second one does no harm.
        layer.abort(source: 0, reason: 0)
        if failure == nil { failure = error }
        return error
    }
}
