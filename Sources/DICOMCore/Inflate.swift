// Inflates a deflated data set up to a bound (PS3.5 Section A.5; RFC 1951).

import CZlib

enum Inflate {
    struct Output {
        var bytes: [UInt8]
        /// Whether the input gave everything it had: its end, or the bytes ran out.
        var isComplete: Bool
    }

    /// Raw deflate from an offset on, at most `limit` bytes out. Nil when the very beginning is no deflate stream; a
    /// stream that breaks later gives what came before.
    static func raw(_ input: [UInt8], from offset: Int, limit: Int) -> Output? {
        var stream = unsafe z_stream()
        guard unsafe inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { unsafe _ = inflateEnd(&stream) }
        var isComplete = false
        var failed = false
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { output, count in
            unsafe input.withUnsafeBufferPointer { source in
                guard let base = source.baseAddress else { return }
                unsafe stream.next_in = UnsafeMutablePointer(mutating: base + offset)
                unsafe stream.avail_in = UInt32(clamping: source.count - offset)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(clamping: limit)
                let status = unsafe inflate(&stream, Z_SYNC_FLUSH)
                count = unsafe limit - Int(stream.avail_out)
                isComplete = unsafe status == Z_STREAM_END || stream.avail_out > 0
                failed = status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR
            }
        }
        if failed, bytes.isEmpty { return nil }
        return Output(bytes: bytes, isComplete: isComplete)
    }

    /// Deflates a whole data set, padded to even length (PS3.5 Section A.5).
    static func deflate(_ input: [UInt8]) -> [UInt8] {
        var stream = unsafe z_stream()
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        guard
            unsafe deflateInit2_(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
        else { return [] }
        defer { unsafe _ = deflateEnd(&stream) }
        let bound = unsafe Int(deflateBound(&stream, UInt(input.count)))
        var bytes = unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            unsafe input.withUnsafeBufferPointer { source in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.avail_in = UInt32(clamping: source.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(clamping: bound)
                unsafe _ = CZlib.deflate(&stream, Z_FINISH)
                count = unsafe bound - Int(stream.avail_out)
            }
        }
        if bytes.count & 1 == 1 { bytes.append(0) }
        return bytes
    }
}
