// Places that a full listener still has for urgent callers.
import DICOMNetwork
import Testing

@Suite struct ReservedPlacesTests {
    /// Serves as the recording one does; who calls itself URGENT is.
    private struct Server: AssociationServer {
        let recording = RecordingServer()

        func negotiate(_ request: AssociationRequest) -> NegotiationAnswer { recording.negotiate(request) }
        func isUrgent(_ request: AssociationRequest) -> Bool { request.callingAETitle == "URGENT" }
        func serve(_ association: Association) { recording.serve(association) }
        func record(_ event: AssociationEvent) { recording.record(event) }

        var endedCount: Int {
            recording.snapshot.events.count { if case .ended = $0 { true } else { false } }
        }
    }

    private let server = Server()

    private func start(_ options: ListenerOptions) throws -> AssociationListener {
        let listener = try AssociationListener(host: "127.0.0.1", port: 0, options: options, server: server)
        listener.start()
        return listener
    }

    private func call(_ listener: AssociationListener, as title: String) throws(NetworkError) -> Association {
        try AssociationRequestor.connect(
            host: "127.0.0.1", port: listener.port, callingAETitle: title, calledAETitle: "TESTSCP",
            contexts: [
                ProposedContext(
                    id: 1, abstractSyntax: UIDs.verification, transferSyntaxes: [UIDs.implicitLittleEndian])
            ])
    }

    @Test("an urgent caller gets one when all others are taken, and no more than there are")
    func urgent() throws {
        let listener = try start(ListenerOptions(maxAssociations: 1, reservedAssociations: 1))
        defer { listener.stop(grace: .zero) }
        let first = try call(listener, as: "MODALITY")
        #expect(throws: NetworkError.rejected(.temporaryCongestion)) { try call(listener, as: "MODALITY") }
        let urgent = try call(listener, as: "URGENT")
        #expect(try urgent.echo() == .success)
        #expect(throws: NetworkError.rejected(.temporaryCongestion)) { try call(listener, as: "URGENT") }
        #expect(listener.activeCount == 2)

        // A place that was left is nobody's while the reserved one is taken.
        try first.release()
        #expect(server.recording.waits { _ in server.endedCount == 1 })
        #expect(throws: NetworkError.rejected(.temporaryCongestion)) { try call(listener, as: "MODALITY") }
        try urgent.release()
        var next: Association?
        while next == nil { next = try? call(listener, as: "MODALITY") }
        #expect(try next?.echo() == .success)
    }

    @Test("without reserved places urgent callers are rejected as all others are")
    func none() throws {
        let listener = try start(ListenerOptions(maxAssociations: 1))
        defer { listener.stop(grace: .zero) }
        let first = try call(listener, as: "MODALITY")
        #expect(throws: NetworkError.rejected(.temporaryCongestion)) { try call(listener, as: "URGENT") }
        #expect(try first.echo() == .success)
    }

    @Test("they do not lift the limit of an address")
    func address() throws {
        let listener = try start(
            ListenerOptions(maxAssociations: 8, reservedAssociations: 8, maxAssociationsPerAddress: 1))
        defer { listener.stop(grace: .zero) }
        let first = try call(listener, as: "URGENT")
        #expect(throws: NetworkError.rejected(.localLimitExceeded)) { try call(listener, as: "URGENT") }
        #expect(try first.echo() == .success)
    }

    @Test("whoever holds one is let go when the listener stops")
    func stopping() throws {
        let listener = try start(ListenerOptions(maxAssociations: 1, reservedAssociations: 1))
        let first = try call(listener, as: "MODALITY")
        let urgent = try call(listener, as: "URGENT")
        listener.stop(grace: .seconds(10))
        #expect(listener.activeCount == 0)
        #expect(throws: NetworkError.abortedByPeer) { try urgent.nextIncoming() }
        #expect(throws: NetworkError.abortedByPeer) { try first.nextIncoming() }
    }
}
