// The line to a centre: one HTTP client, what proves who we are, and how a broken line is noticed.

import AsyncHTTPClient
import Encounters
package import Forwarding
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import Records
package import Web

/// Why the line cannot be used.
struct ExchangeLineFailure: Error {
    let outcome: DeliveryOutcome
    /// Nothing moved, or nothing was answered, for as long as it was waited for.
    var isSilent = false
}

/// An object on its way, watched.
struct UploadWatch: Sendable {
    let sent: SentOctets
    /// What `sent` counts when all of it was handed to the connection.
    let end: Int64
    /// Octets that the centre has to read, digest and store before it answers.
    let octets: Int64
}

/// What a centre said.
struct CentreAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: ByteBuffer

    func value<Value: Decodable>(_ type: Value.Type) -> Value? {
        try? JSONDecoder().decode(type, from: Data(body.readableBytesView))
    }

    /// Octets of the object that have arrived.
    var offset: Int64? { headers.first(name: "Upload-Offset").flatMap { Int64($0) } }
    var isComplete: Bool { headers.first(name: "Upload-Complete") == "?1" }

    /// The centre would take the object in its plain form.
    var isPlainWanted: Bool { status == 422 && headers.first(name: "Phim-Wanted") == "plain" }
    /// Asked again so much later there may be another answer.
    var wait: Duration? {
        guard status == 503 || status == 202, let seconds = headers.first(name: "Retry-After").flatMap({ Int($0) })
        else { return nil }
        return .milliseconds(max(200, min(seconds, 10) * 1_000))
    }

    /// The sentence of a problem (RFC 9457).
    private var detail: String {
        struct Detail: Decodable { let detail: String }
        return value(Detail.self)?.detail ?? ""
    }

    /// What a status other than success means.
    var outcome: DeliveryOutcome {
        let words = "\(status) " + detail.prefix(300)
        switch status {
        case 401: return .failed("401: the centre does not know our token; put a new one into the token file")
        case 403: return .failed("403: our account may not hand over studies there; it needs the role station")
        case 404, 405: return .failed("\(status): there is no exchange at this address; the centre may be older")
        case 300..<400: return .failed("\(status): redirects are not followed")
        case 400, 409, 411, 413, 415, 422: return .refused(words)
        default: return .failed(words)
        }
    }
}

