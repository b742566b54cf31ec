// Tokens, grants and links: what they open, and when they stop.

import Access
import Records
import Testing

@Suite("Tokens, grants and links")
struct CredentialTests {
    @Test("a token stands for its account until it expires or is revoked") func tokens() throws {
        let desk = try Desk()
        try desk.add("emr", .integration)
        let lasting = try desk.token("emr")
        let short = try desk.token("emr", seconds: 60)
        #expect(try desk.caller(token: lasting.secret)?.credential == .token(lasting.id))
        #expect(try desk.caller(token: short.secret) != nil)
        desk.pass(seconds: 60)
        #expect(try desk.caller(token: short.secret) == nil)
        #expect(desk.access.knownCaller(presenting: .token(short.secret), from: "") == nil)
        _ = try desk.caller(token: lasting.secret)
        try desk.access.revokeToken(lasting.id, by: .test)
        // In this process at once, not only when the trust is over.
        #expect(desk.access.knownCaller(presenting: .token(lasting.secret), from: "") == nil)
        #expect(try desk.caller(token: lasting.secret) == nil)
    }

    @Test("a token of a role has that role, and never more than its account has now") func roles() throws {
        let desk = try Desk()
        try desk.add("root", .administrator)
        try desk.add("chief", .administrator)
        let token = try desk.token("chief", [.radiologist])
        #expect(try desk.caller(token: token.secret)?.roles == [.radiologist])
        let referring = try desk.token("chief", [.referringPhysician])
        #expect(try desk.caller(token: referring.secret)?.scope == .only([]))
        try desk.access.setRoles([.technician], of: "chief", by: .test)
        #expect(try desk.caller(token: token.secret)?.roles == [])
        #expect(throws: AccessFailure.notCovered) { try desk.token("chief", [.administrator]) }
        #expect(throws: AccessFailure.notFound) { try desk.token("nobody") }
    }

    @Test("a referring physician sees granted studies, as long as they are granted") func grants() throws {
        let desk = try Desk()
        try desk.add("gp", .referringPhysician)
        let token = try desk.token("gp").secret
        #expect(try desk.caller(token: token)?.scope == .only([]))
        try desk.access.grant(study: "1.2", to: "gp", expiresAt: nil, by: .test)
        try desk.access.grant(study: "1.3", to: "gp", expiresAt: desk.records.now() + 60_000_000, by: .test)
        #expect(try desk.caller(token: token)?.scope == .only(["1.2", "1.3"]))
        desk.pass(seconds: 59)
        #expect(try desk.caller(token: token)?.scope == .only(["1.2", "1.3"]))
        desk.pass(seconds: 1)
        #expect(desk.access.knownCaller(presenting: .token(token), from: "") == nil, "the trust ends with the grant")
        #expect(try desk.caller(token: token)?.scope == .only(["1.2"]))
        try desk.access.withdrawGrant(study: "1.2", from: "gp", by: .test)
        #expect(try desk.caller(token: token)?.scope == .only([]))
        #expect(throws: AccessFailure.notFound) { try desk.access.withdrawGrant(study: "1.2", from: "gp", by: .test) }
    }

