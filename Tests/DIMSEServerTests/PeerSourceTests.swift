// What a peer lists of a study: each object once, and not without end (PS3.4 Section C.4.1).

import DICOMCore
import DICOMNetwork
import DIMSEServer
import Forwarding
import Logging
import Synchronization
import Testing

@Suite("Peers as sources", .timeLimit(.minutes(2))) struct PeerSourceTests {
    private func source(_ listener: AssociationListener, mostObjects: Int = 200_000) -> PeerSource {
        PeerSource(
            peer: KnownPeer(
                name: "far", aeTitle: "FAR", host: "127.0.0.1", port: listener.port, characterSet: nil,
                maxAssociations: nil, priority: nil, isSecure: false),
            dialing: PeerDialing(callingAETitle: "STATION", tls: nil), logger: Logger(label: "test"),
            mostObjects: mostObjects)
    }

    @Test("An object that is listed twice is one, and a class that is none is not known")
    func unique() throws {
        let listener = try Answering { level in
            switch level {
            case "STUDY": [[.studyInstanceUID: "1.2"], [.studyInstanceUID: "1.2"], [.studyInstanceUID: "1.3"]]
            case "SERIES":
                [[.seriesInstanceUID: "1.2.1", .modality: "CT"], [.seriesInstanceUID: "1.2.1", .modality: "CT"]]
            default:
                [
                    [.sopInstanceUID: "1.2.1.1", .sopClassUID: SOPClass.ctImageStorage],
                    [.sopInstanceUID: "1.2.1.1", .sopClassUID: SOPClass.ctImageStorage],
                    [.sopInstanceUID: "1.2.1.2", .sopClassUID: "no class"], [.sopInstanceUID: "no object"],
                ]
            }
        }.listening()
        defer { listener.stop(grace: .zero) }
        let source = source(listener)
        #expect(
            try source.studies(.patient(id: "P1", issuer: ""), limit: 9).map(\.studyInstanceUID) == ["1.2", "1.3"])
        let listing = try source.listing(ofStudy: "1.2")
        #expect(
            listing.instances == [
                RemoteInstance(
                    seriesInstanceUID: "1.2.1", sopInstanceUID: "1.2.1.1", sopClassUID: SOPClass.ctImageStorage),
                RemoteInstance(seriesInstanceUID: "1.2.1", sopInstanceUID: "1.2.1.2", sopClassUID: ""),
            ])
    }

    @Test("A list without end is given up", arguments: ["SERIES", "IMAGE"])
    func endless(at level: String) throws {
        let listener = try Answering(endlessAt: level) { level in
            level == "SERIES" ? [[.seriesInstanceUID: "1.2.1"]] : [[.sopInstanceUID: "1.2.1.1"]]
        }.listening()
        defer { listener.stop(grace: .zero) }
        #expect(throws: PullFailure.refused("far answers with more than 50 objects of a study")) {
            try source(listener, mostObjects: 50).listing(ofStudy: "1.2")
        }
    }
}

/// Answers C-FIND with what a function of the level says, at one level without end.
private final class Answering: AssociationServer {
    private let endless: String?
    private let matches: @Sendable (String) -> [[DICOMCore.Tag: String]]

    init(endlessAt level: String? = nil, _ matches: @escaping @Sendable (String) -> [[DICOMCore.Tag: String]]) {
        endless = level
        self.matches = matches
    }

    func listening() throws -> AssociationListener {
        let listener = try AssociationListener(host: "127.0.0.1", port: 0, server: self)
        listener.start()
        return listener
    }

    func negotiate(_ request: AssociationRequest) -> NegotiationAnswer {
        .accept(request.contexts.map { AcceptedContext(id: $0.id, transferSyntax: $0.transferSyntaxes[0]) })
    }

    func serve(_ association: Association) {
        do {
            while let message = try association.nextMessage() {
                let syntax = TransferSyntax(message.context.transferSyntax)
                let keys = try HeaderReader.read(
                    try association.readDataSet(limit: 1 << 20), transferSyntax: syntax
                ).dataSet
                let level = keys.string(.queryRetrieveLevel) ?? ""
                repeat {
                    for match in matches(level) {
                        var writer = DataSetWriter(transferSyntax: syntax, characterSet: .ascii)
                        for (tag, value) in match.sorted(by: { $0.key < $1.key }) { writer.put(tag, value) }
                        try association.send(
                            CommandSet(answering: message.command, status: .pending), on: message.contextID,
                            dataSet: writer.finish())
                    }
                } while level == endless
                try association.send(CommandSet(answering: message.command, status: .success), on: message.contextID)
            }
        } catch {
            // The test sees it from the other side.
        }
    }

    func record(_ event: AssociationEvent) {}
}
