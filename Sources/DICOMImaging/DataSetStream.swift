// Deflate and inflate of whole data sets of any length, piece by piece (PS3.5 Section A.5).

import CZlib

/// One zlib stream.
@safe package struct DataSetStream: ~Copyable {
    package enum Direction { case deflate, inflate }

    private let stream: UnsafeMutablePointer<z_stream>
    private let direction: Direction
    /// Whether an inflated stream has come to its end.
    package private(set) var isFinished = false

    package init(_ direction: Direction) throws(ImagingFailure) {
        self.direction = direction
        unsafe stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        let code =
            switch direction {
            case .deflate: unsafe deflateInit2_(stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
            case .inflate: unsafe inflateInit2_(stream, -15, ZLIB_VERSION, size)
            }
        guard code == Z_OK else {
            unsafe stream.deallocate()
            throw .unavailable("zlib does not start")
        }
    }

    deinit {
        switch direction {
        case .deflate: _ = unsafe deflateEnd(stream)
        case .inflate: _ = unsafe inflateEnd(stream)
        }
        unsafe stream.deallocate()
    }

    /// Puts bytes through, handing out pieces as they become ready; `isLast` finishes a deflated stream.
    package mutating func put<Failure: Error>(
        _ bytes: [UInt8], isLast: Bool = false, onDamage: (ImagingFailure) -> Failure,
        _ give: ([UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        var done = 0
        while !isFinished {
            var (status, taken) = (Z_OK, 0)
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 18) { out, count in
                unsafe bytes.withUnsafeBufferPointer { source in
                    unsafe stream.pointee.next_in = source.baseAddress.map {
                        unsafe UnsafeMutablePointer(mutating: $0 + done)
                    }
                    unsafe stream.pointee.avail_in = UInt32(source.count - done)
                    unsafe stream.pointee.next_out = out.baseAddress
                    unsafe stream.pointee.avail_out = UInt32(out.count)
                    status =
                        switch direction {
                        case .deflate: unsafe deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                        case .inflate: unsafe inflate(stream, Z_NO_FLUSH)
                        }
                    taken = unsafe source.count - done - Int(stream.pointee.avail_in)
                    count = unsafe out.count - Int(stream.pointee.avail_out)
                }
            }
            done += taken
            if !piece.isEmpty { try give(piece) }
            if status == Z_STREAM_END {
                isFinished = true
            } else if status != Z_OK && status != Z_BUF_ERROR {
                throw onDamage(.damaged("deflated data set is damaged"))
            } else if piece.count < 1 << 18, done == bytes.count, !isLast || direction == .inflate {
                return
            } else if piece.isEmpty, taken == 0 {
                return
            }
        }
    }
}
