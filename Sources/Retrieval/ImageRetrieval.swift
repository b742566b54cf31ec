// Frames of stored images: as they lie, in another transfer syntax, or as pictures. Calls block.

package import Catalog
package import DICOMCore
package import DICOMImaging

extension InstanceRetrieval {
    /// Where the frames of an instance lie.
    ///
    /// Throws `.notConvertible` for what has no frames, `.unreadable` for what cannot be read.
    package func frames(of instance: StoredInstance) throws(RetrievalFailure) -> FrameTable {
        try image(instance).table
    }

    /// What the header says about showing the frames.
    package func attributes(of instance: StoredInstance) throws(RetrievalFailure) -> ImageAttributes {
        try image(instance).attributes
    }

    /// What the frames are encoded in: the stored transfer syntax, or Explicit VR Little Endian for all native ones.
    package func pixelSyntax(of instance: StoredInstance) throws(RetrievalFailure) -> TransferSyntax {
        try image(instance).pixelSyntax
    }

    /// One frame, numbered from 1, in a transfer syntax: as stored where that is the syntax, else converted by a worker.
    /// Native frames are little endian and begin at their first bit; colour of lossy JPEG becomes RGB by pixel.
    ///
    /// Throws `.absent` for a frame that does not exist, `.notConvertible` with the reason when no codec can do it or the
    /// frame is damaged.
    package func frame(
        _ number: Int, of instance: StoredInstance, as transferSyntax: TransferSyntax, quality: Int = 90
    ) throws(RetrievalFailure) -> [UInt8] {
        let image = try image(instance)
        let bytes = try image.stored(number)
        let target = transferSyntax.isEncapsulated ? transferSyntax : .explicitVRLittleEndian
        if target == image.pixelSyntax { return bytes }
        do throws(ImagingFailure) {
            return try converter.codecs.convert(
                bytes, from: image.pixelSyntax, to: target, layout: image.attributes.layout, quality: quality
            ).bytes
        } catch { throw RetrievalFailure(error, from: instance.transferSyntaxUID) }
    }

    /// The object in another transfer syntax, in a temporary file that goes with the value. Only syntaxes without loss.
    package func converted(
        _ instance: StoredInstance, to transferSyntaxUID: String
    ) throws(RetrievalFailure) -> ConvertedObject {
        guard CodecTable.encodesLosslessly(transferSyntaxUID) else {
            throw .notConvertible(from: instance.transferSyntaxUID, reason: "no lossless encoder for the wanted syntax")
        }
        guard CodecTable.decodes(instance.transferSyntaxUID) else {
            throw .notConvertible(from: instance.transferSyntaxUID, reason: "no codec")
        }
        let source = try PixelSource.make(stored(instance), scratch: converter.scratch)
        var conversion = try ObjectConversion(
            source: source, instance: instance, to: TransferSyntax(transferSyntaxUID), scratch: converter.scratch,
            codecs: converter.codecs)
        return try conversion.run().object
    }

    /// A frame, numbered from 1, as a picture; nil is the first, or all of them in a format that moves.
    ///
    /// - Parameter presentationState: a Grayscale Softcopy Presentation State that refers to the image.
    package func rendered(
        _ number: Int?, of instance: StoredInstance, _ request: RenderingRequest,
        presentationState: StoredInstance? = nil
    ) throws(RetrievalFailure) -> RenderedImage {
        let image = try image(instance)
        let state = try presentationState.map { state throws(RetrievalFailure) in try header(of: state) }
        func plan(_ frame: Int, _ request: RenderingRequest) throws(RetrievalFailure) -> RenderingPlan {
            let presentation = state.flatMap { Presentation($0, image: instance.sopInstanceUID, frame: frame) }
            guard state == nil || presentation != nil else {
                throw .notConvertible(
                    from: instance.transferSyntaxUID, reason: "presentation state does not refer to this image")
            }
            return RenderingPlan(image.attributes, frame: frame, request: request, presentation: presentation)
        }
        func render(_ frame: Int, _ request: RenderingRequest) throws(RetrievalFailure) -> [UInt8] {
            let bytes = try image.stored(frame)
            let plan = try plan(frame, request)
            do throws(ImagingFailure) {
                return try converter.codecs.render(bytes, from: image.pixelSyntax, plan: plan)
            } catch { throw RetrievalFailure(error, from: instance.transferSyntaxUID) }
        }
        if request.format == .gif {
            return try animation(image, instance, number, request, render)
        }
        return RenderedImage(bytes: try render(number ?? 1, request), mediaType: request.format.mediaType)
    }

    /// Bytes of all pictures of an animation: beyond them frames are left out evenly.
    private static let animationRoom = 96 << 20

    private func animation(
        _ image: ImageEntry, _ instance: StoredInstance, _ number: Int?, _ request: RenderingRequest,
        _ render: (Int, RenderingRequest) throws(RetrievalFailure) -> [UInt8]
    ) throws(RetrievalFailure) -> RenderedImage {
        let layout = image.attributes.layout
        let isColour = !layout.photometricInterpretation.isMonochrome
        var request = request
        // Moving pictures are for looking over: no side above 512 unless asked for.
        if request.viewport == nil { request.viewport = Viewport(width: 512, height: 512) }
        let size = Renderer.fittedSize(layout, request.viewport)
        let step = size.width * size.height * (isColour ? 3 : 1)
        let numbers = number.map { [$0] } ?? Array(1...image.table.count)
        let stride = max(1, (numbers.count * step + Self.animationRoom - 1) / Self.animationRoom)
        var pictures: [UInt8] = []
        var count = 0
        for index in Swift.stride(from: 0, to: numbers.count, by: stride) {
            pictures += try render(numbers[index], request)
            count += 1
        }
        guard pictures.count == count * step else {
            throw .notConvertible(from: instance.transferSyntaxUID, reason: "pictures of several sizes")
        }
        let time = (image.attributes.frameTime ?? 100) * Double(stride)
        do throws(ImagingFailure) {
            let file = try converter.codecs.run(
                .animate(
                    columns: size.width, rows: size.height, isColour: isColour, frames: count, frameTime: time),
                pictures)
            return RenderedImage(bytes: file.bytes, mediaType: request.format.mediaType)
        } catch { throw RetrievalFailure(error, from: instance.transferSyntaxUID) }
    }

    private func image(_ instance: StoredInstance) throws(RetrievalFailure) -> ImageEntry {
        try images.entry(instance.id) { () throws(RetrievalFailure) in
            let source = try PixelSource.make(stored(instance), scratch: converter.scratch)
            return try ImageEntry.make(
                source: source, header: source.header(), uid: instance.transferSyntaxUID)
        }
    }
}
