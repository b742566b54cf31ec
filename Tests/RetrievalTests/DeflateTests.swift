// Deflate in pieces: what is put together inflates to what the pieces were (RFC 1951, RFC 1952).

import CZlib
import Foundation
import Retrieval
import Testing

@Suite("Deflate in pieces")
struct DeflateTests {
    /// Inflates a whole gzip file by zlib's own reader.
    private func gunzip(_ file: [UInt8], room: Int) -> [UInt8]? {
        var stream = unsafe z_stream()
        guard unsafe inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { unsafe _ = inflateEnd(&stream) }
        var input = file
        var output = [UInt8](repeating: 0, count: room)
        var status = Z_OK
        unsafe input.withUnsafeMutableBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                unsafe stream.next_in = source.baseAddress
                unsafe stream.avail_in = UInt32(source.count)
                unsafe stream.next_out = target.baseAddress
                unsafe stream.avail_out = UInt32(target.count)
                status = unsafe inflate(&stream, Z_FINISH)
            }
        }
        guard status == Z_STREAM_END, unsafe stream.avail_in == 0 else { return nil }
        return Array(output.prefix(unsafe Int(stream.total_out)))
    }

    @Test("A file of pieces is one gzip file with the right check", arguments: [0, 1, 2, 7])
    func pieces(_ count: Int) {
        var writer = GzipWriter(reserving: 64)
        var plain: [UInt8] = []
        writer.append(stored: 0x5B)
        plain.append(0x5B)
        for number in 0..<count {
            let text = Array(String(repeating: "slice \(number) ", count: 1 + number * 500).utf8)
            writer.append(DeflatedBytes(text[...]))
            plain += text
        }
        let file = writer.finish(stored: 0x5D)
        plain.append(0x5D)
        #expect(gunzip(file, room: plain.count + 16) == plain)
        #expect(gunzip(GzipWriter.file(plain[...]), room: plain.count + 16) == plain)
    }

    @Test("What is damaged does not inflate")
    func damage() {
        let text = Array(String(repeating: "a header ", count: 200).utf8)
        let whole = DeflatedBytes(text[...])
        #expect(whole.inflated() == text)
        #expect(DeflatedBytes([][...]).inflated() == [])
    }

    @Test("Random bytes come back", arguments: [1, 255, 65_536, 300_000])
    func random(_ count: Int) {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        #expect(DeflatedBytes(bytes[...]).inflated() == bytes)
    }
}
