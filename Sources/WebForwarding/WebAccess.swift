// Who we are to a web server, and whom we believe: from files that may be renewed while the server runs.

import AsyncHTTPClient
import Forwarding
import Foundation
import NIOCore
import NIOSSL
import Records
import Synchronization
import Web

/// The connections to a server, and our credential there, as the files say.
final class WebAccess: Sendable {
    /// Connections that were made of the same certificates.
    private struct Line {
        let client: HTTPClient
        /// Under way.
        var requests = 0
    }

    private struct State {
        var line: Line
        /// The ones before the certificates changed, until what was under way on them is at its end.
        var former: [Line] = []
        var authorization: String?
        var files: Files
        var lookedAt = ContinuousClock.now
        /// Somebody is reading the files: the others use what is known.
        var isLooking = false
        var isClosed = false

        /// Takes over what files say.
        mutating func take(_ reading: Reading) {
            (authorization, files) = (reading.authorization, reading.files)
            guard let configuration = reading.configuration, !isClosed else { return }
            former.append(line)
            line = Line(client: HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration))
        }

        /// Counts a request.
        mutating func enter() -> (HTTPClient, String?) {
            line.requests += 1
            return (line.client, authorization)
        }

        mutating func leave(_ client: HTTPClient) {
            if line.client === client { line.requests -= 1 }
            for index in former.indices where former[index].client === client { former[index].requests -= 1 }
        }

        /// Clients that nobody uses any more.
        mutating func idle() -> [HTTPClient] {
            let idle = former.filter { $0.requests == 0 }
            former.removeAll { $0.requests == 0 }
            return idle.map(\.client)
        }
    }

    /// For reading files. Of the process, as its event loops are: it ends with it.
    private static let work = BlockingWork(threads: 2)

    private let settings: DestinationSettings
    private let folder: String
    private let patience: WebDestination.Patience
    private let state: Mutex<State>

    /// Reads the files: blocks.
    init(
        _ settings: DestinationSettings, folder: String, patience: WebDestination.Patience
    ) throws(WebDestinationFailure) {
        self.settings = settings
        self.folder = folder
        self.patience = patience
        let files = Self.files(settings, folder)
        let authorization = try Self.authorization(settings, folder)
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: try Self.configuration(settings, folder, patience))
        state = Mutex(State(line: Line(client: client), authorization: authorization, files: files))
    }

    deinit {
        state.withLock { state in
            for line in [state.line] + state.former { line.client.shutdown { _ in } }
        }
    }

    /// Ends what is under way.
    func close() async {
        let clients = state.withLock { state in
            state.isClosed = true
            let former = state.former.map(\.client)
            state.former = []
            return [state.line.client] + former
        }
        for client in clients { try? await client.shutdown() }
    }

    /// Gives a request its connections and our credential. They are kept, whatever the files say, until the body is done:
    /// an answer is to be read in it.
    func using<Value>(_ body: (HTTPClient, String?) async throws -> Value) async throws -> Value {
        await renew()
        let (client, authorization) = state.withLock { $0.enter() }
        defer {
            let idle = state.withLock { state in
                state.leave(client)
                return state.idle()
            }
            for client in idle { client.shutdown { _ in } }
        }
        return try await body(client, authorization)
    }

    /// A file that cannot be read changes nothing: it is being replaced, and looked at again.
    private func renew() async {
        let known = state.withLock { state -> Files? in
            let isDue = ContinuousClock.now - state.lookedAt >= patience.trust
            guard isDue, !state.isLooking, !state.isClosed else { return nil }
            state.isLooking = true
            return state.files
        }
        guard let known else { return }
        let reading = try? await Self.work.run { [settings, folder, patience] in
            try Self.read(settings, folder, patience, knowing: known)
        }
        let idle = state.withLock { state in
            if let reading { state.take(reading) }
            (state.isLooking, state.lookedAt) = (false, .now)
            return state.idle()
        }
        for client in idle { client.shutdown { _ in } }
    }

    // MARK: Files

    private static func path(_ name: String, _ folder: String) -> String {
        name.hasPrefix("/") ? name : "\(folder)/\(name)"
    }

    private struct Files: Hashable {
        let token: FileStamp?
        let certificates: [FileStamp]
    }

    /// What files say.
    private struct Reading: Sendable {
        let files: Files
        let authorization: String?
        /// Nil where the certificates are those that are known.
        let configuration: HTTPClient.Configuration?
    }

    private static func files(_ settings: DestinationSettings, _ folder: String) -> Files {
        Files(
            token: settings.tokenFile.isEmpty ? nil : FileStamp(path(settings.tokenFile, folder)),
            certificates: [settings.caFile, settings.certificateFile, settings.keyFile].filter { !$0.isEmpty }
                .map { FileStamp(path($0, folder)) })
    }

    /// Nil where all of it is known.
    private static func read(
        _ settings: DestinationSettings, _ folder: String, _ patience: WebDestination.Patience, knowing known: Files
    ) throws(WebDestinationFailure) -> Reading? {
        let found = files(settings, folder)
        if found == known { return nil }
        let isKnown = found.certificates == known.certificates
        return Reading(
            files: found, authorization: try authorization(settings, folder),
            configuration: isKnown ? nil : try configuration(settings, folder, patience))
    }

    private static func configuration(
        _ settings: DestinationSettings, _ folder: String, _ patience: WebDestination.Patience
    ) throws(WebDestinationFailure) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(tlsConfiguration: try encryption(settings, folder))
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: patience.connect, read: patience.silence, write: patience.silence)
        // Servers let go of quiet connections after as little as five seconds.
        configuration.connectionPool.idleTimeout = .seconds(4)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(2, settings.lanes + 2)
        configuration.connectionPool.retryConnectionEstablishment = false
        // A connection each: what one lane sends does not stand in another's window.
        configuration.httpVersion = .http1Only
        return configuration
    }

    private static func authorization(
        _ settings: DestinationSettings, _ folder: String
    ) throws(WebDestinationFailure) -> String? {
        if settings.tokenFile.isEmpty { return nil }
        let text = (try? String(contentsOfFile: path(settings.tokenFile, folder), encoding: .utf8)) ?? ""
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
