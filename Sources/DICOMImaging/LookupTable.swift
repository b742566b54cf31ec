// Look-up tables of the data set: modality, VOI, presentation and palette (PS3.3 Sections C.11.1, C.11.2 and C.7.9).

import DICOMCore
import Foundation

/// A table from values to values of some bits.
package struct LookupTable: Sendable, Hashable {
    /// The input that the first entry is for; smaller ones get the first entry, larger ones the last.
    package let firstMapped: Int
    /// Bits of an entry, 8 to 16.
    package let bits: Int
    package let entries: [UInt16]

    /// A table with at least one entry.
    package init?(firstMapped: Int, bits: Int, entries: [UInt16]) {
        guard !entries.isEmpty, (1...16).contains(bits) else { return nil }
        self.firstMapped = firstMapped
        self.bits = bits
        self.entries = entries
    }

    /// The entry for an input.
    package func value(_ input: Int) -> UInt16 {
        entries[min(max(input - firstMapped, 0), entries.count - 1)]
    }

    /// Largest value that an entry may have.
    package var largest: Int { (1 << bits) - 1 }

    /// An item of a LUT sequence, nil when its descriptor and data do not make a table (PS3.3 Section C.11.1.1).
    init?(item: DataSet, isSigned: Bool) {
        self.init(
            item, descriptor: .lutDescriptor, data: .lutData, segmented: nil, isSigned: isSigned)
    }

    init?(_ dataSet: DataSet, descriptor: Tag, data: Tag, segmented: Tag?, isSigned: Bool) {
        guard let element = dataSet[descriptor], element.length >= 6 else { return nil }
        let words = Self.words(dataSet.rawValue(element), bigEndian: dataSet.encoding.isBigEndian)
        let count = words[0] == 0 ? 65_536 : Int(words[0])
        let first = isSigned ? Int(Int16(bitPattern: words[1])) : Int(words[1])
        let bits = words[2] == 8 || (9...16).contains(words[2]) ? Int(words[2]) : 16
        if let element = dataSet[data], element.length > 0 {
            let raw = dataSet.rawValue(element)
            // Entries of 8 bits come one a byte, or by older custom one a word.
            let entries =
                raw.count < count * 2
                ? raw.prefix(count).map(UInt16.init)
                : Array(Self.words(raw, bigEndian: dataSet.encoding.isBigEndian).prefix(count))
            self.init(firstMapped: first, bits: bits, entries: entries)
        } else if let segmented, let element = dataSet[segmented], element.length > 0 {
            let raw = dataSet.rawValue(element)
            let numbers =
                bits == 8 ? raw.map(UInt16.init) : Self.words(raw, bigEndian: dataSet.encoding.isBigEndian)
            guard let entries = SegmentedTable.expand(numbers, count: count, bits: bits) else { return nil }
            self.init(firstMapped: first, bits: bits, entries: entries)
        } else {
            return nil
        }
    }

    private static func words(_ raw: ArraySlice<UInt8>, bigEndian: Bool) -> [UInt16] {
        stride(from: raw.startIndex, to: raw.endIndex - 1, by: 2).map {
            let word = UInt16(raw[$0]) | UInt16(raw[$0 + 1]) << 8
            return bigEndian ? word.byteSwapped : word
        }
    }
}

/// Entries go between processes as bytes.
extension LookupTable: Codable {
    private enum Key: CodingKey { case first, bits, entries }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let bytes = try container.decode(Data.self, forKey: .entries)
        let entries = stride(from: 0, to: bytes.count - 1, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
        let table = LookupTable(
            firstMapped: try container.decode(Int.self, forKey: .first),
            bits: try container.decode(Int.self, forKey: .bits), entries: entries)
        guard let table else {
            throw DecodingError.dataCorruptedError(forKey: .entries, in: container, debugDescription: "empty")
        }
        self = table
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(firstMapped, forKey: .first)
        try container.encode(bits, forKey: .bits)
        try container.encode(
            Data(entries.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }), forKey: .entries)
    }
}

/// Palettes written as segments (PS3.3 Section C.7.9.2).
enum SegmentedTable {
    /// Segments looked at, copied ones included: those that make no entry could go on for hours.
    private static let mostSegments = 200_000

    /// The entries, nil when the segments contradict themselves.
    static func expand(_ numbers: [UInt16], count: Int, bits: Int) -> [UInt16]? {
        var entries: [UInt16] = []
        var steps = mostSegments
        guard append(numbers, from: 0, segments: Int.max, isNested: false, bits, count, &steps, &entries) else {
            return nil
        }
        return entries.isEmpty ? nil : Array(entries.prefix(count))
    }

    private static func append(
        _ numbers: [UInt16], from start: Int, segments: Int, isNested: Bool, _ bits: Int, _ count: Int,
        _ steps: inout Int, _ entries: inout [UInt16]
    ) -> Bool {
        var at = start
        var done = 0
        while at + 1 < numbers.count, done < segments, entries.count < count {
            steps -= 1
            guard steps > 0 else { return false }
            let length = Int(numbers[at + 1])
            switch numbers[at] {
            case 0:
                guard at + 2 + length <= numbers.count else { return false }
                entries += numbers[at + 2..<at + 2 + length]
                at += 2 + length
            case 1:
                guard at + 2 < numbers.count, let from = entries.last else { return false }
                let to = Int(numbers[at + 2])
                for step in 0..<length {
                    entries.append(UInt16(clamping: Int(from) + (to - Int(from)) * (step + 1) / max(1, length)))
                }
                at += 3
            case 2:
                // Offset as two words, or four bytes, least significant first. Segments that are copied copy none.
                let halves = bits == 8 ? 4 : 2
                guard !isNested, at + 2 + halves <= numbers.count else { return false }
                let offset = (0..<halves).reduce(0) { $0 | Int(numbers[at + 2 + $1]) << ($1 * (bits == 8 ? 8 : 16)) }
                let target = bits == 8 ? offset : offset / 2
                guard target < numbers.count,
                    append(numbers, from: target, segments: length, isNested: true, bits, count, &steps, &entries)
                else { return false }
                at += 2 + halves
            default:
                // A pad byte, or nonsense behind what is needed.
                return !entries.isEmpty
            }
            done += 1
        }
        return true
    }
}
