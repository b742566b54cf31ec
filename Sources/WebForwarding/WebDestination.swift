// One DICOMweb server: where it is, who we are to it, and the connections there.

import AsyncHTTPClient
import Foundation
package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import Records

/// Why a destination cannot be called as it is set up; one sentence.
package struct WebDestinationFailure: Error, Hashable, Sendable {
    package let sentence: String
}

/// A DICOMweb service and the way there. Redirects are not followed, every wait has an end, every answer a length.
package struct WebDestination: Sendable {
    /// More than an answer to a store request or a page of a search has.
    static let longestAnswer = 8 << 20

    /// How long it may be silent.
    package struct Patience: Sendable {
        package var connect = TimeAmount.seconds(10)
        /// Between pieces of a request or of an answer.
        package var silence = TimeAmount.seconds(120)

        package init() {}
    }

    /// Root of its services, without a slash at the end.
    let root: String
    private let authorization: String?
    private let connections: Connections

    /// - Parameters:
    ///   - folder: where relative file names begin.
    package init(
        _ settings: DestinationSettings, folder: String, patience: Patience = Patience()
    ) throws(WebDestinationFailure) {
        func path(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }
        guard let url = URLComponents(string: settings.url), let scheme = url.scheme?.lowercased(),
            scheme == "https" || scheme == "http", url.host?.isEmpty == false, url.user == nil, url.query == nil,
            url.fragment == nil
        else { throw WebDestinationFailure(sentence: "its url is not an address such as https://host/dicom-web") }
        var root = settings.url
        while root.hasSuffix("/") { root.removeLast() }
        // The address of another archive's page: its services are below.
        self.root = settings.way == .phim ? "\(root)/dicom-web" : root
        authorization = try settings.tokenFile.isEmpty ? nil : Self.authorization(path(settings.tokenFile))
        var configuration = HTTPClient.Configuration(tlsConfiguration: try Self.encryption(settings, path))
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: patience.connect, read: patience.silence, write: patience.silence)
        // Servers let go of quiet connections after as little as five seconds.
        configuration.connectionPool.idleTimeout = .seconds(4)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(2, settings.lanes + 2)
        configuration.connectionPool.retryConnectionEstablishment = false
        // A connection each: what one lane sends does not stand in another's window.
        configuration.httpVersion = .http1Only
        connections = Connections(configuration)
    }

    /// Ends what is under way; without it, connections go with the last who holds the value.
    package func close() async { try? await connections.client.shutdown() }

    private final class Connections: Sendable {
        let client: HTTPClient

        init(_ configuration: HTTPClient.Configuration) {
            client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        }

        deinit { client.shutdown { _ in } }
    }

    private static func authorization(_ file: String) throws(WebDestinationFailure) -> String {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty, !token.contains(where: \.isNewline) else {
            throw WebDestinationFailure(sentence: "its tokenFile cannot be read, or is not one line")
        }
        return token.contains(":") ? "Basic " + Data(token.utf8).base64EncodedString() : "Bearer \(token)"
    }

    private static func encryption(
        _ settings: DestinationSettings, _ path: (String) -> String
    ) throws(WebDestinationFailure) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if !settings.caFile.isEmpty {
            guard let authorities = try? NIOSSLCertificate.fromPEMFile(path(settings.caFile)), !authorities.isEmpty
            else { throw WebDestinationFailure(sentence: "its caFile cannot be read as certificates in PEM") }
            tls.trustRoots = .certificates(authorities)
        }
        if !settings.certificateFile.isEmpty || !settings.keyFile.isEmpty {
            guard let chain = try? NIOSSLCertificate.fromPEMFile(path(settings.certificateFile)), !chain.isEmpty,
                let key = try? NIOSSLPrivateKey(file: path(settings.keyFile), format: .pem)
            else { throw WebDestinationFailure(sentence: "our certificate or its key cannot be read as PEM") }
            tls.certificateChain = chain.map { .certificate($0) }
            tls.privateKey = .privateKey(key)
        }
        return tls
    }

    /// A request to one of its services, with our credential.
    func request(_ path: String, _ method: HTTPMethod = .GET, accept: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: root + path)
        request.method = method
        request.headers.add(name: "Accept", value: accept)
        request.headers.add(name: "User-Agent", value: "Phim")
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        return request
    }

    /// The head of the answer; its body is still to be read.
    func execute(_ request: HTTPClientRequest, within seconds: Int64) async throws -> HTTPClientResponse {
        try await connections.client.execute(request, deadline: .now() + .seconds(seconds))
    }

    /// Whether a call failed before anything of it was on the line.
    static func isUnreached(_ error: any Error) -> Bool {
        error is NIOConnectionError || error is NIOSSLError || error as? HTTPClientError == .connectTimeout
    }

    /// Why a call came to nothing, without what was asked for.
    static func words(_ error: any Error) -> String {
        switch error {
        case is NIOTooManyBytesError: "it answers more than it should"
        case is CancellationError: "stopped"
        case let error as HTTPClientError: error.shortDescription
        case let error as NIOConnectionError:
            error.connectionErrors.isEmpty ? "its name is not known" : "no connection"
        default: String("\(error)".prefix(200))
        }
    }
}
