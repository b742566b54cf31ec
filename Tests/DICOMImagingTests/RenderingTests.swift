// The pipeline's arithmetic against values worked out by hand.
import DICOMCore
import DICOMImaging
import Testing

@Suite("Rendering")
struct RenderingTests {
    /// The picture's samples.
    func picture(
        _ header: Header, _ bytes: [UInt8], _ change: (inout RenderingRequest) -> Void = { _ in }
    ) throws -> [UInt8] {
        try Renderer.render(bytes, from: .explicitVRLittleEndian, plan: Samples.plan(header, change))
    }

    static let windowCases: [(VOIWindow.Function, Double, Double, [Int], [Double])] = [
        // The standard's example: centre 2048, width 4096 over 0 to 255.
        (.linear, 2_048, 4_096, [0, 2_048, 4_095], [0, 2_048.0 / 4_095, 1]),
        // Width 1 is a threshold at centre - 0.5.
        (.linear, 100, 1, [99, 100, 101], [0, 1, 1]),
        (.linearExact, 100, 50, [75, 100, 125, 60, 140], [0, 0.5, 1, 0, 1]),
        (.sigmoid, 100, 40, [100], [0.5]),
    ]

    @Test("LINEAR, LINEAR_EXACT and SIGMOID: below, inside and above (PS3.3 Section C.11.2.1)", arguments: windowCases)
    func windows(
        function: VOIWindow.Function, center: Double, width: Double, inputs: [Int], outputs: [Double]
    ) throws {
        let window = try #require(VOIWindow(center: center, width: width, function: function))
        for (input, output) in zip(inputs, outputs) {
            #expect(abs(window.apply(Double(input)) - output) < 1e-9, "\(input)")
        }
    }

    @Test("widths that a function is not defined for are no windows")
    func noWindows() {
        #expect(VOIWindow(center: 0, width: 0) == nil)
        #expect(VOIWindow(center: 0, width: 0.5) == nil)
        #expect(VOIWindow(center: 0, width: 0.5, function: .linearExact) != nil)
        #expect(VOIWindow(center: .nan, width: 4) == nil)
    }

    @Test("sigmoid at one width above the centre is 1 / (1 + e^-4)")
    func sigmoid() throws {
        let window = try #require(VOIWindow(center: 0, width: 10, function: .sigmoid))
        #expect(abs(window.apply(10) - 0.982_013_790_037_908) < 1e-12)
    }

    @Test("rescale, then window: Hounsfield units of a signed CT")
    func rescaled() throws {
        let header = try Samples.header(rows: 1, columns: 4, signed: true) {
            $0.put(.rescaleSlope, .DS, ["2"])
            $0.put(.rescaleIntercept, .DS, ["-1000"])
            $0.put(.windowCenter, .DS, ["0.5"])
            $0.put(.windowWidth, .DS, ["201"])
        }
        // -100, 0, +100 and far above: window -100 ... 100.
        let pixels = try picture(header, Samples.words([450, 500, 550, 30_000]))
        #expect(pixels == [0, 128, 255, 255])
        let negative = try picture(header, Samples.words([-32_768, -1, 450, 550]))
        #expect(negative == [0, 0, 0, 255])
    }

    @Test("MONOCHROME1 shows small values white, INVERSE turns it round again")
    func inverse() throws {
        let plain = try Samples.header(rows: 1, columns: 3, allocated: 8, photometric: "MONOCHROME1")
        #expect(try picture(plain, [0, 100, 255]) == [255, 155, 0])
        let shaped = try Samples.header(rows: 1, columns: 3, allocated: 8, photometric: "MONOCHROME1") {
            $0.put(Tag(0x2050, 0x0020), .CS, ["INVERSE"])
        }
        #expect(try picture(shaped, [0, 100, 255]) == [0, 100, 255])
    }

