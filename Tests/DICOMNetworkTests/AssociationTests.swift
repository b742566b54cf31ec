// Both sides of an association in one process: negotiation, messages, cancel, end.
import DICOMNetwork
import Foundation
import Synchronization
import Testing

@Suite("Associations, requestor and acceptor in one process")
struct AssociationTests {
    @Test("C-ECHO and an orderly release")
    func echo() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener)
        #expect(try association.echo() == .success)
        try association.release()
        #expect(association.isReleased)
        #expect(server.waits { $0.events.contains { if case .ended(_, nil) = $0 { true } else { false } } })
        let request = try #require(server.snapshot.requests.first)
        #expect(request.callingAETitle == "TESTSCU")
        #expect(request.calledAETitle == "TESTSCP")
        #expect(request.remoteAddress == "127.0.0.1")
        #expect(request.maxPDU == 131_072)
        #expect(request.implementationClassUID == ImplementationIdentity().classUID)
        #expect(request.implementationVersionName == ImplementationIdentity().versionName)
    }

    @Test("a data set arrives as it was sent, whatever its size", arguments: [0, 2, 131_060, 131_062, 10 << 20])
    func store(size: Int) throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener)
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let context = try #require(association.contexts(for: UIDs.ctImageStorage).first)
        var at = 0
        let streamed = try association.store(
            StoreRequest(sopClassUID: UIDs.ctImageStorage, sopInstanceUID: "1.2.3"), on: context.id, dataSetLength: size
        ) { most in
            defer { at += most }
            return Array(bytes[at..<at + most])
        }
        #expect(streamed == StoreOutcome(status: .success))
        let whole = try association.store(
            StoreRequest(sopClassUID: UIDs.ctImageStorage, sopInstanceUID: "1.2.4"), on: context.id, dataSet: bytes)
        #expect(whole.status == .success)
        try association.release()
        #expect(server.snapshot.stored["1.2.3"] == bytes)
        #expect(server.snapshot.stored["1.2.4"] == bytes)
    }

    @Test("a sink that fails leaves the association usable")
    func failingSink() throws {
        struct Full: Error {}
        let server = RecordingServer { association, message in
            do {
                try unsafe association.readDataSet { _ in throw Full() }
            } catch is Full {
                try association.send(
                    CommandSet(answering: message.command, status: .outOfResources), on: message.contextID)
            }
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener, [UIDs.verification, UIDs.studyRootFind])
        let status = try association.find(on: 3, identifier: [UInt8](repeating: 0, count: 1 << 20)) { _ in true }
        #expect(status == .outOfResources)
        #expect(try association.echo() == .success)
        try association.release()
    }

    @Test("private SOP classes and transfer syntaxes, 128 contexts and extended negotiation pass unchanged")
    func unusualNegotiation() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        var syntaxes = [UIDs.privateSyntax]
        for index in 0..<20 { syntaxes.append("1.2.840.10008.1.2.4.\(index)") }
        var contexts: [ProposedContext] = []
        for index in 0..<128 {
            let name = UIDs.privateClass + ".\(index)"
            contexts.append(ProposedContext(id: UInt8(index * 2 + 1), abstractSyntax: name, transferSyntaxes: syntaxes))
        }
        contexts[0].scuRole = false
        contexts[0].scpRole = true
        let items = [
            ExtendedNegotiation(sopClassUID: UIDs.studyRootFind, information: [1, 0, 1]),
            ExtendedNegotiation(sopClassUID: UIDs.privateClass, information: []),
        ]
        let association = try AssociationRequestor.connect(
            host: "localhost", port: listener.port, callingAETitle: "A", calledAETitle: "B", contexts: contexts,
            extendedNegotiation: items)
        #expect(server.snapshot.requests.first?.contexts == contexts)
        #expect(server.snapshot.requests.first?.extendedNegotiation == items)
        #expect(association.contexts.count == 128)
        #expect(association.contexts.values.allSatisfy { $0.transferSyntax == UIDs.privateSyntax })
        #expect(association.contexts[1]?.requestorIsSCP == true)
        #expect(association.contexts[1]?.requestorIsSCU == false)
        #expect(association.contexts[3]?.requestorIsSCP == false)
        #expect(association.acceptedExtendedNegotiation == items)
        try association.release()
    }

    @Test("refused contexts are missing, unanswered ones too")
    func refusedContexts() throws {
        let server = RecordingServer(decision: { _ in
            .accept([
                AcceptedContext(id: 1, transferSyntax: UIDs.implicitLittleEndian),
                AcceptedContext(id: 3, refusal: .abstractSyntaxNotSupported),
            ])
        })
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener, [UIDs.verification, UIDs.ctImageStorage, UIDs.privateClass])
        #expect(association.contexts.keys.sorted() == [1])
        #expect(association.contexts[1]?.transferSyntax == UIDs.implicitLittleEndian)
        #expect(throws: NetworkError.refused("presentation context 3 is not accepted")) {
            try association.send(.echoRequest(messageID: 1), on: 3)
        }
        #expect(try association.echo() == .success)
        try association.release()
    }

    @Test(
        "rejections arrive with their reason (PS3.8 Table 9-21)",
        arguments: [
            AssociationRejection.noReasonGiven, .applicationContextNotSupported, .callingAETitleNotRecognized,
            .calledAETitleNotRecognized, .temporaryCongestion, .localLimitExceeded,
        ])
    func rejections(rejection: AssociationRejection) throws {
        let server = RecordingServer(decision: { _ in .reject(rejection) })
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        #expect(throws: NetworkError.rejected(rejection)) { try connect(to: listener) }
    }

    @Test("nobody listening is unreachable")
    func unreachable() throws {
        let listener = try startListener(RecordingServer())
        listener.stop(grace: .zero)
        let error = #expect(throws: NetworkError.self) { try connect(to: listener) }
        guard case .unreachable = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    @Test("C-CANCEL is found between pending responses, and only for its operation (PS3.7 Section 9.3.2.3)")
    func cancelFind() throws {
        let sent = Mutex(0)
        let server = RecordingServer { association, message in
            _ = try association.readDataSet(limit: 1_024)
            while true {
                if try association.pollCancel(message.command.messageID) { break }
                sent.withLock { $0 += 1 }
                try association.send(
                    CommandSet(answering: message.command, status: .pending), on: message.contextID,
                    dataSet: [1, 2, 3, 4])
            }
            try association.send(CommandSet(answering: message.command, status: .cancel), on: message.contextID)
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener, [UIDs.verification, UIDs.studyRootFind])
        try association.send(.cancelRequest(messageIDBeingRespondedTo: 999), on: 3)
        var matches = 0
        let status = try association.find(on: 3, identifier: [0, 0]) { match in
            #expect(match == [1, 2, 3, 4])
            matches += 1
            return matches < 5
        }
        #expect(status == .cancel)
        #expect(matches == 5)
        #expect(sent.withLock { $0 } >= 5)
        #expect(try association.echo() == .success)
        try association.release()
    }

    @Test("A peer that goes on with matches after a C-CANCEL is left")
    func deafToCancel() throws {
        let sent = Mutex(0)
        let server = RecordingServer { association, message in
            _ = try association.readDataSet(limit: 1_024)
            while true {
                try association.send(
                    CommandSet(answering: message.command, status: .pending), on: message.contextID, dataSet: [1, 2])
                sent.withLock { $0 += 1 }
            }
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener, [UIDs.verification, UIDs.studyRootFind])
        var matches = 0
        let status = try association.find(on: 3, identifier: [0, 0]) { _ in
            matches += 1
            return matches < 5
        }
        #expect(status == .cancel && matches == 5)
        #expect(sent.withLock { $0 } >= 5 + Association.mostMatchesAfterCancel)
        #expect(throws: NetworkError.self) { try association.echo() }
    }

    @Test("A release that comes instead of an answer is granted, not aborted")
    func crossingRelease() throws {
        let server = RecordingServer { association, message in
            _ = try association.readDataSet(limit: 1_024)
            try association.send(.echoRequest(messageID: 77), on: 1)
            var cancelled = false
            do throws(NetworkError) { _ = try association.response(to: 77, cancelled: &cancelled) } catch {
                #expect(error == .closed("released by the peer instead of an answer"))
                #expect(association.isReleased)
                throw error
            }
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(
            PDU.associateRequest(
                contexts: PDU.context(1, UIDs.verification, [UIDs.implicitLittleEndian])
                    + PDU.context(3, UIDs.studyRootFind, [UIDs.implicitLittleEndian])))
        _ = peer.readPDU()
        var find = CommandSet(.cFindRequest)
        find.messageID = 1
        find.affectedSOPClassUID = UIDs.studyRootFind
        find.hasDataSet = false
        peer.send(PDU.data(3, control: 3, find.encoded()))
        // Its request comes, and we leave.
        #expect(peer.readPDU().first == 4)
        peer.send(PDU.releaseRequest)
        #expect(peer.readPDU().first == 6)
    }

    @Test("C-GET sub-operations, with a cancel that comes instead of a C-STORE response")
    func cancelGet() throws {
        let server = RecordingServer { association, message in
            _ = try association.readDataSet(limit: 1_024)
            var completed: UInt16 = 0
            var cancelled = false
            while !cancelled {
                let outcome = try association.store(
                    StoreRequest(
                        sopClassUID: UIDs.ctImageStorage, sopInstanceUID: "1.2.\(completed)",
                        cancelling: message.command.messageID), on: 1, dataSet: [UInt8](repeating: 7, count: 100_000))
                completed += 1
                cancelled = outcome.cancelled
            }
            var response = CommandSet(answering: message.command, status: .cancel)
            response.completedSubOperations = completed
            try association.send(response, on: message.contextID)
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener, [UIDs.ctImageStorage, UIDs.studyRootGet])
        var received = 0
        let last = try association.get(on: 3, identifier: [0, 0]) { message in
            #expect(try association.readDataSet(limit: 200_000).count == 100_000)
            received += 1
            if received == 3 { try association.send(.cancelRequest(messageIDBeingRespondedTo: 1), on: 3) }
            return .success
        }
        #expect(last.status == .cancel)
        #expect(last.completedSubOperations == 3)
        #expect(received == 3)
        try association.release()
    }

    @Test("an identifier over the limit is refused and the association stays usable")
    func tooLarge() throws {
        let server = RecordingServer { association, message in
            do throws(NetworkError) {
                _ = try association.readDataSet(limit: 1_000)
            } catch .refused {
                try association.send(
                    CommandSet(answering: message.command, status: .unableToProcess), on: message.contextID)
            }
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener, [UIDs.verification, UIDs.studyRootFind])
        #expect(
            try association.find(on: 3, identifier: [UInt8](repeating: 0, count: 5_000)) { _ in true }
                == .unableToProcess)
        #expect(try association.echo() == .success)
        try association.release()
    }

    @Test("a source that fails aborts, because half a data set is out")
    func failingSource() throws {
        struct Gone: Error {}
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let association = try connect(to: listener)
        var calls = 0
        #expect(throws: Gone.self) {
            _ = try association.store(
                StoreRequest(sopClassUID: UIDs.ctImageStorage, sopInstanceUID: "1.2"), on: 3, dataSetLength: 4 << 20
            ) { most in
                calls += 1
                if calls > 2 { throw Gone() }
                return [UInt8](repeating: 0, count: most)
            }
        }
        #expect(server.waits { $0.events.contains { if case .ended(_, .abortedByPeer) = $0 { true } else { false } } })
        #expect(server.snapshot.stored.isEmpty)
    }

    @Test("a cancel in the same PDU as the request it cancels is found")
    func cancelInOnePDU() throws {
        let server = RecordingServer { association, message in
            _ = try association.readDataSet(limit: 100)
            let cancelled = try association.pollCancel(message.command.messageID)
            try association.send(
                CommandSet(answering: message.command, status: cancelled ? .cancel : .success), on: message.contextID)
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(PDU.associateRequest(contexts: PDU.context(1, UIDs.studyRootFind, [UIDs.implicitLittleEndian])))
        #expect(peer.readPDU().first == 2)
        var request = CommandSet(.cFindRequest)
        request.messageID = 5
        request.hasDataSet = true
        let fragments =
            PDU.data(1, control: 3, request.encoded())[6...] + PDU.data(1, control: 2, [1, 2])[6...]
            + PDU.data(1, control: 3, CommandSet.cancelRequest(messageIDBeingRespondedTo: 5).encoded())[6...]
        peer.send(PDU.make(4, Array(fragments)))
        let response = try CommandSet(decoding: Array(peer.readPDU()[12...]))
        #expect(response.status == .cancel)
        #expect(response.messageIDBeingRespondedTo == 5)
        peer.send(PDU.releaseRequest)
        #expect(peer.readPDU().first == 6)
    }

    @Test("an abort in the middle of a data set ends the association with one event and stores nothing")
    func abortInDataSet() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(PDU.associateRequest(contexts: PDU.context(1, UIDs.ctImageStorage, [UIDs.implicitLittleEndian])))
        #expect(peer.readPDU().first == 2)
        var command = CommandSet.storeRequest(messageID: 1, sopClassUID: UIDs.ctImageStorage, sopInstanceUID: "1.9")
        command.hasDataSet = true
        peer.send(PDU.data(1, control: 3, command.encoded()))
        peer.send(PDU.data(1, control: 0, [UInt8](repeating: 1, count: 10_000)))
        peer.send(PDU.make(7, [0, 0, 0, 0]))
        #expect(server.waits { $0.events.contains { if case .ended(_, .abortedByPeer) = $0 { true } else { false } } })
        #expect(server.snapshot.stored.isEmpty)
    }
}
