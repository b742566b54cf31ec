// Writing whole pieces to a file, past the page cache or through it.

import Glibc

/// Memory that a file opened past the page cache can be written from.
@safe final class AlignedPiece {
    /// Blocks of every disk that is met are no larger.
    static let alignment = 4096
    let count: Int
    private let memory: UnsafeMutableRawBufferPointer

    /// - Parameter count: bytes; brought up to whole blocks.
    init(_ count: Int) {
        self.count = (count + Self.alignment - 1) / Self.alignment * Self.alignment
        unsafe memory = .allocate(byteCount: self.count, alignment: Self.alignment)
        // Not zeros, which some disks do not write.
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        for index in stride(from: 0, to: self.count, by: 8) {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            unsafe memory.storeBytes(of: state, toByteOffset: index, as: UInt64.self)
        }
    }

    deinit { unsafe memory.deallocate() }

    /// Marks the piece, so that no two are equal, and writes it.
    func write(number: Int, count: Int, to descriptor: Int32, at offset: Int64) -> Bool {
        unsafe memory.storeBytes(of: number, as: Int.self)
        return unsafe PieceFile.write(UnsafeRawBufferPointer(rebasing: memory[..<count]), to: descriptor, at: offset)
    }
}

enum PieceFile {
    /// open(2): past the page cache. The Glibc module hides it, because it is built without _GNU_SOURCE.
    static var direct: Int32 {
        #if arch(arm64) || arch(arm)
            0o200000
        #else
            0o40000
        #endif
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int64) -> Bool {
        unsafe bytes.withUnsafeBytes { unsafe write($0, to: descriptor, at: offset) }
    }

    /// Writes all of it; false when the system refuses, with its reason in `errno`.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int64) -> Bool {
        var done = 0
        while done < bytes.count {
            let left = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe pwrite(descriptor, left.baseAddress, left.count, off_t(offset) + done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}
