// Pieces of deflate that can be put together: compressed on several threads, joined without being touched again.

import CZlib

/// Deflate blocks that refer to nothing before them and end at a whole byte (RFC 1951).
package struct DeflatedBytes: Sendable {
    package let bytes: [UInt8]
    /// CRC-32 and length of what was deflated (RFC 1952 Section 2.3.1).
    package let checksum: UInt32
    package let length: Int

    init(bytes: [UInt8], checksum: UInt32, length: Int) {
        self.bytes = bytes
        self.checksum = checksum
        self.length = length
    }

    /// Deflates, quickly rather than well: what it is for repeats itself so much that both come out small.
    package init(_ input: ArraySlice<UInt8>) {
        length = input.count
        checksum = unsafe input.withUnsafeBufferPointer { source in
            UInt32(truncatingIfNeeded: unsafe crc32_z(0, source.baseAddress, source.count))
        }
        bytes = Self.deflate(input)
    }

    private static func deflate(_ input: ArraySlice<UInt8>) -> [UInt8] {
        var stream = unsafe z_stream()
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        let code = unsafe deflateInit2_(&stream, 1, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
        precondition(code == Z_OK, "zlib has no memory")
        defer { unsafe _ = deflateEnd(&stream) }
        // Room for the flush at the end, beyond what a finished stream may take.
        let bound = unsafe Int(deflateBound(&stream, UInt(input.count))) + 64
        return unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            unsafe input.withUnsafeBufferPointer { source in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.avail_in = UInt32(clamping: source.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(clamping: bound)
                unsafe _ = CZlib.deflate(&stream, Z_FULL_FLUSH)
                count = unsafe bound - Int(stream.avail_out)
            }
        }
    }

    /// Pieces in a row as one.
    static func joined(_ pieces: [DeflatedBytes]) -> DeflatedBytes {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pieces.reduce(0) { $0 + $1.bytes.count })
        var (checksum, length) = (UInt32(0), 0)
        for piece in pieces {
            bytes += piece.bytes
            checksum = combined(checksum, piece.checksum, piece.length)
            length += piece.length
        }
        return DeflatedBytes(bytes: bytes, checksum: checksum, length: length)
    }

    static func combined(_ first: UInt32, _ second: UInt32, _ length: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: crc32_combine(UInt(first), UInt(second), length))
    }

    /// What was deflated; nil when the bytes are damaged.
    package func inflated() -> [UInt8]? {
        var stream = unsafe z_stream()
        guard unsafe inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { unsafe _ = inflateEnd(&stream) }
        let output = unsafe [UInt8](unsafeUninitializedCapacity: length) { output, count in
            unsafe bytes.withUnsafeBufferPointer { source in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.avail_in = UInt32(clamping: source.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(clamping: length)
                unsafe _ = inflate(&stream, Z_SYNC_FLUSH)
                count = unsafe length - Int(stream.avail_out)
            }
        }
        let found = unsafe output.withUnsafeBufferPointer { source in
            UInt32(truncatingIfNeeded: unsafe crc32_z(0, source.baseAddress, source.count))
        }
        return output.count == length && found == checksum ? output : nil
    }
}

/// Puts a gzip file together (RFC 1952).
package struct GzipWriter: Sendable {
    private var bytes: [UInt8]
    private var checksum: UInt32 = 0
    private var length = 0

    package init(reserving capacity: Int) {
        bytes = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        bytes.reserveCapacity(capacity)
    }

    /// Everything at once.
    package static func file(_ input: ArraySlice<UInt8>) -> [UInt8] {
        let deflated = DeflatedBytes(input)
        var writer = GzipWriter(reserving: deflated.bytes.count + 32)
        writer.append(deflated)
        return writer.finish()
    }

    package mutating func append(_ piece: DeflatedBytes) {
        bytes += piece.bytes
        count(piece.checksum, piece.length)
    }

    /// One byte as it is, in a block of its own (RFC 1951 Section 3.2.4).
    package mutating func append(stored byte: UInt8) { store(byte, isLast: false) }

    /// Ends the file, with one byte more where one is given.
    package mutating func finish(stored byte: UInt8? = nil) -> [UInt8] {
        if let byte { store(byte, isLast: true) } else { bytes += [1, 0, 0, 0xFF, 0xFF] }
        for number in [checksum, UInt32(truncatingIfNeeded: length)] {
            for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        return bytes
    }

    private mutating func store(_ byte: UInt8, isLast: Bool) {
        bytes += [isLast ? 1 : 0, 1, 0, 0xFE, 0xFF, byte]
        let single = unsafe [byte].withUnsafeBufferPointer { unsafe crc32_z(0, $0.baseAddress, 1) }
        count(UInt32(truncatingIfNeeded: single), 1)
    }

    private mutating func count(_ next: UInt32, _ more: Int) {
        checksum = DeflatedBytes.combined(checksum, next, more)
        length += more
    }
}
