// Receipts: what the centre has read again and digested, signed by a key that never leaves it (RFC 7515, RFC 8037).

import Crypto
import Foundation
import Glibc
import JWTKit

/// What a receipt says.
struct ReceiptClaims: JWTPayload, Equatable {
    /// The centre, and the account of the station.
    let iss: String
    let sub: String
    /// Seconds since 1970.
    let iat: Int64
    /// Transaction UID of the request.
    let jti: String
    let study: String
    /// SHA-256 of the manifest that was asked about, in hexadecimal.
    let manifest: String
    /// Objects of that manifest.
    let instances: Int
    /// Of these, what the centre does not hold, or cannot read any more.
    let missing: [String]
    /// Of these, what it holds as the same data set under another file header.
    let equivalent: [String]

    /// A receipt is of its moment, and stays true of it.
    func verify(using algorithm: some JWTAlgorithm) throws {}
}

/// The key of a centre.
package struct ReceiptKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// The key in a file, which is made at first.
    package init(path: String) throws {
        let url = URL(fileURLWithPath: path)
        if let text = try? Data(contentsOf: url) {
            guard let raw = Data(base64Encoded: String(decoding: text, as: UTF8.self).trimmed) else {
                throw CocoaError(.fileReadCorruptFile)
            }
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: raw)
            return
        }
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        key = Curve25519.Signing.PrivateKey()
        let text = Data((key.rawRepresentation.base64EncodedString() + "\n").utf8)
        // Readable by nobody else from its first moment on, and whole when it has its name.
        let making = path + ".new"
        try? FileManager.default.removeItem(atPath: making)
        guard FileManager.default.createFile(atPath: making, contents: text, attributes: [.posixPermissions: 0o600])
        else { throw CocoaError(.fileWriteUnknown) }
        // Stations hold receipts against this key for years: it must not be lost with the power.
        try Self.sync(making)
        try FileManager.default.moveItem(atPath: making, toPath: path)
        try Self.sync(url.deletingLastPathComponent().path)
    }

    /// Brings a file, or the names in a folder, to the disk.
    private static func sync(_ path: String) throws {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    /// The public half, base64.
    package var publicKey: String { key.publicKey.rawRepresentation.base64EncodedString() }

    func sign(_ claims: ReceiptClaims) async throws -> String {
        let keys = JWTKeyCollection()
        await keys.add(eddsa: try EdDSA.PrivateKey(d: Self.urlText(key.rawRepresentation), curve: .ed25519))
        return try await keys.sign(claims)
    }

    /// What a receipt says; throws where it was not signed by that key.
    static func verified(_ receipt: String, publicKey: String) async throws -> ReceiptClaims {
        guard let raw = Data(base64Encoded: publicKey) else { throw CocoaError(.coderInvalidValue) }
        let keys = JWTKeyCollection()
        await keys.add(eddsa: try EdDSA.PublicKey(x: urlText(raw), curve: .ed25519))
        return try await keys.verify(receipt, as: ReceiptClaims.self)
    }

    /// Base64 as JSON Web Keys write it (RFC 7515 Section 2).
    private static func urlText(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

extension String {
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
