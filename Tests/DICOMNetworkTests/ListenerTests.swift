// What keeps a listener standing: limits, timeouts, malformed bytes, stopping, no leaks.
import DICOMNetwork
import Foundation
import Synchronization
import Testing

@Suite("A listener among bad callers")
struct ListenerTests {
    static let associate = PDU.associateRequest()

    /// Bytes that are no A-ASSOCIATE-RQ, each by a different mistake.
    static let malformed: [(name: String, bytes: [UInt8])] = [
        ("HTTP", Array("GET / HTTP/1.1\r\nHost: pacs\r\n\r\n".utf8)),
        ("garbage", (0..<4_096).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ 13) }),
        ("data first", PDU.data(1, control: 3, CommandSet.echoRequest(messageID: 1).encoded())),
        ("4 GB announced", PDU.make(1, PDU.fixedFields(), length: 0xFFFF_FFFF)),
        ("2 MB announced", PDU.make(1, PDU.fixedFields(), length: 2 << 20)),
        ("empty", PDU.make(1, [])),
        ("fixed fields cut", PDU.make(1, Array(PDU.fixedFields().dropLast(1)))),
        ("item runs past the end", PDU.make(1, PDU.fixedFields() + PDU.item(0x20, [1, 0, 0, 0], length: 60_000))),
        ("half an item head", PDU.make(1, PDU.fixedFields() + [0x20, 0])),
        ("context without syntaxes", PDU.make(1, PDU.fixedFields() + PDU.item(0x20, [1, 0, 0, 0]))),
        (
            "inner item runs past its context",
            PDU.make(1, PDU.fixedFields() + PDU.item(0x20, [1, 0, 0, 0] + PDU.item(0x77, [1], length: 9)))
        ),
        (
            "UID of 65 bytes",
            PDU.associateRequest(contexts: PDU.context(1, String(repeating: "1", count: 65), ["1.2"]))
        ),
        ("no context", PDU.associateRequest(contexts: [])),
        ("repeated context ID", PDU.associateRequest(contexts: [1, 3, 1].flatMap { PDU.context($0, "1.2", ["1.2"]) })),
        ("even context ID", PDU.associateRequest(contexts: [1, 2].flatMap { PDU.context($0, "1.2", ["1.2"]) })),
        (
            "257 extended negotiations",
            PDU.associateRequest(
                userInformation: PDU.userInformation((0..<257).flatMap { _ in PDU.item(0x56, [0, 1, 49, 1]) }))
        ),
        (
            "role selection runs past its item",
            PDU.associateRequest(userInformation: PDU.userInformation(PDU.item(0x54, [0, 60, 49, 0, 1])))
        ),
        (
            "extended negotiation runs past its item",
            PDU.associateRequest(userInformation: PDU.userInformation(PDU.item(0x56, [0xFF, 0xFF, 49])))
        ),
        (
            "user identity runs past its item",
            PDU.associateRequest(userInformation: PDU.userInformation(PDU.item(0x58, [1, 0, 0xFF, 0xFF, 65, 0])))
        ),
        (
            "maximum length of two bytes",
            PDU.associateRequest(userInformation: PDU.item(0x50, PDU.item(0x51, [0, 0])))
        ),
    ]

    @Test("malformed first bytes get an abort and one event, and the next caller is served", arguments: malformed)
    func malformedRequests(name: String, bytes: [UInt8]) throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(bytes)
        let answer = try #require(peer.readToEnd(), "the connection stayed open")
        peer.close()
        #expect(answer.first == 7, "A-ABORT")
        #expect(server.waits { $0.events.count == 1 })
        guard case .failed(_, .malformed) = server.snapshot.events.first else {
            Issue.record("event \(server.snapshot.events)")
            return
        }
        #expect(try connect(to: listener).echo() == .success)
    }

    @Test("a request of another protocol version is rejected as such (PS3.8 Table 9-21)")
    func protocolVersion() throws {
        let listener = try startListener(RecordingServer())
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(PDU.make(1, PDU.fixedFields(version: 2) + PDU.text(0x10, "1.2.840.10008.3.1.1.1")))
        #expect(peer.readPDU() == PDU.make(3, [0, 1, 2, 2]))
    }

    @Test("another application context is rejected (PS3.8 Table 9-21)")
    func applicationContext() throws {
        let listener = try startListener(RecordingServer())
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(
            PDU.make(
                1, PDU.fixedFields() + PDU.text(0x10, "1.2.3") + PDU.context(1, "1.2", ["1.2"]) + PDU.userInformation())
        )
        #expect(peer.readPDU() == PDU.make(3, [0, 1, 1, 2]))
    }

    @Test("a request without application context is served, since nothing else is meant")
    func withoutApplicationContext() throws {
        let listener = try startListener(RecordingServer())
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        let context = PDU.context(1, UIDs.verification, [UIDs.implicitLittleEndian])
        peer.send(PDU.make(1, PDU.fixedFields() + context + PDU.userInformation()))
        #expect(peer.readPDU().first == 2)
    }

    @Test("unknown items, user identity and an asynchronous operations window are tolerated")
    func tolerated() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        let extras =
            PDU.item(0x53, [0, 5, 0, 5]) + PDU.item(0x58, [2, 1, 0, 2, 65, 66, 0, 2, 67, 68])
            + PDU.item(0x57, [0, 3, 49, 46, 50, 0, 3, 49, 46, 51, 0, 0]) + PDU.item(0x7F, [1, 2, 3])
        peer.send(PDU.associateRequest(userInformation: PDU.userInformation(extras)))
        let accepted = peer.readPDU()
        #expect(accepted.first == 2)
        #expect(String(decoding: accepted, as: UTF8.self).contains(ImplementationIdentity().versionName))
        peer.send(PDU.data(1, control: 3, CommandSet.echoRequest(messageID: 1).encoded()))
        #expect(peer.readPDU().first == 4)
        peer.send(PDU.releaseRequest)
        #expect(peer.readPDU().first == 6)
    }

    /// What breaks the protocol on an open association.
    static let violations: [(name: String, bytes: [UInt8])] = [
        ("unknown PDU type", PDU.make(0x44, [0, 0, 0, 0])),
        ("P-DATA over our maximum", PDU.make(4, [], length: 0x7FFF_FFFF)),
        ("second request", associate),
        ("PDV longer than its PDU", PDU.make(4, [0, 0, 0xFF, 0xFF, 1, 3, 0])),
        ("PDV of length 1", PDU.make(4, [0, 0, 0, 1, 1])),
        ("P-DATA without PDV", PDU.make(4, [])),
        ("data before a command", PDU.data(1, control: 2, [1, 2, 3, 4])),
        ("a context never accepted", PDU.data(99, control: 3, CommandSet.echoRequest(messageID: 1).encoded())),
        ("a command that is none", PDU.data(1, control: 3, [8, 0, 0x18, 0, 0xFF, 0xFF, 0xFF, 0xFF])),
        (
            "a command without end",
            [[UInt8]](repeating: PDU.data(1, control: 1, [UInt8](repeating: 0, count: 60_000)), count: 2).flatMap { $0 }
        ),
    ]

    @Test("protocol violations get an abort and one event, and the next caller is served", arguments: violations)
    func protocolViolations(name: String, bytes: [UInt8]) throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let peer = try RawPeer(port: listener.port)
        peer.send(Self.associate)
        #expect(peer.readPDU().first == 2)
        peer.send(bytes)
        let answer = try #require(peer.readToEnd(), "the connection stayed open")
        peer.close()
        #expect(answer.first == 7, "A-ABORT")
        #expect(server.waits { $0.events.count == 2 })
        guard case .ended(_, .malformed) = server.snapshot.events.last else {
            Issue.record("event \(String(describing: server.snapshot.events.last))")
            return
        }
        #expect(try connect(to: listener).echo() == .success)
    }

    @Test("every truncation of a request ends with the connection, not with the listener")
    func truncations() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        for length in stride(from: 0, to: Self.associate.count, by: 7) {
            let peer = try RawPeer(port: listener.port)
            peer.send(Array(Self.associate[0..<length]))
            peer.close()
        }
        #expect(server.waits { $0.events.count == (Self.associate.count + 6) / 7 })
        #expect(try connect(to: listener).echo() == .success)
    }

    @Test("any byte of a request changed: answered or refused, and the listener lives")
    func mutations() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        var seed: UInt64 = 20_240_601
        for _ in 0..<300 {
            var bytes = PDU.associateRequest(
                userInformation: PDU.userInformation(
                    PDU.item(0x54, [0, 3, 49, 46, 50, 0, 1]) + PDU.item(0x56, [0, 3, 49, 46, 50, 1, 1])
                        + PDU.item(0x58, [1, 0, 0, 1, 65, 0, 0])))
            for _ in 0..<3 {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[6 + Int(seed >> 33) % (bytes.count - 6)] = UInt8(truncatingIfNeeded: seed >> 24)
            }
            let peer = try RawPeer(port: listener.port)
            peer.send(bytes)
            _ = peer.readPDU()
        }
        #expect(try connect(to: listener).echo() == .success)
    }

    @Test("a silent caller blocks nobody and is sent away when the negotiation timeout is over")
    func silence() throws {
        let server = RecordingServer()
        let options = ListenerOptions(timeouts: AssociationTimeouts(negotiation: .milliseconds(500)))
        let listener = try startListener(server, options)
        defer { listener.stop(grace: .zero) }
        let silent = try RawPeer(port: listener.port)
        let slow = try RawPeer(port: listener.port)
        slow.send(Array(Self.associate[0..<50]))
        #expect(try connect(to: listener).echo() == .success)
        #expect(silent.readToEnd()?.first == 7)
        #expect(slow.readToEnd()?.first == 7)
        #expect(
            server.waits { state in
                state.events.filter { if case .failed(_, .timedOut) = $0 { true } else { false } }.count == 2
            })
    }

    @Test("an idle association is aborted when the idle timeout is over, a stalled one when the stall timeout is")
    func idleAndStalled() throws {
        let server = RecordingServer()
        let options = ListenerOptions(
            timeouts: AssociationTimeouts(idle: .milliseconds(400), stall: .milliseconds(300)))
        let listener = try startListener(server, options)
        defer { listener.stop(grace: .zero) }
        let idle = try RawPeer(port: listener.port)
        idle.send(Self.associate)
        #expect(idle.readPDU().first == 2)
        let stalled = try RawPeer(port: listener.port)
        stalled.send(Self.associate)
        #expect(stalled.readPDU().first == 2)
        stalled.send(Array(PDU.data(1, control: 3, CommandSet.echoRequest(messageID: 1).encoded())[0..<20]))
        #expect(stalled.readToEnd()?.first == 7)
        #expect(idle.readToEnd()?.first == 7)
        #expect(
            server.waits { state in
                state.events.filter { if case .ended(_, .timedOut) = $0 { true } else { false } }.count == 2
            })
    }

    @Test("callers over the total are rejected for now")
    func totalLimit() throws {
        let server = RecordingServer()
        let listener = try startListener(server, ListenerOptions(maxAssociations: 2))
        defer { listener.stop(grace: .zero) }
        let first = try connect(to: listener)
        let second = try connect(to: listener)
        let third = try RawPeer(port: listener.port)
        third.send(Self.associate)
        #expect(third.readPDU() == PDU.make(3, [0, 2, 3, 1]))
        #expect(try second.echo() == .success)
        try first.release()
        #expect(server.waits { $0.events.contains { if case .ended = $0 { true } else { false } } })
        var fourth: Association?
        while fourth == nil { fourth = try? connect(to: listener) }
        #expect(try fourth?.echo() == .success)
    }

    @Test("connections that ask for nothing take no place, and the oldest makes way for a later one")
    func silentCallers() throws {
        let server = RecordingServer()
        let listener = try startListener(server, ListenerOptions(maxAssociations: 2, callers: 4))
        defer { listener.stop(grace: .zero) }
        func hungUp() -> Int {
            server.snapshot.events.count {
                if case .overLimit(_, .temporaryCongestion, true) = $0 { true } else { false }
            }
        }
        var silent: [RawPeer] = []
        for number in 1...7 {
            silent.append(try RawPeer(port: listener.port))
            #expect(server.waits { _ in hungUp() == max(0, number - 4) })
        }
        // The last four are still heard; a caller that asks at once takes the room of the oldest, and a place.
        let first = try connect(to: listener)
        #expect(server.waits { _ in hungUp() == 4 })
        for peer in silent.prefix(4) { #expect(peer.readToEnd() != nil, "the connection stayed open") }
        silent[5].send(Self.associate)
        #expect(silent[5].readPDU().first == 2)
        silent[4].send(Self.associate)
        #expect(silent[4].readPDU() == PDU.make(3, [0, 2, 3, 1]), "both places are taken")
        #expect(try first.echo() == .success)
        #expect(listener.activeCount == 2)
    }

    @Test("callers over the limit of their address are told so")
    func addressLimit() throws {
        let listener = try startListener(RecordingServer(), ListenerOptions(maxAssociationsPerAddress: 1))
        defer { listener.stop(grace: .zero) }
        let first = try connect(to: listener)
        #expect(throws: NetworkError.rejected(.localLimitExceeded)) { try connect(to: listener) }
        #expect(try first.echo() == .success)
    }

    @Test("stopping aborts idle associations, lets a busy one answer, frees the port")
    func stopping() throws {
        let started = DispatchSemaphore(value: 0)
        let goOn = DispatchSemaphore(value: 0)
        let server = RecordingServer { association, message in
            started.signal()
            goOn.wait()
            try association.discardDataSet()
            try association.send(CommandSet(answering: message.command, status: .success), on: message.contextID)
        }
        let listener = try startListener(server)
        let idle = try connect(to: listener)
        #expect(try idle.echo() == .success)
        let busy = try connect(to: listener, [UIDs.studyRootFind])
        var request = CommandSet(.cFindRequest)
        request.messageID = 1
        try busy.send(request, on: 1, dataSet: [0, 0])
        started.wait()
        let stopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            listener.stop(grace: .seconds(10))
            stopped.signal()
        }
        #expect(throws: NetworkError.abortedByPeer) { try idle.nextIncoming() }
        goOn.signal()
        var cancelled = false
        #expect(try busy.response(to: 1, cancelled: &cancelled).command.status == .success)
        stopped.wait()
        #expect(listener.activeCount == 0)
        let again = try AssociationListener(host: "127.0.0.1", port: listener.port, server: server)
        #expect(again.port == listener.port)
    }

    @Test("stopping ends an association that never answers")
    func stoppingHard() throws {
        let listener = try startListener(RecordingServer { association, _ in try association.discardDataSet() })
        let peer = try RawPeer(port: listener.port)
        peer.send(PDU.associateRequest(contexts: PDU.context(1, UIDs.studyRootFind, [UIDs.implicitLittleEndian])))
        #expect(peer.readPDU().first == 2)
        var request = CommandSet(.cFindRequest)
        request.hasDataSet = true
        peer.send(PDU.data(1, control: 3, request.encoded()) + PDU.data(1, control: 0, [1, 2]))
        listener.stop(grace: .milliseconds(100))
        #expect(listener.activeCount == 0)
        #expect(peer.readToEnd() != nil)
    }

    @Test(
        "stopping sends a silent caller away at once, and frees a thread stuck in writing to a peer that does not read")
    func stoppingStuck() throws {
        let writing = DispatchSemaphore(value: 0)
        let server = RecordingServer { association, message in
            try association.discardDataSet()
            writing.signal()
            let match = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                try association.send(
                    CommandSet(answering: message.command, status: .pending), on: message.contextID, dataSet: match)
            }
        }
        let listener = try startListener(server)
        let silent = try RawPeer(port: listener.port)
        let deaf = try RawPeer(port: listener.port)
        deaf.send(PDU.associateRequest(contexts: PDU.context(1, UIDs.studyRootFind, [UIDs.implicitLittleEndian])))
        #expect(deaf.readPDU().first == 2)
        var request = CommandSet(.cFindRequest)
        request.hasDataSet = true
        deaf.send(PDU.data(1, control: 3, request.encoded()) + PDU.data(1, control: 2, [1, 2]))
        writing.wait()
        listener.stop(grace: .milliseconds(300))
        #expect(listener.activeCount == 0)
        #expect(silent.readToEnd() != nil)
        #expect(server.snapshot.events.contains { if case .failed(_, .stopped) = $0 { true } else { false } })
        #expect(server.snapshot.events.contains { if case .ended(_, .stopped) = $0 { true } else { false } })
    }

    @Test("two hundred associations leave no socket and no thread behind")
    func noLeak() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        for turn in 0..<200 {
            switch turn % 4 {
            case 0: try connect(to: listener).release()
            case 1: try connect(to: listener).abort()
            case 2: _ = try RawPeer(port: listener.port)
            default:
                let peer = try RawPeer(port: listener.port)
                peer.send(Self.malformed[turn % Self.malformed.count].bytes)
                _ = peer.readToEnd()
            }
        }
        listener.stop(grace: .seconds(10))
        #expect(listener.activeCount == 0)
        #expect(try openSockets(port: listener.port) == [])
    }

    /// The lines of the kernel's table that belong to `port` and to a descriptor of some process.
    private func openSockets(port: Int) throws -> [String] {
        let digits = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        let table = try String(contentsOfFile: "/proc/self/net/tcp", encoding: .utf8)
        return table.split(separator: "\n").dropFirst().map(String.init).filter { line in
            let fields = line.split(separator: " ")
            return (fields[1].hasSuffix(suffix) || fields[2].hasSuffix(suffix)) && fields[9] != "0"
        }
    }
}
