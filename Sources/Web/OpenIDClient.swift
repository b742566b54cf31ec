// How the identity provider is asked: over HTTP, with an end to every wait and to every answer.

package import Access
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Asks the identity provider. Nothing is followed elsewhere, nothing larger than `longestAnswer` is read.
package enum OpenIDClient {
    private static let longestAnswer = 512 << 10
    /// For a request as a whole, however slowly its answer drips.
    private static let patience: Duration = .seconds(8)

    /// Of the process, as its event loops are: it ends with it.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(3), read: .seconds(5))
        configuration.connectionPool.idleTimeout = .seconds(30)
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    @Sendable
    package static func fetch(_ request: OpenIDRequest) async throws(OpenIDFailure) -> OpenIDAnswer {
        do {
            return try await withThrowingTaskGroup(of: OpenIDAnswer?.self) { group in
                group.addTask { try await answer(to: request) }
                group.addTask {
                    try await Task.sleep(for: patience)
                    return nil
                }
                defer { group.cancelAll() }
                guard let first = try await group.next(), let answer = first else {
                    throw OpenIDFailure.providerAway("it does not answer in time")
                }
                return answer
            }
        } catch let error as OpenIDFailure {
            throw error
        } catch is NIOTooManyBytesError {
            throw .providerAway("it answers more than it should")
        } catch {
            throw .providerAway("it cannot be reached: \(String("\(error)".prefix(200)))")
        }
    }

    private static func answer(to asked: OpenIDRequest) async throws -> OpenIDAnswer {
        var request = HTTPClientRequest(url: asked.url)
        request.headers.add(name: "Accept", value: "application/json")
        if let authorization = asked.authorization { request.headers.add(name: "Authorization", value: authorization) }
        if let form = asked.form {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: FormText.encode(form)))
        }
        let response = try await client.execute(request, timeout: .seconds(8))
        let body = try await response.body.collect(upTo: longestAnswer)
        return OpenIDAnswer(
            isSuccess: response.status == .ok, body: Array(body.readableBytesView),
            lifetime: lifetime(response.headers[canonicalForm: "Cache-Control"]))
    }

    /// `max-age` (RFC 9111 Section 5.2.2.1).
    private static func lifetime(_ directives: [Substring]) -> Int? {
        for directive in directives {
            let parts = directive.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "max-age" { return Int(parts[1]) }
        }
        return nil
    }
}
