// The way out to a DICOMweb server: an object a request, many requests at a time (PS3.18 Section 10.5).

import AsyncHTTPClient
package import Catalog
import Encounters
package import Forwarding
import NIOCore
import NIOHTTP1
package import Records
import Retrieval
package import Web

/// Sends objects by STOW-RS.
package final class StowCarrier: Carrier {
    private let destination: WebDestination
    private let forms: OutgoingForms
    private let pace: LinePace
    private let work: BlockingWork
    private let clock: any Clock<Duration>
    private let unwanted = UnwantedForms()

    package init(
        _ destination: WebDestination, forms: OutgoingForms, pace: LinePace, work: BlockingWork,
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.destination = destination
        self.forms = forms
        self.pace = pace
        self.work = work
        self.clock = clock
    }

    /// A search names objects, not their bytes: what is there may be another object of the same UID. So it cannot say.
    package func held(of shipment: ShipmentRecord, _ instances: [StoredInstance]) async -> HeldAnswer { .unknown }

    package func lane() -> any Lane { StowLane(carrier: self) }

    /// DICOMweb has no proof of keeping.
    package func prove(_ request: ProofRequest) async -> ProofOutcome? { nil }

    package func close() async { await destination.close() }

    // MARK: One object

    fileprivate func send(_ parcel: Parcel) async -> ParcelOutcome {
        var octets: Int64 = 0
        // As many forms as an object has; each that is not wanted is remembered.
        for _ in 0..<8 {
            let object: OutgoingObject
            do { object = try await form(of: parcel) } catch {
                return ParcelOutcome(Self.outcome(error), lineOctets: octets)
            }
            var (verdict, sent) = await post(object)
            octets += sent
            if verdict == Self.hungUp {
                // A connection that was quiet is let go of by the server in the moment in which we use it.
                (verdict, sent) = await post(object)
                octets += sent
            }
            switch verdict {
            case .outcome(let outcome): return ParcelOutcome(outcome, lineOctets: octets)
            case .unclear(let words):
                return ParcelOutcome(await searched(object, words), lineOctets: octets)
            case .otherSyntax(let words):
                let form = ObjectForm(
                    sopClassUID: object.sopClassUID, transferSyntaxUID: object.transferSyntaxUID)
                guard unwanted.insert(form) else { return ParcelOutcome(.refused(words), lineOctets: octets) }
            }
        }
        return ParcelOutcome(.refused("it takes the object in no form that can be made of it"), lineOctets: octets)
    }

    private func form(of parcel: Parcel) async throws -> OutgoingObject {
        let (forms, instance, transform) = (forms, parcel.instance, parcel.shipment.transform)
        let unwanted = unwanted.forms()
        return try await work.run(isBegun: true) {
            try forms.object(instance, transform) { syntax in
                !unwanted.contains(ObjectForm(sopClassUID: instance.sopClassUID, transferSyntaxUID: syntax))
            }
        }
    }

    private static let hungUp = StoreVerdict.outcome(.failed("no answer: the connection was closed"))

    /// Nothing of this is the destination's doing: the object waits, the line does not.
    private static func outcome(_ error: any Error) -> DeliveryOutcome {
        switch error as? RetrievalFailure {
        case .absent?: .refused("it was deleted here")
        case .notConvertible(_, let reason)?: .refused("not sent: \(reason)")
        case .unreadable(let reason)?: .refused("not sent, it cannot be read here: \(reason)")
        case .outOfSpace?: .refused("not sent: there is no room here for the form it should have")
        case .busy?, nil: .refused("not sent: the archive is busy")
        }
    }

    private func post(_ object: OutgoingObject) async -> (StoreVerdict, Int64) {
        let boundary = "phim-\(UInt64.random(in: 0...UInt64.max))-\(UInt64.random(in: 0...UInt64.max))"
        let body = StowBody(object, boundary: boundary, pace: pace, work: work, clock: clock)
        var request = destination.request("/studies", .POST, accept: "application/dicom+json")
        request.headers.add(
            name: "Content-Type", value: "multipart/related; type=\"application/dicom\"; boundary=\(boundary)")
        request.body = .stream(body, length: .known(body.length))
        var received = 0
        func line() -> Int64 { body.sent.value + Int64(received) + 512 }
        do {
            // An object may be slow, but not for ever: half an hour, and a second for each two kilobytes.
            let (head, answer) = try await destination.ask(request, within: 1_800 + body.length >> 11) { response in
                (response, try await response.body.collect(upTo: WebDestination.longestAnswer))
            }
            received = answer.readableBytes
            let verdict = StoreAnswer.verdict(
                status: Int(head.status.code), contentType: head.headers.first(name: "Content-Type"),
                body: Array(answer.readableBytesView), of: object.sopInstanceUID)
            return (verdict, line())
        } catch {
            if error as? HTTPClientError == .remoteConnectionClosed { return (Self.hungUp, line()) }
            let words = WebDestination.words(error)
            if let failure = error as? RetrievalFailure { return (.outcome(Self.outcome(failure)), line()) }
            guard body.sent.value > 0 else { return (.outcome(.unreached(words)), 0) }
            return (.outcome(.failed("no answer: \(words)")), line())
        }
    }

    /// The server said yes and not of what: whether it shows the object says it.
    private func searched(_ object: OutgoingObject, _ words: String) async -> DeliveryOutcome {
        let search = WebSearch(destination)
        let found = try? await search.objects(of: object.studyInstanceUID, sopInstanceUID: object.sopInstanceUID)
        guard let found, found.contains(where: { $0.sopInstanceUID == object.sopInstanceUID }) else {
            return .failed("\(words), and it does not show it")
        }
        return .taken("\(words); it shows it")
    }
}

/// One request after the other.
private struct StowLane: Lane {
    let carrier: StowCarrier

    func send(_ parcel: Parcel) async -> ParcelOutcome { await carrier.send(parcel) }

    /// Quiet connections are let go of by themselves.
    func rest() async {}
}
