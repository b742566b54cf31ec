// Names that stand for others: the same for the same one, and nobody without the key finds the way back.

import Crypto
import Foundation
import Glibc

/// The archive's secret behind all pseudonyms. With another one the same patient is another.
package struct PseudonymKey: Sendable {
    private static let count = 32
    private let key: SymmetricKey

    /// - Parameter bytes: at least 16 of them, from a random source.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 16 else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// The key in a file that its owner alone can read; made when there is none. Nil when it can be neither read nor made.
    package init?(file path: String) {
        if let known = try? Data(contentsOf: URL(fileURLWithPath: path)) {
            self.init([UInt8](known))
            return
        }
        let fresh = (0..<Self.count).map { _ in UInt8.random(in: 0...255) }
        // Written aside and linked, so that no two processes take different keys.
        let aside = path + ".\(getpid())"
        let isWritten = FileManager.default.createFile(
            atPath: aside, contents: Data(fresh), attributes: [.posixPermissions: 0o600])
        defer { _ = unsafe unlink(aside) }
        guard isWritten, unsafe link(aside, path) == 0 || errno == EEXIST else { return nil }
        guard let kept = try? Data(contentsOf: URL(fileURLWithPath: path)) else { return nil }
        self.init([UInt8](kept))
    }

    /// The UID that stands for another (PS3.5 Section B.2; the UUID is of RFC 9562 version 8).
    package func uid(for uid: String) -> String {
        var number = digest("uid", uid).prefix(16).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        number = number & ~(0xF << 76) | 8 << 76
        number = number & ~(3 << 62) | 2 << 62
        return "2.25.\(number)"
    }

    /// What stands for a patient: ten letters and digits that are not mistaken for one another.
    func patient(_ identity: String) -> String {
        let letters = Array("23456789ABCDEFGHJKMNPQRSTUVWXYZ")
        return String(digest("patient", identity).prefix(10).map { letters[Int($0) % letters.count] })
    }

    /// Days by which a patient's dates are moved back, 1 to 3,650.
    func days(_ identity: String) -> Int {
        1 + Int(digest("days", identity).prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } % 3_650)
    }

    private func digest(_ kind: String, _ text: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array("\(kind):\(text)".utf8), using: key))
    }
}
