// How HTTP is spoken: where the server listens, with TLS and HTTP/2 or plainly, and how much it bears.

import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import NIOCore

/// The transport's settings.
package struct WebTransport: Sendable {
    package let host: String
    /// Port 0 picks a free one.
    package let port: Int
    /// With it the server speaks TLS, and HTTP/2 to those who can.
    package let certificate: TLSCertificate?
    /// Connections open at once; more wait in the listener's backlog.
    package var connections = 512
    package var connectionsPerAddress = 256
    /// Seconds from the connection, or from the last answer, to the whole header of the next request.
    package var idle = 30

    package init(host: String, port: Int, certificate: TLSCertificate? = nil) {
        self.host = host
        self.port = port
        self.certificate = certificate
    }

    /// Header of a request: one field, or its line with the URL; all fields; their number.
    private static let headers = HTTP1Channel.Configuration.DecoderConfiguration(
        maxHeaderFieldSize: 32 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 128)

    var server: HTTPServerBuilder {
        var limits = PaceLimits()
        limits.idle = .seconds(Int64(idle))
        let (pace, certificate) = (limits, certificate)
        let shares = ConnectionShares(most: connectionsPerAddress)
        // Idle connections are the pace keeper's: the library would take our own waiting for the client's.
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [PaceKeeper(pace)], idleTimeout: nil, httpDecoderConfiguration: Self.headers)
        return HTTPServerBuilder { responder in
            guard let certificate else {
                return CountedChannel(
                    base: HTTP1Channel(responder: responder, configuration: channel), shares: shares, isPlain: true)
            }
            let http2 = HTTP2ChannelConfiguration(
                idleTimeout: .nanoseconds(pace.idle.nanoseconds), gracefulCloseTimeout: .seconds(6),
                streamConfiguration: channel)
            return CountedChannel(
                base: try HTTP2UpgradeChannel(
                    tlsConfiguration: certificate.configuration, configuration: http2, responder: responder),
                shares: shares, isPlain: false)
        }
    }

    var configuration: ApplicationConfiguration {
        ApplicationConfiguration(
            address: .hostname(host, port: port), serverName: "Phim",
            availableConnectionsDelegate: ConnectionLimit(most: connections))
    }
}

/// Tells browsers to come by HTTPS only from now on (RFC 6797).
struct StrictTransport<Context: RequestContext>: RouterMiddleware {
    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.strictTransportSecurity] = "max-age=31536000"
        return response
    }
}
