// Where an instance lies: the only thing that other rooms remember of a volume.

/// The position of one Part 10 file inside a volume. Offsets never change once an entry is durable.
package struct Place: Hashable, Sendable {
    /// Number of the volume, from 1; its file is `NNNNNN.tar`.
    package let volume: Int
    /// Byte offset of the entry's first header block.
    package let entryOffset: Int64
    /// Byte offset of the Part 10 file.
    package let bodyOffset: Int64
    /// Length of the Part 10 file in bytes.
    package let length: Int64

    package init(volume: Int, entryOffset: Int64, bodyOffset: Int64, length: Int64) {
        self.volume = volume
        self.entryOffset = entryOffset
        self.bodyOffset = bodyOffset
        self.length = length
    }

    /// First byte after the entry, padded to tar's block of 512 bytes.
    package var end: Int64 { bodyOffset + (length + 511) / 512 * 512 }
}
