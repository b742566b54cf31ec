// The way to another archive of this kind: only what is missing, in pieces that resume, with a signed receipt.

import AsyncHTTPClient
package import Catalog
import Crypto
import DICOMCore
import Encounters
package import Forwarding
import Foundation
package import LineCoding
package import Logging
import NIOCore
import NIOHTTP1
package import Records
package import Retrieval
import Synchronization
package import Web

/// What the way to a centre needs of this archive.
package struct ExchangeDoors: Sendable {
    let retrieval: InstanceRetrieval
    let forms: OutgoingForms
    let coder: LineCoder
    /// For what blocks: reading, coding.
    let work: BlockingWork
    /// What is true of a study where its images say otherwise, by tag; nil where nothing was ever corrected. Blocks.
    let correction: @Sendable (_ study: String) throws -> [String: String]?
    /// Writes down the key of a destination's receipts, once, and gives the one that stands there.
    let pin: @Sendable (_ destination: String, _ key: String) async throws -> String
    /// The key by which this archive signs receipts of its own. Blocks.
    let ownKey: @Sendable () throws -> String
    let logger: Logger

    package init(
        retrieval: InstanceRetrieval, forms: OutgoingForms, coder: LineCoder, work: BlockingWork,
        correction: @escaping @Sendable (String) throws -> [String: String]?,
        pin: @escaping @Sendable (String, String) async throws -> String,
        ownKey: @escaping @Sendable () throws -> String, logger: Logger
    ) {
        self.retrieval = retrieval
        self.forms = forms
        self.coder = coder
        self.work = work
        self.correction = correction
        self.pin = pin
        self.ownKey = ownKey
        self.logger = logger
    }
}

