// What the archive knows of the hospital's identity provider (OpenID Connect Core 1.0).

import Foundation

/// The settings of sign-in at an identity provider.
package struct OpenIDSettings: Sendable, Hashable {
    /// The issuer identifier, exactly as the provider writes it into its tokens.
    package var issuer: String
    package var clientID: String
    /// Nil for a public client, which PKCE alone protects.
    package var clientSecret: String?
    package var scopes = ["openid", "profile", "email"]
    /// Which claim names a new account.
    package var accountClaim = "preferred_username"
    /// Which claim lists groups or roles: a name, or a path with dots such as `realm_access.roles`.
    package var rolesClaim = "roles"
    /// Our roles by the words of that claim.
    package var roles: [String: Role] = [:]
    /// What everybody is whom the provider lets in.
    package var defaultRoles: Set<Role> = []
    /// The audience of access tokens that are taken as API tokens; nil: none are.
    package var audience: String?
    /// Seconds by which the clocks may differ.
    package var clockSkew = 60
    /// What the button says.
    package var name = "Single sign-on"
    /// Where browsers find this archive, such as `https://pacs.example.org`; nil: as the request says.
    package var publicURL: String?

    package init(issuer: String, clientID: String) {
        self.issuer = issuer
        self.clientID = clientID
    }

    /// Whether something may be asked of the provider at this address: encrypted, or on this machine when the issuer is.
    package func allows(_ url: String) -> Bool { Self.isLawful(url, insecure: Self.isLoopback(issuer)) }

    /// Whether a text can be an issuer: an address without query and fragment (OpenID Connect Core 1.0 Section 2).
    package static func isIssuer(_ text: String) -> Bool {
        isLawful(text, insecure: isLoopback(text)) && URLComponents(string: text)?.query == nil
    }

    private static func isLawful(_ text: String, insecure: Bool) -> Bool {
        guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty, url.fragment == nil,
            url.user == nil, url.password == nil
        else { return false }
        switch url.scheme?.lowercased() {
        case "https": return true
        case "http": return insecure && isLoopback(text)
        default: return false
        }
    }

    private static func isLoopback(_ text: String) -> Bool {
        ["localhost", "127.0.0.1", "::1", "[::1]"].contains(URLComponents(string: text)?.host?.lowercased() ?? "")
    }
}
