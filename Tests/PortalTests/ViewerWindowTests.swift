import Portal
import Testing

@Suite("Windows and loading hints")
struct ViewerWindowTests {
    @Test("pairs of an object, without what is no window") func pairs() {
        let windows = ObjectWindow.windows(
            centers: [40, -600, .nan, 10], widths: [400, 1500, 100, 0], explanations: ["WINDOW1", ""], function: nil)
        #expect(windows.map(\.explanation) == ["WINDOW1", nil])
        let presets = WindowPreset.presets(of: windows + windows, isHounsfield: false, bodyPart: nil)
        #expect(presets.map(\.center) == [40, -600])
        #expect(presets.allSatisfy { $0.source == .object })
    }

    @Test("CT has the usual ones in two languages, those of the body part first") func usual() throws {
        let presets = WindowPreset.presets(of: [], isHounsfield: true, bodyPart: "Chest")
        let lung = try #require(presets.first)
        #expect(lung.label == presets.first { $0.label?.vi == "Phổi" }?.label && lung.isSuggested)
        #expect(presets.contains { $0.label?.en == "Brain" && !$0.isSuggested && $0.center == 40 && $0.width == 80 })
        #expect(Set(presets.compactMap { $0.label?.vi }).count == presets.count)
    }

    @Test("a series with a window per slice keeps a bounded number") func bounded() {
        let centers = (0..<600).map(Double.init)
        let windows = ObjectWindow.windows(
            centers: centers, widths: centers.map { $0 + 1 }, explanations: [], function: nil)
        #expect(WindowPreset.presets(of: windows, isHounsfield: false, bodyPart: nil).count == 16)
    }

    @Test("the middle first, then outwards, each once", arguments: [0, 1, 2, 5, 6, 600])
    func middle(count: Int) {
        let order = ViewerLoading.fromTheMiddle(count)
        #expect(order.sorted() == Array(0..<count))
        #expect(order.first == (count == 0 ? nil : count / 2))
        if count == 5 { #expect(order == [2, 3, 1, 4, 0]) }
    }

    private func loading(_ syntax: String, bits: Int = 16, side: Int = 512, stored: Int64) -> ViewerLoading {
        ViewerLoading(
            items: 10,
            frames: ViewerLoading.Frames(rows: side, columns: side, samplesPerPixel: 1, bitsAllocated: bits, count: 10),
            storedBytes: stored, stored: [syntax], series: "/s")
    }

    @Test("uncompressed frames are asked for in HTJ2K, and the size is called an estimate") func native() throws {
        let full = try #require(loading("1.2.840.10008.1.2.1", stored: 5_300_000).stages.last)
        #expect(full.name == .full && full.isEstimate && full.transferSyntaxUID == "1.2.840.10008.1.2.4.202")
        #expect(full.bytesPerAnswer == 512 * 512 && full.bytes == 10 * 512 * 512)
    }

    @Test("compressed ones as they are stored, and the size is known") func stored() throws {
        let full = try #require(loading("1.2.840.10008.1.2.4.90", stored: 2_000_000).stages.last)
        #expect(!full.isEstimate && full.bytes == 2_000_000 && full.transferSyntaxUID == "1.2.840.10008.1.2.4.90")
    }

    @Test("what is rendered is never larger than the image") func rendered() throws {
        let small = loading("1.2.840.10008.1.2.1", side: 100, stored: 1)
        #expect(small.stages[1].template.contains("viewport=100,100"))
        let large = loading("1.2.840.10008.1.2.1", side: 4096, stored: 1)
        #expect(large.stages[1].template.contains("viewport=512,512"))
        #expect(large.stages.map(\.name) == [.thumbnail, .rendered, .full])
    }
}
