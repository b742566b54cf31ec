// The settings of access: defaults, limits, and words for what cannot be.

import Access
import Archive
import Testing

@Suite("Configuration of access")
struct AccessSectionTests {
    @Test("nothing written means the defaults")
    func defaults() throws {
        let section = try Configuration.parse("", name: "phim.yaml").access
        #expect(section == AccessSection())
        #expect(section.policy.idleTimeout == 1_800 && section.policy.sessionLifetime == 43_200)
    }

    @Test("what is written counts")
    func values() throws {
        let text = """
            access:
              idleTimeout: 60
              lockOutAfter: 3
              trustedProxies: [127.0.0.1, "::1"]
              origins: [https://emr.example.org, "http://10.0.0.5:8000"]
              secureCookies: true
            """
        let section = try Configuration.parse(text, name: "t").access
        #expect(section.policy.idleTimeout == 60 && section.policy.lockOutAfter == 3)
        #expect(section.trustedProxies == ["127.0.0.1", "::1"])
        #expect(section.origins.count == 2 && section.secureCookies && !section.openMetrics)
    }

    @Test(
        "what cannot be is said with its place",
        arguments: [
            ("idleTimeout: 0", "access.idleTimeout"), ("sessionLifetime: -1", "access.sessionLifetime"),
            ("lockOutAfter: 0", "access.lockOutAfter"), ("longestLink: 10", "access.longestLink"),
            ("auditBacklog: 0", "access.auditBacklog"), ("origins: [emr.example.org]", "access.origins"),
            ("origins: [https://emr.example.org/path]", "access.origins"), ("lockout: 5", "access.lockout"),
            ("idleTimeout: soon", "access.idleTimeout"),
        ])
    func faults(line: String, place: String) {
        do {
            _ = try Configuration.parse("access:\n  \(line)\n", name: "phim.yaml")
            Issue.record("accepted")
        } catch {
            #expect(error.description.contains(place), "\(error.description)")
        }
    }
}
