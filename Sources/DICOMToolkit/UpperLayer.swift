// One association at the level of the DICOM upper layer (PS3.8): negotiation as plain values, fragments, end.
internal import CDCMTK

/// A presentation context as the upper layer knows it, proposed or answered.
package struct UpperLayerContext: Sendable {
    package let id: UInt8
    package let abstractSyntax: String
    /// As proposed, in the order of the peer's preference.
    package let transferSyntaxes: [String]
    /// PS3.8 Table 9-18; 0 is acceptance. Meaningful after a request of ours was answered.
    package let result: UInt8
    package let acceptedTransferSyntax: String
    /// Role selection (PS3.7 Annex D.3.3.4); nil when absent.
    package let scuRole: Bool?
    package let scpRole: Bool?
}

/// What both sides need to set before the first byte.
package struct UpperLayerOptions: Sendable {
    package var maxPDU: UInt32
    package var negotiationTimeout: Duration
    package var stallTimeout: Duration
    package var implementationClassUID: String
    package var implementationVersionName: String
    /// Nil: as plain text.
    package var tls: TLSIdentity?

    /// `maxPDU` is brought into the range DCMTK takes: above 131072 it fails at once.
    package init(
        maxPDU: UInt32 = 131_072, negotiationTimeout: Duration = .seconds(30), stallTimeout: Duration = .seconds(60),
        implementationClassUID: String, implementationVersionName: String, tls: TLSIdentity? = nil
    ) {
        self.tls = tls
        self.maxPDU = min(max(maxPDU, 4_096), 131_072)
        self.negotiationTimeout = negotiationTimeout
        self.stallTimeout = stallTimeout
        self.implementationClassUID = implementationClassUID
        self.implementationVersionName = implementationVersionName
    }

    func withC<Result>(_ body: (UnsafePointer<phim_options>) -> Result) -> Result {
        unsafe implementationClassUID.withCString { uid in
            unsafe implementationVersionName.withCString { version in
                var options = unsafe phim_options(
                    max_pdu: maxPDU, negotiation_ms: negotiationTimeout.milliseconds,
                    stall_ms: stallTimeout.milliseconds, class_uid: uid, version_name: version, tls: tls?.handle)
                return unsafe body(&options)
            }
        }
    }
}

extension Duration {
    /// Whole milliseconds, clamped to what the C interface takes.
    package var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        let most = Int64(Int32.max)
        guard seconds < most / 1_000 else { return Int32.max }
        return Int32(max(0, seconds * 1_000 + attoseconds / 1_000_000_000_000_000))
    }
}

/// What a fragment of a message says about itself (PS3.8 Annex E.2).
package struct Fragment: Sendable {
    package let contextID: UInt8
    package let isCommand: Bool
    package let isLast: Bool
}

