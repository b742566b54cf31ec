// The store transaction through the router: who may store what, and what each instance is told.

import Access
import Catalog
import DICOMCore
import DICOMweb
import Ingest
import Testing

@Suite("STOW-RS (PS3.18 Section 10.5)")
struct StoreTests {
    private func count(_ edge: Edge) throws -> Int { try edge.catalog.statistics().instances }

    @Test("What is stored is named with its address")
    func stored() async throws {
        let edge = try Edge()
        let answer = try await edge.post([Samples.object(study: "1.2", instance: "1.2.3")])
        #expect(answer.status == 200)
        #expect(answer.text.contains("\"00081155\":{\"vr\":\"UI\",\"Value\":[\"1.2.3\"]}"))
        #expect(answer.text.contains("/dicom-web/studies/1.2/series/1.2.1/instances/1.2.3"))
        #expect(try count(edge) == 1)
    }

    @Test("A caller who may store one study only stores nothing else, and is told so for each instance")
    func scope() async throws {
        let edge = try Edge(scope: .only(["1.2"]))
        let answer = try await edge.post([
            Samples.object(study: "1.2"), Samples.object(study: "1.9", instance: "1.9.3"),
        ])
        #expect(answer.status == 202)
        #expect(answer.text.contains("\"00081197\":{\"vr\":\"US\",\"Value\":[292]}"))
        #expect(try count(edge) == 1)
        // The resource of another study is not there at all.
        #expect(try await edge.post([Samples.object(study: "1.9")], path: "/dicom-web/studies/1.9").status == 404)
        #expect(try count(edge) == 1)
    }

    @Test("Roles", arguments: Role.allCases)
    func roles(role: Role) async throws {
        let edge = try Edge(roles: [role])
        let mayStore = ![.referringPhysician, .clerk, .station].contains(role)
        #expect(try await edge.post([Samples.object(study: "1.2")]).status == (mayStore ? 200 : 403))
        #expect(try count(edge) == (mayStore ? 1 : 0))
    }

    @Test("A SOP class that the site does not take is 0122H")
    func refusedClass() async throws {
        var limits = IngestLimits()
        limits.acceptsUnknownSOPClasses = false
        let edge = try Edge(limits: limits)
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        writer.put(.sopClassUID, "1.2.3.4.5")
        writer.put(.sopInstanceUID, "1.2.3.4.6")
        let file =
            Part10.header(
                sopClassUID: "1.2.3.4.5", sopInstanceUID: "1.2.3.4.6",
                transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid) + writer.finish()
        let answer = try await edge.post([file])
        #expect(answer.status == 409)
        #expect(answer.text.contains("\"Value\":[290]"))
    }

    @Test("An object above the limit fails alone: A700H")
    func tooLarge() async throws {
        var limits = IngestLimits()
        limits.maximumObjectSize = 3000
        let edge = try Edge(limits: limits)
        let answer = try await edge.post([Samples.object(study: "1.2")])
        #expect(answer.status == 409)
        #expect(answer.text.contains("\"Value\":[42752]"))
    }

    @Test("A pipeline that has stopped says 503, and when to come again")
    func stopped() async throws {
        let edge = try Edge()
        #expect(edge.ingest.stop())
        #expect(try await edge.post([Samples.object(study: "1.2")]).status == 503)
    }

    @Test("Two objects of one UID: both are kept, the second with a warning")
    func conflict() async throws {
        let edge = try Edge()
        let answer = try await edge.post([Samples.object(study: "1.2", instance: "1.3")])
        #expect(answer.status == 200)
        let second = try await edge.post([Samples.object(study: "1.2", instance: "1.3", name: "C^D")])
        #expect(second.status == 202)
        #expect(second.text.contains("\"00081196\":{\"vr\":\"US\",\"Value\":[45056]}"))
    }
}
