// Where frames lie, in honest objects and in hostile ones.
import DICOMCore
import DICOMImaging
import Testing

@Suite("Frame tables")
struct FrameTableTests {
    @Test("native frames follow each other; single bits do not begin at a byte (PS3.5 Section 8.1.1)")
    func native() throws {
        let words = PixelLayout(rows: 4, columns: 4, bitsAllocated: 16)
        let table = try FrameTable(native: 100, length: 96, layout: words, numberOfFrames: 3)
        #expect(table.count == 3)
        #expect(table.ranges(of: 2) == [132..<164])
        #expect(table.ranges(of: 0) == nil && table.ranges(of: 4) == nil)

        let bits = PixelLayout(rows: 3, columns: 3, bitsAllocated: 1)
        let masks = try FrameTable(native: 10, length: 4, layout: bits, numberOfFrames: 3)
        #expect(masks.ranges(of: 2) == [11..<13])
        #expect(masks.bitOffset(of: 2) == 1)
        #expect(masks.ranges(of: 3) == [12..<14])
        #expect(masks.bitOffset(of: 3) == 2)
    }

    @Test("an object that was cut off has the frames that are whole; one without a whole frame has none")
    func cutOff() throws {
        let layout = PixelLayout(rows: 4, columns: 4, bitsAllocated: 8)
        #expect(try FrameTable(native: 0, length: 40, layout: layout, numberOfFrames: 5).count == 2)
        #expect(throws: ImagingFailure.self) {
            try FrameTable(native: 0, length: 15, layout: layout, numberOfFrames: 1)
        }
    }

    @Test("one fragment each, with and without a Basic Offset Table")
    func oneEach() throws {
        let plain = try Samples.table(Samples.encapsulated([[], [1, 2], [3, 4, 5, 6]], frames: 2))
        #expect(plain.isEncapsulated && plain.count == 2)
        let object = try Samples.encapsulated([[], [1, 2], [3, 4, 5, 6]], frames: 2)
        let range = try #require(plain.ranges(of: 2)?.first)
        #expect(Array(object.bytes[Int(range.lowerBound)..<Int(range.upperBound)]) == [3, 4, 5, 6])
        #expect(plain.end == Int64(object.bytes.count))
    }

    @Test("frames of several fragments by the offset table, by the extended one, and by where codestreams begin")
    func severalFragments() throws {
        let start: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0]
        let more = [UInt8](repeating: 7, count: 12)
        let fragments = [start, more, start, more, more]
        let second = UInt8(2 * 20)
        let basic = try Samples.table(
            Samples.encapsulated([[0, 0, 0, 0, second, 0, 0, 0]] + fragments, frames: 2), .jpegBaseline)
        let without = try Samples.table(Samples.encapsulated([[]] + fragments, frames: 2), .jpegBaseline)
        let extended = try Samples.table(
            Samples.encapsulated([[]] + [more, more, more], frames: 2) {
                $0.put(.extendedOffsetTable, .OV, ints: [0, 40])
            }, .jpegBaseline)
        #expect(basic.ranges(of: 1)?.count == 2 && basic.ranges(of: 2)?.count == 3)
        #expect(without.ranges(of: 1)?.count == 2 && without.ranges(of: 2)?.count == 3)
        #expect(extended.ranges(of: 1)?.count == 2 && extended.ranges(of: 2)?.count == 1)
    }

    @Test("a video is one stream however many frames it says it has")
    func video() throws {
        let table = try Samples.table(
            Samples.encapsulated([[], [1, 2], [3, 4]], frames: 900), TransferSyntax("1.2.840.10008.1.2.4.102"))
        #expect(table.count == 1)
        #expect(table.ranges(of: 1)?.count == 2)
    }

    @Test("hostile fragments are refused, or stay inside the object")
    func hostile() throws {
        // No fragments; a table that points nowhere; more frames than fragments; an item of undefined length.
        #expect(throws: ImagingFailure.self) { try Samples.table(Samples.encapsulated([[]], frames: 1)) }
        #expect(throws: ImagingFailure.self) {
            try Samples.table(Samples.encapsulated([[9, 9, 9, 9, 9, 9, 9, 9], [1, 2], [1, 2], [1, 2]], frames: 2))
        }
        #expect(throws: ImagingFailure.self) {
            try Samples.table(Samples.encapsulated([[], [1, 2]], frames: 2_000_000))
        }
        // Offsets of 64 bits that no sum holds.
        for offset in [Int.max, Int.min, -8] {
            #expect(throws: ImagingFailure.self) {
                try Samples.table(
                    Samples.encapsulated([[], [1, 2], [1, 2], [1, 2]], frames: 2) {
                        $0.put(.extendedOffsetTable, .OV, ints: [0, offset])
                    }, .jpegBaseline)
            }
        }
        let endless = try Samples.encapsulated(
            [[], [1, 2]], frames: 1, rest: [0xFE, 0xFF, 0, 0xE0, 255, 255, 255, 255])
        #expect(throws: ImagingFailure.self) { try Samples.table(endless) }
        // A length that runs past the end.
        let long = try Samples.encapsulated([[]], frames: 1, rest: [0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0x70, 1, 2, 3])
        let table = try Samples.table(long)
        #expect(table.ranges(of: 1)?.allSatisfy { $0.upperBound <= Int64(long.bytes.count) } == true)
    }

    @Test(
        "attributes that contradict themselves are refused",
        arguments: [
            (0, 4, 8, 1, "MONOCHROME2"), (4, 4, 7, 1, "MONOCHROME2"), (4, 4, 8, 2, "RGB"), (4, 4, 8, 1, "RGB"),
            (4, 4, 8, 3, "MONOCHROME1"), (4, 4, 8, 4, "ARGB"),
        ])
    func contradictions(rows: Int, columns: Int, allocated: Int, samples: Int, photometric: String) throws {
        let header = try Samples.header(
            rows: rows, columns: columns, allocated: allocated, stored: 8, samples: samples, photometric: photometric)
        #expect(throws: ImagingFailure.self) { try PixelLayout(header.dataSet) }
    }

    @Test("numbers of 64 bits where the standard has 16 are refused", arguments: [Int.min, Int.max, -1, 0])
    func numbersBeyondReason(number: Int) throws {
        for tag in [Tag.bitsAllocated, .bitsStored] {
            let object = try Samples.encapsulated([[], [1, 2]], frames: 1) { $0.put(tag, .SV, ints: [number]) }
            #expect(throws: ImagingFailure.self) { try PixelLayout(object.header.dataSet) }
        }
    }
}
