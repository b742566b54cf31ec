// The store transaction through the router: who may store what, and what each instance is told.

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
import Testing
import Volumes
import Web

@Suite("STOW-RS (PS3.18 Section 10.5)")
struct StoreTests {
    /// An archive in a folder of its own behind the DICOMweb routes, asked by one caller.
    private final class Edge {
        let folder: URL
        let volumes: VolumeStore
        let catalog: CatalogStore
        let ingest: IngestPipeline
        let router = Router(context: WebRequestContext.self)

        init(roles: Set<Role> = [.integration], scope: StudyScope = .all, limits: IngestLimits = .init()) throws {
            folder = FileManager.default.temporaryDirectory.appending(path: "phim-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            volumes = try VolumeStore(
                directory: folder.appending(path: "volumes").path,
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
                    deletion: Deletion(catalog: catalog, volumes: volumes, forget: { _, _ in }) { body in
                        body()
                        return true
                    },
                    generation: try CatalogGeneration(catalog), address: PublicAddress(),
                    work: BlockingWork(threads: 2), scratch: folder.path, logger: logger))
        }

        deinit {
            _ = ingest.stop()
            volumes.close()
            try? catalog.close()
            try? FileManager.default.removeItem(at: folder)
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
    private struct KnownCaller: RouterMiddleware {
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

    private func object(study: String, instance: String = UID.generate(), name: String = "A^B") -> [UInt8] {
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

    private func count(_ edge: Edge) throws -> Int { try edge.catalog.statistics().instances }

    @Test("What is stored is named with its address")
    func stored() async throws {
        let edge = try Edge()
        let answer = try await edge.post([object(study: "1.2", instance: "1.2.3")])
        #expect(answer.status == 200)
        #expect(answer.text.contains("\"00081155\":{\"vr\":\"UI\",\"Value\":[\"1.2.3\"]}"))
        #expect(answer.text.contains("/dicom-web/studies/1.2/series/1.2.1/instances/1.2.3"))
        #expect(try count(edge) == 1)
    }

    @Test("A caller who may store one study only stores nothing else, and is told so for each instance")
    func scope() async throws {
        let edge = try Edge(scope: .only(["1.2"]))
        let answer = try await edge.post([object(study: "1.2"), object(study: "1.9", instance: "1.9.3")])
        #expect(answer.status == 202)
        #expect(answer.text.contains("\"00081197\":{\"vr\":\"US\",\"Value\":[292]}"))
        #expect(try count(edge) == 1)
        // The resource of another study is not there at all.
        #expect(try await edge.post([object(study: "1.9")], path: "/dicom-web/studies/1.9").status == 404)
        #expect(try count(edge) == 1)
    }

    @Test("Roles", arguments: Role.allCases)
    func roles(role: Role) async throws {
        let edge = try Edge(roles: [role])
        let mayStore = role != .referringPhysician
        #expect(try await edge.post([object(study: "1.2")]).status == (mayStore ? 200 : 403))
        #expect(try count(edge) == (mayStore ? 1 : 0))
    }

    @Test("A SOP class that the site does not take is 0122H")
    func refusedClass() async throws {
        var limits = IngestLimits()
        limits.acceptsUnknownSOPClasses = false
        let edge = try Edge(limits: limits)
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, "1.2.3.4.5")
        writer.put(.sopInstanceUID, "1.2.3.4.6")
        let file =
            Part10.header(
                sopClassUID: "1.2.3.4.5", sopInstanceUID: "1.2.3.4.6",
                transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid) + writer.finish()
        let answer = try await edge.post([file])
        #expect(answer.status == 409)
        #expect(answer.text.contains("\"Value\":[290]"))
    }

    @Test("An object above the limit fails alone: A700H")
    func tooLarge() async throws {
        var limits = IngestLimits()
        limits.maximumObjectSize = 3000
        let edge = try Edge(limits: limits)
        let answer = try await edge.post([object(study: "1.2")])
        #expect(answer.status == 409)
        #expect(answer.text.contains("\"Value\":[42752]"))
    }

    @Test("A pipeline that has stopped says 503, and when to come again")
    func stopped() async throws {
        let edge = try Edge()
        #expect(edge.ingest.stop())
        #expect(try await edge.post([object(study: "1.2")]).status == 503)
    }

    @Test("Two objects of one UID: both are kept, the second with a warning")
    func conflict() async throws {
        let edge = try Edge()
        let answer = try await edge.post([object(study: "1.2", instance: "1.3")])
        #expect(answer.status == 200)
        let second = try await edge.post([object(study: "1.2", instance: "1.3", name: "C^D")])
        #expect(second.status == 202)
        #expect(second.text.contains("\"00081196\":{\"vr\":\"US\",\"Value\":[45056]}"))
    }
}
