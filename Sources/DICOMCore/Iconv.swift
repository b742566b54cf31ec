// The C library's converter, for the character sets that need tables.

import Glibc
import Synchronization

/// A converter from one character set to UTF-8; it stays on the thread that made it.
@safe final class Iconv {
    private let converter: iconv_t
    private var buffer = [CChar](repeating: 0, count: 512)

    /// Nil when the C library does not know the set.
    init?(from name: String) {
        // iconv_open answers -1 for a set it does not know.
        guard let opened = unsafe iconv_open("UTF-8", name), Int(bitPattern: opened) != -1 else { return nil }
        unsafe converter = opened
    }

    deinit { unsafe _ = iconv_close(converter) }

    /// The text that bytes stand for; those that stand for none become U+FFFD.
    static func decode(_ bytes: ArraySlice<UInt8>, from name: String) -> String? {
        Iconv(from: name)?.decode(bytes)
    }

    /// The text that bytes stand for; those that stand for none become U+FFFD.
    func decode(_ bytes: ArraySlice<UInt8>) -> String {
        var input = bytes.map { CChar(bitPattern: $0) }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count * 2)
        unsafe input.withUnsafeMutableBufferPointer { source in
            var from = source.baseAddress
            var left = source.count
            while left > 0 {
                let (written, failure) = unsafe step(&from, &left)
                for index in 0..<written { output.append(UInt8(bitPattern: buffer[index])) }
                guard let failure else { break }
                if failure == E2BIG, written > 0 { continue }
                output += "\u{FFFD}".utf8
                unsafe from = from?.advanced(by: 1)
                left -= 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// One call of iconv: how many bytes came out, and errno where it stopped before the end.
    private func step(
        _ from: inout UnsafeMutablePointer<CChar>?, _ left: inout Int
    ) -> (written: Int, failure: Int32?) {
        unsafe buffer.withUnsafeMutableBufferPointer { room in
            var to = room.baseAddress
            var free = room.count
            let result = unsafe iconv(converter, &from, &left, &to, &free)
            return (room.count - free, result == -1 ? errno : nil)
        }
    }
}

/// The upper halves of single-byte sets, read once from the C library.
enum SingleByteTables {
    private static let tables = Mutex<[String: [Unicode.Scalar]]>([:])

    /// What the bytes from 80H to FFH stand for.
    static func table(_ name: String) -> [Unicode.Scalar] {
        tables.withLock { tables in
            if let known = tables[name] { return known }
            let scalars = (0x80...0xFF).map { byte -> Unicode.Scalar in
                Iconv.decode([UInt8(byte)], from: name)?.unicodeScalars.first ?? "\u{FFFD}"
            }
            tables[name] = scalars
            return scalars
        }
    }
}
