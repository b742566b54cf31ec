// Frames of stored images: as they lie, in another transfer syntax, or as pictures. Calls block.

package import Catalog
package import DICOMCore
package import DICOMImaging
import Volumes

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
        try image(instance).frame(number, as: transferSyntax, quality: quality, converter.codecs)
    }

    /// The object as it goes out, in another transfer syntax, in a temporary file that goes with the value. Only syntaxes
    /// without loss.
    package func converted(
        _ instance: StoredInstance, to transferSyntaxUID: String
    ) throws(RetrievalFailure) -> ConvertedObject {
        try converter.convert(PixelSource(outgoing(instance)), ObjectIdentity(instance), to: transferSyntaxUID)
    }

    /// A frame, numbered from 1, as a picture; nil is the first, or all of them in a format that moves.
    ///
    /// - Parameter presentationState: a Grayscale Softcopy Presentation State that refers to the image.
    package func rendered(
        _ number: Int?, of instance: StoredInstance, _ request: RenderingRequest,
        presentationState: StoredInstance? = nil
    ) throws(RetrievalFailure) -> RenderedImage {
        let state = try presentationState.map { state throws(RetrievalFailure) in try header(of: state) }
        return try image(instance).rendered(number, request, state: state, converter.codecs)
    }

    private func image(_ instance: StoredInstance) throws(RetrievalFailure) -> ImageEntry {
        try images.entry(instance.place) { () throws(RetrievalFailure) in
            try ImageEntry(PixelSource(stored(instance)), ObjectIdentity(instance), scratch: converter.scratch)
        }
    }
}

/// A DICOM file outside the archive, for commands: the same frames, pictures and conversions.
package struct ImageFile: Sendable {
    private let identity: ObjectIdentity
    private let source: PixelSource
    private let converter: Converter

    /// Reads the beginning of the file.
    package init(_ path: String, converter: Converter) throws(RetrievalFailure) {
        let file = try OwnFile(opening: path)
        guard let part10 = try? Part10.parse(file.read(from: 0, count: 64 << 10)) else {
            throw .unreadable(reason: "not a DICOM file")
        }
        source = PixelSource(file, part10)
        identity = ObjectIdentity(part10, try source.header().dataSet)
        self.converter = converter
    }

    /// Frames that are there.
    package func frameCount() throws(RetrievalFailure) -> Int { try entry().table.count }

    /// One frame in a transfer syntax, as `InstanceRetrieval.frame`.
    package func frame(
        _ number: Int, as transferSyntax: TransferSyntax, quality: Int = 90
    ) throws(RetrievalFailure) -> [UInt8] {
        try entry().frame(number, as: transferSyntax, quality: quality, converter.codecs)
    }

    /// A picture, as `InstanceRetrieval.rendered`.
    package func rendered(
        _ number: Int?, _ request: RenderingRequest, presentationState: ImageFile? = nil
    ) throws(RetrievalFailure) -> RenderedImage {
        let state = try presentationState.map { file throws(RetrievalFailure) in try file.source.header().dataSet }
        return try entry().rendered(number, request, state: state, converter.codecs)
    }

    /// The whole object, as `InstanceRetrieval.converted`.
    package func converted(to transferSyntaxUID: String) throws(RetrievalFailure) -> ConvertedObject {
        try converter.convert(source, identity, to: transferSyntaxUID)
    }

    private func entry() throws(RetrievalFailure) -> ImageEntry {
        try ImageEntry(source, identity, scratch: converter.scratch)
    }
}
