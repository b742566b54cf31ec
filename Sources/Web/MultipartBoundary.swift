// Finds a multipart boundary in bytes, at the speed of the C library's search (RFC 2046 Section 5.1.1).

import CLinux
import NIOCore

/// Looks for the delimiter lines of one boundary.
struct BoundaryFinder: Sendable {
    /// Offsets count from the first readable byte.
    enum Found {
        /// What is before a delimiter ends at `end`; what follows its line begins at `next`.
        case delimiter(end: Int, next: Int, closes: Bool)
        /// No whole delimiter: that many bytes are surely none, what is behind them may begin one.
        case none(safe: Int)
    }

    /// What follows the two hyphens and the boundary.
    private enum Tail {
        case line(next: Int)
        case closing(next: Int)
        case unknown
        case other
    }

    /// `--` and the boundary.
    private let needle: [UInt8]
    /// White space that may follow a boundary on its line (RFC 2046: transport-padding).
    private static let mostPadding = 128

    init(_ boundary: String) { needle = Array("--".utf8) + Array(boundary.utf8) }

    /// - Parameter isAtStart: whether the first byte begins a line.
    func find(in buffer: ByteBuffer, isAtStart: Bool) -> Found {
        unsafe buffer.withUnsafeReadableBytes { bytes in unsafe find(in: bytes, isAtStart: isAtStart) }
    }

    private func find(in bytes: UnsafeRawBufferPointer, isAtStart: Bool) -> Found {
        var from = 0
        while let at = unsafe position(in: bytes, from: from) {
            from = at + 1
            let end: Int
            if at == 0 {
                guard isAtStart else { continue }
                end = 0
            } else {
                guard unsafe bytes[at - 1] == 0x0A else { continue }
                end = unsafe at > 1 && bytes[at - 2] == 0x0D ? at - 2 : at - 1
            }
            switch unsafe tail(of: bytes, at + needle.count) {
            case .line(let next): return .delimiter(end: end, next: next, closes: false)
            case .closing(let next): return .delimiter(end: end, next: next, closes: true)
            case .unknown: return .none(safe: end)
            case .other: continue
            }
        }
        return .none(safe: unsafe safeCount(bytes, isAtStart: isAtStart))
    }

    private func position(in bytes: UnsafeRawBufferPointer, from: Int) -> Int? {
        guard let base = bytes.baseAddress, bytes.count - from >= needle.count else { return nil }
        return unsafe needle.withUnsafeBytes { needle in
            unsafe memmem(base + from, bytes.count - from, needle.baseAddress, needle.count).map {
                unsafe UnsafeRawPointer($0) - base
            }
        }
    }

    private func tail(of bytes: UnsafeRawBufferPointer, _ start: Int) -> Tail {
        guard start < bytes.count else { return .unknown }
        if unsafe bytes[start] == 0x2D {
            guard start + 1 < bytes.count else { return .unknown }
            return unsafe bytes[start + 1] == 0x2D ? .closing(next: start + 2) : .other
        }
        var at = start
        while at < bytes.count, unsafe bytes[at] == 0x20 || bytes[at] == 0x09 {
            at += 1
            guard at - start <= Self.mostPadding else { return .other }
        }
        if at < bytes.count, unsafe bytes[at] == 0x0D { at += 1 }
        guard at < bytes.count else { return .unknown }
        return unsafe bytes[at] == 0x0A ? .line(next: at + 1) : .other
    }

    /// How many bytes come before the longest end that could be the beginning of a delimiter.
    private func safeCount(_ bytes: UnsafeRawBufferPointer, isAtStart: Bool) -> Int {
        if isAtStart, unsafe isPrefix(bytes, 0) { return 0 }
        var at = max(0, bytes.count - needle.count - 1)
        while at < bytes.count {
            switch unsafe bytes[at] {
            case 0x0D:
                let isLast = at + 1 == bytes.count
                if isLast { return at }
                if unsafe bytes[at + 1] == 0x0A && isPrefix(bytes, at + 2) { return at }
            case 0x0A: if unsafe isPrefix(bytes, at + 1) { return at }
            default: break
            }
            at += 1
        }
        return bytes.count
    }

    /// Whether all bytes from here on are how the delimiter begins.
    private func isPrefix(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Bool {
        guard bytes.count - start < needle.count else { return false }
        for index in start..<bytes.count where unsafe bytes[index] != needle[index - start] { return false }
        return true
    }
}
