// Passwords: scrypt, and only so many at once.

import Crypto
import CryptoExtras
import Dispatch
import Foundation
package import Records
import Synchronization

extension PasswordRecord {
    /// Characters of a new password at least.
    package static let fewestCharacters = 10
    /// Bytes looked at at most: more is refused, so that nobody sends megabytes to be hashed.
    package static let mostBytes = 1_024

    /// Hashes a password under a fresh salt.
    package static func make(_ password: String, cost: PasswordCost) -> PasswordRecord {
        let salt = Secret.salt()
        let hash = derive(
            password, salt: salt, rounds: cost.rounds, blockSize: cost.blockSize, parallelism: cost.parallelism)
        return PasswordRecord(
            hash: hash, salt: salt, rounds: cost.rounds, blockSize: cost.blockSize, parallelism: cost.parallelism)
    }

    /// Whether this is the password; takes the same time whatever is wrong with it.
    package func matches(_ password: String) -> Bool {
        let other = Self.derive(
            password, salt: salt, rounds: rounds, blockSize: blockSize, parallelism: parallelism)
        guard !hash.isEmpty, other.count == hash.count else { return false }
        return zip(hash, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Whether the parameters are those wanted today.
    package func has(_ cost: PasswordCost) -> Bool {
        rounds == cost.rounds && blockSize == cost.blockSize && parallelism == cost.parallelism
    }

    /// What a new password must be.
    package static func check(_ password: String, account: String) throws(AccessFailure) {
        guard password.count >= fewestCharacters, password.utf8.count <= mostBytes else {
            throw .invalid(field: "password", reason: "at least \(fewestCharacters) characters")
        }
        guard password.lowercased() != account.lowercased(), Set(password).count > 2 else {
            throw .invalid(field: "password", reason: "neither the account's name nor one character repeated")
        }
    }

    /// Empty when it cannot be derived, which matches nothing.
    private static func derive(
        _ password: String, salt: [UInt8], rounds: Int, blockSize: Int, parallelism: Int
    ) -> [UInt8] {
        // Composing costs the square of the marks on one letter, so that the length is looked at first.
        guard password.utf8.count <= 2 * mostBytes else { return [] }
        // Keyboards differ in how they compose marks; the person who types does not (RFC 8265 Section 4.2.1).
        let bytes = Array(password.precomposedStringWithCanonicalMapping.utf8)
        guard bytes.count <= 2 * mostBytes else { return [] }
        let key = try? KDF.Scrypt.deriveKey(
            from: bytes, salt: salt, outputByteCount: 32, rounds: rounds, blockSize: blockSize,
            parallelism: parallelism)
        return key.map { key in unsafe key.withUnsafeBytes { unsafe Array($0) } } ?? []
    }
}

/// Two threads for passwords: a flood of sign-ins takes neither the processor nor the memory from those who read.
final class PasswordWork: Sendable {
    private static let mostWaiting = 64
    private let queues = [DispatchQueue(label: "phim-password-1"), DispatchQueue(label: "phim-password-2")]
    private let waiting = Mutex((count: 0, next: 0))

    /// Runs a body on one of the threads; refuses at once when too many wait already.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(AccessFailure) -> Value
    ) async throws(AccessFailure) -> Value {
        let place = waiting.withLock { state -> Int? in
            guard state.count < Self.mostWaiting else { return nil }
            state.count += 1
            state.next = 1 - state.next
            return state.next
        }
        guard let place else { throw .tooMany(seconds: 10) }
        let result: Result<Value, AccessFailure> = await withCheckedContinuation { continuation in
            queues[place].async { [self] in
                let result: Result<Value, AccessFailure>
                do throws(AccessFailure) { result = .success(try body()) } catch { result = .failure(error) }
                waiting.withLock { $0.count -= 1 }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }
}
