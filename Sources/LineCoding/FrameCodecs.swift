// The codecs of frames as the line uses them: what they make is decoded again before anybody believes it.

import DICOMCore
package import DICOMImaging
import Metrics

/// What runs a codec: the workers of the archive, or the test itself.
package struct FrameCodecs: Sendable {
    private let run: @Sendable (CodecJob, [UInt8]) throws(ImagingFailure) -> NativeFrame
    private static let mismatches = Counter(label: "phim_line_coding_mismatches_total")

    package init(_ run: @escaping @Sendable (CodecJob, [UInt8]) throws(ImagingFailure) -> NativeFrame) {
        self.run = run
    }

    package init(_ pool: CodecPool) {
        self.init { job, bytes throws(ImagingFailure) in try pool.run(job, bytes) }
    }

    /// The codestream of samples, from which the very same samples were decoded; nil where the codec does not do that.
    func encode(_ samples: [UInt8], _ form: FrameForm, by method: FrameMethod) -> [UInt8]? {
        let job = CodecJob.convert(
            from: TransferSyntax.explicitVRLittleEndian.uid, to: method.transferSyntax.uid, layout: form.layout,
            quality: 100)
        guard let coded = try? run(job, samples).bytes, !coded.isEmpty,
            coded.count <= samples.count, form.length <= coded.count * LineFormat.mostExpansion
        else { return nil }
        guard let again = try? decode(coded, form, by: method), again == samples else {
            Self.mismatches.increment()
            return nil
        }
        return coded
    }

    /// The samples of a codestream. Throws `.damaged`, or `.busy` when nothing can be said of it now.
    func decode(
        _ codestream: [UInt8], _ form: FrameForm, by method: FrameMethod
    ) throws(LineCodingFailure) -> [UInt8] {
        let job = CodecJob.convert(
            from: method.transferSyntax.uid, to: TransferSyntax.explicitVRLittleEndian.uid, layout: form.layout,
            quality: 100)
        do throws(ImagingFailure) { return try run(job, codestream).bytes } catch {
            switch error {
            case .busy, .unavailable: throw .busy
            case .noPixels, .noSuchFrame, .unsupported, .damaged, .workerLost: throw .damaged("a frame does not decode")
            }
        }
    }
}
