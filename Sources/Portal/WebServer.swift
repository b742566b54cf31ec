// The HTTP edge: health, metrics, and the routes of the rooms that join the same router.

package import DICOMweb
import Dispatch
package import Exchange
package import FHIR
package import Hummingbird
package import Logging
package import Web

/// What the health resources report.
package enum Readiness: Sendable, Equatable {
    case ready
    /// Not able to take new studies; the reason is for the technician and holds no patient data.
    case notReady(reason: String)
}

/// The questions that HTTP asks of the rest of the archive.
package struct WebServerSources: Sendable {
    package let portal: PortalServices
    package let readiness: @Sendable () -> Readiness
    package let metrics: @Sendable () -> String
    package let dicomweb: DICOMwebServices
    package let fhir: FHIRServices
    package let exchange: ExchangeServices
    package let crossOrigin: CrossOriginPolicy
    package let access: AccessServices
    /// Whether anybody may read the metrics, not only this machine and who has a token.
    package let hasOpenMetrics: Bool

    package init(
        portal: PortalServices, dicomweb: DICOMwebServices, fhir: FHIRServices, exchange: ExchangeServices,
        crossOrigin: CrossOriginPolicy, access: AccessServices, hasOpenMetrics: Bool,
        readiness: @escaping @Sendable () -> Readiness, metrics: @escaping @Sendable () -> String
    ) {
        self.portal = portal
        self.dicomweb = dicomweb
        self.fhir = fhir
        self.exchange = exchange
        self.crossOrigin = crossOrigin
        self.access = access
        self.hasOpenMetrics = hasOpenMetrics
        self.readiness = readiness
        self.metrics = metrics
    }
}

/// Builds the HTTP application; it is a `Service` for the group that `serve` runs.
package enum WebServer {
    /// - Parameter onServerRunning: called with the port once the listener is bound.
    package static func application(
        transport: WebTransport, sources: WebServerSources, logger: Logger,
        onServerRunning: @escaping @Sendable (Int) async -> Void
    ) -> some ApplicationProtocol {
        Application(
            router: router(sources, isEncrypted: transport.certificate != nil, logger: logger),
            server: transport.server,
            configuration: transport.configuration,
            onServerRunning: { channel in await onServerRunning(channel.localAddress?.port ?? transport.port) },
            logger: logger
        )
    }

    /// What the sources do blocks: on a thread of its own, one question after the other.
    private static let questions = DispatchQueue(label: "phim-health")

    private static func ask<Answer: Sendable>(_ question: @escaping @Sendable () -> Answer) async -> Answer {
        await withCheckedContinuation { continuation in
            questions.async { continuation.resume(returning: question()) }
        }
    }

    package static func router(
        _ sources: WebServerSources, isEncrypted: Bool, logger: Logger
    ) -> Router<WebRequestContext> {
        let router = Router(context: WebRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: RequestJournal(logger: logger))
        if isEncrypted { router.add(middleware: StrictTransport()) }
        router.add(middleware: CrossOrigin(sources.crossOrigin))
        router.add(middleware: Capabilities(prefix: sources.dicomweb.prefix))
        router.add(middleware: FHIROutcomes())
        router.add(
            middleware: Authentication(
                access: sources.access.access, policy: sources.access.authentication, openID: sources.access.openID))
        AccessEdge.addRoutes(to: router, services: sources.access)
        DICOMwebEdge.addRoutes(to: router.group("dicom-web"), services: sources.dicomweb)
        DICOMwebEdge.addWADOURI(to: router.group(), services: sources.dicomweb)
        FHIREdge.addRoutes(to: router, services: sources.fhir)
        ExchangeEdge.addRoutes(to: router, services: sources.exchange)
        PortalEdge.addRoutes(to: router, services: sources.portal)
        router.get("/health/live") { _, _ in
            content("alive\n", type: "text/plain; charset=utf-8")
        }
        router.get("/health/ready") { _, _ in
            switch await ask(sources.readiness) {
            case .ready: content("ready\n", type: "text/plain; charset=utf-8")
            case .notReady(let reason):
                content(reason + "\n", type: "text/plain; charset=utf-8", status: .serviceUnavailable)
            }
        }
        router.get("/metrics") { request, context in
            guard sources.hasOpenMetrics || MetricsAccess.allows(request, context) else {
                throw Problem.unauthenticated
            }
            return content(await ask(sources.metrics), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        return router
    }

    private static func content(
        _ text: String, type: String, status: HTTPResponse.Status = .ok
    ) -> Response {
        Response(
            status: status,
            headers: [
                .contentType: type,
                .cacheControl: "no-store",
                .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'",
                .xContentTypeOptions: "nosniff",
            ],
            body: .init(byteBuffer: ByteBuffer(string: text))
        )
    }
}
