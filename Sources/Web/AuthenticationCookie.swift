// The cookie of a browser that is signed in, and the check that its own pages send it.

package import Hummingbird

/// The session cookie (RFC 6265bis).
package enum SessionCookie {
    /// With TLS the prefix ties it to this host, whatever another host of the domain sets (RFC 6265bis Section 4.1.3.2).
    package static func name(isSecure: Bool) -> String { isSecure ? "__Host-phim" : "phim" }

    /// A secret is 43 characters: what is longer is not looked at.
    private static let longest = 128

    static func secret(in request: Request, isSecure: Bool) -> String? {
        guard let value = request.cookies[name(isSecure: isSecure)]?.value, !value.isEmpty, value.utf8.count <= longest
        else { return nil }
        return value
    }

    /// Until the browser closes, or the server ends it: scripts cannot read it, other sites' forms do not bring it.
    package static func make(_ secret: String, isSecure: Bool) -> Cookie {
        Cookie(
            name: name(isSecure: isSecure), value: secret, path: "/", secure: isSecure, httpOnly: true, sameSite: .lax)
    }

    package static func end(isSecure: Bool) -> Cookie {
        Cookie(
            name: name(isSecure: isSecure), value: "", maxAge: 0, path: "/", secure: isSecure, httpOnly: true,
            sameSite: .lax)
    }
}

/// Requests that change something must come from our own pages when a cookie is what proves them.
package enum SameOrigin {
    /// - Parameter origins: other origins that are trusted.
    package static func allows(_ request: Request, origins: Set<String>) -> Bool {
        switch request.method {
        case .get, .head, .options, .trace: return true
        default: break
        }
        if let origin = request.headers[.origin] {
            if origins.contains(origin) { return true }
            // Behind a proxy that encrypts, the scheme differs from ours: the host is what must be the same.
            guard let host = request.head.authority, let at = origin.range(ofSchemeEnd: "://") else { return false }
            return origin[at...].lowercased() == host.lowercased()
        }
        if let site = request.headers[.secFetchSite] { return site == "same-origin" || site == "none" }
        // No browser of today leaves both out; a script says by any value of this field that it is none.
        return request.headers[.xRequestedWith] != nil
    }
}

extension String {
    /// Where what follows a separator begins.
    fileprivate func range(ofSchemeEnd separator: String) -> Index? {
        guard let first = firstRange(of: separator) else { return nil }
        return first.upperBound
    }
}

/// Where a request came from when a proxy stands before us.
enum ForwardedAddress {
    private static let longest = 45

    /// The last address in X-Forwarded-For that is not a trusted proxy's; nil when the peer itself is not trusted.
    static func of(_ request: Request, peer: String, proxies: Set<String>) -> String? {
        guard proxies.contains(peer) else { return nil }
        let named = request.headers[values: .xForwardedFor].flatMap { $0.split(separator: ",") }
        for part in named.reversed() {
            let address = String(part.filter { $0 != " " })
            guard isAddress(address) else { return nil }
            if !proxies.contains(address) { return address }
        }
        return nil
    }

    private static func isAddress(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longest
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
                    || (0x61...0x66).contains(byte | 0x20)
            }
    }
}

extension HTTPFields.Element.Name {
    package static var secFetchSite: Self { Self("Sec-Fetch-Site")! }
    package static var xRequestedWith: Self { Self("X-Requested-With")! }
    package static var xForwardedFor: Self { Self("X-Forwarded-For")! }
}
