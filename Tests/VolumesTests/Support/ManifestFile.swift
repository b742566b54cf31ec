// A manifest as anyone would read it, and as it ought to be.

import Crypto
import Foundation

/// The facts of `NNNNNN.json`, without the time.
struct ManifestFile: Equatable {
    let volume: Int
    let bytes: Int
    let sha256: String
    let entries: Int

    init(_ folder: TemporaryFolder, _ number: Int) throws {
        struct Listed: Decodable {
            let volume: Int
            let bytes: Int
            let sha256: String
            let entries: Int
            let sealedAt: Date
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        let json = Data(try folder.bytes("00000\(number).json"))
        let listed = try decoder.decode(Listed.self, from: json)
        volume = listed.volume
        bytes = listed.bytes
        sha256 = listed.sha256
        entries = listed.entries
    }

    init(recomputed folder: TemporaryFolder, _ number: Int, entries: Int) throws {
        let content = try folder.bytes("00000\(number).tar")
        volume = number
        bytes = content.count
        sha256 = SHA256.hash(data: content).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        self.entries = entries
    }
}
