// Who we are to a web server, and whom we believe: from files that may be renewed while the server runs.

import AsyncHTTPClient
import Forwarding
import Foundation
import NIOCore
import NIOSSL
import Records
import Synchronization

/// The connections to a server, and our credential there, as the files say.
final class WebAccess: Sendable {
    private struct State {
        var client: HTTPClient
        var authorization: String?
        /// Requests that were under way when the files changed end on these connections.
        var former: HTTPClient?
        var files: [FileStamp]
        var lookedAt: ContinuousClock.Instant
    }

    /// How long the files are believed.
    private static let trust = Duration.seconds(10)

    private let settings: DestinationSettings
    private let folder: String
    private let patience: WebDestination.Patience
    private let state: Mutex<State>

    init(
        _ settings: DestinationSettings, folder: String, patience: WebDestination.Patience
    ) throws(WebDestinationFailure) {
        self.settings = settings
        self.folder = folder
        self.patience = patience
        let files = Self.files(settings, folder)
        let (client, authorization) = try Self.read(settings, folder, patience)
        state = Mutex(
            State(client: client, authorization: authorization, files: files, lookedAt: .now))
    }

    deinit {
        state.withLock { state in
            state.client.shutdown { _ in }
            state.former?.shutdown { _ in }
        }
    }

    /// Ends what is under way.
    func close() async {
        let clients = state.withLock { state in [state.client, state.former].compactMap { $0 } }
        for client in clients { try? await client.shutdown() }
    }

    var client: HTTPClient { current { $0.client } }

    var authorization: String? { current { $0.authorization } }

    private func current<Value: Sendable>(_ part: (State) -> Value) -> Value {
        state.withLock { state in
            renew(&state)
            return part(state)
        }
    }

    /// A file that cannot be read changes nothing: it is being replaced, and looked at again.
    private func renew(_ state: inout State) {
        guard ContinuousClock.now - state.lookedAt >= Self.trust else { return }
        state.lookedAt = .now
        let files = Self.files(settings, folder)
        guard files != state.files, let (client, authorization) = try? Self.read(settings, folder, patience)
        else { return }
        state.former?.shutdown { _ in }
        state = State(
            client: client, authorization: authorization, former: state.client, files: files,
            lookedAt: state.lookedAt)
    }

    // MARK: Files

    private static func path(_ name: String, _ folder: String) -> String {
        name.hasPrefix("/") ? name : "\(folder)/\(name)"
    }

    private static func files(_ settings: DestinationSettings, _ folder: String) -> [FileStamp] {
        [settings.tokenFile, settings.caFile, settings.certificateFile, settings.keyFile].filter { !$0.isEmpty }
            .map { FileStamp(path($0, folder)) }
    }

    private static func read(
        _ settings: DestinationSettings, _ folder: String, _ patience: WebDestination.Patience
    ) throws(WebDestinationFailure) -> (HTTPClient, String?) {
        let authorization =
            try settings.tokenFile.isEmpty ? nil : authorization(path(settings.tokenFile, folder))
        var configuration = HTTPClient.Configuration(tlsConfiguration: try encryption(settings, folder))
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: patience.connect, read: patience.silence, write: patience.silence)
        // Servers let go of quiet connections after as little as five seconds.
        configuration.connectionPool.idleTimeout = .seconds(4)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(2, settings.lanes + 2)
        configuration.connectionPool.retryConnectionEstablishment = false
        // A connection each: what one lane sends does not stand in another's window.
        configuration.httpVersion = .http1Only
        return (HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration), authorization)
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
        _ settings: DestinationSettings, _ folder: String
    ) throws(WebDestinationFailure) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if !settings.caFile.isEmpty {
            guard let authorities = try? NIOSSLCertificate.fromPEMFile(path(settings.caFile, folder)),
                !authorities.isEmpty
            else { throw WebDestinationFailure(sentence: "its caFile cannot be read as certificates in PEM") }
            tls.trustRoots = .certificates(authorities)
        }
        if !settings.certificateFile.isEmpty || !settings.keyFile.isEmpty {
            guard let chain = try? NIOSSLCertificate.fromPEMFile(path(settings.certificateFile, folder)),
                !chain.isEmpty,
                let key = try? NIOSSLPrivateKey(file: path(settings.keyFile, folder), format: .pem)
            else { throw WebDestinationFailure(sentence: "our certificate or its key cannot be read as PEM") }
            tls.certificateChain = chain.map { .certificate($0) }
            tls.privateKey = .privateKey(key)
        }
        return tls
    }
}
