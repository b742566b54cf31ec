// The query parameters of rendered resources as a request for rendering (PS3.18 Section 8.3.5.1).

import DICOMCore
import DICOMImaging
import Hummingbird
import Web

/// What a query asks of a rendered image.
struct RenderedParameters: Sendable {
    var request = RenderingRequest()
    /// `patient` and `technique`: which facts are drawn onto the image (PS3.18 Section 8.3.5.1.1).
    var annotation: Set<String> = []

    /// Side of a thumbnail when the request names no viewport.
    private static let thumbnail = 256

    init(_ query: Parameters, isThumbnail: Bool) throws(Problem) {
        for (name, value) in query {
            let text = String(value)
            switch name {
            case "quality":
                guard let quality = Int(text), (1...100).contains(quality) else {
                    throw Self.malformed("quality is a number from 1 to 100")
                }
                request.quality = quality
            case "viewport": request.viewport = try Self.viewport(text)
            case "window": request.window = try Self.window(text)
            case "annotation":
                let words = Set(text.lowercased().split(separator: ",").map { String($0) })
                guard words.isSubset(of: ["patient", "technique"]) else {
                    throw Self.malformed("annotation is patient, technique, or both")
                }
                annotation = words
            case "iccprofile":
                // The pixels go out as they are, without a profile, which every value lets a server do.
                guard ["no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"].contains(text.lowercased()) else {
                    throw Self.malformed("iccprofile is no, yes, or the name of a colour space")
                }
            default: break
            }
        }
        if isThumbnail, request.viewport == nil {
            request.viewport = Viewport(width: Self.thumbnail, height: Self.thumbnail)
        }
    }

    init(_ request: RenderingRequest, annotation: Set<String>) {
        self.request = request
        self.annotation = annotation
    }

    private static func malformed(_ rule: String) -> Problem { Problem(.badRequest, "The query is wrong: \(rule).") }

    /// `vw,vh` or `vw,vh,sx,sy,sw,sh`; empty numbers of the region mean the whole (PS3.18 Section 8.3.5.1.3).
    private static func viewport(_ text: String) throws(Problem) -> Viewport {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = words.map { Double($0) }
        guard words.count == 2 || words.count == 6, let width = numbers[0].flatMap({ Int(exactly: $0) }),
            let height = numbers[1].flatMap({ Int(exactly: $0) })
        else { throw malformed("viewport is width,height or width,height,x,y,width,height") }
        var region: Viewport.Region?
        if words.count == 6, words[4...].contains(where: { !$0.isEmpty }) {
            guard let regionWidth = numbers[4], let regionHeight = numbers[5] else {
                throw malformed("the region of a viewport has a width and a height")
            }
            region = Viewport.Region(x: numbers[2] ?? 0, y: numbers[3] ?? 0, width: regionWidth, height: regionHeight)
        }
        guard let viewport = Viewport(width: width, height: height, region: region) else {
            throw malformed("sides of a viewport are from 1 to \(Viewport.longestSide)")
        }
        return viewport
    }

    /// `centre,width,function` (PS3.18 Section 8.3.5.1.4).
    private static func window(_ text: String) throws(Problem) -> VOIWindow {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let functions: [String: VOIWindow.Function] = [
            "linear": .linear, "linear-exact": .linearExact, "linear_exact": .linearExact, "sigmoid": .sigmoid,
        ]
        let named = words.count == 3 ? functions[words[2].lowercased()] : .linear
        guard words.count == 2 || words.count == 3, let center = Double(words[0]), let width = Double(words[1]),
            let named, let window = VOIWindow(center: center, width: width, function: named)
        else { throw malformed("window is centre,width,function, the last of linear, linear-exact and sigmoid") }
        return window
    }

    /// The lines that are drawn, from the header.
    static func lines(_ annotation: Set<String>, _ dataSet: DataSet) -> [String] {
        func line(_ tags: [Tag]) -> String {
            tags.compactMap { dataSet.string($0) }.joined(separator: "  ")
                .replacing("^", with: " ")
        }
        var lines: [String] = []
        if annotation.contains("patient") {
            lines.append(line([Tag(0x0010, 0x0010)]))
            lines.append(line([Tag(0x0010, 0x0020), Tag(0x0010, 0x0030), Tag(0x0010, 0x0040)]))
            lines.append(line([Tag(0x0008, 0x0020), Tag(0x0008, 0x0050)]))
        }
        if annotation.contains("technique") {
            lines.append(line([Tag(0x0008, 0x0060), Tag(0x0008, 0x103E)]))
            let named: [(String, Tag)] = [
                ("kV", Tag(0x0018, 0x0060)), ("mA", Tag(0x0018, 0x1151)), ("mm", Tag(0x0018, 0x0050)),
                ("TR", Tag(0x0018, 0x0080)), ("TE", Tag(0x0018, 0x0081)),
            ]
            lines.append(
                named.compactMap { name, tag in dataSet.string(tag).map { "\(name) \($0)" } }.joined(separator: "  "))
        }
        return lines.filter { !$0.isEmpty }
    }
}
