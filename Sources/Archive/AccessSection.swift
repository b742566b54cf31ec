// `access:` of the configuration file.

package import Access
import Foundation

/// `access:` who may sign in, for how long, and who vouches for them. Times in seconds.
package struct AccessSection: Decodable, Sendable, Equatable {
    package var policy = AccessPolicy()
    package var trustedProxies: [String] = []
    package var origins: [String] = []
    package var secureCookies = false
    package var openMetrics = false
    package var auditBacklog = 10_000
    /// Months that rows of the audit trail are kept.
    package var auditMonths = 24
    package var oidc: OpenIDSection?

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case idleTimeout, sessionLifetime, lockOutAfter, lockOutTime, failuresPerAddress, failureWindow, longestLink
        case trustedProxies, origins, secureCookies, openMetrics, auditBacklog, auditMonths, oidc
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func number(_ key: CodingKeys, _ lawful: ClosedRange<Int>, _ setting: inout Int) throws {
            setting = try values.integer(key, lawful, setting, "access")
        }
        try number(.idleTimeout, 1...86_400 * 30, &policy.idleTimeout)
        try number(.sessionLifetime, 1...86_400 * 365, &policy.sessionLifetime)
        try number(.lockOutAfter, 1...1_000, &policy.lockOutAfter)
        try number(.lockOutTime, 1...86_400 * 30, &policy.lockOutTime)
        try number(.failuresPerAddress, 1...1_000_000, &policy.failuresPerAddress)
        try number(.failureWindow, 1...86_400, &policy.failureWindow)
        try number(.longestLink, 60...86_400 * 3_650, &policy.longestLink)
        try number(.auditBacklog, 1...1_000_000, &auditBacklog)
        try number(.auditMonths, 1...1_200, &auditMonths)
        trustedProxies = try values.decodeIfPresent([String].self, forKey: .trustedProxies) ?? []
        origins = try values.decodeIfPresent([String].self, forKey: .origins) ?? []
        for origin in origins {
            guard let url = URL(string: origin), let scheme = url.scheme, ["http", "https"].contains(scheme),
                url.host != nil, url.path.isEmpty
            else { throw ConfigurationError("access.origins: \(origin) is not like https://emr.example.org") }
        }
        secureCookies = try values.decodeIfPresent(Bool.self, forKey: .secureCookies) ?? false
        openMetrics = try values.decodeIfPresent(Bool.self, forKey: .openMetrics) ?? false
        oidc = try values.decodeIfPresent(OpenIDSection.self, forKey: .oidc)
    }
}
