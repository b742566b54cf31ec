// The delete transaction where not all goes well.

import Access
import Catalog
import FaultInjection
import Hummingbird
import Testing

@Suite("DELETE")
struct DeleteTests {
    @Test("What left the archive but not yet its volume is accepted, and is out of sight: 202")
    func pending() async throws {
        let files = FaultyFileSystem()
        let edge = try Edge(roles: [.administrator], files: files)
        #expect(try await edge.post([Samples.object(study: "1.2"), Samples.object(study: "1.3")]).status == 200)
        files.refuse(["pwrite", "punch", "open"])
        #expect(try await edge.delete("/studies/1.2").status == 202)
        #expect(try !edge.catalog.holds(study: "1.2"))
        #expect(try edge.catalog.holds(study: "1.3"))
        #expect(try !edge.catalog.pendingErasures().isEmpty)
        #expect(try await edge.delete("/studies/1.2").status == 404)
    }

    @Test("While the index is rebuilt nothing is deleted: 503, and when to come again")
    func rebuilding() async throws {
        let edge = try Edge(roles: [.administrator], exclusion: { _ in false })
        #expect(try await edge.post([Samples.object(study: "1.2")]).status == 200)
        let answer = try await edge.delete("/studies/1.2")
        #expect(answer.status == 503)
        #expect(answer.headers[.retryAfter] == "60" && answer.text.contains("rebuilt"))
        #expect(try edge.catalog.holds(study: "1.2"))
    }

    @Test("Only administrators delete", arguments: Role.allCases)
    func roles(role: Role) async throws {
        let edge = try Edge(roles: [role])
        #expect(try await edge.delete("/studies/1.2").status == (role == .administrator ? 404 : 403))
    }
}
