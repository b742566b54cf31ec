// What a DICOMweb server is sent, and what its answers are taken for (PS3.18 Section 10.5.3).

import Catalog
import DICOMCore
import Encounters
import Forwarding
import Foundation
import Hummingbird
import NIOCore
import Records
import Testing
import Web
import WebForwarding

@Suite("STOW-RS out")
struct StowTests {
    static let stored = """
        {"00081199":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2"]},
        "00081155":{"vr":"UI","Value":["\(Sample.instance)"]}}]}}
        """

    static func failed(_ reason: Int, _ uid: String = Sample.instance) -> String {
        """
        {"00081198":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["\(uid)"]},
        "00081197":{"vr":"US","Value":[\(reason)]}}]}}
        """
    }

    static func carrier(
        _ station: Station, _ url: String, pace: LinePace = LinePace(), silence: TimeAmount = .seconds(20),
        _ change: (inout DestinationSettings) -> Void = { _ in }
    ) throws -> StowCarrier {
        var settings = Station.settings(url)
        change(&settings)
        var patience = WebDestination.Patience()
        patience.silence = silence
        return StowCarrier(
            try WebDestination(settings, folder: station.folder, patience: patience), forms: station.forms, pace: pace,
            work: BlockingWork(threads: 2))
    }

    private static func syntax(_ seen: Seen) throws -> TransferSyntax {
        try Part10.parse(try seen.part().bytes).transferSyntax
    }