    @Test("the request's window counts before the object's")
    func requested() throws {
        let header = try Samples.header(rows: 1, columns: 3) {
            $0.put(.windowCenter, .DS, ["10"])
            $0.put(.windowWidth, .DS, ["10"])
        }
        let pixels = try picture(header, Samples.words([0, 500, 1_000])) {
            $0.window = VOIWindow(center: 500, width: 1_000, function: .linearExact)
        }
        #expect(pixels == [0, 128, 255])
    }

    @Test("without a window more than 8 bits are stretched over what occurs, padding apart")
    func automatic() throws {
        let header = try Samples.header(rows: 1, columns: 4, signed: true) {
            $0.put(Tag(0x0028, 0x0120), .SS, ints: [-2_000])
        }
        #expect(try picture(header, Samples.words([-2_000, 0, 50, 100])) == [0, 0, 128, 255])
    }

    @Test("modality and VOI tables, of 16 and of 8 bits; inputs outside take the ends (PS3.3 Section C.11.2.1.1)")
    func tables() throws {
        let header = try Samples.header(rows: 1, columns: 5) { writer in
            var modality = writer.makeItem()
            modality.put(.lutDescriptor, .US, ints: [3, 10, 16])
            modality.put(.lutData, .OW, ints: [5, 6, 7])
            writer.put(.modalityLUTSequence, items: [modality])
            var voi = writer.makeItem()
            voi.put(.lutDescriptor, .US, ints: [3, 5, 8])
            voi.put(.lutData, .OW, bytes: [0, 51, 255, 0])
            writer.put(.voiLUTSequence, items: [voi])
        }
        #expect(try picture(header, Samples.words([0, 10, 11, 12, 99])) == [0, 0, 51, 255, 255])
    }

    @Test("tables whose descriptor or data make none are left out", arguments: [[0, 0, 16], [4, 0, 99]])
    func brokenTables(descriptor: [Int]) throws {
        let header = try Samples.header(rows: 1, columns: 2) { writer in
            var voi = writer.makeItem()
            voi.put(.lutDescriptor, .US, ints: descriptor)
            voi.put(.lutData, .OW, bytes: [])
            writer.put(.voiLUTSequence, items: [voi])
        }
        #expect(try ImageAttributes(header).frame(1).voi.isEmpty)
        #expect(try picture(header, Samples.words([0, 9])) == [0, 255])
    }

    @Test("12 of 16 bits, high bit 15: only the stored bits count")
    func highBit() throws {
        let header = try Samples.header(rows: 1, columns: 2, stored: 12) {
            $0.put(.highBit, .US, ints: [15])
            $0.put(.windowCenter, .DS, ["2048"])
            $0.put(.windowWidth, .DS, ["4096"])
        }
        #expect(try picture(header, Samples.words([0x000F, 0xFFFF])) == [0, 255])
    }

    @Test("RGB by pixel and by plane, YBR_FULL, YBR_FULL_422 (PS3.3 Section C.7.6.3.1.2)")
    func colour() throws {
        let rgb = try Samples.header(rows: 1, columns: 2, allocated: 8, samples: 3, photometric: "RGB")
        #expect(try picture(rgb, [1, 2, 3, 4, 5, 6]) == [1, 2, 3, 4, 5, 6])
        let planar = try Samples.header(rows: 1, columns: 2, allocated: 8, samples: 3, photometric: "RGB") {
            $0.put(.planarConfiguration, .US, ints: [1])
        }
        #expect(try picture(planar, [1, 4, 2, 5, 3, 6]) == [1, 2, 3, 4, 5, 6])
        // Red is Y 76, Cb 85, Cr 255.
        let ybr = try Samples.header(rows: 1, columns: 1, allocated: 8, samples: 3, photometric: "YBR_FULL")
        #expect(try picture(ybr, [76, 85, 255]) == [254, 0, 0])
        let shared = try Samples.header(rows: 1, columns: 2, allocated: 8, samples: 3, photometric: "YBR_FULL_422")
        #expect(try picture(shared, [76, 50, 128, 128]) == [76, 76, 76, 50, 50, 50])
    }

