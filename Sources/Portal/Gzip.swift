// Compresses what is sent again and again: once, and then kept (RFC 1952).

import CZlib

enum Gzip {
    /// - Parameter level: 1 fast to 9 small.
    /// - Returns: nil when the bytes do not get smaller.
    static func compress(_ input: [UInt8], level: Int32 = 6) -> [UInt8]? {
        var stream = unsafe z_stream()
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        // 15 bits of window; 16 more ask for gzip's header and checksum.
        guard
            unsafe deflateInit2_(&stream, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
        else { return nil }
        defer { unsafe _ = deflateEnd(&stream) }
        let bound = unsafe Int(deflateBound(&stream, UInt(input.count)))
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            unsafe input.withUnsafeBufferPointer { source in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.avail_in = UInt32(clamping: source.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(clamping: bound)
                let ended = unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END
                count = unsafe ended ? bound - Int(stream.avail_out) : 0
            }
        }
        return bytes.isEmpty || bytes.count >= input.count ? nil : bytes
    }
}
