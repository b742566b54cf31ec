// Samples in words of 16 bits, without a check at every one: this is what drawing a grey picture costs.

/// The words of a frame, its length looked at once.
struct WordSamples {
    private let bytes: [UInt8]
    private let count: Int
    private let shift: UInt16
    private let mask: UInt16
    private let sign: UInt16

    /// - Parameter count: samples that the frame has.
    init(_ bytes: [UInt8], _ reader: SampleReader, count: Int) {
        precondition(bytes.count >= 2 * count && reader.bitsAllocated == 16)
        self.bytes = bytes
        self.count = count
        shift = UInt16(reader.shift)
        mask = UInt16(reader.mask)
        sign = UInt16(reader.signBit)
    }

    /// The stored value above the least that there can be: the order of values is that of these numbers.
    @inline(__always)
    private func rank(_ word: UInt16) -> UInt16 { (UInt16(littleEndian: word) &>> shift & mask) ^ sign }

    /// From the least to the greatest stored value; the frame has samples.
    func range() -> ClosedRange<Int> {
        var (least, most) = (UInt16.max, UInt16.min)
        unsafe bytes.withUnsafeBytes { raw in
            for index in 0..<count {
                let rank = rank(unsafe raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                least = min(least, rank)
                most = max(most, rank)
            }
        }
        return Int(least) - Int(sign)...Int(most) - Int(sign)
    }

    /// What a table has for each sample; its first entry is for the stored value `first`.
    func mapped<Sample>(by table: [Sample], from first: Int) -> [Sample] {
        let before = first + Int(sign)
        return unsafe [Sample](unsafeUninitializedCapacity: count) { out, initialized in
            unsafe bytes.withUnsafeBytes { raw in
                for index in 0..<count {
                    let word = unsafe raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
                    unsafe out.initializeElement(at: index, to: table[Int(rank(word)) - before])
                }
            }
            initialized = count
        }
    }
}
