// A decoded frame as an image file: grey or colour, drawings, viewport, JPEG or PNG (PS3.18 Section 8.7.4).

package import DICOMCore

/// Everything beside its bytes that one frame needs to be rendered.
package struct RenderingPlan: Sendable, Hashable, Codable {
    package var layout: PixelLayout
    package var frame: FrameAttributes
    package var padding: ClosedRange<Int>?
    package var palette: Palette?
    package var isInverse = false
    package var overlays: [Overlay] = []
    package var request: RenderingRequest
    package var presentation: Presentation?
    /// Height of a pixel by its width.
    package var aspect = 1.0

    /// What is needed of an image for one of its frames, numbered from 1.
    package init(_ image: ImageAttributes, frame: Int, request: RenderingRequest, presentation: Presentation? = nil) {
        layout = image.layout
        self.frame = image.frame(frame)
        padding = image.padding
        palette = image.palette
        isInverse = image.isInverse
        overlays = request.showsOverlays ? image.overlays(frame) : []
        self.request = request
        self.presentation = presentation
        // A presentation state turns images, and says itself how they are shown.
        aspect = presentation == nil ? image.aspect : 1
    }
}

/// Renders in this process: only workers and tests call it.
package enum Renderer {
    /// An image file of a frame in any transfer syntax that can be decoded.
    package static func render(
        _ bytes: [UInt8], from transferSyntax: TransferSyntax, plan: RenderingPlan
    ) throws(ImagingFailure) -> [UInt8] {
        let frame = try FrameCodec.decode(bytes, from: transferSyntax, layout: plan.layout)
        if plan.request.format == .png16, frame.layout.photometricInterpretation.isMonochrome {
            let raster = finish(grey(frame, plan, as: UInt16.self), frame, plan)
            return try CodecLibrary.encode(
                .png, raster.samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] },
                layout: PixelLayout(rows: raster.height, columns: raster.width, bitsAllocated: 16), precision: 16)
        }
        let raster = try picture(frame, plan)
        var layout = PixelLayout(rows: raster.height, columns: raster.width, bitsAllocated: 8)
        if raster.channels == 3 {
            layout.samplesPerPixel = 3
            layout.photometricInterpretation = .rgb
        }
        switch plan.request.format {
        case .jpeg:
            let quality = plan.request.quality.clamped(to: 1...100)
            return try CodecLibrary.encode(
                .jpeg(quality: quality, isSubsampled: quality < 90), raster.samples, layout: layout, precision: 8)
        case .png, .png16: return try CodecLibrary.encode(.png, raster.samples, layout: layout, precision: 8)
        // One frame of an animation: the samples alone, which `animate` puts together.
        case .gif: return raster.samples
        }
    }

    /// An animated GIF of pictures of one size.
    package static func animate(
        _ samples: [UInt8], columns: Int, rows: Int, isColour: Bool, frames: Int, frameTime: Double
    ) throws(ImagingFailure) -> [UInt8] {
        var layout = PixelLayout(rows: rows, columns: columns, bitsAllocated: 8)
        if isColour {
            layout.samplesPerPixel = 3
            layout.photometricInterpretation = .rgb
        }
        // Hundredths of a second; browsers slow anything below two down.
        let delay = Int((frameTime / 10).rounded()).clamped(to: 2...6_000)
        return try CodecLibrary.encode(.gif(frames: frames, delay: delay), samples, layout: layout, precision: 8)
    }

    /// The picture of 8 bits.
    static func picture(_ frame: NativeFrame, _ plan: RenderingPlan) throws(ImagingFailure) -> Raster<UInt8> {
        if frame.layout.photometricInterpretation.isMonochrome {
            return finish(grey(frame, plan, as: UInt8.self), frame, plan)
        }
        let rgb = try ColorConversion.rgb(frame, palette: plan.palette)
        guard rgb.count >= frame.layout.rows * frame.layout.columns * 3 else {
            throw .unsupported("an odd number of columns with shared chrominance")
        }
        let raster = Raster(
            width: frame.layout.columns, height: frame.layout.rows, channels: 3, samples: rgb)
        return finish(raster, frame, plan)
    }

    private static func grey<Sample: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ frame: NativeFrame, _ plan: RenderingPlan, as type: Sample.Type
    ) -> Raster<Sample> {
        let isMonochrome1 = frame.layout.photometricInterpretation == .monochrome1
        let state = plan.presentation
        let renderer = GreyRenderer(
            modality: state?.modality ?? plan.frame.modality,
            voi: plan.request.window.map(VOITransform.window) ?? state?.voi ?? plan.frame.voi.first,
            padding: plan.padding,
            // A presentation state says all of it itself (PS3.3 Section C.11.6).
            isInverse: state.map(\.isInverse) ?? (isMonochrome1 != plan.isInverse),
            presentation: state?.presentation)
        return Raster(
            width: frame.layout.columns, height: frame.layout.rows, channels: 1,
            samples: renderer.render(frame, as: type))
    }

    /// Drawings, shutter, orientation, viewport and text, in this order.
    private static func finish<Sample: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ picture: Raster<Sample>, _ frame: NativeFrame, _ plan: RenderingPlan
    ) -> Raster<Sample> {
        var raster = picture
        for overlay in plan.overlays { draw(overlay, frame, into: &raster) }
        if let state = plan.presentation {
            state.draw(into: &raster)
            raster = state.arranged(raster)
        }
        if let viewport = plan.request.viewport {
            raster = fit(raster, viewport, aspect: plan.aspect)
        } else if plan.aspect != 1 {
            let size = stretchedSize(raster.width, raster.height, plan.aspect)
            raster = raster.resampled(
                x: 0, y: 0, width: Double(raster.width), height: Double(raster.height), to: size)
        }
        TextPainter.draw(plan.request.annotation, into: &raster)
        return raster
    }

    private static func draw<Sample: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ overlay: Overlay, _ frame: NativeFrame, into raster: inout Raster<Sample>
    ) {
        if overlay.bits == nil {
            guard frame.layout.bitsAllocated == 16 else { return }
            let reader = SampleReader(frame.layout)
            for index in 0..<raster.width * raster.height
            where reader.raw(frame.bytes, index) >> overlay.bitPosition & 1 == 1 {
                raster.set(index % raster.width, index / raster.width, .max)
            }
            return
        }
        for row in 0..<overlay.rows {
            let y = overlay.originRow - 1 + row
            guard y >= 0, y < raster.height else { continue }
            for column in 0..<overlay.columns where overlay.isSet(row, column) {
                raster.set(overlay.originColumn - 1 + column, y, .max)
            }
        }
    }

    /// Size of the picture of an image in a viewport.
    package static func fittedSize(
        _ image: ImageAttributes, _ viewport: Viewport?, isPresented: Bool = false
    ) -> (width: Int, height: Int) {
        let (columns, rows) = (image.layout.columns, image.layout.rows)
        let aspect = isPresented ? 1 : image.aspect
        guard let viewport else { return stretchedSize(columns, rows, aspect) }
        let whole = Viewport.Region(x: 0, y: 0, width: Double(columns), height: Double(rows))
        return fittedSize(viewport.region ?? whole, viewport, aspect)
    }

    private static func fittedSize(
        _ region: Viewport.Region, _ viewport: Viewport, _ aspect: Double
    ) -> (width: Int, height: Int) {
        let (width, height) = (abs(region.width) * max(1, 1 / aspect), abs(region.height) * max(1, aspect))
        let scale = min(Double(viewport.width) / width, Double(viewport.height) / height)
        return (
            width: Int((width * scale).rounded()).clamped(to: 1...viewport.width),
            height: Int((height * scale).rounded()).clamped(to: 1...viewport.height)
        )
    }

    /// Pixels that are not square: the shorter side of them grows, so that nothing is lost.
    private static func stretchedSize(_ width: Int, _ height: Int, _ aspect: Double) -> (width: Int, height: Int) {
        if aspect == 1 { return (width, height) }
        let longest = max(width, height, Viewport.longestSide)
        let region = Viewport.Region(x: 0, y: 0, width: Double(width), height: Double(height))
        let (wide, high) = (Double(width) * max(1, 1 / aspect), Double(height) * max(1, aspect))
        let room = Viewport(width: min(longest, Int(wide.rounded())), height: min(longest, Int(high.rounded())))
        return room.map { fittedSize(region, $0, aspect) } ?? (width, height)
    }

    /// The region fitted into the viewport, its proportions kept.
    static func fit<Sample>(_ raster: Raster<Sample>, _ viewport: Viewport, aspect: Double = 1) -> Raster<Sample> {
        let whole = Viewport.Region(x: 0, y: 0, width: Double(raster.width), height: Double(raster.height))
        let region = viewport.region ?? whole
        let size = fittedSize(region, viewport, aspect)
        if viewport.region == nil, size == (raster.width, raster.height) { return raster }
        var out = raster.resampled(
            x: region.x, y: region.y, width: abs(region.width), height: abs(region.height), to: size)
        if region.width < 0 { out = out.mirrored() }
        if region.height < 0 { out = out.flipped() }
        return out
    }
}
