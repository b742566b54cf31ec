// A requestor among bad answers, and fragments for peers with odd wishes.
import DICOMNetwork
import Foundation
import Synchronization
import Testing

@Suite("A requestor among bad answers")
struct AnswerTests {
    /// Proposes contexts 1 and 3 to a peer that answers with `bytes`; what came of it, and what the peer read then.
    private func answer(
        _ bytes: [UInt8], timeouts: AssociationTimeouts = AssociationTimeouts(),
        _ body: (Association) throws -> Void = { _ in }
    ) throws -> (error: NetworkError?, rest: [UInt8]?) {
        let listener = try RawListener()
        let rest = Mutex<[UInt8]?>(nil)
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [peer = Accepting(listener)] in
            let caller = peer.listener.accept()
            _ = caller.readPDU()
            caller.send(bytes)
            let read = caller.readToEnd()
            rest.withLock { $0 = read }
            done.signal()
        }
        var error: NetworkError?
        do {
            let association = try AssociationRequestor.connect(
                host: "127.0.0.1", port: listener.port, callingAETitle: "TESTSCU", calledAETitle: "TESTSCP",
                contexts: [1, 3].map {
                    ProposedContext(
                        id: $0, abstractSyntax: UIDs.ctImageStorage, transferSyntaxes: [UIDs.explicitLittleEndian])
                }, timeouts: timeouts)
            try body(association)
            association.abort()
        } catch let caught as NetworkError {
            error = caught
        }
        done.wait()
        return (error, rest.withLock { $0 })
    }

    /// A listener on its way to the one thread that uses it.
    private struct Accepting: @unchecked Sendable {
        let listener: RawListener
        init(_ listener: RawListener) { self.listener = listener }
    }

    static let malformed: [(name: String, bytes: [UInt8])] = [
        ("HTTP", Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)),
        ("a request", PDU.associateRequest()),
        ("data", PDU.data(1, control: 3, [1, 2])),
        ("4 GB announced", PDU.make(2, PDU.fixedFields(), length: 0xFFFF_FFFF)),
        ("2 MB announced", PDU.make(2, PDU.fixedFields(), length: 2 << 20)),
        ("rejection of 4 GB", PDU.make(3, [0, 1, 1, 1], length: 0xFFFF_FFFF)),
        ("abort of 1 MB", PDU.make(7, [0, 0, 0, 0], length: 1 << 20)),
        ("empty rejection", PDU.make(3, [])),
        ("fixed fields cut", PDU.make(2, Array(PDU.fixedFields().dropLast(1)))),
        ("item runs past the end", PDU.make(2, PDU.fixedFields() + PDU.item(0x21, [1, 0, 0, 0], length: 60_000))),
        ("short context", PDU.associateAnswer(results: PDU.item(0x21, [1]))),
        (
            "inner item runs past its context",
            PDU.associateAnswer(results: PDU.item(0x21, [1, 0, 0, 0] + PDU.item(0x40, [49], length: 9)))
        ),
        ("UID of 65 bytes", PDU.associateAnswer(results: PDU.result(1, 0, [String(repeating: "1", count: 65)]))),
        ("two transfer syntaxes", PDU.associateAnswer(results: PDU.result(1, 0, ["1.2", "1.3"]))),
        ("accepted without transfer syntax", PDU.associateAnswer(results: PDU.result(1, 0, []))),
        ("repeated context ID", PDU.associateAnswer(results: PDU.result(1) + PDU.result(1))),
        ("a context of a request", PDU.associateAnswer(results: PDU.context(1, "1.2", ["1.2"]))),
        (
            "role selection runs past its item",
            PDU.associateAnswer(userInformation: PDU.userInformation(PDU.item(0x54, [0, 60, 49, 0, 1])))
        ),
        (
            "user identity runs past its item",
            PDU.associateAnswer(userInformation: PDU.userInformation(PDU.item(0x59, [0xFF, 0xFF, 65])))
        ),
    ]

    @Test("malformed answers end at once with an abort", arguments: malformed)
    func malformedAnswers(name: String, bytes: [UInt8]) throws {
        let (error, rest) = try answer(bytes)
        guard case .malformed = error else {
            Issue.record("error \(String(describing: error))")
            return
        }
        #expect(rest?.first == 7, "A-ABORT")
    }

    @Test("good answers are taken: contexts accepted and refused, with and without what does not count then")
    func goodAnswers() throws {
        for refused in [PDU.result(3, 3, []), PDU.result(3, 4, [""]), PDU.result(3, 1, ["1.2"])] {
            let user = PDU.userInformation(PDU.item(0x59, [0, 1, 65]) + PDU.item(0x7F, [1, 2, 3]))
            let bytes = PDU.associateAnswer(results: PDU.result(1) + refused, userInformation: user)
            let (error, _) = try answer(bytes) { association in
                #expect(association.contexts(for: UIDs.ctImageStorage).map(\.id) == [1])
            }
            #expect(error == nil)
        }
        #expect(try answer(PDU.make(3, [0, 1, 1, 7])).error == .rejected(.init(result: 1, source: 1, reason: 7)))
        #expect(try answer(PDU.make(7, [0, 0, 2, 0])).error == .abortedByPeer)
    }

    @Test("an answer that never becomes complete ends with the negotiation timeout")
    func slowAnswer() throws {
        let start = ContinuousClock.now
        let (error, rest) = try answer(
            Array(PDU.associateAnswer().dropLast(1)),
            timeouts: AssociationTimeouts(negotiation: .milliseconds(500), stall: .seconds(15)))
        guard case .timedOut = error else {
            Issue.record("error \(String(describing: error))")
            return
        }
        #expect(rest?.first == 7, "A-ABORT")
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test("fragments have even lengths whatever the peer's maximum (PS3.8 Annex E.1)", arguments: [0x1001, 0x4000])
    func evenFragments(maxLength: UInt16) throws {
        let server = RecordingServer { association, message in
            try association.discardDataSet()
            try association.send(
                CommandSet(answering: message.command, status: .pending), on: message.contextID,
                dataSet: [UInt8](repeating: 0, count: 40_000))
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(
            PDU.associateRequest(
                contexts: PDU.context(1, UIDs.studyRootFind, [UIDs.implicitLittleEndian]),
                userInformation: PDU.userInformation(maxLength: maxLength)))
        #expect(peer.readPDU().first == 2)
        var request = CommandSet(.cFindRequest)
        request.hasDataSet = true
        peer.send(PDU.data(1, control: 3, request.encoded()) + PDU.data(1, control: 2, [1, 2]))
        var received = 0
        while received < 40_000 {
            let pdu = peer.readPDU()
            guard pdu.count > 12, pdu[0] == 4 else { break }
            #expect(pdu.count % 2 == 0)
            #expect(pdu.count - 6 <= Int(maxLength))
            if pdu[11] & 1 == 0 { received += pdu.count - 12 }
        }
        #expect(received == 40_000)
    }
}
