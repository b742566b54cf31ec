// Files of a page: forms by what the asker takes, and 304 for who has them.

import Hummingbird
import HummingbirdTesting
import Portal
import Testing
import Web

@Suite struct AssetTests {
    private static let text = [UInt8](String(repeating: "the same words again and again ", count: 100).utf8)

    private func answer(_ headers: HTTPFields, to asset: Asset) async throws -> TestResponse {
        let router = Router(context: WebRequestContext.self)
        router.get("/file") { request, _ in asset.response(to: request) }
        return try await Application(router: router).test(.router) { client in
            try await client.execute(uri: "/file", method: .get, headers: headers) { $0 }
        }
    }

    @Test(
        "the smallest form that is accepted is sent (RFC 9110 Section 12.5.3)",
        arguments: [
            ("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("*", "br"), ("*;q=0", nil),
            ("", nil), ("identity", nil), ("GZIP", "gzip"), ("deflate", nil), ("gzip;q=0", nil), (";;,,", nil),
        ] as [(String, String?)])
    func coding(accepted: String, sent: String?) async throws {
        let asset = Asset(
            Self.text, mediaType: "text/plain",
            precompressed: [("gzip", Array(Self.text.prefix(90))), ("br", Array(Self.text.prefix(70)))])
        let answer = try await answer([.acceptEncoding: accepted], to: asset)
        #expect(answer.status == .ok)
        #expect(answer.headers[.contentEncoding] == sent)
        #expect(answer.headers[.vary] == "Accept-Encoding")
        #expect(answer.body.readableBytes == (sent == "br" ? 70 : sent == "gzip" ? 90 : Self.text.count))
    }

    @Test("each form has a tag of its own, and 304 is for the form that the asker would get")
    func entityTags() async throws {
        let asset = Asset(Self.text, mediaType: "text/plain")
        let plain = try await answer([:], to: asset)
        let compressed = try await answer([.acceptEncoding: "gzip"], to: asset)
        let tag = try #require(plain.headers[.eTag])
        let gzipTag = try #require(compressed.headers[.eTag])
        #expect(tag != gzipTag)
        #expect(compressed.body.readableBytes < Self.text.count)
        for (field, coding, status) in [
            (tag, "", HTTPResponse.Status.notModified), ("\"other\", \(tag)", "", .notModified),
            ("*", "", .notModified),
            ("W/\(tag)", "", .notModified), (gzipTag, "gzip", .notModified), (tag, "gzip", .ok), ("\"other\"", "", .ok),
        ] {
            let answer = try await answer([.ifNoneMatch: field, .acceptEncoding: coding], to: asset)
            #expect(answer.status == status, "\(field) \(coding)")
            #expect((answer.body.readableBytes == 0) == (status == .notModified))
        }
    }

    @Test("what does not get smaller is sent as it is")
    func incompressible() async throws {
        let picture = Asset((0..<4_000).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 31) }, mediaType: "image/png")
        let answer = try await answer([.acceptEncoding: "gzip"], to: picture)
        #expect(answer.headers[.contentEncoding] == nil)
    }
}
