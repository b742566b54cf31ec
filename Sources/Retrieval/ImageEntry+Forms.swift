// The forms in which an image goes out: frames of another syntax, pictures, animations.

import DICOMCore
import DICOMImaging

extension ImageEntry {
    /// See `InstanceRetrieval.frame`.
    func frame(
        _ number: Int, as transferSyntax: TransferSyntax, quality: Int, _ codecs: CodecPool
    ) throws(RetrievalFailure) -> [UInt8] {
        let bytes = try stored(number)
        let target = transferSyntax.isEncapsulated ? transferSyntax : .explicitVRLittleEndian
        if target == pixelSyntax { return bytes }
        do throws(ImagingFailure) {
            return try codecs.convert(
                bytes, from: pixelSyntax, to: target, layout: attributes.layout, quality: quality
            ).bytes
        } catch { throw RetrievalFailure(error, from: identity.transferSyntaxUID) }
    }

    /// See `InstanceRetrieval.rendered`.
    func rendered(
        _ number: Int?, _ request: RenderingRequest, state: DataSet?, _ codecs: CodecPool
    ) throws(RetrievalFailure) -> RenderedImage {
        if request.format == .gif { return try animated(number, request, state: state, codecs) }
        let picture = try picture(number ?? 1, request, state: state, codecs)
        return RenderedImage(bytes: picture, mediaType: request.format.mediaType)
    }

    private func picture(
        _ number: Int, _ request: RenderingRequest, state: DataSet?, _ codecs: CodecPool
    ) throws(RetrievalFailure) -> [UInt8] {
        let presentation = state.flatMap { Presentation($0, image: identity.sopInstanceUID, frame: number) }
        guard state == nil || presentation != nil else {
            throw .notConvertible(
                from: identity.transferSyntaxUID, reason: "presentation state does not refer to this image")
        }
        let plan = RenderingPlan(attributes, frame: number, request: request, presentation: presentation)
        let bytes = try stored(number)
        do throws(ImagingFailure) {
            return try codecs.render(bytes, from: pixelSyntax, plan: plan)
        } catch { throw RetrievalFailure(error, from: identity.transferSyntaxUID) }
    }

    /// Bytes of all pictures of an animation: beyond them frames are left out evenly.
    private static let animationRoom = 96 << 20

    private func animated(
        _ number: Int?, _ request: RenderingRequest, state: DataSet?, _ codecs: CodecPool
    ) throws(RetrievalFailure) -> RenderedImage {
        let isColour = !attributes.layout.photometricInterpretation.isMonochrome
        var request = request
        // Moving pictures are for looking over: no side above 512 unless asked for.
        if request.viewport == nil { request.viewport = Viewport(width: 512, height: 512) }
        let size = Renderer.fittedSize(attributes, request.viewport, isPresented: state != nil)
        let step = size.width * size.height * (isColour ? 3 : 1)
        let numbers = number.map { [$0] } ?? Array(1...table.count)
        let every = max(1, (numbers.count * step + Self.animationRoom - 1) / Self.animationRoom)
        var pictures: [UInt8] = []
        var count = 0
        for index in stride(from: 0, to: numbers.count, by: every) {
            pictures += try picture(numbers[index], request, state: state, codecs)
            count += 1
        }
        let uid = identity.transferSyntaxUID
        guard pictures.count == count * step else {
            throw .notConvertible(from: uid, reason: "pictures of several sizes")
        }
        let job = CodecJob.animate(
            columns: size.width, rows: size.height, isColour: isColour, frames: count,
            frameTime: (attributes.frameTime ?? 100) * Double(every))
        do throws(ImagingFailure) {
            return RenderedImage(bytes: try codecs.run(job, pictures).bytes, mediaType: request.format.mediaType)
        } catch { throw RetrievalFailure(error, from: uid) }
    }
}
