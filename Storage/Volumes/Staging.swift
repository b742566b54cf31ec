// From entries to bytes at offsets: lays a batch out, and writes it with few calls and without joining bodies.

/// A batch laid out for one position: headers encoded, places known.
struct BatchPlan {
    let headers: [[UInt8]]
    let places: [Place]
    let entries: [NewEntry]
    let length: Int64

    init(_ entries: [NewEntry], for volume: OwnVolume) throws(VolumeFailure) {
        var headers: [[UInt8]] = []
        var places: [Place] = []
        let start = volume.tail
        var offset = start
        for entry in entries {
            let length = entry.length
            let header = try EntryHeader.encode(
                entry.facts, length: length, batchOffset: start, nonce: volume.nonce)
            let place = Place(
                volume: volume.number, entryOffset: offset, bodyOffset: offset + Int64(header.count), length: length)
            headers.append(header)
            places.append(place)
            offset = place.end
        }
        self.headers = headers
        self.places = places
        self.entries = entries
        length = offset - start
    }
}

/// Gathers headers, padding and small parts into one buffer, and lets large parts pass by it.
struct Staging: Sendable {
    private static let direct = 64 << 10
    private static let capacity = 512 << 10
    /// What another program must not see before the rest is there: the extended header and its first records.
    private static let held = 2 * TarBlock.size

    private var buffer: [UInt8] = []
    private var offset: Int64 = 0

    /// Writes all of a batch, its first block last.
    mutating func write(_ batch: BatchPlan, to file: VolumeFile, at start: Int64) throws(VolumeFailure) {
        buffer.removeAll(keepingCapacity: true)
        offset = start + Int64(Self.held)
        for (index, entry) in batch.entries.enumerated() {
            let header = batch.headers[index]
            try put(header, from: index == 0 ? Self.held : 0, to: file)
            for part in entry.parts { try put(part, from: 0, to: file) }
            let padding = batch.places[index].end - batch.places[index].bodyOffset - batch.places[index].length
            buffer.append(contentsOf: repeatElement(0, count: Int(padding)))
        }
        try flush(to: file)
        guard let first = batch.headers.first else { return }
        // Two calls: a reader between them sees a lone zero block, which ends an archive; one call that crosses a
        // page could show a header without its records.
        try file.write(first.span.extracting(TarBlock.size..<Self.held), at: start + Int64(TarBlock.size))
        try file.write(first.span.extracting(0..<TarBlock.size), at: start)
    }

    private mutating func put(_ bytes: [UInt8], from index: Int, to file: VolumeFile) throws(VolumeFailure) {
        if bytes.count - index < Self.direct {
            if buffer.count + bytes.count > Self.capacity { try flush(to: file) }
            buffer.append(contentsOf: bytes[index...])
        } else {
            try flush(to: file)
            try file.write(bytes.span.extracting(index..<bytes.count), at: offset)
            offset += Int64(bytes.count - index)
        }
    }

    private mutating func flush(to file: VolumeFile) throws(VolumeFailure) {
        guard !buffer.isEmpty else { return }
        try file.write(buffer.span, at: offset)
        offset += Int64(buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }
}
