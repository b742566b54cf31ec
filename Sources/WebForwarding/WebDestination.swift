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
        /// So long the files of our credential and of certificates are believed.
        package var trust = Duration.seconds(10)

        package init() {}
    }

    /// Root of its services, without a slash at the end.
    let root: String
    private let access: WebAccess

    /// Reads the files that are named: blocks.
    /// - Parameters:
    ///   - folder: where relative file names begin.
    package init(
        _ settings: DestinationSettings, folder: String, patience: Patience = Patience()
    ) throws(WebDestinationFailure) {
        guard let url = URLComponents(string: settings.url), let scheme = url.scheme?.lowercased(),
            scheme == "https" || scheme == "http", url.host?.isEmpty == false, url.user == nil, url.query == nil,
            url.fragment == nil
        else { throw WebDestinationFailure(sentence: "its url is not an address such as https://host/dicom-web") }
        var root = settings.url
        while root.hasSuffix("/") { root.removeLast() }
        // The address of another archive's page: its services are below.
        self.root = settings.way == .phim ? "\(root)/dicom-web" : root
        access = try WebAccess(settings, folder: folder, patience: patience)
    }

    /// Ends what is under way; without it, connections go with the last who holds the value.
    package func close() async { await access.close() }

    /// A request to one of its services.
    func request(_ path: String, _ method: HTTPMethod = .GET, accept: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: root + path)
        request.method = method
        request.headers.add(name: "Accept", value: accept)
        request.headers.add(name: "User-Agent", value: "Phim")
        return request
    }

    /// Asks with our credential. The connection is the answer's until `read`, which reads its body, is done.
    func ask<Value>(
        _ request: HTTPClientRequest, within seconds: Int64, read: (HTTPClientResponse) async throws -> Value
    ) async throws -> Value {
        try await access.using { client, authorization in
            var request = request
            if let authorization { request.headers.add(name: "Authorization", value: authorization) }
            return try await read(try await client.execute(request, deadline: .now() + .seconds(seconds)))
        }
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
