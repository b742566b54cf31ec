// Unique identifiers: validity, and the two kinds that the archive makes itself (PS3.5 Section 9 and Annex B).

import Crypto

/// Rules of unique identifiers.
package enum UID {
    /// 1 to 64 characters of digits and dots without an empty component (PS3.5 Section 9.1). Leading zeros are
    /// forbidden there but common, and are tolerated.
    package static func isValid(_ uid: String) -> Bool {
        let bytes = uid.utf8
        guard (1...64).contains(bytes.count) else { return false }
        var previous: UInt8 = 0x2E
        for byte in bytes {
            switch byte {
            case 0x2E: if previous == 0x2E { return false }
            case 0x30...0x39: break
            default: return false
            }
            previous = byte
        }
        return previous != 0x2E
    }

    /// The same UID for the same text, for an identifier that an object should have had (PS3.5 Section B.2; the UUID
    /// is of RFC 9562 version 8 over SHA-256).
    package static func derived(from text: String) -> String {
        let digest = SHA256.hash(data: Array("phim:".utf8) + Array(text.utf8))
        var number = digest.prefix(16).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        number = number & ~(0xF << 76) | 8 << 76
        return uuidDerived(number)
    }

    /// A new UID from a random UUID of version 4 (PS3.5 Section B.2).
    package static func generate() -> String {
        var number = UInt128(UInt64.random(in: 0...UInt64.max)) << 64 | UInt128(UInt64.random(in: 0...UInt64.max))
        number = number & ~(0xF << 76) | 4 << 76
        return uuidDerived(number)
    }

    private static func uuidDerived(_ number: UInt128) -> String {
        let variant: UInt128 = number & ~(3 << 62) | 2 << 62
        return "2.25.\(variant)"
    }
}
