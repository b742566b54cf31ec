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