/// One centre.
package struct ExchangeCarrier: Carrier {
    private let name: String
    private let doors: ExchangeDoors
    private let line: ExchangeLine
    private let receiptKey: PinnedKey
    /// Coded objects of which something may have arrived.
    private let begun = BegunObjects()
    private let plain = BegunObjects()
    private let speed = LineSpeed()

    /// - Parameter folder: the data directory, to which paths of the settings are relative.
    package init(
        name: String, settings: DestinationSettings, folder: String, pace: LinePace, doors: ExchangeDoors
    ) {
        self.name = name
        self.doors = doors
        line = ExchangeLine(settings, folder: folder, pace: pace, work: doors.work)
        receiptKey = PinnedKey(settings.receiptKey)
    }

    package func lane() -> any Lane {
        ExchangeLane(line: line, doors: doors, begun: begun, plain: plain, speed: speed)
    }

    package func close() async { await line.close() }

    // MARK: What is there

    /// Asks with the manifest alone first: a study that is there already costs one small question.
    package func held(of shipment: ShipmentRecord, _ instances: [StoredInstance]) async -> HeldAnswer {
        guard shipment.transform.keepsObjects, !instances.isEmpty else { return .unknown }
        do throws(ExchangeLineFailure) { return .held(try await heldObjects(shipment, instances)) } catch {
            doors.logger.warning(
                "a centre does not say what it holds",
                metadata: ["destination": "\(name)", "why": "\(error.outcome.words)"])
            // What it does not answer of one study says nothing of the line.
            if case .refused = error.outcome { return .unknown }
            return .failed(error.outcome)
        }
    }

    private func heldObjects(
        _ shipment: ShipmentRecord, _ instances: [StoredInstance]
    ) async throws(ExchangeLineFailure) -> Set<String> {
        let manifest = StudyManifest(
            Dictionary(instances.map { ($0.sopInstanceUID, $0.digest) }, uniquingKeysWith: { first, _ in first }))
        let correction: [String: String]?
        do { correction = try await self.correction(of: shipment.studyInstanceUID) } catch {
            throw ExchangeLineFailure(outcome: .refused("the records cannot be read now"))
        }
        var offer = StudyOffer(
            manifest: Hexadecimal.text(manifest.digest), instances: manifest.objects.count,
            correction: correction)
        var answer = try await ask(offer, study: shipment.studyInstanceUID)
        if answer.isComplete { return Set(manifest.objects.keys) }
        begun.note(answer.partial.keys)
        offer.objects = manifest.objects.mapValues { Hexadecimal.text($0.prefix(ExchangeWords.prefix)) }
        answer = try await ask(offer, study: shipment.studyInstanceUID)
        let uids = manifest.uids
        guard let held = answer.held.flatMap({ Data(base64Encoded: $0) }),
            let bits = BitList.bits(Array(held), count: uids.count)
        else { return answer.isComplete ? Set(uids) : [] }
        return Set(zip(uids, bits).filter(\.1).map(\.0))
    }

    private func ask(_ offer: StudyOffer, study: String) async throws(ExchangeLineFailure) -> OfferAnswer {
        guard let (headers, body) = try? Self.json(offer) else {
            throw ExchangeLineFailure(outcome: .refused("the offer cannot be written"))
        }
        let answer = try await line.ask(.POST, "/studies/\(study)/offer", headers: headers, body: body)
        guard answer.status == 200 else { throw ExchangeLineFailure(outcome: answer.outcome) }
        guard let value = answer.value(OfferAnswer.self) else {
            throw ExchangeLineFailure(outcome: .failed("the answer to an offer cannot be read"))
        }
        return value
    }

    /// What is true of a study where its images say otherwise; nothing where that was never asked.
    private func correction(of study: String) async throws -> [String: String]? {
        let doors = doors
        return try await doors.work.run { try doors.correction(study) }
    }

    /// JSON, compressed where it is long.
    static func json(_ value: some Encodable) throws -> (HTTPHeaders, HTTPClientRequest.Body) {
        let bytes = Array(try JSONEncoder().encode(value))
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        guard bytes.count > 1_000 else { return (headers, .bytes(ByteBuffer(bytes: bytes))) }
        headers.add(name: "Content-Encoding", value: "gzip")
        return (headers, .bytes(ByteBuffer(bytes: GzipWriter.file(bytes[...]))))
    }

    // MARK: Proof

    package func prove(_ request: ProofRequest) async -> ProofOutcome? {
        // What was changed on the way is no proof of what is here.
        guard request.shipment.transform.keepsObjects else { return nil }
        let manifest = StudyManifest(
            Dictionary(request.objects.map { ($0.sopInstanceUID, $0.digest) }, uniquingKeysWith: { first, _ in first }))
        do {
            var asked = ReceiptRequest(
                transactionUID: request.transactionUID, manifest: Hexadecimal.text(manifest.digest),
                instances: manifest.objects.count,
                correction: try await correction(of: request.shipment.studyInstanceUID))
            var answer = try await receipt(asked, of: request)
            if answer.status == 409 {
                asked.objects = manifest.objects.mapValues(Hexadecimal.text)
                answer = try await receipt(asked, of: request)
            }
            if answer.status == 202 { return .unfinished }
            guard answer.status == 200, let given = answer.value(ReceiptAnswer.self) else {
                return .failed(answer.status == 200 ? .failed("the receipt cannot be read") : answer.outcome)
            }
            return try await judge(given.receipt, asked, manifest, request)
        } catch {
            return .failed((error as? ExchangeLineFailure)?.outcome ?? .failed("\(type(of: error))"))
        }
    }

    /// How often a centre is asked for proof that is at another one, and how often one that is at this one: it reads for 20
    /// seconds each time. Then others have their turn.
    private static let askings = 60
    private static let readings = 6

    private func receipt(_ asked: ReceiptRequest, of request: ProofRequest) async throws -> CentreAnswer {
        let (headers, body) = try Self.json(asked)
        var answer: CentreAnswer
        var (askings, readings) = (0, 0)
        repeat {
            answer = try await line.ask(
                .POST, "/studies/\(request.shipment.studyInstanceUID)/receipt", headers: headers, body: body)
            // It reads on when it is asked again, or makes another proof first.
            guard let wait = answer.wait, !Task.isCancelled else { return answer }
            if answer.status == 202 { readings += 1 } else { askings += 1 }
            if readings >= Self.readings { return answer }
            try await Task.sleep(for: wait)
        } while askings < Self.askings
        return answer
    }

    private func judge(
        _ receipt: String, _ asked: ReceiptRequest, _ manifest: StudyManifest, _ request: ProofRequest
    ) async throws -> ProofOutcome {
        let key = try await key()
        let doors = doors
        guard try await doors.work.run({ try doors.ownKey() }) != key else {
            return .failed(
                .refused(
                    "the receipt is signed by this archive itself, or by a copy of it: no other archive proves anything"
                ))
        }
        guard let claims = try? await ReceiptKey.verified(receipt, publicKey: key) else {
            return .failed(
                .refused(
                    "the receipt is not signed by the key that this destination had at first contact; if its key was "
                        + "renewed on purpose, forget the old one (receiptKey)"))
        }
        guard claims.jti == asked.transactionUID, claims.manifest == asked.manifest,
            claims.study == request.shipment.studyInstanceUID, claims.instances == manifest.objects.count,
            claims.missing.allSatisfy({ manifest.objects[$0] != nil })
        else { return .failed(.failed("the receipt is about something else")) }
        let missing = Set(claims.missing)
        let held = manifest.uids.filter { !missing.contains($0) }
        return .answered(
            held: held, missing: claims.missing, body: receipt,
            words: "receipt signed by \(claims.iss.prefix(64)), key \(key.prefix(8)): \(held.count) objects read again")
    }

    /// The key that receipts are known by: asked for once, and believed from then on.
    private func key() async throws -> String {
        if let known = receiptKey.value { return known }
        let answer = try await line.ask(.GET, "/key")
        guard answer.status == 200, let given = answer.value(KeyAnswer.self),
            Data(base64Encoded: given.key)?.count == 32
        else {
            throw ExchangeLineFailure(
                outcome: answer.status == 200 ? .failed("the key cannot be read") : answer.outcome)
        }
        let key = try await doors.pin(name, given.key)
        receiptKey.set(key)
        return key
    }
}

extension ShipmentTransform {
    /// Whether objects go as they are stored: then their digests mean something on the other side. Compression is the line's
    /// own affair there.
    var keepsObjects: Bool { deidentification.isEmpty && characterSet.isEmpty }
}

/// The key of a destination's receipts, once it is known.
private final class PinnedKey: Sendable {
    private let key: Mutex<String>

    init(_ key: String) { self.key = Mutex(key) }

    var value: String? { key.withLock { $0.isEmpty ? nil : $0 } }

    func set(_ new: String) { key.withLock { $0 = new } }
}

/// Digests that are remembered for a while: those of coded objects of which something may have arrived, before more of which
/// is sent the centre is asked how far they are; and those of objects that are wanted in their plain form.
final class BegunObjects: Sendable {
    private let digests = Mutex<Set<String>>([])
    private static let most = 10_000

    func note(_ new: some Sequence<String>) {
        digests.withLock { digests in
            if digests.count > Self.most { digests = [] }
            digests.formUnion(new)
        }
    }

    func contains(_ digest: String) -> Bool { digests.withLock { $0.contains(digest) } }

    /// - Returns: whether it was remembered.
    @discardableResult
    func remove(_ digest: String) -> Bool { digests.withLock { $0.remove(digest) != nil } }
}