    @Test("a palette, whole and in segments (PS3.3 Section C.7.9)")
    func palette() throws {
        func header(_ more: (inout DataSetWriter) -> Void) throws -> Header {
            try Samples.header(rows: 1, columns: 3, allocated: 8, photometric: "PALETTE COLOR") { writer in
                for index in UInt16(1)...3 { writer.put(Tag(0x0028, 0x1100 + index), .US, ints: [3, 0, 16]) }
                more(&writer)
            }
        }
        let whole = try header { writer in
            writer.put(Tag(0x0028, 0x1201), .OW, ints: [0x1000, 0x2000, 0x3000])
            writer.put(Tag(0x0028, 0x1202), .OW, ints: [0, 0, 0xFF00])
            writer.put(Tag(0x0028, 0x1203), .OW, ints: [0xFFFF, 0, 0])
        }
        #expect(try picture(whole, [0, 1, 2]) == [0x10, 0, 0xFF, 0x20, 0, 0, 0x30, 0xFF, 0])
        let segments = try header { writer in
            // Discrete 0x1000, then linear over two entries to 0x3000.
            for index in UInt16(1)...3 {
                writer.put(Tag(0x0028, 0x1220 + index), .OW, ints: [0, 1, 0x1000, 1, 2, 0x3000])
            }
        }
        #expect(try picture(segments, [0, 1, 2]) == [0x10, 0x10, 0x10, 0x20, 0x20, 0x20, 0x30, 0x30, 0x30])
    }

    @Test("an overlay is drawn white where its bits are, and left out on request (PS3.3 Section C.9.2)")
    func overlays() throws {
        let header = try Samples.header(rows: 2, columns: 2, allocated: 8) {
            $0.put(Tag(0x6000, 0x0010), .US, ints: [2])
            $0.put(Tag(0x6000, 0x0011), .US, ints: [2])
            $0.put(Tag(0x6000, 0x0040), .CS, ["G"])
            $0.put(Tag(0x6000, 0x0050), .SS, ints: [1, 1])
            $0.put(Tag(0x6000, 0x0100), .US, ints: [1])
            $0.put(Tag(0x6000, 0x0102), .US, ints: [0])
            $0.put(Tag(0x6000, 0x3000), .OW, bytes: [0b0110, 0])
        }
        #expect(try picture(header, [9, 9, 9, 9]) == [9, 255, 255, 9])
        #expect(try picture(header, [9, 9, 9, 9]) { $0.showsOverlays = false } == [9, 9, 9, 9])
    }

    @Test("an overlay in an unused bit of the samples")
    func embeddedOverlay() throws {
        let header = try Samples.header(rows: 1, columns: 2, stored: 12) {
            $0.put(.windowCenter, .DS, ["2048"])
            $0.put(.windowWidth, .DS, ["4096"])
            $0.put(Tag(0x6000, 0x0010), .US, ints: [1])
            $0.put(Tag(0x6000, 0x0011), .US, ints: [2])
            $0.put(Tag(0x6000, 0x0100), .US, ints: [16])
            $0.put(Tag(0x6000, 0x0102), .US, ints: [15])
        }
        #expect(try picture(header, Samples.words([0x8000, 0x0000])) == [255, 0])
    }

    @Test("pixels that are not square are shown so (PS3.3 Section C.7.6.3.1.7)")
    func aspect() throws {
        func header(_ ratio: [String]) throws -> Header {
            try Samples.header(rows: 2, columns: 2, allocated: 8) { $0.put(.pixelAspectRatio, .IS, ratio) }
        }
        let pixels: [UInt8] = [0, 100, 200, 40]
        #expect(try picture(header(["1", "1"]), pixels) == pixels)
        let tall = try picture(header(["2", "1"]), pixels)
        #expect(tall.count == 8 && Array(tall.prefix(2)) == [0, 100] && Array(tall.suffix(2)) == [200, 40])
        let wide = try picture(header(["1", "3"]), pixels)
        #expect(wide.count == 12 && wide.first == 0 && wide.last == 40)
        // Room for two by two: a tall image is half as wide.
        #expect(try picture(header(["2", "1"]), pixels) { $0.viewport = Viewport(width: 2, height: 2) }.count == 2)
        let image = try ImageAttributes(header(["2", "1"]))
        #expect(Renderer.fittedSize(image, nil) == (2, 4))
        #expect(Renderer.fittedSize(image, nil, isPresented: true) == (2, 2))
        for odd in [["0", "1"], ["1", "0"], ["-1", "1"], ["1", "11"], ["1"], ["99999999999", "1"]] {
            #expect(try picture(header(odd), pixels) == pixels, "\(odd)")
        }
    }

