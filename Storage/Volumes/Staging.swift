// From entries to bytes at offsets: lays a batch out, and writes it with few calls, large bodies from where they lie.

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

    /// Length of an entry with its header and its padding: whole blocks.
    func entryLength(_ index: Int) -> Int { Int(places[index].end - places[index].entryOffset) }
}

/// Gathers small entries in one buffer, and lets large ones pass by it. Everything is written in order and in whole
/// blocks, by as few calls as can be: each costs a journey to the disk.
struct Staging: Sendable {
    private static let direct = 128 << 10
    private static let capacity = 1 << 20
    private static let zeros = [UInt8](repeating: 0, count: TarBlock.size)

    private let buffer = EntryBuffer()
    private var offset: Int64 = 0

    /// Writes all of a batch.
    mutating func write(_ batch: BatchPlan, to file: VolumeFile, at start: Int64) throws(VolumeFailure) {
        buffer.removeAll()
        offset = start
        for index in batch.entries.indices { try put(batch, index, to: file) }
        try flush(to: file)
    }

    private mutating func put(_ batch: BatchPlan, _ index: Int, to file: VolumeFile) throws(VolumeFailure) {
        let (header, body) = (batch.headers[index], batch.entries[index].body)
        let length = batch.entryLength(index)
        if length >= Self.direct, body.enclose(header: header) {
            try flush(to: file)
            try body.withEntry(headerLength: header.count, count: length) {
                span throws(VolumeFailure) in try file.write(span, at: offset)
            }
            offset += Int64(length)
            return
        }
        if buffer.count > 0, buffer.count + length > Self.capacity { try flush(to: file) }
        buffer.append(header.span)
        body.withBytes(0..<body.count) { buffer.append($0) }
        buffer.append(Self.zeros.span.extracting(0..<length - header.count - body.count))
    }

    private mutating func flush(to file: VolumeFile) throws(VolumeFailure) {
        guard buffer.count > 0 else { return }
        try buffer.withBytes(0..<buffer.count) { span throws(VolumeFailure) in try file.write(span, at: offset) }
        offset += Int64(buffer.count)
        buffer.removeAll()
    }
}
