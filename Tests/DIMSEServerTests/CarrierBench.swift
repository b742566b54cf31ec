// A station with objects to send, and a destination that answers as a test says.

import Catalog
import DICOMCore
import DICOMNetwork
import DIMSEServer
import Forwarding
import Foundation
import Ingest
import Logging
import Records
import Retrieval
import Synchronization
import Volumes

/// Volumes, catalogue and records in a folder of their own.
final class CarrierBench {
    let folder: URL
    let volumes: VolumeStore
    let catalog: CatalogStore
    let records: RecordStore
    let ingest: IngestPipeline
    let shipment: ShipmentRecord
    let pace = LinePace()
    static let study = "2.25.77"

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "phim-carrier-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        volumes = try VolumeStore(
            directory: folder.appending(path: "volumes").path,
            options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0, reserve: 0))
        catalog = try CatalogStore(path: folder.appending(path: "catalog.sqlite").path)
        records = try RecordStore(path: folder.appending(path: "records.sqlite").path)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        ingest = IngestPipeline(volumes: volumes, catalog: catalog, logger: logger)
        shipment = try records.transaction { records in
            try records.putDestination("centre", DestinationSettings())
            return try records.putShipment(NewShipment(destination: "centre", studyInstanceUID: Self.study))
        }
    }

    deinit {
        _ = ingest.stop()
        volumes.close()
        try? catalog.close()
        try? records.close()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Takes an object in, and gives its data set.
    @discardableResult
    func receive(
        _ uid: String, sopClass: String = SOPClass.ctImageStorage, octets: Int = 2_048
    ) throws -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, sopClass)
        writer.put(.sopInstanceUID, uid)
        writer.put(.studyInstanceUID, Self.study)
        writer.put(.seriesInstanceUID, Self.study + ".1")
        writer.put(.patientID, "P1")
        writer.put(.pixelData, .OW, bytes: [UInt8](repeating: 7, count: octets))
        let bytes = writer.finish()
        let syntax = TransferSyntax.explicitVRLittleEndian.uid
        var arrival = ingest.begin(
            Origin(
                source: "TEST",
                announced: AnnouncedIdentity(
                    sopClassUID: sopClass, sopInstanceUID: uid, transferSyntaxUID: syntax)))
        try unsafe bytes.withUnsafeBytes { try unsafe arrival.append($0) }
        _ = try ingest.accept(arrival)
        return bytes
    }

    /// What is to be sent, in the order of the catalogue.
    func parcels() throws -> [Parcel] {
        let instances = try catalog.instances(Scope(studyUIDs: [Self.study], seriesUIDs: [], sopUIDs: []))
        let forms = Set(
            instances.map {
                ObjectForm(sopClassUID: $0.sopClassUID, transferSyntaxUID: $0.transferSyntaxUID)
            })
        return instances.map { Parcel(shipment: shipment, instance: $0, forms: forms) }
    }

    func carrier(port: Int, commits: Bool = false) -> AssociationCarrier {
        AssociationCarrier(
            peer: KnownPeer(
                name: "centre", aeTitle: "CENTRE", host: "127.0.0.1", port: port, characterSet: nil,
                maxAssociations: nil, priority: nil, isSecure: false),
            dialing: PeerDialing(callingAETitle: "STATION", tls: nil),
            forms: OutgoingForms(
                retrieval: InstanceRetrieval(
                    volumes: volumes, converter: Converter(executable: "/bin/false", scratch: folder.path))),
            pace: pace, commits: commits)
    }
}

/// A destination, in this process.
final class FarCentre: AssociationServer {
    struct Behaviour {
        var rejection: AssociationRejection?
        /// SOP classes that are not accepted.
        var refused: Set<String> = []
        /// The only transfer syntax that is accepted; nil: the first that is proposed.
        var syntax: String?
        /// By SOP Instance UID; success where nothing is said.
        var statuses: [String: UInt16] = [:]
        /// Breaks off at these.
        var aborts: Set<String> = []
        /// Hangs up when it has served so many.
        var hangsUpAfter: Int?
        var commitment: (@Sendable (Association, Message) throws -> Void)?
    }

    private struct State {
        var behaviour = Behaviour()
        var requests: [AssociationRequest] = []
        var stored: [(uid: String, bytes: [UInt8])] = []
        var released = 0
    }

    private let state = Mutex(State())

    var requests: [AssociationRequest] { state.withLock { $0.requests } }
    var stored: [(uid: String, bytes: [UInt8])] { state.withLock { $0.stored } }
    var released: Int { state.withLock { $0.released } }
    func behave(_ change: @Sendable (inout Behaviour) -> Void) { state.withLock { change(&$0.behaviour) } }

    func listening() throws -> AssociationListener {
        let listener = try AssociationListener(host: "127.0.0.1", port: 0, server: self)
        listener.start()
        return listener
    }

    func negotiate(_ request: AssociationRequest) -> NegotiationAnswer {
        let behaviour = state.withLock { state in
            state.requests.append(request)
            return state.behaviour
        }
        if let rejection = behaviour.rejection { return .reject(rejection) }
        return .accept(
            request.contexts.map { context in
                if let syntax = behaviour.syntax {
                    return context.transferSyntaxes.contains(syntax)
                        ? AcceptedContext(id: context.id, transferSyntax: syntax)
                        : AcceptedContext(id: context.id, refusal: .transferSyntaxesNotSupported)
                }
                return behaviour.refused.contains(context.abstractSyntax)
                    ? AcceptedContext(id: context.id, refusal: .abstractSyntaxNotSupported)
                    : AcceptedContext(id: context.id, transferSyntax: context.transferSyntaxes[0])
            })
    }

    func serve(_ association: Association) {
        var served = 0
        do {
            while let message = try association.nextMessage() {
                let behaviour = state.withLock { $0.behaviour }
                if message.command.field == .nActionRequest {
                    try behaviour.commitment?(association, message)
                    continue
                }
                let uid = message.command.affectedSOPInstanceUID ?? ""
                if behaviour.aborts.contains(uid) { return association.abort() }
                let bytes = try association.readDataSet(limit: 64 << 20)
                state.withLock { $0.stored.append((uid, bytes)) }
                try association.send(
                    CommandSet(
                        answering: message.command, status: Status(rawValue: behaviour.statuses[uid] ?? 0)),
                    on: message.contextID)
                served += 1
                if served == behaviour.hangsUpAfter { return association.abort() }
            }
            if association.isReleased { state.withLock { $0.released += 1 } }
        } catch {
            // The test sees it from the other side.
        }
    }

    func record(_ event: AssociationEvent) {}
}
