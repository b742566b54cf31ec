// Secrets that this archive makes: random, shown once, kept as a digest.

import Crypto
import Foundation

/// 256 random bits. Whoever finds them has the right they stand for, so they are never kept, only their SHA-256: a
/// search for it tells nothing that could be used to guess the secret.
package struct Secret: Sendable {
    package let text: String

    private init(text: String) { self.text = text }

    private static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// For a cookie or a link.
    package static func make() -> Secret { Secret(text: base64URL(random(32))) }

    private static let tokenPrefix = "phim_"

    /// For a program; the prefix lets scanners of leaked secrets recognise it.
    package static func makeToken() -> Secret { Secret(text: tokenPrefix + base64URL(random(32))) }

    /// A password that people can copy: 20 characters without look-alikes, about 100 bits.
    package static func makePassword() -> String {
        let alphabet = Array("abcdefghjkmnpqrstuvwxyz23456789")
        var generator = SystemRandomNumberGenerator()
        let groups = (0..<4).map { _ in String((0..<5).map { _ in alphabet.randomElement(using: &generator) ?? "a" }) }
        return groups.joined(separator: "-")
    }

    package static func salt() -> [UInt8] { random(16) }

    package static func digest(_ text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    /// RFC 4648 Section 5, without padding.
    package static func base64URL(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
