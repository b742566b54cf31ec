// The frame header of a JPEG or JPEG-LS codestream (ISO/IEC 10918-1 Section B.2.2; ISO/IEC 14495-1 Annex C).

/// What a codestream says of itself before its first scan.
struct JPEGFrameHeader: Equatable {
    enum Process: Equatable {
        /// SOF0, SOF1 and SOF2: sequential or progressive DCT.
        case lossy
        /// SOF3.
        case lossless
        /// SOF55.
        case jpegLS
    }

    var process: Process
    var precision: Int
    var rows: Int
    var columns: Int
    var components: Int
    /// JFIF says that three components are YCbCr.
    var isJFIF = false
    /// Adobe's transform flag: 0 no transform, 1 YCbCr.
    var adobeTransform: UInt8?

    /// Reads markers up to the frame header; nil when there is none.
    init?(_ bytes: [UInt8]) {
        guard bytes.count > 4, bytes[0] == 0xFF, bytes[1] == 0xD8 else { return nil }
        var isJFIF = false
        var adobe: UInt8?
        var at = 2
        while at + 4 <= bytes.count {
            guard bytes[at] == 0xFF else { return nil }
            let marker = bytes[at + 1]
            if marker == 0xFF {  // fill byte
                at += 1
                continue
            }
            let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
            guard length >= 2, at + 2 + length <= bytes.count else { return nil }
            let body = at + 4..<at + 2 + length
            switch marker {
            case 0xC0...0xC3, 0xF7:
                guard body.count >= 6 else { return nil }
                process = marker == 0xF7 ? .jpegLS : marker == 0xC3 ? .lossless : .lossy
                precision = Int(bytes[body.lowerBound])
                rows = Int(bytes[body.lowerBound + 1]) << 8 | Int(bytes[body.lowerBound + 2])
                columns = Int(bytes[body.lowerBound + 3]) << 8 | Int(bytes[body.lowerBound + 4])
                components = Int(bytes[body.lowerBound + 5])
                self.isJFIF = isJFIF
                adobeTransform = adobe
                return
            case 0xE0: isJFIF = isJFIF || bytes[body].starts(with: Array("JFIF".utf8))
            case 0xEE:
                if body.count >= 12, bytes[body].starts(with: Array("Adobe".utf8)) {
                    adobe = bytes[body.lowerBound + 11]
                }
            case 0xDA, 0xD9: return nil
            default: break
            }
            at = body.upperBound
        }
        return nil
    }
}