    @Test("a link to a visit opens what comes to it, and ends with the right of who made it") func visitLinks() throws {
        let desk = try Desk()
        try desk.add("root", .administrator)
        try desk.add("emr", .integration)
        try desk.add("door", .clerk)
        let visit = try desk.records.transaction { records in
            let patient = try records.addPatient(Demographics(), nameKey: "", asOf: 1)
            return try records.addEncounter(
                patient: patient.id, issuer: "", number: "V1", status: .arrived, details: EncounterDetails(),
                startedAt: nil, asOf: 1)
        }
        let subject = LinkSubject.encounter(visit.id)
        #expect(throws: AccessFailure.notCovered) {
            try desk.access.makeLink(to: subject, seconds: 600, mostUses: nil, account: "door", by: .test)
        }
        let link = try desk.access.makeLink(to: subject, seconds: 600, mostUses: nil, account: "emr", by: .test)
        let session = try desk.access.open(link: link.secret, from: "").session
        #expect(try desk.caller(session: session.secret)?.scope == .only([]))
        #expect(try desk.caller(session: session.secret)?.subject == subject)
        try desk.records.transaction { records in
            let target = LinkTarget(procedure: nil, encounter: visit.id, patient: visit.patient)
            for uid in ["1.2", "1.3"] {
                try records.addLink(study: uid, to: target, method: .person, score: 1, reason: "", actor: "lan")
            }
        }
        #expect(try desk.caller(session: session.secret)?.scope == .only(["1.2", "1.3"]))
        try desk.records.transaction { records in
            try records.undoLink(try #require(try records.link(ofStudy: "1.2")), actor: "lan")
        }
        #expect(try desk.caller(session: session.secret)?.scope == .only(["1.3"]))
        try desk.access.setRoles([.technician], of: "emr", by: .test)
        #expect(try desk.caller(session: session.secret) == nil)
        #expect(throws: AccessFailure.notFound) { try desk.access.open(link: link.secret, from: "") }
    }

    @Test("a link opens exactly one study, is counted, expires and can be revoked") func links() throws {
        let desk = try Desk()
        try desk.add("root", .administrator)
        try desk.add("lan", .radiologist)
        let link = try desk.access.makeLink(to: .study("1.2"), seconds: 600, mostUses: 2, account: "lan", by: .test)
        #expect(!link.secret.contains("1.2"))
        let opened = try desk.access.open(link: link.secret, from: "192.0.2.9")
        #expect(opened.subject == .study("1.2"))
        let caller = try #require(try desk.caller(session: opened.session.secret))
        #expect(caller.scope == .only(["1.2"]) && caller.rights == Rules.linkRights && caller.roles.isEmpty)
        #expect(caller.credential == .link(link.id) && caller.account == "lan")
        _ = try desk.access.open(link: link.secret, from: "192.0.2.9")
        #expect(throws: AccessFailure.notFound) { try desk.access.open(link: link.secret, from: "192.0.2.9") }
        #expect(try desk.access.links(study: "1.2").map(\.useCount) == [2])
        #expect(throws: AccessFailure.notFound) { try desk.access.open(link: "guess", from: "192.0.2.9") }
        #expect(try desk.caller(session: opened.session.secret) != nil)
        try desk.access.revokeLink(link.id, by: .test)
        #expect(try desk.caller(session: opened.session.secret) == nil)
    }

    @Test("a session from a link ends with the link") func linkExpiry() throws {
        let desk = try Desk()
        try desk.add("lan", .radiologist)
        let link = try desk.access.makeLink(to: .study("1.2"), seconds: 600, mostUses: nil, account: "lan", by: .test)
        let session = try desk.access.open(link: link.secret, from: "").session
        #expect(session.expiresAt == link.expiresAt)
        desk.pass(seconds: 600)
        #expect(try desk.caller(session: session.secret) == nil)
        #expect(throws: AccessFailure.notFound) { try desk.access.open(link: link.secret, from: "") }
    }

    @Test("a link is worth nothing once who shared it may not share") func linkOfFormer() throws {
        let desk = try Desk()
        try desk.add("lan", .radiologist)
        let link = try desk.access.makeLink(to: .study("1.2"), seconds: 600, mostUses: nil, account: "lan", by: .test)
        let session = try desk.access.open(link: link.secret, from: "").session
        try desk.access.setRoles([.technician], of: "lan", by: .test)
        #expect(try desk.caller(session: session.secret) == nil)
        #expect(throws: AccessFailure.notFound) { try desk.access.open(link: link.secret, from: "") }
        #expect(throws: AccessFailure.notCovered) {
            try desk.access.makeLink(to: .study("1.2"), seconds: 600, mostUses: nil, account: "lan", by: .test)
        }
    }
}
