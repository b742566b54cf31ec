// Decompression of stored objects, for peers that take no compressed ones.
internal import CDCMTK

/// Changes the transfer syntax of Part 10 files. Blocks; decoding a large image takes a while.
package enum Codec {
    /// Writes `source` again as `target` in an uncompressed (or deflated) transfer syntax. The instance keeps its UIDs.
    ///
    /// Decodes JPEG, JPEG-LS and RLE (DCMTK) and JPEG 2000 (OpenJPEG). Throws `.unsupported` where there is no decoder,
    /// `.failed` where the pixels are damaged; then there is no `target`.
    package static func transcode(
        from source: String, to target: String, transferSyntaxUID: String
    ) throws(ToolkitError) {
        try unsafe ToolkitError.check { unsafe phim_transcode(source, target, transferSyntaxUID, $0) }
    }
}
