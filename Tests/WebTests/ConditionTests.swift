// Ranges, entity tags and codings as header fields say them (RFC 9110).

import Hummingbird
import Testing
import Web

@Suite("Conditions and ranges")
struct ConditionTests {
    @Test(
        "Ranges (RFC 9110 Section 14)",
        arguments: [
            (nil, .whole), ("bytes=0-9", .parts([0..<10])), ("bytes=90-", .parts([90..<100])),
            ("bytes=-10", .parts([90..<100])), ("bytes=-1000", .parts([0..<100])), ("bytes=95-200", .parts([95..<100])),
            ("bytes=0-0,99-99", .parts([0..<1, 99..<100])), ("bytes = 0-1", .whole), ("Bytes=0-1", .parts([0..<2])),
            ("bytes=100-", .unsatisfiable), ("bytes=-0", .unsatisfiable), ("bytes=5-4", .whole), ("bytes=", .whole),
            ("bytes=-", .whole), ("bytes=a-1", .whole), ("items=0-1", .whole), ("bytes=0-99,0-99", .whole),
            ("bytes=0-1, 100-200", .parts([0..<2])), ("bytes=+1-2", .whole), ("bytes=9999999999999999999-", .whole),
        ] as [(String?, ByteRanges)])
    func ranges(_ field: String?, _ expected: ByteRanges) { #expect(ByteRanges(field, length: 100) == expected) }

    @Test("Of nothing there is no range")
    func empty() {
        #expect(ByteRanges("bytes=0-", length: 0) == .unsatisfiable)
        #expect(ByteRanges(nil, length: 0) == .whole)
    }

    @Test(
        "If-None-Match (RFC 9110 Section 13.1.2)",
        arguments: [
            ("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false), ("a", false),
            ("", false),
        ])
    func known(_ field: String, _ isKnown: Bool) {
        #expect(EntityTag("a").isKnown(to: [.ifNoneMatch: field]) == isKnown)
    }

    @Test(
        "If-Match compares strongly", arguments: [("\"a\"", false), ("*", false), ("\"b\"", true), ("W/\"a\"", true)])
    func outdated(_ field: String, _ isOutdated: Bool) {
        #expect(EntityTag("a").isOutdated(by: [.ifMatch: field]) == isOutdated)
        #expect(!EntityTag("a").isOutdated(by: [:]))
    }

    @Test(
        "Accept-Encoding (RFC 9110 Section 12.5.3)",
        arguments: [
            ("gzip", true), ("gzip, deflate, br", true), ("deflate", false), ("*", true), ("*;q=0", false),
            ("gzip;q=0", false), ("gzip;q=0, *", false), ("identity, gzip;q=0.5", true), ("x-gzip", true),
            ("GZIP", true),
        ])
    func gzip(_ field: String, _ accepts: Bool) {
        #expect(ContentCoding.acceptsGzip([.acceptEncoding: field]) == accepts)
        #expect(!ContentCoding.acceptsGzip([:]))
    }
}