/// The line to one centre. What files name is read again whenever the line is made anew.
package actor ExchangeLine {
    private let settings: DestinationSettings
    private let folder: String
    /// For reading files.
    private let work: BlockingWork
    /// What goes over the line.
    nonisolated let pace: LinePace
    private var client: HTTPClient?
    /// The ones before the certificates changed: what is on its way goes to its end, and connections without work end by
    /// themselves.
    private var former: [HTTPClient] = []
    private var certificates: [FileStamp] = []
    private var authorization = ""
    private var readAt = ContinuousClock.now

    /// How long the files are believed.
    private static let trust = Duration.seconds(10)
    /// So long nothing needs to move, and so long after its question an answer comes at the latest: a centre that has more to
    /// do says that it has. The system notices a line that is dead (`stall`), but not one behind something that takes what it
    /// does not pass on.
    private static let patience = Duration.seconds(60)
    /// What a centre works through in a second at least.
    private static let effort: Int64 = 1 << 20
    /// Milliseconds without a sign that what was sent arrives, after which the system ends a connection.
    private static let stall = 30_000
    /// Octets that wait in the system at most: of what is there nothing can be taken back for what is more urgent.
    private static let inSystem = 256 << 10
    private static let longestAnswer = 4 << 20
    /// What a request costs besides its body, about.
    static let overhead = 640

    /// - Parameter folder: the data directory, to which paths of the settings are relative.
    package init(_ settings: DestinationSettings, folder: String, pace: LinePace, work: BlockingWork) {
        self.settings = settings
        self.folder = folder
        self.pace = pace
        self.work = work
    }

    package func close() async {
        let open = former + [client].compactMap { $0 }
        (client, former) = (nil, [])
        for each in open { try? await each.shutdown() }
    }

    // MARK: Asking

    private static func answer(to request: HTTPClientRequest, _ client: HTTPClient) async throws -> CentreAnswer {
        let response = try await client.execute(request, deadline: .distantFuture)
        let body = try await response.body.collect(upTo: longestAnswer)
        return CentreAnswer(status: Int(response.status.code), headers: response.headers, body: body)
    }

    /// Ends with an error when the line is silent for longer than it may be.
    private static func listen(for upload: UploadWatch?) async throws {
        var (before, movedAt) = (Int64(0), ContinuousClock.now)
        while true {
            try await Task.sleep(for: .seconds(1))
            let count = upload?.sent.count ?? 0
            if count != before { (before, movedAt) = (count, .now) }
            let isAsked = count >= upload?.end ?? 0
            let most = isAsked ? patience + .seconds((upload?.octets ?? 0) / effort) : patience
            guard ContinuousClock.now - movedAt < most else {
                let words = isAsked ? "the centre does not answer" : "nothing moves on the line"
                throw ExchangeLineFailure(outcome: .failed(words), isSilent: true)
            }
        }
    }

    /// Asks, and gives whatever is answered. The body is JSON, compressed by the caller where that is worth it.
    func ask(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: HTTPClientRequest.Body? = nil,
        watching upload: UploadWatch? = nil
    ) async throws(ExchangeLineFailure) -> CentreAnswer {
        let (client, authorization) = try await ready()
        var request = HTTPClientRequest(url: root + path)
        request.method = method
        request.headers = headers
        request.headers.add(name: "Authorization", value: authorization)
        request.headers.add(name: "User-Agent", value: "Phim")
        request.body = body
        let wait = pace.take(Self.overhead)
        do {
            if wait > .zero { try await Task.sleep(for: wait) }
            let whole = request
            return try await withThrowingTaskGroup(of: CentreAnswer?.self) { group in
                group.addTask { try await Self.answer(to: whole, client) }
                group.addTask {
                    try await Self.listen(for: upload)
                    return nil
                }
                defer { group.cancelAll() }
                while let answer = try await group.next() { if let answer { return answer } }
                throw CancellationError()
            }
        } catch {
            throw error as? ExchangeLineFailure ?? ExchangeLineFailure(outcome: Self.outcome(error))
        }
    }

    private static func outcome(_ error: any Error) -> DeliveryOutcome {
        switch error {
        case is NIOConnectionError: .unreached("no connection: \(String("\(error)".prefix(160)))")
        case let error as HTTPClientError where error == .connectTimeout:
            .unreached("no connection: \(String("\(error)".prefix(160)))")
        case let error as NIOSSLError: .failed("no secure connection: \(String("\(error)".prefix(160)))")
        case is CancellationError: .failed("stopped here")
        default: .failed("the line broke: \(String("\(error)".prefix(160)))")
        }
    }

    private var root: String {
        (settings.url.hasSuffix("/") ? String(settings.url.dropLast()) : settings.url) + "/" + ExchangeWords.root
    }

    // MARK: Who we are

    private func ready() async throws(ExchangeLineFailure) -> (HTTPClient, String) {
        if let client, ContinuousClock.now - readAt < Self.trust { return (client, authorization) }
        let known = client == nil ? nil : certificates
        let read: Reading
        do { read = try await work.run { try self.read(knowing: known) } } catch {
            throw (error as? ExchangeLineFailure) ?? ExchangeLineFailure(outcome: .failed("the archive is busy"))
        }
        (authorization, readAt) = (read.authorization, .now)
        // Another lane may have been faster.
        if let client, read.configuration == nil || read.certificates == certificates { return (client, authorization) }
        guard let configuration = read.configuration else {
            throw ExchangeLineFailure(outcome: .failed("stopped here"))
        }
        let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        if let client { former.append(client) }
        (client, certificates) = (made, read.certificates)
        return (made, read.authorization)
    }

    /// What files say.
    private struct Reading: Sendable {
        let authorization: String
        let certificates: [FileStamp]
        /// Nil where the certificates are those that are known.
        let configuration: HTTPClient.Configuration?
    }

    /// Blocks.
    private nonisolated func read(knowing known: [FileStamp]?) throws(ExchangeLineFailure) -> Reading {
        let authorization = try Self.authorization(try text(of: settings.tokenFile, "tokenFile"))
        let found = [settings.caFile, settings.certificateFile, settings.keyFile].filter { !$0.isEmpty }
            .map { FileStamp(path($0)) }
        if found == known { return Reading(authorization: authorization, certificates: found, configuration: nil) }
        try checkAddress()
        return Reading(authorization: authorization, certificates: found, configuration: try configuration())
    }

    /// Images and the token leave this machine encrypted, or not at all.
    private nonisolated func checkAddress() throws(ExchangeLineFailure) {
        let parts = URLComponents(string: settings.url)
        let host = parts?.host?.trimmingCharacters(in: ["[", "]"]) ?? ""
        let isHere = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        guard parts?.scheme == "https" || parts?.scheme == "http" && isHere else {
            throw ExchangeLineFailure(
                outcome: .failed("url: a centre is called by https; by http only on this machine itself"))
        }
    }

    private static func authorization(_ text: String) throws(ExchangeLineFailure) -> String {
        let text = text.trimmed
        guard !text.isEmpty, !text.contains(where: \.isNewline) else {
            throw ExchangeLineFailure(outcome: .failed("tokenFile: one line with a token is wanted"))
        }
        guard !text.contains(":") else {
            throw ExchangeLineFailure(
                outcome: .failed("tokenFile: a token of our account at the centre is wanted, no name and password"))
        }
        return text.hasPrefix("Bearer ") ? text : "Bearer " + text
    }

    private nonisolated func path(_ name: String) -> String { name.hasPrefix("/") ? name : folder + "/" + name }

    private nonisolated func text(of name: String, _ key: String) throws(ExchangeLineFailure) -> String {
        guard !name.isEmpty, let data = FileManager.default.contents(atPath: path(name)), data.count <= 64 << 10 else {
            throw ExchangeLineFailure(outcome: .failed("\(key): the file cannot be read"))
        }
        return String(decoding: data, as: UTF8.self)
    }

    private nonisolated func configuration() throws(ExchangeLineFailure) -> HTTPClient.Configuration {
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            if !settings.caFile.isEmpty { tls.trustRoots = .file(path(settings.caFile)) }
            if !settings.certificateFile.isEmpty {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(path(settings.certificateFile)).map {
                    .certificate($0)
                }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: path(settings.keyFile), format: .pem))
            }
        } catch {
            throw ExchangeLineFailure(outcome: .failed("certificateFile, keyFile: cannot be read as PEM"))
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(20))
        // A connection for each lane: streams of one connection would share its window, which a long line fills at once.
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(2, settings.lanes + 1)
        // Before the centre closes it.
        configuration.connectionPool.idleTimeout = .seconds(20)
        // The outbox waits between attempts, and counts them.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.http1_1ConnectionDebugInitializer = { channel in Self.prepare(channel) }
        return configuration
    }

    /// A line that is dead is noticed by the system: by what it sent and nobody acknowledges, and by asking while it waits.
    @Sendable
    private static func prepare(_ channel: any Channel) -> EventLoopFuture<Void> {
        let tcp = NIOBSDSocket.OptionLevel.tcp
        let options: [(NIOBSDSocket.OptionLevel, NIOBSDSocket.Option, Int)] = [
            (.socket, .so_sndbuf, inSystem), (.socket, .so_keepalive, 1),
            // linux/tcp.h: TCP_USER_TIMEOUT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT.
            (tcp, NIOBSDSocket.Option(rawValue: 18), stall), (tcp, NIOBSDSocket.Option(rawValue: 4), 10),
            (tcp, NIOBSDSocket.Option(rawValue: 5), 5), (tcp, NIOBSDSocket.Option(rawValue: 6), 4),
        ]
        let set = options.map { level, option, value in
            channel.setOption(ChannelOptions.Types.SocketOption(level: level, name: option), value: value)
        }
        // A system that lacks one of them goes without.
        return EventLoopFuture.andAllComplete(set, on: channel.eventLoop)
    }
}
