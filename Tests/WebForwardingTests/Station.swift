// A small archive that sends to a server of the test's, and that server.

import Catalog
import DICOMCore
import Deidentification
import Encounters
import Forwarding
import Foundation
import Hummingbird
import Ingest
import Logging
import NIOCore
import Records
import Retrieval
import Synchronization
import Volumes
import Web

typealias Tag = DICOMCore.Tag

/// A clock of which a second goes by with every look.
private final class Ticks: Sendable {
    private let at = Atomic<Int64>(1_795_000_000_000_000)

    func next() -> Int64 { at.wrappingAdd(1_000_000, ordering: .relaxed).newValue }
}

/// Volumes, catalogue, records and rules in a folder of their own.
final class Station: Sendable {
    let folder: String
    let catalog: CatalogStore
    let ingest: IngestPipeline
    let encounters: Encounters
    let outbox: Outbox
    let retrieval: InstanceRetrieval
    let forms: OutgoingForms
    private let book: RouteBook
    private let follower: StudyFollower
    private let volumes: VolumeStore

    init() throws {
        folder = NSTemporaryDirectory() + "phim-web-forwarding-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        volumes = try VolumeStore(
            directory: folder + "/volumes", options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0, reserve: 0))
        catalog = try CatalogStore(path: folder + "/catalog.sqlite")
        let ticks = Ticks()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        ingest = IngestPipeline(volumes: volumes, catalog: catalog, logger: logger)
        encounters = Encounters(
            // A second goes by with every look at the clock: what waits for a moment is due at once.
            records: try RecordStore(
                path: folder + "/records.sqlite",
                now: { ticks.next() }),
            settings: OrderSettings(issuer: "24001", accessionPrefix: "BG"))
        outbox = Outbox(catalog: catalog, encounters: encounters)
        book = RouteBook(catalog: catalog, encounters: encounters)
        follower = StudyFollower(catalog: catalog, encounters: encounters, logger: logger)
        try follower.begin()
        retrieval = InstanceRetrieval(
            volumes: volumes, converter: Converter(executable: "/bin/false", scratch: folder))
        forms = OutgoingForms(retrieval: retrieval, key: PseudonymKey(file: folder + "/pseudonyms.key"))
    }

    deinit {
        _ = ingest.stop()
        volumes.close()
        try? encounters.records.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Takes an object in, and routes its study to the one destination.
    @discardableResult
    func receive(_ file: [UInt8], _ transform: ShipmentTransform = ShipmentTransform()) throws -> StoredInstance {
        try book.put(destination: "far", Self.settings("http://127.0.0.1:1"), by: "test")
        var route = RouteSettings()
        route.transform = transform
        try book.put(route: "all", to: "far", route, by: "test")
        var arrival = ingest.begin(Origin(source: "test"))
        try unsafe file.withUnsafeBytes { try unsafe arrival.append($0) }
        let receipt = try ingest.accept(arrival)
        try follower.catchUp()
        try book.judge()
        let found = try catalog.instances(Scope(studyUIDs: [receipt.studyInstanceUID]))
        guard let instance = found.first(where: { $0.sopInstanceUID == receipt.sopInstanceUID }) else {
            throw CocoaError(.fileNoSuchFile)
        }
        return instance
    }

    static func settings(_ url: String) -> DestinationSettings {
        var settings = DestinationSettings()
        settings.way = .dicomweb
        settings.url = url
        return settings
    }

    /// What becomes of the next object.
    func send(_ carrier: some Carrier) async throws -> ParcelOutcome {
        let queue = ParcelQueue(
            destination: try book.destination("far"), outbox: outbox, carrier: carrier,
            blocking: BlockingCalls(threads: 1))
        guard let parcel = try await queue.next(onlyStat: false) else { throw CocoaError(.fileNoSuchFile) }
        let outcome = await carrier.lane().send(parcel)
        try await queue.note(outcome, of: parcel)
        return outcome
    }
}

