// Stock programs against our listener, and our requestor against theirs.
import DICOMNetwork
import DICOMToolkit
import Foundation
import Testing

@Suite("Interoperation with DCMTK's programs", .enabled(if: Machine.has("dcmsend") && Machine.has("storescp")))
struct InteropTests {
    @Test("echoscu, with 128 contexts and every transfer syntax it knows")
    func echoscu() throws {
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let result = try Machine.run(
            "echoscu", ["-ppc", "128", "-pts", "38", "--repeat", "5", "127.0.0.1", "\(listener.port)"])
        #expect(result.status == 0, "\(result.output)")
        #expect(server.snapshot.requests.first?.contexts.count == 128)
        #expect(server.waits { $0.events.contains { if case .ended(_, nil) = $0 { true } else { false } } })
    }

    @Test("what storescu sends arrives as it is in the file", arguments: ["-xf-none", "-xs", "-xt", "-xr", "-xb"])
    func storescu(option: String) throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let image = try Machine.makeImage(in: folder)
        let sent = folder + "/sent.dcm"
        let packer: [String: (String, [String])] = [
            "-xs": ("dcmcjpeg", ["+e1"]), "-xt": ("dcmcjpls", ["+el"]), "-xr": ("dcmcrle", []),
            "-xb": ("dcmconv", ["+tb"]),
        ]
        let (tool, options) = packer[option] ?? ("dcmconv", ["+te"])
        #expect(try Machine.run(tool, options + [image, sent]).status == 0)
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let proposal = packer[option] == nil ? [] : [option]
        let result = try Machine.run("storescu", proposal + ["127.0.0.1", "\(listener.port)", sent])
        #expect(result.status == 0, "\(result.output)")
        let received = try #require(server.snapshot.stored["1.2.3.4.5"])
        let file = try Data(contentsOf: URL(fileURLWithPath: sent))
        #expect(file.suffix(received.count) == Data(received))
        #expect(received.count > 1_000)
    }

    @Test("dcmsend sends two hundred on one association")
    func dcmsend() throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let image = try Machine.makeImage(in: folder, columns: 16)
        let many = folder + "/many"
        try FileManager.default.createDirectory(atPath: many, withIntermediateDirectories: true)
        var names: [String] = []
        for index in 0..<200 {
            names.append(many + "/\(index).dcm")
            try FileManager.default.copyItem(atPath: image, toPath: names[index])
        }
        #expect(try Machine.run("dcmodify", ["-nb", "-gin"] + names).status == 0)
        let server = RecordingServer()
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let result = try Machine.run("dcmsend", ["+sd", "127.0.0.1", "\(listener.port)", many])
        #expect(result.status == 0, "\(result.output)")
        #expect(server.snapshot.stored.count == 200)
        #expect(server.snapshot.requests.count == 1)
    }

    @Test("findscu cancels after three matches")
    func findscu() throws {
        let server = RecordingServer { association, message in
            _ = try association.readDataSet(limit: 10_000)
            // (0008,0052) CS STUDY in implicit little endian
            let match: [UInt8] = [8, 0, 0x52, 0, 6, 0, 0, 0] + Array("STUDY ".utf8)
            while try !association.pollCancel(message.command.messageID) {
                try association.send(
                    CommandSet(answering: message.command, status: .pending), on: message.contextID, dataSet: match)
            }
            try association.send(CommandSet(answering: message.command, status: .cancel), on: message.contextID)
        }
        let listener = try startListener(server)
        defer { listener.stop(grace: .zero) }
        let result = try Machine.run(
            "findscu",
            ["-S", "--cancel", "3", "-k", "QueryRetrieveLevel=STUDY", "-xi", "127.0.0.1", "\(listener.port)"])
        #expect(result.status == 0, "\(result.output)")
        #expect(server.waits { $0.events.contains { if case .ended(_, nil) = $0 { true } else { false } } })
    }

    @Test("getscu proposes itself as SCP and receives sub-operations")
    func getscu() throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let image = try Machine.makeImage(in: folder)
        let implicit = folder + "/implicit.dcm"
        #expect(try Machine.run("dcmconv", ["+ti", "-F", image, implicit]).status == 0)
        let dataSet = [UInt8](try Data(contentsOf: URL(fileURLWithPath: implicit)))
        let server = RecordingServer { association, message in
            _ = try association.readDataSet(limit: 10_000)
            let context = association.contexts(for: UIDs.ctImageStorage).first { $0.requestorIsSCP }
            guard let context else { throw NetworkError.refused("no context with the role of SCP") }
            var response = CommandSet(answering: message.command, status: .success)
            let outcome = try association.store(
                StoreRequest(
                    sopClassUID: UIDs.ctImageStorage, sopInstanceUID: "1.2.3.4.5", cancelling: message.command.messageID
                ),
                on: context.id, dataSet: dataSet)
            response.completedSubOperations = outcome.status == .success ? 1 : 0
            try association.send(response, on: message.contextID)
        }
        let decision: RecordingServer.Decision = { request in
            .accept(
                request.contexts.map {
                    let implicit = UIDs.implicitLittleEndian
                    return $0.transferSyntaxes.contains(implicit)
                        ? AcceptedContext(id: $0.id, transferSyntax: implicit, scuRole: $0.scuRole, scpRole: $0.scpRole)
                        : AcceptedContext(id: $0.id, refusal: .transferSyntaxesNotSupported)
                })
        }
        let listener = try startListener(RecordingServer(decision: decision, server.behaviour))
        defer { listener.stop(grace: .zero) }
        let received = folder + "/received"
        try FileManager.default.createDirectory(atPath: received, withIntermediateDirectories: true)
        let result = try Machine.run(
            "getscu", ["-S", "-k", "QueryRetrieveLevel=STUDY", "-od", received, "127.0.0.1", "\(listener.port)"])
        #expect(result.status == 0, "\(result.output)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: received).count == 1)
    }

    @Test("our C-ECHO and C-STORE to storescp")
    func storescp() throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let image = try Machine.makeImage(in: folder)
        let explicit = folder + "/bare.dcm"
        #expect(try Machine.run("dcmconv", ["+te", "-F", image, explicit]).status == 0)
        let dataSet = [UInt8](try Data(contentsOf: URL(fileURLWithPath: explicit)))
        let received = folder + "/received"
        try FileManager.default.createDirectory(atPath: received, withIntermediateDirectories: true)
        // A free port, found by taking and leaving one.
        let port: Int
        do { port = try ListeningSocket(host: "127.0.0.1", port: 0).port }
        let peer = Process()
        peer.executableURL = URL(fileURLWithPath: "/usr/bin/storescp")
        peer.arguments = ["-od", received, "\(port)"]
        peer.standardOutput = FileHandle.nullDevice
        peer.standardError = FileHandle.nullDevice
        try peer.run()
        // Not SIGTERM, which it inherits blocked from the test's thread.
        defer {
            kill(peer.processIdentifier, SIGKILL)
            peer.waitUntilExit()
        }
        var opened: Association?
        while opened == nil {
            #expect(peer.isRunning)
            guard peer.isRunning else { return }
            opened = try? AssociationRequestor.connect(
                host: "127.0.0.1", port: port, callingAETitle: "PHIM", calledAETitle: "STORESCP",
                contexts: [
                    ProposedContext(
                        id: 1, abstractSyntax: UIDs.verification, transferSyntaxes: [UIDs.implicitLittleEndian]),
                    ProposedContext(
                        id: 3, abstractSyntax: UIDs.ctImageStorage, transferSyntaxes: [UIDs.explicitLittleEndian]),
                    ProposedContext(
                        id: 5, abstractSyntax: UIDs.privateClass, transferSyntaxes: [UIDs.privateSyntax]),
                ])
        }
        let association = try #require(opened)
        #expect(association.contexts.keys.sorted() == [1, 3])
        #expect(try association.echo() == .success)
        let outcome = try association.store(
            StoreRequest(sopClassUID: UIDs.ctImageStorage, sopInstanceUID: "1.2.3.4.5"), on: 3, dataSet: dataSet)
        #expect(outcome.status == .success)
        try association.release()
        let names = try FileManager.default.contentsOfDirectory(atPath: received)
        #expect(names.count == 1)
        let pixels = try Machine.pixels(received + "/" + (names.first ?? ""), folder)
        #expect(try pixels == Machine.pixels(image, folder))
    }
}
