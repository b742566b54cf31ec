// What a Grayscale Softcopy Presentation State says of one image (PS3.3 Section A.33; PS3.4 Annex N).

package import DICOMCore

/// The part of a presentation state that concerns one image.
package struct Presentation: Sendable, Hashable, Codable {
    var modality: ModalityTransform?
    var voi: VOITransform?
    var isInverse = false
    var presentation: LookupTable?
    var shutter: Shutter?
    var isMirrored = false
    /// Degrees clockwise, after mirroring.
    var rotation = 0
    var area: Area?
    var graphics: [Graphic] = []

    /// Corners of the displayed area, in pixels from 1, both inside (PS3.3 Section C.10.4).
    struct Area: Sendable, Hashable, Codable {
        var left: Int
        var top: Int
        var right: Int
        var bottom: Int
    }

    /// Reads a presentation state for an image and a frame of it, numbered from 1; nil when it does not refer to them.
    package init?(_ state: DataSet, image sopInstanceUID: String, frame: Int) {
        func concerns(_ item: DataSet) -> Bool {
            let references = item.items(.referencedImageSequence)
            return references.isEmpty
                || references.contains { reference in
                    guard reference.string(.referencedSOPInstanceUID) == sopInstanceUID else { return false }
                    let frames = reference.ints(.referencedFrameNumber)
                    return frames.isEmpty || frames.contains(frame)
                }
        }
        let series = state.items(.referencedSeriesSequence)
        guard series.contains(where: { !$0.items(.referencedImageSequence).isEmpty && concerns($0) }) else {
            return nil
        }
        modality = GreyReader.modality(state, isSigned: false)
        voi = state.items(.softcopyVOILUTSequence).first(where: concerns).flatMap {
            GreyReader.voi($0, modality: modality, isSigned: false).first
        }
        isInverse = state.string(.presentationLUTShape)?.uppercased() == "INVERSE"
        presentation = state.items(.presentationLUTSequence).first.flatMap { LookupTable(item: $0, isSigned: false) }
        shutter = Shutter(state)
        isMirrored = state.string(.imageHorizontalFlip)?.uppercased() == "Y"
        rotation = state.int(.imageRotation) ?? 0
        area = state.items(.displayedAreaSelectionSequence).first(where: concerns).flatMap(Area.init)
        graphics = state.items(.graphicAnnotationSequence).filter(concerns).flatMap(Graphic.all)
    }

    /// SOP instances that a presentation state refers to: series, then instance (PS3.3 Section C.11.11).
    package static func references(_ state: DataSet) -> [(series: String, instance: String)] {
        state.items(.referencedSeriesSequence).flatMap { series in
            series.items(.referencedImageSequence).compactMap { image in
                guard let uid = image.string(.referencedSOPInstanceUID),
                    let seriesUID = series.string(.seriesInstanceUID)
                else { return nil }
                return (seriesUID, uid)
            }
        }
    }

    /// Shutter and graphics, in the pixels of the image as it is stored.
    func draw<Sample>(into raster: inout Raster<Sample>) {
        shutter?.apply(to: &raster)
        for graphic in graphics { graphic.draw(into: &raster) }
    }

    /// Displayed area and orientation.
    func arranged<Sample>(_ picture: Raster<Sample>) -> Raster<Sample> {
        var raster = picture
        if let area {
            let width = min(area.right - area.left + 1, Viewport.longestSide)
            let height = min(area.bottom - area.top + 1, Viewport.longestSide)
            raster = raster.resampled(
                x: Double(area.left - 1), y: Double(area.top - 1), width: Double(width), height: Double(height),
                to: (width, height))
        }
        if isMirrored { raster = raster.mirrored() }
        return raster.turned(rotation)
    }
}

extension Presentation.Area {
    init?(_ item: DataSet) {
        let first = item.ints(.displayedAreaTopLeftHandCorner)
        let last = item.ints(.displayedAreaBottomRightHandCorner)
        guard first.count == 2, last.count == 2, last[0] >= first[0], last[1] >= first[1] else { return nil }
        self.init(left: first[0], top: first[1], right: last[0], bottom: last[1])
    }
}

/// Hides what is outside (PS3.3 Section C.7.6.11 and C.7.6.15).
struct Shutter: Sendable, Hashable, Codable {
    /// Left, right, upper, lower edge: columns and rows from 1 that are still hidden.
    var rectangle: [Int]?
    /// Row and column of the centre, and the radius.
    var circle: [Int]?
    /// Row and column pairs.
    var polygon: [Int]?
    /// 0 black to 65535 white.
    var level = 0

    init?(_ dataSet: DataSet) {
        let shapes = Set(dataSet.strings(.shutterShape).map { $0.uppercased() })
        let edges = [
            Tag.shutterLeftVerticalEdge, .shutterRightVerticalEdge, .shutterUpperHorizontalEdge,
            .shutterLowerHorizontalEdge,
        ].compactMap { dataSet.int($0) }
        if shapes.contains("RECTANGULAR"), edges.count == 4 { rectangle = edges }
        let center = dataSet.ints(.centerOfCircularShutter)
        if shapes.contains("CIRCULAR"), center.count == 2, let radius = dataSet.int(.radiusOfCircularShutter) {
            circle = center + [radius]
        }
        let vertices = dataSet.ints(.verticesOfThePolygonalShutter)
        if shapes.contains("POLYGONAL"), vertices.count >= 6, vertices.count % 2 == 0 { polygon = vertices }
        guard rectangle != nil || circle != nil || polygon != nil else { return nil }
        level = dataSet.int(.shutterPresentationValue).map { $0.clamped(to: 0...65_535) } ?? 0
    }

    func isHidden(row: Int, column: Int) -> Bool {
        if let r = rectangle, column <= r[0] || column >= r[1] || row <= r[2] || row >= r[3] { return true }
        if let c = circle {
            let (down, across) = (row - c[0], column - c[1])
            if down.magnitude > 70_000 || across.magnitude > 70_000 || down * down + across * across > c[2] * c[2] {
                return true
            }
        }
        guard let polygon else { return false }
        var isInside = false
        var previous = polygon.count - 2
        for next in stride(from: 0, to: polygon.count, by: 2) {
            let (y1, x1) = (Double(polygon[next]), Double(polygon[next + 1]))
            let (y2, x2) = (Double(polygon[previous]), Double(polygon[previous + 1]))
            if (y1 > Double(row)) != (y2 > Double(row)),
                Double(column) < (x2 - x1) * (Double(row) - y1) / (y2 - y1) + x1
            {
                isInside.toggle()
            }
            previous = next
        }
        return !isInside
    }

    func apply<Sample>(to raster: inout Raster<Sample>) {
        let value = Sample(level >> (16 - Sample.bitWidth))
        for y in 0..<raster.height {
            for x in 0..<raster.width where isHidden(row: y + 1, column: x + 1) { raster.set(x, y, value) }
        }
    }
}