/// Objects with what a test looks for.
enum Sample {
    static let study = "1.2.826.0.1.3680043.9.9999.1"
    static let instance = "1.2.826.0.1.3680043.9.9999.1.1.1"

    /// - Parameter flipped: the sample whose lowest bit is another.
    static func file(
        _ characterSet: OutputCharacterSet = .utf8, comment: String = "", instance: String = instance,
        flipped: Int? = nil
    ) -> [UInt8] {
        let syntax = TransferSyntax.explicitVRLittleEndian
        var writer = DataSetWriter(transferSyntax: syntax, characterSet: characterSet)
        writer.put(.sopClassUID, SOPClass.ctImageStorage)
        writer.put(.sopInstanceUID, instance)
        writer.put(.studyInstanceUID, study)
        writer.put(.seriesInstanceUID, study + ".1")
        writer.put(.modality, "CT")
        writer.put(.patientName, "Nguyễn^Văn Đức=阮文德")
        writer.put(.patientID, "PID-4711")
        var item = writer.makeItem()
        item.put(Tag(0x0008, 0x0104), "Sọ não")
        writer.put(Tag(0x0008, 0x1032), items: [item])
        if !comment.isEmpty { writer.put(.imageComments, comment) }
        for (tag, value) in [(Tag(0x0028, 0x0010), 64), (Tag(0x0028, 0x0011), 64), (Tag(0x0028, 0x0100), 16)] {
            writer.put(tag, .US, ints: [value])
        }
        var pixels = (0..<64 * 64 * 2).map { UInt8(truncatingIfNeeded: $0 / 7) }
        if let flipped { pixels[flipped * 2] ^= 1 }
        writer.put(.pixelData, .OW, bytes: pixels)
        return Part10.header(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: instance, transferSyntaxUID: syntax.uid)
            + writer.finish()
    }
}

/// A request as the server saw it.
struct Seen: Sendable {
    let path: String
    let authorization: String?
    let contentType: String
    let body: [UInt8]

    /// The one part: what its header says and what it holds.
    func part() throws -> (type: String, bytes: [UInt8]) {
        let boundary = ContentType(contentType)?.parameters["boundary"] ?? ""
        var reader = try MultipartReader(boundary: boundary)
        reader.append(ByteBuffer(bytes: body))
        var (type, bytes): (String, [UInt8]) = ("", [])
        while let event = try reader.next() {
            switch event {
            case .begin(let header): type = header["content-type"] ?? ""
            case .bytes(let piece): bytes += piece.readableBytesView
            case .end: break
            }
        }
        try reader.finish()
        return (type, bytes)
    }
}

/// A server that answers as a test says, for as long as a body runs.
final class FarServer: Sendable {
    private let seen = Mutex<[Seen]>([])
    private let answer: @Sendable (Seen, Int) async throws -> Response

    var requests: [Seen] { seen.withLock { $0 } }

    /// - Parameter answer: is given the request and how many came before it.
    init(_ answer: @escaping @Sendable (Seen, Int) async throws -> Response) { self.answer = answer }

    static func json(_ status: HTTPResponse.Status, _ text: String, type: String = "application/dicom+json") -> Response
    {
        Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// Runs a body with the server's address.
    func run(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        let (ports, told) = AsyncStream<Int>.makeStream()
        let application = Application(
            responder: FarResponder(server: self), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                told.yield(channel.localAddress?.port ?? 0)
                told.finish()
            }, logger: Logger(label: "far") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            for await port in ports { try await body("http://127.0.0.1:\(port)/dicom-web/") }
            group.cancelAll()
        }
    }

    fileprivate func respond(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 20)
        let seen = Seen(
            path: request.uri.string, authorization: request.headers[.authorization],
            contentType: request.headers[.contentType] ?? "", body: Array(body.readableBytesView))
        let before = self.seen.withLock { list in
            list.append(seen)
            return list.count - 1
        }
        return try await answer(seen, before)
    }
}

private struct FarResponder: HTTPResponder {
    let server: FarServer

    @concurrent
    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        try await server.respond(request)
    }
}