    @Test("a viewport keeps proportions, cuts regions and mirrors (PS3.18 Section 8.3.5.1.3)")
    func viewports() throws {
        let header = try Samples.header(rows: 2, columns: 4, allocated: 8)
        let pixels: [UInt8] = [0, 100, 200, 40, 0, 100, 200, 40]
        let half = try picture(header, pixels) { $0.viewport = Viewport(width: 2, height: 2) }
        #expect(half == [50, 120])
        let cut = try picture(header, pixels) {
            $0.viewport = Viewport(width: 2, height: 2, region: .init(x: 1, y: 0, width: -2, height: 2))
        }
        #expect(cut == [200, 100, 200, 100])
        #expect(Viewport(width: 0, height: 5) == nil)
        #expect(Viewport(width: 5, height: 100_000) == nil)
        for odd in [Double.infinity, -.infinity, .nan, 1e300] {
            #expect(Viewport(width: 5, height: 5, region: .init(x: odd, y: 0, width: 1, height: 1)) == nil)
            #expect(Viewport(width: 5, height: 5, region: .init(x: 0, y: 0, width: odd, height: 1)) == nil)
        }
        #expect(Viewport(width: 5, height: 5, region: .init(x: 0, y: 0, width: 0, height: 1)) == nil)
    }

    @Test("enhanced objects: the frame's own transformations, then the shared ones (PS3.3 Section C.7.6.16)")
    func functionalGroups() throws {
        let header = try Samples.header(rows: 1, columns: 1, frames: 2) { writer in
            func group(_ center: String) -> DataSetWriter {
                var item = writer.makeItem()
                var voi = item.makeItem()
                voi.put(.windowCenter, .DS, [center])
                voi.put(.windowWidth, .DS, ["10"])
                item.put(Tag(0x0028, 0x9132), items: [voi])
                return item
            }
            var shared = writer.makeItem()
            var value = shared.makeItem()
            value.put(.rescaleIntercept, .DS, ["7"])
            value.put(.rescaleSlope, .DS, ["1"])
            shared.put(Tag(0x0028, 0x9145), items: [value])
            writer.put(.sharedFunctionalGroupsSequence, items: [shared])
            writer.put(Tag(0x5200, 0x9230), items: [group("30"), group("40")])
        }
        let image = try ImageAttributes(header)
        #expect(image.frame(1).voi == [.window(try #require(VOIWindow(center: 30, width: 10)))])
        #expect(image.frame(2).voi == [.window(try #require(VOIWindow(center: 40, width: 10)))])
        #expect(image.frame(2).modality == .linear(slope: 1, intercept: 7))
    }

    @Test("floating point and 32 bits are stretched over what is finite")
    func wide() throws {
        var layout = PixelLayout(rows: 1, columns: 4, bitsAllocated: 32)
        layout.isFloatingPoint = true
        var plan = try Samples.plan(Samples.header(rows: 1, columns: 4, allocated: 32))
        let integers = Samples.words([0, 0, 1, 0, 2, 0, 4, 0])
        #expect(try Renderer.render(integers, from: .explicitVRLittleEndian, plan: plan) == [0, 64, 128, 255])
        plan.layout = layout
        let floats = [Float(-1), 0, 1, .nan].flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
        }
        #expect(try Renderer.render(floats, from: .explicitVRLittleEndian, plan: plan) == [0, 128, 255, 0])
    }
}
