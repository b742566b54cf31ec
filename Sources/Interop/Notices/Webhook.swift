// Posts notices over HTTP: signed, never followed elsewhere, with an end to every wait and to every answer.

import AsyncHTTPClient
import Crypto
import Encounters
package import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The signature of a webhook: `t=SECONDS,v1=HEX`, HMAC-SHA256 over `SECONDS.BODY`.
package enum WebhookSignature {
    package static func field(_ body: Data, secret: [UInt8], at seconds: Int64) -> String {
        var code = HMAC<SHA256>(key: SymmetricKey(data: secret))
        code.update(data: Data("\(seconds).".utf8))
        code.update(data: body)
        let digits = code.finalize().map { byte in
            byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
        }
        return "t=\(seconds),v1=\(digits.joined())"
    }
}

/// One webhook and its connections.
struct Webhook: Sendable {
    private static let patience = TimeAmount.seconds(10)
    private static let connectPatience = TimeAmount.seconds(4)
    private static let longestAnswer = 64 << 10

    let url: String
    let secret: [UInt8]
    private let client: HTTPClient

    init(url: String, secret: [UInt8], tls: TLSConfiguration) {
        self.url = url
        self.secret = secret
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: Self.connectPatience, read: Self.patience)
        configuration.connectionPool.idleTimeout = .seconds(30)
        // The outbox waits between attempts, and counts them.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async { try? await client.shutdown() }

    /// Posts a notice's document.
    func post(_ body: Data, id: String, at seconds: Int64) async -> DeliveryOutcome {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Phim")
        request.headers.add(name: "Idempotency-Key", value: id)
        request.headers.add(
            name: "Phim-Signature", value: WebhookSignature.field(body, secret: secret, at: seconds))
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await client.execute(request, deadline: .now() + Self.patience)
            let code = Int(response.status.code)
            // A receiver that says yes has it, whatever becomes of the rest of its answer.
            if (200..<300).contains(code) { return .taken("\(code)") }
            let text = try? await response.body.collect(upTo: Self.longestAnswer)
            return Self.outcome(code, text.map { String(buffer: $0) } ?? "")
        } catch let error as NIOConnectionError {
            return .unreached("no connection: \(String("\(error)".prefix(200)))")
        } catch let error as HTTPClientError where error == .connectTimeout || error == .tlsHandshakeTimeout {
            return .unreached("no connection within \(Self.connectPatience.nanoseconds / 1_000_000_000) s")
        } catch {
            return .failed("no answer: \(String("\(error)".prefix(200)))")
        }
    }

    /// What a status other than success means for this notice, and for those behind it.
    static func outcome(_ status: Int, _ text: String) -> DeliveryOutcome {
        let words = "\(status) " + text.prefix(500)
        switch status {
        case 410: return .gone("410: the destination wants nothing any more")
        case 300..<400: return .failed("\(status): redirects are not followed")
        // Of the request as such: another one may be taken.
        case 400, 406, 409, 411, 412, 413, 415, 422: return .refused(words)
        default: return .failed(words)
        }
    }
}
