// The configuration file: what it accepts, and what it says of mistakes.

import Access
import Archive
import DICOMCore
import Forwarding
import Records
import Testing

@Suite struct ConfigurationTests {
    @Test("The file that a first start writes is the defaults")
    func template() throws {
        #expect(try Configuration.parse(Configuration.template, name: "phim.yaml") == Configuration())
        #expect(try Configuration.parse("", name: "phim.yaml") == Configuration())
    }

    @Test("The defaults shown in the template are the defaults in force")
    func templateShowsDefaults() throws {
        // Uncommenting every `# key: value` line must change nothing, but for those that say they have no default.
        let lines = Configuration.template.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let text = String(line)
            guard text.hasPrefix("  # "), text.contains(": "), !text.contains("# no default: ") else { return text }
            return "  " + text.dropFirst(4)
        }
        #expect(try Configuration.parse(lines.joined(separator: "\n"), name: "phim.yaml") == Configuration())
    }

    @Test("Settings are read")
    func settings() throws {
        let text = """
            dicom: { aeTitle: CENTRAL, port: 104, trustLoopback: false, maxPDU: 16384, characterSet: latin1 }
            storage: { volumeSize: 4GiB, streamThreshold: 33554432, reserve: 1 GiB, arrivalMemory: 2GiB }
            peers:
              - { name: ct1, aeTitle: CT1, host: 192.0.2.1, port: 104, charset: ascii }
              - { name: er, aeTitle: ER, host: 192.0.2.2, port: 104, priority: stat }
            """
        let configuration = try Configuration.parse(text, name: "phim.yaml")
        #expect(configuration.dicom.aeTitle == "CENTRAL")
        #expect(configuration.dicom.port == 104)
        #expect(!configuration.dicom.trustLoopback)
        #expect(configuration.dicom.characterSet == .latin1)
        #expect(configuration.storage.volumeSize.bytes == 4 << 30)
        #expect(configuration.storage.reserve.bytes == 1 << 30)
        #expect(configuration.storage.arrivalMemory?.bytes == 2 << 30)
        #expect(configuration.peers.first?.characterSet == .ascii)
        #expect(configuration.peers.map { $0.priority.map { "\($0)" } } == [nil, "stat"])
    }

    @Test("What is sent on is read")
    func forwarding() throws {
        let text = """
            forwarding:
              station: bac-giang.03
              destinations:
                - { name: centre, phim: "https://pacs.example.org", tokenFile: secrets/c, ca: ca.pem, timetable: ["daily 06:00-20:00 2M"] }
                - { name: pacs, peer: pacs1, tls: true, commit: true, lanes: 4, needsLegalBasis: true, contractUntil: "20281231" }
              routes:
                - { name: all, to: centre, compress: true, on: false }
                - { name: heads, to: pacs, when: ["modality=CT"], priority: stat, deidentify: basic, legalBasis: referral }
              priors: { from: centre, studies: 7 }
              purge: { afterDays: 90, automatic: true, devices: [CT1] }
            """
        let section = try Configuration.parse(text, name: "phim.yaml").forwarding
        #expect(section.station == "bac-giang.03")
        let (centre, pacs) = (section.destinations[0].settings, section.destinations[1].settings)
        #expect(centre.way == .phim && centre.url == "https://pacs.example.org" && centre.tokenFile == "secrets/c")
        #expect(centre.caFile == "ca.pem" && centre.timetable == ["daily 06:00-20:00 2M"] && centre.lanes == 2)
        #expect(pacs.way == .dimse && pacs.peer == "pacs1" && pacs.isSecure && pacs.commits && pacs.lanes == 4)
        #expect(pacs.needsLegalBasis && pacs.contractUntil == "20281231")
        #expect(section.routes.map(\.isOn) == [false, true] && section.routes.map(\.to) == ["centre", "pacs"])
        let heads = section.routes[1].settings
        #expect(heads.conditions == ["modality=CT"] && heads.priority == "stat" && heads.legalBasis == "referral")
        #expect(heads.transform.deidentification == "basic" && section.routes[0].settings.transform.compresses)
        #expect(section.priors?.from == "centre" && section.priors?.studies == 7)
        #expect(section.purge.devices == ["CT1"])
        #expect(section.purge.afterDays == 90 && section.purge.automatic && section.purge.whenFullerThan == 80)
    }

    @Test("A peer's AE title is kept without padding, as those added on the command line are")
    func padding() throws {
        let text = "peers: [ { name: ct1, aeTitle: \" CT1 \", host: 192.0.2.1, port: 104 } ]"
        #expect(try Configuration.parse(text, name: "phim.yaml").peers.map(\.aeTitle) == ["CT1"])
    }

    @Test("Settings of HTTP and access are read")
    func web() throws {
        let text = """
            http:
              host: 0.0.0.0
              port: 8443
              tls: { certificate: server.pem, key: /etc/phim/server.key }
              maxConnections: 1000
              maxConnectionsPerAddress: 50
              idleTimeout: 45
              compactFrames: htj2k
              ohif: none
              allowedOrigins: [ "https://viewer.example.org", "*" ]
              isolatePages: true
              publicURL: https://pacs.example.org:8443
            access:
              idleTimeout: 600
              sessionLifetime: 3600
              lockOutAfter: 3
              lockOutTime: 60
              failuresPerAddress: 9
              failureWindow: 30
              longestLink: 86400
              trustedProxies: [ 192.0.2.9 ]
              origins: [ "https://emr.example.org:8443" ]
              secureCookies: true
              openMetrics: true
              auditBacklog: 5
              auditMonths: 120
            """
        let configuration = try Configuration.parse(text, name: "phim.yaml")
        let (http, access) = (configuration.http, configuration.access)
        #expect(http.host == "0.0.0.0" && http.port == 8443 && !http.isLocal)
        #expect(http.tls?.certificate == "server.pem" && http.tls?.key == "/etc/phim/server.key")
        #expect((http.maxConnections, http.maxConnectionsPerAddress, http.idleTimeout) == (1000, 50, 45))
        #expect(http.compactFrames == .htj2k && http.ohif == "none" && http.isolatePages)
        #expect(http.publicURL == "https://pacs.example.org:8443")
        #expect(http.allowedOrigins == ["https://viewer.example.org", "*"])
        let policy = access.policy
        #expect((policy.idleTimeout, policy.sessionLifetime, policy.longestLink) == (600, 3600, 86_400))
        #expect((policy.lockOutAfter, policy.lockOutTime) == (3, 60))
        #expect((policy.failuresPerAddress, policy.failureWindow) == (9, 30))
        #expect(access.trustedProxies == ["192.0.2.9"] && access.origins == ["https://emr.example.org:8443"])
        #expect(access.secureCookies && access.openMetrics)
        #expect((access.auditBacklog, access.auditMonths) == (5, 120))
    }

    @Test("An identity provider is read")
    func identityProvider() throws {
        let text = """
            access:
              oidc:
                issuer: https://id.example.org/realms/hospital
                clientID: phim
                rolesClaim: realm_access.roles
                roles: { pacs-admin: administrator, ward: referring-physician }
                acceptBearer: true
                audience: phim-api
            """
        let section = try #require(try Configuration.parse(text, name: "phim.yaml").access.oidc)
        let settings = try section.settings(in: "/nowhere")
        #expect(settings.roles == ["pacs-admin": .administrator, "ward": .referringPhysician])
        #expect(settings.audience == "phim-api")
        #expect(settings.clientSecret == nil)
        let more = text + "\n    clientSecretFile: secret"
        let unread = try #require(try Configuration.parse(more, name: "phim.yaml").access.oidc)
        #expect(throws: ConfigurationError.self) { try unread.settings(in: "/nowhere") }
    }

    @Test(
        "A mistake in the provider's section is named",
        arguments: [
            ("{ clientID: a }", "issuer"), ("{ issuer: \"https://b\" }", "clientID"),
            ("{ issuer: \"http://b\", clientID: a, defaultRoles: [technician] }", "issuer"),
            ("{ issuer: \"https://b\", clientID: a }", "roles"),
            ("{ issuer: \"https://b\", clientID: a, defaultRoles: [chief] }", "chief"),
            ("{ issuer: \"https://b\", clientID: a, roles: { x: chief } }", "chief"),
            ("{ issuer: \"https://b\", clientID: a, defaultRoles: [technician], acceptBearer: true }", "audience"),
            ("{ issuer: \"https://b\", clientID: a, defaultRoles: [technician], audience: c }", "acceptBearer"),
            ("{ issuer: \"https://b\", clientID: a, defaultRoles: [technician], clockSkew: 301 }", "clockSkew"),
            ("{ issuer: \"https://b\", clientID: a, defaultRoles: [technician], scopes: [email] }", "openid"),
            ("{ issuer: \"https://b\", clientID: a, defaultRoles: [technician], publicURL: \"b/c\" }", "publicURL"),
            ("{ issuer: \"https://b\", clientID: a, secret: x }", "access.oidc.secret"),
        ])
    func providerMistakes(section: String, place: String) {
        let text = "access: { oidc: \(section) }"
        let error = #expect(throws: ConfigurationError.self) { try Configuration.parse(text, name: "phim.yaml") }
        #expect(error?.description.contains(place) == true, "\(error?.description ?? "")")
    }

    @Test(
        "A mistake is named with its place",
        arguments: [
            ("dicom: { aeTtile: X }", "dicom.aeTtile"),
            ("dicmo: {}", "dicmo"),
            ("dicom: { port: many }", "dicom.port"),
            ("dicom: { port: 70000 }", "dicom.port"),
            ("dicom: { aeTitle: SEVENTEEN_LETTERS }", "AE title"),
            ("dicom: { characterSet: klingon }", "characterSet"),
            ("dicom: { reservedAssociations: -1 }", "dicom.reservedAssociations"),
            ("http: { port: 65536 }", "http.port"),
            ("http: { maxConnections: 0 }", "http.maxConnections"),
            ("http: { maxConnectionsPerAddress: -1 }", "http.maxConnectionsPerAddress"),
            ("http: { idleTimeout: 0 }", "http.idleTimeout"),
            ("http: { idleTimeout: soon }", "http.idleTimeout"),
            ("http: { tls: { certificate: a } }", "key"),
            ("http: { tls: { certificate: a, key: b, password: c } }", "password"),
            ("http: { tls: yes }", "tls"),
            ("http: { compactFrames: gif }", "compactFrames"),
            ("http: { allowedOrigins: [ viewer.example.org ] }", "http.allowedOrigins"),
            ("http: { allowedOrigins: [ \"https://viewer.example.org/page\" ] }", "http.allowedOrigins"),
            ("http: { publicURL: pacs.example.org }", "http.publicURL"),
            ("http: { publicURL: \"https://pacs.example.org/\" }", "http.publicURL"),
            ("access: { origins: [ \"ftp://emr.example.org\" ] }", "access.origins"),
            ("access: { origins: [ \"*\" ] }", "access.origins"),
            ("access: { auditMonths: 0 }", "access.auditMonths"),
            ("storage: { volumeSize: huge }", "storage.volumeSize"),
            ("storage: { streamThreshold: 2GiB }", "storage.streamThreshold"),
            ("storage: { arrivalMemory: 1MiB }", "storage.arrivalMemory"),
            ("forwarding: { statoin: x }", "forwarding.statoin"),
            ("forwarding: { station: \"a b\" }", "forwarding.station"),
            ("forwarding: { destinations: [ { name: a } ] }", "one of peer, dicomweb and phim"),
            ("forwarding: { destinations: [ { name: a, peer: b, phim: c } ] }", "one of peer, dicomweb and phim"),
            ("forwarding: { destinations: [ { name: a, phim: host } ] }", "forwarding.destinations: a: url"),
            ("forwarding: { destinations: [ { name: a, peer: b, lanes: 17 } ] }", "lanes"),
            ("forwarding: { destinations: [ { name: a, peer: b, rate: 2M } ] }", "rate"),
            ("forwarding: { destinations: [ { name: a, peer: b, timetable: [always] } ] }", "timetable"),
            ("forwarding: { destinations: [ { name: a, peer: b, contractUntil: \"2028\" } ] }", "contract"),
            ("forwarding: { destinations: [ { name: a, peer: b }, { name: A, peer: c } ] }", "there twice"),
            ("forwarding: { routes: [ { name: a, to: b, when: [colour=red] } ] }", "colour=red"),
            ("forwarding: { routes: [ { name: a, to: b, priority: urgent } ] }", "stat, normal, bulk"),
            ("forwarding: { routes: [ { name: a } ] }", "to"),
            ("forwarding: { priors: { from: a, years: 0 } }", "forwarding.priors.years"),
            ("forwarding: { purge: { automatic: true } }", "afterDays"),
            ("forwarding: { purge: { afterDays: 9, whenFullerThan: 100 } }", "forwarding.purge.whenFullerThan"),
            ("forwarding: { purge: { devices: [NAME-OF-MORE-THAN-16] } }", "forwarding.purge.devices"),
            ("peers: [ { name: a, aeTitle: B, host: c } ]", "port"),
            ("peers: [ { name: a, aeTitle: B, host: c, port: 0 } ]", "port"),
            ("peers: [ { name: a, aeTitle: B, host: \"::1\", port: 104 } ]", "host"),
            ("peers: [ { name: a, aeTitle: B, host: c, port: 104, maxAssociations: 0 } ]", "associations"),
            ("peers: [ { name: a, aeTitle: B, host: c, port: 104, priority: urgent } ]", "stat, routine, bulk"),
            ("peers: [ { name: \"\", aeTitle: B, host: c, port: 104 } ]", "name"),
            ("peers: [ { name: a, aeTitle: SEVENTEEN_LETTERS, host: c, port: 104 } ]", "AE title"),
            (
                "peers: [ { name: ct, aeTitle: B, host: c, port: 104 }, { name: CT, aeTitle: D, host: e, port: 104 } ]",
                "twice"
            ),
            ("dicom: [", "phim.yaml"),
        ])
    func mistakes(text: String, place: String) {
        let error = #expect(throws: ConfigurationError.self) { try Configuration.parse(text, name: "phim.yaml") }
        #expect(error?.description.contains(place) == true, "\(error?.description ?? "")")
        #expect(error?.description.hasPrefix("phim.yaml") == true)
    }

    @Test("Sizes", arguments: [("10", 10), ("1KiB", 1024), ("3 MiB", 3 << 20), ("2GiB", 2 << 30), ("1_000", 1000)])
    func sizes(text: String, bytes: Int64) { #expect(ByteSize(text)?.bytes == bytes) }

    @Test("No sizes", arguments: ["", "-1", "MiB", "1.5GiB", "9999999999TiB", "1MB"])
    func noSizes(text: String) { #expect(ByteSize(text) == nil) }
}
