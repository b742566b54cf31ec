// `access.oidc:` of the configuration file.

package import Access
import Foundation

/// `access.oidc:` the hospital's identity provider. Times in seconds.
package struct OpenIDSection: Decodable, Sendable, Equatable {
    private var known: OpenIDSettings
    /// A file with the client's secret, so that it need not stand in the configuration.
    private var clientSecretFile: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case issuer, clientID, clientSecret, clientSecretFile, scopes, accountClaim, rolesClaim, roles, defaultRoles
        case acceptBearer, audience, clockSkew, name, publicURL
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        known = OpenIDSettings(
            issuer: try values.decode(String.self, forKey: .issuer),
            clientID: try values.decode(String.self, forKey: .clientID))
        guard OpenIDSettings.isIssuer(known.issuer) else {
            throw ConfigurationError("access.oidc.issuer: an https address; http only of this machine itself")
        }
        guard !known.clientID.isEmpty else { throw ConfigurationError("access.oidc.clientID: not empty") }
        known.clientSecret = try values.decodeIfPresent(String.self, forKey: .clientSecret)
        clientSecretFile = try values.decodeIfPresent(String.self, forKey: .clientSecretFile)
        guard known.clientSecret == nil || clientSecretFile == nil else {
            throw ConfigurationError("access.oidc: clientSecret or clientSecretFile, not both")
        }
        func text(_ key: CodingKeys, _ setting: inout String) throws {
            setting = try values.decodeIfPresent(String.self, forKey: key) ?? setting
            guard !setting.isEmpty else { throw ConfigurationError("access.oidc.\(key.stringValue): not empty") }
        }
        try text(.accountClaim, &known.accountClaim)
        try text(.rolesClaim, &known.rolesClaim)
        try text(.name, &known.name)
        known.scopes = try values.decodeIfPresent([String].self, forKey: .scopes) ?? known.scopes
        guard known.scopes.contains("openid") else { throw ConfigurationError("access.oidc.scopes: openid is needed") }
        known.clockSkew = try values.integer(.clockSkew, 0...300, known.clockSkew, "access.oidc")
        try readRoles(values)
        try readAddresses(values)
    }

    private mutating func readRoles(_ values: KeyedDecodingContainer<CodingKeys>) throws {
        func role(_ word: String) throws -> Role {
            guard let role = Role(rawValue: word) else {
                let words = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw ConfigurationError("access.oidc: the role \(word) is none of \(words)")
            }
            return role
        }
        known.roles = try (values.decodeIfPresent([String: String].self, forKey: .roles) ?? [:]).mapValues(role)
        known.defaultRoles = Set(
            try (values.decodeIfPresent([String].self, forKey: .defaultRoles) ?? []).map(role))
        guard !known.roles.isEmpty || !known.defaultRoles.isEmpty else {
            throw ConfigurationError("access.oidc.roles: without roles or defaultRoles nobody could sign in")
        }
    }

    private mutating func readAddresses(_ values: KeyedDecodingContainer<CodingKeys>) throws {
        known.audience = try values.decodeIfPresent(String.self, forKey: .audience)
        let acceptsBearer = try values.decodeIfPresent(Bool.self, forKey: .acceptBearer) ?? false
        guard acceptsBearer == (known.audience != nil), known.audience != "" else {
            throw ConfigurationError("access.oidc: acceptBearer: true goes with an audience, and only so")
        }
        known.publicURL = try values.decodeIfPresent(String.self, forKey: .publicURL)
        if let url = known.publicURL {
            guard let parts = URLComponents(string: url), ["http", "https"].contains(parts.scheme), parts.host != nil,
                parts.path.isEmpty, parts.query == nil, parts.fragment == nil
            else { throw ConfigurationError("access.oidc.publicURL: \(url) is not like https://pacs.example.org") }
        }
    }

    /// The settings with the secret read. Blocks.
    package func settings(in folder: String) throws(ConfigurationError) -> OpenIDSettings {
        guard let clientSecretFile else { return known }
        let path = clientSecretFile.hasPrefix("/") ? clientSecretFile : "\(folder)/\(clientSecretFile)"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError("access.oidc.clientSecretFile: \(path) cannot be read")
        }
        var settings = known
        settings.clientSecret = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard settings.clientSecret?.isEmpty == false else {
            throw ConfigurationError("access.oidc.clientSecretFile: \(path) is empty")
        }
        return settings
    }
}
