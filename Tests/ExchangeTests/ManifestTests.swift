// The values of the exchange: manifests, lists of bits, receipts.

import Crypto
import Exchange
import Foundation
import Testing

@Suite("Exchange between archives")
struct ManifestTests {
    @Test("the manifest is the digest of lines in the order of UIDs") func manifest() {
        let objects = ["1.2.10": [UInt8](repeating: 0xAB, count: 32), "1.2.9": [UInt8](repeating: 1, count: 32)]
        let lines = "1.2.10 \(String(repeating: "ab", count: 32))\n1.2.9 \(String(repeating: "01", count: 32))\n"
        #expect(StudyManifest(objects).digest == Array(SHA256.hash(data: Data(lines.utf8))))
        #expect(StudyManifest(objects).uids == ["1.2.10", "1.2.9"])
        var other = objects
        other["1.2.9"]?[31] = 2
        #expect(StudyManifest(other).digest != StudyManifest(objects).digest)
        #expect(StudyManifest([:]).digest == Array(SHA256.hash(data: Data())))
    }

    @Test("a slow line gets what is small, a fast one what is quick, and both are looked at again") func effort() {
        var slow = LineEffort()
        for _ in 0..<300 {
            #expect(slow.next() == .small)
            slow.note(.small, octets: 500_000, lineOctets: 190_000, preparing: 0.02, sending: 0.76)
        }
        // 100 MB/s, and codecs that take 20 ms.
        var fast = LineEffort()
        var forms: [LineEffort.Form] = []
        for _ in 0..<300 {
            let form = fast.next()
            forms.append(form)
            let line: Int64 = form == .small ? 190_000 : 500_000
            fast.note(
                form, octets: 500_000, lineOctets: line, preparing: form == .small ? 0.02 : 0.001,
                sending: Double(line) / 1e8)
        }
        #expect(forms.count { $0 == .plain } > 270)
        #expect(forms.suffix(200).contains(.small))
        // The line becomes slow.
        for _ in 0..<20 {
            fast.note(fast.next(), octets: 500_000, lineOctets: 500_000, preparing: 0.001, sending: 2)
        }
        #expect(fast.next() == .small)
        // Fast, but the codecs are faster.
        var medium = LineEffort()
        for _ in 0..<100 {
            let form = medium.next()
            let line: Int64 = form == .small ? 190_000 : 500_000
            medium.note(
                form, octets: 500_000, lineOctets: line, preparing: form == .small ? 0.01 : 0.001,
                sending: Double(line) / 6e6)
        }
        #expect(medium.next() == .small)
    }

    @Test("what a station says of itself has bounds, so that sums of it overflow nothing") func report() {
        typealias Waiting = StationReport.Waiting
        let most = StationReport.most
        func report(_ backlog: [Waiting], free: Int64 = 0, newest: Int64? = nil) -> StationReport {
            StationReport(
                name: "station", version: "1", time: .min, diskFree: free, diskTotal: most, backlog: backlog,
                newestAt: newest)
        }
        func waiting(_ priority: String, octets: Int64 = 0, studies: Int = 0, oldest: Int64 = 0) -> Waiting {
            Waiting(priority: priority, studies: studies, instances: 0, octets: octets, oldest: oldest)
        }
        let all = ["stat", "normal", "bulk"].map { waiting($0, octets: most, studies: Int(most)) }
        #expect(report(all, newest: 0).isSane)
        #expect(!report([waiting("stat"), waiting("stat")]).isSane)
        #expect(!report([waiting("soon")]).isSane)
        #expect(!report([waiting("stat", octets: most + 1)]).isSane)
        #expect(!report([waiting("stat", studies: -1)]).isSane)
        #expect(!report([waiting("stat", oldest: .max)]).isSane)
        #expect(!report([], free: -1).isSane)
        #expect(!report([], newest: .min).isSane)
    }

    @Test("a receipt key is made once, for its owner alone, and kept") func key() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "phim-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "exchange/receipt.key").path
        let made = try ReceiptKey(path: path)
        #expect(try ReceiptKey(path: path).publicKey == made.publicKey)
        #expect(Data(base64Encoded: made.publicKey)?.count == 32)
        let facts = try FileManager.default.attributesOfItem(atPath: path)
        #expect((facts[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        try Data("no key\n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: (any Error).self) { try ReceiptKey(path: path) }
    }
}