    @Test("The stored bytes arrive as they are, in one part, with the credential; the ledger has their digest")
    func bytes() async throws {
        let station = try Station()
        let file = Sample.file()
        let instance = try station.receive(file)
        try Data("tester:secret\n".utf8).write(to: URL(fileURLWithPath: station.folder + "/token"))
        let server = FarServer { _, _ in FarServer.json(.ok, Self.stored) }
        try await server.run { url in
            let pace = LinePace()
            let carrier = try Self.carrier(station, url, pace: pace) { $0.tokenFile = "token" }
            let outcome = try await station.send(carrier)
            #expect(outcome.outcome == .taken("stored"))
            let seen = try #require(server.requests.first)
            #expect(seen.path == "/dicom-web/studies")
            #expect(seen.authorization == "Basic " + Data("tester:secret".utf8).base64EncodedString())
            let part = try seen.part()
            #expect(part.bytes == file)
            #expect(part.type == "application/dicom")
            #expect(pace.octets == Int64(seen.body.count))
            #expect(outcome.lineOctets >= Int64(seen.body.count))
            await carrier.close()
        }
        let shipment = try #require(
            try station.encounters.look { try $0.shipment(destination: "far", study: Sample.study) })
        #expect(shipment.sentInstances == 1)
        #expect(shipment.lineOctets > shipment.sentOctets)
        let shipped = try station.encounters.look { try $0.shipped(shipment.id) }
        #expect(shipped.map(\.digest) == [instance.digest])
    }

    enum Kind: Sendable { case taken, refused, failed, gone }

    static let answers: [(HTTPResponse.Status, String, String, Kind, String)] = [
        (.accepted, stored, "application/dicom+json", .taken, "stored"),
        (.accepted, failed(0xA700), "application/dicom+json", .failed, "A700H"),
        (.conflict, failed(0xC000), "application/dicom+json", .refused, "does not understand"),
        (.conflict, failed(0x0111), "application/dicom+json", .taken, "0111H"),
        (.accepted, failed(0x0124), "application/dicom+json", .refused, "may not store"),
        // It says it of another object, or of none.
        (.ok, failed(0x0110, "1.2.3"), "application/dicom+json", .failed, "does not show it"),
        (.ok, "<html>Please sign in</html>", "text/html", .failed, "does not show it"),
        (.ok, "", "application/dicom+json", .failed, "does not show it"),
        (.ok, "[[[[[[", "application/dicom+json", .failed, "does not show it"),
        (.conflict, "", "text/plain", .refused, "409"),
        (.contentTooLarge, "", "text/plain", .refused, "too large"),
        (.unauthorized, "who are you", "text/plain", .failed, "credential"),
        (.forbidden, "", "text/plain", .failed, "credential"),
        (.notFound, "", "text/plain", .failed, "no store service"),
        (.gone, "", "text/plain", .gone, "410"),
        (.serviceUnavailable, "", "text/plain", .failed, "busy"),
        (.internalServerError, "stack trace", "text/plain", .failed, "500"),
        (.found, "", "text/plain", .failed, "redirects"),
    ]

    @Test("An answer is taken for what it says of the object", arguments: answers)
    func answer(
        status: HTTPResponse.Status, body: String, type: String, kind: Kind, words: String
    ) async throws {
        let station = try Station()
        try station.receive(Sample.file())
        let server = FarServer { seen, _ in
            seen.path.contains("/instances") ? FarServer.json(.ok, "[]") : FarServer.json(status, body, type: type)
        }
        try await server.run { url in
            let carrier = try Self.carrier(station, url)
            let outcome = try await station.send(carrier).outcome
            switch (outcome, kind) {
            case (.taken, .taken), (.refused, .refused), (.failed, .failed), (.gone, .gone): break
            default: Issue.record("\(outcome)")
            }
            #expect(outcome.words.contains(words), "\(outcome.words)")
            await carrier.close()
        }
    }

    @Test("XML is read as JSON is; a yes without words counts where the server shows the object")
    func xmlAndSearch() async throws {
        let xml = """
            <?xml version="1.0" encoding="UTF-8"?><NativeDicomModel>
            <DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence"><Item number="1">
            <DicomAttribute tag="00081155" vr="UI" keyword="ReferencedSOPInstanceUID">
            <Value number="1">\(Sample.instance)</Value></DicomAttribute></Item></DicomAttribute></NativeDicomModel>
            """
        let shown = """
            [{"00080018":{"vr":"UI","Value":["\(Sample.instance)"]},"0020000E":{"vr":"UI","Value":["1.2"]}}]
            """
        for isXML in [true, false] {
            let station = try Station()
            try station.receive(Sample.file())
            let server = FarServer { seen, _ in
                if seen.path.contains("/instances") { return FarServer.json(.ok, shown) }
                return isXML ? FarServer.json(.ok, xml, type: "application/dicom+xml") : FarServer.json(.ok, "")
            }
            try await server.run { url in
                let carrier = try Self.carrier(station, url)
                let outcome = try await station.send(carrier).outcome
                guard case .taken = outcome else {
                    Issue.record("\(outcome)")
                    return
                }
                #expect(server.requests.count == (isXML ? 1 : 2))
                await carrier.close()
            }
        }
    }

    @Test("A form that is not taken is followed by the next one, and not offered again")
    func otherForm() async throws {
        let station = try Station()
        try station.receive(Sample.file())
        let server = FarServer { seen, _ in
            try Self.syntax(seen) == .explicitVRLittleEndian
                ? FarServer.json(.conflict, Self.failed(0xC122)) : FarServer.json(.ok, Self.stored)
        }
        try await server.run { url in
            let carrier = try Self.carrier(station, url)
            let outcome = try await station.send(carrier).outcome
            #expect(outcome == .taken("stored"))
            #expect(server.requests.count == 2)
            #expect(try Self.syntax(server.requests[1]) == .implicitVRLittleEndian)
            await carrier.close()
        }
    }

    @Test("A server that says nothing is given up; one that is not there is not reached")
    func silence() async throws {
        let station = try Station()
        try station.receive(Sample.file())
        let server = FarServer { _, _ in
            try await Task.sleep(for: .seconds(600))
            return FarServer.json(.ok, Self.stored)
        }
        try await server.run { url in
            let carrier = try Self.carrier(station, url, silence: .milliseconds(300))
            let outcome = try await station.send(carrier)
            guard case .failed(let words) = outcome.outcome else {
                Issue.record("\(outcome.outcome)")
                return
            }
            #expect(words.contains("no answer"))
            #expect(outcome.lineOctets > 0)
            await carrier.close()
        }
        let absent = try Self.carrier(station, "http://127.0.0.1:1")
        let again = try Station()
        try again.receive(Sample.file())
        let outcome = try await again.send(absent)
        guard case .unreached = outcome.outcome else {
            Issue.record("\(outcome.outcome)")
            return
        }
        #expect(outcome.lineOctets == 0)
        await absent.close()
    }

    @Test("A destination that is set up wrongly says what is wrong", arguments: ["", "ftp://x", "https://", "x"])
    func wrong(url: String) {
        #expect(throws: WebDestinationFailure.self) {
            try WebDestination(Station.settings(url), folder: "/nonexistent")
        }
    }
}
