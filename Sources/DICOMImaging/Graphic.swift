// Drawings of a presentation state (PS3.3 Section C.10.5).

import DICOMCore
import Foundation

/// A graphic object as a chain of points, or a text at a point, in pixels of the image from 1.
struct Graphic: Sendable, Hashable, Codable {
    /// x, y pairs.
    var points: [Double]
    var isFilled = false
    var text: String?

    /// Objects of one item of the Graphic Annotation Sequence that are placed in pixels.
    static func all(_ item: DataSet) -> [Graphic] {
        item.items(.graphicObjectSequence).compactMap(Graphic.init(object:))
            + item.items(.textObjectSequence).compactMap(Graphic.init(text:))
    }

    private init(points: [Double], isFilled: Bool = false, text: String? = nil) {
        (self.points, self.isFilled, self.text) = (points, isFilled, text)
    }

    private init?(object: DataSet) {
        guard object.string(.graphicAnnotationUnits)?.uppercased() == "PIXEL" else { return nil }
        let data = object.doubles(.graphicData)
        guard data.count >= 2, data.count % 2 == 0, data.allSatisfy({ abs($0) < 1e6 }) else { return nil }
        let isFilled = object.string(.graphicFilled)?.uppercased() == "Y"
        switch object.string(.graphicType)?.uppercased() {
        case "POLYLINE", "INTERPOLATED": self.init(points: data, isFilled: isFilled)
        case "POINT":
            let (x, y) = (data[0], data[1])
            self.init(points: [x - 2, y, x + 2, y, x, y, x, y - 2, x, y + 2])
        case "CIRCLE" where data.count >= 4:
            let radius = ((data[2] - data[0]) * (data[2] - data[0]) + (data[3] - data[1]) * (data[3] - data[1]))
                .squareRoot()
            self.init(points: Self.ellipse(data[0], data[1], (radius, 0), (0, radius)), isFilled: isFilled)
        case "ELLIPSE" where data.count >= 8:
            let center = ((data[0] + data[2]) / 2, (data[1] + data[3]) / 2)
            let major = ((data[2] - data[0]) / 2, (data[3] - data[1]) / 2)
            let minor = ((data[6] - data[4]) / 2, (data[7] - data[5]) / 2)
            self.init(points: Self.ellipse(center.0, center.1, major, minor), isFilled: isFilled)
        default: return nil
        }
    }

    private init?(text item: DataSet) {
        guard let text = item.text(.unformattedTextValue) else { return nil }
        let box = item.doubles(.boundingBoxTopLeftHandCorner)
        let anchor = item.doubles(.anchorPoint)
        if box.count == 2, item.string(.boundingBoxAnnotationUnits)?.uppercased() == "PIXEL" {
            self.init(points: box, text: text)
        } else if anchor.count == 2, item.string(.anchorPointAnnotationUnits)?.uppercased() == "PIXEL" {
            self.init(points: anchor, text: text)
        } else {
            return nil
        }
    }

    private static func ellipse(
        _ x: Double, _ y: Double, _ major: (Double, Double), _ minor: (Double, Double)
    ) -> [Double] {
        (0...72).flatMap { step in
            let angle = Double(step) * .pi / 36
            return [
                x + major.0 * cos(angle) + minor.0 * sin(angle), y + major.1 * cos(angle) + minor.1 * sin(angle),
            ]
        }
    }

    func draw<Sample>(into raster: inout Raster<Sample>) {
        if let text {
            let lines = text.split(whereSeparator: \.isNewline).map(String.init)
            TextPainter.draw(lines, at: (Int(points[0]) - 1, Int(points[1]) - 1), into: &raster)
            return
        }
        if isFilled { fill(&raster) }
        guard points.count >= 4 else { return raster.set(Int(points[0]) - 1, Int(points[1]) - 1, .max) }
        for at in stride(from: 0, to: points.count - 2, by: 2) {
            line(from: (points[at], points[at + 1]), to: (points[at + 2], points[at + 3]), &raster)
        }
    }

    private func line<Sample>(from: (Double, Double), to: (Double, Double), _ raster: inout Raster<Sample>) {
        let steps = Int(max(abs(to.0 - from.0), abs(to.1 - from.1)).rounded(.up)).clamped(to: 1...100_000)
        for step in 0...steps {
            let part = Double(step) / Double(steps)
            raster.set(
                Int((from.0 + (to.0 - from.0) * part).rounded()) - 1,
                Int((from.1 + (to.1 - from.1) * part).rounded()) - 1, .max)
        }
    }

    private func fill<Sample>(_ raster: inout Raster<Sample>) {
        for y in 0..<raster.height {
            var crossings: [Double] = []
            let row = Double(y) + 1
            var previous = points.count - 2
            for next in stride(from: 0, to: points.count, by: 2) {
                let (x1, y1, x2, y2) = (points[next], points[next + 1], points[previous], points[previous + 1])
                if (y1 > row) != (y2 > row) { crossings.append((x2 - x1) * (row - y1) / (y2 - y1) + x1) }
                previous = next
            }
            crossings.sort()
            for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
                let first = Int(crossings[pair].rounded(.up)).clamped(to: 1...raster.width + 1)
                let last = Int(crossings[pair + 1].rounded(.down)).clamped(to: 0...raster.width)
                if first <= last { for x in first...last { raster.set(x - 1, y, .max) } }
            }
        }
    }
}
