// What the tests of transactions share: the routes over an archive in a folder of its own, and an object.

import Access
import Catalog
import DICOMCore
import DICOMweb
import Foundation
import Hummingbird
import HummingbirdTesting
import Ingest
import Logging
import Retrieval
import Volumes
import Web

/// An archive in a folder of its own behind the DICOMweb routes, asked by one caller.
final class Edge {
    let folder: URL
    let volumes: VolumeStore
    let catalog: CatalogStore
    let ingest: IngestPipeline
    let router = Router(context: WebRequestContext.self)

    /// - Parameter exclusion: of deletions.
    init(
        roles: Set<Role> = [.integration], scope: StudyScope = .all, limits: IngestLimits = .init(),
        files: any FileSystem = POSIXFileSystem(),
        exclusion: @escaping Deletion.Exclusion = { body in
            body()
            return true
        }
    ) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "phim-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        volumes = try VolumeStore(
            directory: folder.appending(path: "volumes").path, fileSystem: files,
            options: VolumeOptions(volumeSize: 64 << 20, zeroAhead: 0, reserve: 0))
        catalog = try CatalogStore(path: folder.appending(path: "catalog.sqlite").path)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        ingest = IngestPipeline(volumes: volumes, catalog: catalog, limits: limits, logger: logger)
        let retrieval = InstanceRetrieval(
            volumes: volumes, converter: Converter(executable: "/bin/false", scratch: folder.path))
        router.add(middleware: KnownCaller(roles: roles, scope: scope))
        DICOMwebEdge.addRoutes(
            to: router.group("dicom-web"),
            services: DICOMwebServices(
                catalog: catalog, ingest: ingest, retrieval: retrieval,
                metadata: MetadataSource(catalog: catalog, retrieval: retrieval, folder: nil),
                deletion: Deletion(
                    catalog: catalog, volumes: volumes, forget: { _, _, _ in }, exclusion: exclusion),
                generation: try CatalogGeneration(catalog), address: PublicAddress(),
                work: BlockingWork(threads: 2), scratch: folder.path, logger: logger))
    }

    deinit {
        _ = ingest.stop()
        volumes.close()
        try? catalog.close()
        try? FileManager.default.removeItem(at: folder)
    }

    func delete(_ path: String) async throws -> (status: Int, text: String, headers: HTTPFields) {
        try await Application(router: router).test(.router) { client in
            try await client.execute(uri: "/dicom-web" + path, method: .delete) {
                ($0.status.code, String(buffer: $0.body), $0.headers)
            }
        }
    }

    func post(_ parts: [[UInt8]], path: String = "/dicom-web/studies") async throws -> (status: Int, text: String) {
        let body =
            parts.flatMap { Array("--cut\r\nContent-Type: application/dicom\r\n\r\n".utf8) + $0 + [0x0D, 0x0A] }
            + Array("--cut--".utf8)
        return try await Application(router: router).test(.router) { client in
            try await client.execute(
                uri: path, method: .post,
                headers: [.contentType: "multipart/related; type=\"application/dicom\"; boundary=cut"],
                body: ByteBuffer(bytes: body)
            ) { ($0.status.code, String(buffer: $0.body)) }
        }
    }
}

/// Stands where the authentication stands.
struct KnownCaller: RouterMiddleware {
    let roles: Set<Role>
    let scope: StudyScope

    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.caller = Caller(
            account: "test", roles: roles, credential: .token(1), scope: scope, address: "192.0.2.1")
        return try await next(request, context)
    }
}

enum Samples {
    static func object(study: String, instance: String = UID.generate(), name: String = "A^B") -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, SOPClass.ctImageStorage)
        writer.put(.sopInstanceUID, instance)
        writer.put(.studyInstanceUID, study)
        writer.put(.seriesInstanceUID, study + ".1")
        writer.put(.patientName, name)
        writer.put(.pixelData, .OW, bytes: [UInt8](repeating: 7, count: 4096))
        return Part10.header(
            sopClassUID: SOPClass.ctImageStorage, sopInstanceUID: instance,
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid) + writer.finish()
    }
}