/// An association, used from one thread at a time; only `interrupt` may be called from any.
@safe package final class UpperLayer: @unchecked Sendable {
    private let handle: OpaquePointer
    /// Used until the peer is known.
    private let tls: TLSIdentity?

    init(handle: OpaquePointer, tls: TLSIdentity?) {
        unsafe self.handle = unsafe handle
        self.tls = tls
    }

    deinit {
        unsafe phim_association_free(handle)
    }

    // MARK: Acceptor

    /// An association to be received on a socket, which is used up. Nothing is read yet.
    package static func accepting(
        _ socket: AcceptedSocket, options: UpperLayerOptions
    ) throws(ToolkitError) -> UpperLayer {
        var made: OpaquePointer?
        try unsafe ToolkitError.check { error in
            unsafe options.withC { unsafe phim_acceptor_create(socket.descriptor, $0, &made, error) }
        }
        guard let made = unsafe made else { throw .failed("no association") }
        return unsafe UpperLayer(handle: made, tls: options.tls)
    }

    /// Receives the A-ASSOCIATE-RQ; before it there is nothing to know about the peer.
    package func receive() throws(ToolkitError) {
        try unsafe ToolkitError.check { unsafe phim_acceptor_receive(handle, $0) }
    }

    /// Accepts a proposed context with one of its transfer syntaxes.
    package func accept(contextID: UInt8, transferSyntax: String, scuRole: Bool?, scpRole: Bool?) throws(ToolkitError) {
        let code = unsafe phim_acceptor_accept_context(
            handle, contextID, transferSyntax, Self.role(scuRole), Self.role(scpRole))
        if code != 0 { throw .failed("presentation context \(contextID) cannot be accepted") }
    }

    /// Refuses a proposed context; `reason` as in PS3.8 Table 9-18.
    package func refuse(contextID: UInt8, reason: UInt8) throws(ToolkitError) {
        let code = unsafe phim_acceptor_refuse_context(handle, contextID, reason)
        if code != 0 { throw .failed("presentation context \(contextID) cannot be refused") }
    }

    /// Answers SOP class extended negotiation (PS3.7 Annex D.3.3.5).
    package func addAcceptedExtendedNegotiation(sopClassUID: String, information: [UInt8]) {
        _ = unsafe phim_acceptor_add_extended(handle, sopClassUID, information, information.count)
    }

    /// Sends A-ASSOCIATE-AC.
    package func acknowledge() throws(ToolkitError) {
        try unsafe ToolkitError.check { unsafe phim_acceptor_acknowledge(handle, $0) }
    }

    /// Sends A-ASSOCIATE-RJ and closes.
    package func reject(result: UInt8, source: UInt8, reason: UInt8) throws(ToolkitError) {
        try unsafe ToolkitError.check { unsafe phim_acceptor_reject(handle, result, source, reason, $0) }
    }

    // MARK: Requestor

    /// A request, not yet sent.
    package static func request(
        callingAETitle: String, calledAETitle: String, options: UpperLayerOptions
    ) throws(ToolkitError) -> UpperLayer {
        var made: OpaquePointer?
        try unsafe ToolkitError.check { error in
            unsafe options.withC {
                unsafe phim_requestor_create(callingAETitle, calledAETitle, $0, &made, error)
            }
        }
        guard let made = unsafe made else { throw .failed("no association") }
        return unsafe UpperLayer(handle: made, tls: options.tls)
    }

    /// Adds a context to the request.
    package func propose(
        contextID: UInt8, abstractSyntax: String, transferSyntaxes: [String], scuRole: Bool?, scpRole: Bool?
    ) throws(ToolkitError) {
        // C strings in one block, so that pointers to all of them live at once.
        var text: [CChar] = []
        var starts: [Int] = []
        for syntax in transferSyntaxes {
            starts.append(text.count)
            text.append(contentsOf: syntax.utf8CString)
        }
        try unsafe ToolkitError.check { error in
            unsafe text.withUnsafeBufferPointer { block in
                let syntaxes = unsafe starts.map { (start) -> UnsafePointer<CChar>? in
                    unsafe block.baseAddress.map { unsafe $0 + start }
                }
                return unsafe phim_requestor_add_context(
                    handle, contextID, abstractSyntax, syntaxes, syntaxes.count, Self.role(scuRole), Self.role(scpRole),
                    error)
            }
        }
    }

    /// Adds SOP class extended negotiation to the request.
    package func proposeExtendedNegotiation(sopClassUID: String, information: [UInt8]) {
        _ = unsafe phim_requestor_add_extended(handle, sopClassUID, information, information.count)
    }

    /// Connects, sends the request and waits for the answer.
    package func connect(host: String, port: Int) throws(ToolkitError) {
        guard let number = UInt16(exactly: port) else { throw .unreachable("port \(port) is out of range") }
        try unsafe ToolkitError.check { unsafe phim_requestor_connect(handle, host, number, $0) }
    }

    // MARK: What was proposed or answered

    package var callingAETitle: String { unsafe Self.title(phim_calling_ae_title(handle)) }
    package var calledAETitle: String { unsafe Self.title(phim_called_ae_title(handle)) }
    package var applicationContext: String { unsafe Self.text(phim_application_context(handle)) }
    package var peerImplementationClassUID: String { unsafe Self.text(phim_peer_class_uid(handle)) }
    package var peerImplementationVersionName: String { unsafe Self.text(phim_peer_version_name(handle)) }
    /// What the peer can receive; 0 means any size.
    package var peerMaxPDU: UInt32 { unsafe phim_peer_max_pdu(handle) }
    /// The fragment size that fills one PDU of the peer.
    package var fragmentSize: Int { unsafe phim_fragment_size(handle) }

    package var contexts: [UpperLayerContext] {
        (0..<(unsafe phim_context_count(handle))).compactMap { index in
            var context = unsafe phim_context()
            guard unsafe phim_context_at(handle, index, &context) == 0 else { return nil }
            let count = unsafe context.transfer_syntax_count
            return unsafe UpperLayerContext(
                id: context.id, abstractSyntax: Self.text(context.abstract_syntax),
                transferSyntaxes: (0..<count).map { unsafe Self.text(phim_context_transfer_syntax(handle, index, $0)) },
                result: context.result, acceptedTransferSyntax: Self.text(context.accepted_transfer_syntax),
                scuRole: context.scu_role < 0 ? nil : context.scu_role > 0,
                scpRole: context.scp_role < 0 ? nil : context.scp_role > 0)
        }
    }

    package var extendedNegotiation: [(sopClassUID: String, information: [UInt8])] {
        (0..<(unsafe phim_extended_count(handle))).compactMap { index in
            var uid: UnsafePointer<CChar>?
            var bytes: UnsafePointer<UInt8>?
            var count = 0
            guard unsafe phim_extended_at(handle, index, &uid, &bytes, &count) == 0 else { return nil }
            return unsafe (Self.text(uid), [UInt8](UnsafeBufferPointer(start: bytes, count: count)))
        }
    }

    // MARK: Messages

    /// Hands the next fragment to `body`; its bytes live as long as the call. Running out of `wait` before its first
    /// byte leaves the association usable.
    package func readFragment(
        wait: Duration, _ body: (Fragment, UnsafeRawBufferPointer) -> Void
    ) throws(ToolkitError) {
        var pdv = unsafe phim_pdv()
        try unsafe ToolkitError.check { unsafe phim_read_pdv(handle, wait.milliseconds, &pdv, $0) }
        unsafe body(
            Fragment(contextID: pdv.context, isCommand: pdv.is_command != 0, isLast: pdv.is_last != 0),
            UnsafeRawBufferPointer(start: pdv.bytes, count: pdv.count))
    }

    /// Whether `readFragment` has something to do at once: bytes, or the end of the connection.
    package var isReadable: Bool { unsafe phim_readable(handle) != 0 }

    /// Sends a fragment, split to the peer's PDU size; `more` holds it back for what follows at once.
    package func write(
        _ bytes: [UInt8], contextID: UInt8, isCommand: Bool, isLast: Bool, more: Bool = false
    ) throws(ToolkitError) {
        try unsafe ToolkitError.check { error in
            unsafe phim_write_pdv(
                handle, contextID, isCommand ? 1 : 0, isLast ? 1 : 0, more ? 1 : 0,
                bytes, bytes.count, error)
        }
    }

    // MARK: End

    /// A-RELEASE, waiting for the answer.
    package func release() throws(ToolkitError) {
        try unsafe ToolkitError.check { unsafe phim_release(handle, $0) }
    }

    /// Answers the peer's A-RELEASE-RQ and closes.
    package func acknowledgeRelease() throws(ToolkitError) {
        try unsafe ToolkitError.check { unsafe phim_acknowledge_release(handle, $0) }
    }

    /// Sends A-ABORT (source and reason of PS3.8 Table 9-26) and closes.
    package func abort(source: UInt8, reason: UInt8) {
        unsafe phim_abort(handle, source, reason)
    }

    /// Wakes a blocked call from another thread; it throws `.interrupted`.
    package func interrupt() {
        unsafe phim_interrupt(handle)
    }

    private static func role(_ role: Bool?) -> Int8 {
        role.map { $0 ? 1 : 0 } ?? -1
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String {
        guard let pointer = unsafe pointer else { return "" }
        return unsafe String(cString: pointer)
    }

    /// AE titles: leading and trailing spaces are not significant (PS3.8 Section 9.3.2).
    private static func title(_ pointer: UnsafePointer<CChar>?) -> String {
        let text = unsafe text(pointer)
        return String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
