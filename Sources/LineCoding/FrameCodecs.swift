// The codecs of frames as the line uses them: what they make is decoded again before anybody believes it.

import DICOMCore
package import DICOMImaging

/// What runs a codec: the workers of the archive, or the test itself.
package struct FrameCodecs: Sendable {
    private let run: @Sendable (CodecJob, [UInt8]) throws(ImagingFailure) -> NativeFrame

    package init(_ run: @escaping @Sendable (CodecJob, [UInt8]) throws(ImagingFailure) -> NativeFrame) {
        self.run = run
    }

    /// Workers of their own: who looks at images does not wait for objects that come and go.
    /// - Parameter executable: this program; it is called as `executable codec-worker`.
    package init(executable: String, workers: Int) { self.init(CodecPool(executable: executable, workers: workers)) }

    package init(_ pool: CodecPool) {
        self.init { job, bytes throws(ImagingFailure) in try pool.run(job, bytes) }
    }

    /// The codestream of samples, which nobody has looked at yet; nil where the codec does not take them.
    func encode(
        _ samples: [UInt8], _ form: FrameForm, by method: FrameMethod
    ) throws(LineCodingFailure) -> [UInt8]? {
        let job = CodecJob.convert(
            from: TransferSyntax.explicitVRLittleEndian.uid, to: method.transferSyntax.uid, layout: form.layout,
            quality: 100)
        let coded: [UInt8]
        do throws(ImagingFailure) { coded = try run(job, samples).bytes } catch {
            // Later it would be coded: then it would have another form, and what has arrived of it would be worth nothing.
            if case .busy = error { throw .busy }
            return nil
        }
        guard !coded.isEmpty, coded.count <= samples.count, form.length <= coded.count * LineFormat.mostExpansion
        else { return nil }
        return coded
    }

    /// The samples of a codestream. Throws `.damaged`, or `.busy` and `.lost` when nothing can be said of it now.
    func decode(
        _ codestream: [UInt8], _ form: FrameForm, by method: FrameMethod
    ) throws(LineCodingFailure) -> [UInt8] {
        let job = CodecJob.convert(
            from: method.transferSyntax.uid, to: TransferSyntax.explicitVRLittleEndian.uid, layout: form.layout,
            quality: 100)
        do throws(ImagingFailure) { return try run(job, codestream).bytes } catch {
            switch error {
            case .busy, .unavailable: throw .busy
            case .workerLost: throw .lost
            case .noPixels, .noSuchFrame, .unsupported, .damaged: throw .damaged("a frame does not decode")
            }
        }
    }
}
