// How callers reach this server: what addresses in answers begin with.

import HTTPTypes
package import Hummingbird

/// Makes absolute addresses from what a request says of itself.
package struct PublicAddress: Sendable {
    /// Numeric addresses of proxies whose X-Forwarded-Proto and X-Forwarded-Host are believed.
    private let trustedProxies: Set<String>
    private let isEncrypted: Bool
    private let configured: String?

    /// - Parameters:
    ///   - isEncrypted: whether this server itself speaks TLS.
    ///   - configured: what addresses begin with in any case, such as `https://pacs.example.org`.
    package init(trustedProxies: Set<String> = [], isEncrypted: Bool = false, configured: String? = nil) {
        self.configured = configured
        self.trustedProxies = trustedProxies
        self.isEncrypted = isEncrypted
    }

    /// Scheme, host and port as the caller wrote them, such as `https://pacs.example.org`; empty, so that addresses are
    /// relative to the server, when the request names no host that could be one.
    package func base(of request: Request, peer: String) -> String {
        if let configured { return configured }
        var host = request.head.authority ?? ""
        var scheme = isEncrypted ? "https" : "http"
        if trustedProxies.contains(peer) {
            if let forwarded = Self.first(request.headers[Self.forwardedHost]) { host = forwarded }
            switch Self.first(request.headers[Self.forwardedProto]) {
            case "https": scheme = "https"
            case "http": scheme = "http"
            default: break
            }
        }
        return Self.isHost(host) ? "\(scheme)://\(host)" : ""
    }

    private static let forwardedHost = HTTPField.Name("X-Forwarded-Host")!
    private static let forwardedProto = HTTPField.Name("X-Forwarded-Proto")!

    /// The value that the proxy nearest to the caller gave.
    private static func first(_ field: String?) -> String? {
        field?.split(separator: ",").first.map { String($0.filter { $0 != " " }) }
    }

    /// A name or an address, perhaps with a port (RFC 3986 Section 3.2.2); nothing else gets into an answer.
    private static func isHost(_ text: String) -> Bool {
        (1...260).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "["),
                    UInt8(ascii: "]"):
                    true
                default: false
                }
            }
    }
}
