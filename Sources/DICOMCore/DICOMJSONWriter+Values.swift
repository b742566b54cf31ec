// The small parts of DICOM JSON: strings, numbers, tags, base 64 (RFC 8259, PS3.18 Table F.2.3-1).

extension VR {
    /// The two letters, without making a string.
    var letters: (UInt8, UInt8) { VR.table[self] ?? (0x55, 0x4E) }

    private static let table: [VR: (UInt8, UInt8)] = Dictionary(
        uniqueKeysWithValues: VR.allCases.map { ($0, $0.code) })
}

extension DICOMJSONWriter {
    mutating func ascii(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { unsafe bytes.append(text.utf8Start[index]) }
    }

    mutating func hexadecimal(_ tag: Tag) {
        for shift in stride(from: 28, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: tag.rawValue >> UInt32(shift)) & 0xF
            bytes.append(digit < 10 ? 0x30 + digit : 0x37 + digit)
        }
    }

    /// A string in quotation marks.
    mutating func string(_ text: ArraySlice<UInt8>) {
        bytes.append(0x22)
        var isPlain = true
        for byte in text where byte < 0x20 || byte == 0x22 || byte == 0x5C {
            isPlain = false
            break
        }
        if isPlain { bytes += text } else { for byte in text { escaped(byte) } }
        bytes.append(0x22)
    }

    private mutating func escaped(_ byte: UInt8) {
        switch byte {
        case 0x22, 0x5C:
            bytes.append(0x5C)
            bytes.append(byte)
        case 0x0A: ascii("\\n")
        case 0x0D: ascii("\\r")
        case 0x09: ascii("\\t")
        case 0..<0x20:
            ascii("\\u00")
            bytes.append(byte < 0x10 ? 0x30 : 0x31)
            let low = byte & 0xF
            bytes.append(low < 10 ? 0x30 + low : 0x57 + low)
        default: bytes.append(byte)
        }
    }

    /// A decimal number of DICOM as one of JSON: without plus sign and leading zeros, with a digit before and after the
    /// point (PS3.5 Section 6.2, RFC 8259 Section 6). False, and nothing written, when it is none.
    mutating func number(_ text: ArraySlice<UInt8>) -> Bool {
        let start = bytes.count
        var at = text.startIndex
        func isDigit(_ index: Int) -> Bool { index < text.endIndex && text[index] &- 0x30 < 10 }
        if at < text.endIndex, text[at] == 0x2B || text[at] == 0x2D {
            if text[at] == 0x2D { bytes.append(0x2D) }
            at += 1
        }
        let hasInteger = isDigit(at)
        while isDigit(at), text[at] == 0x30, isDigit(at + 1) { at += 1 }
        if !hasInteger { bytes.append(0x30) }
        while isDigit(at) {
            bytes.append(text[at])
            at += 1
        }
        var hasFraction = false
        if at < text.endIndex, text[at] == 0x2E {
            at += 1
            hasFraction = isDigit(at)
            if hasFraction { bytes.append(0x2E) }
            while isDigit(at) {
                bytes.append(text[at])
                at += 1
            }
        }
        if hasInteger || hasFraction, at < text.endIndex, text[at] | 0x20 == 0x65 {
            bytes.append(0x65)
            at += 1
            if at < text.endIndex, text[at] == 0x2B || text[at] == 0x2D {
                bytes.append(text[at])
                at += 1
            }
            // More digits than any double has would read as infinity.
            let hasExponent = isDigit(at) && text.endIndex - at <= 2
            while isDigit(at) {
                bytes.append(text[at])
                at += 1
            }
            if !hasExponent { at = text.startIndex }
        }
        guard hasInteger || hasFraction, at == text.endIndex else {
            bytes.removeLast(bytes.count - start)
            return false
        }
        return true
    }

    mutating func numbers(_ element: DataElement, _ vr: VR, of dataSet: DataSet) {
        let size = vr == .AT ? 4 : vr.unitSize
        guard size > 0, element.length >= size else { return }
        ascii(",\"Value\":[")
        for index in 0..<element.length / size {
            if index > 0 { bytes.append(0x2C) }
            let value = vr == .AT ? 0 : dataSet.unsigned(element, at: index, size: size)
            switch vr {
            case .AT:
                let group = dataSet.unsigned(element, at: index * 2, size: 2)
                let number = dataSet.unsigned(element, at: index * 2 + 1, size: 2)
                bytes.append(0x22)
                hexadecimal(Tag(UInt16(group), UInt16(number)))
                bytes.append(0x22)
            case .SS: integer(Int64(Int16(truncatingIfNeeded: value)))
            case .SL: integer(Int64(Int32(truncatingIfNeeded: value)))
            case .SV:
                large(Int64(bitPattern: value).description, isSafe: Int64(bitPattern: value).magnitude <= Self.safe)
            case .UV: large(value.description, isSafe: value <= Self.safe)
            case .FL:
                real(
                    Double(Float(bitPattern: UInt32(truncatingIfNeeded: value))),
                    Float(bitPattern: UInt32(value)).description)
            case .FD: real(Double(bitPattern: value), Double(bitPattern: value).description)
            default: decimal(value)
            }
        }
        bytes.append(0x5D)
    }

    /// Largest integer that every reader of JSON keeps exactly (RFC 8259 Section 6); larger ones are strings.
    private static let safe: UInt64 = 1 << 53 - 1

    private mutating func large(_ text: String, isSafe: Bool) {
        if !isSafe { bytes.append(0x22) }
        bytes += text.utf8
        if !isSafe { bytes.append(0x22) }
    }

    /// What is no number has a name (PS3.18 Table F.2.3-1).
    private mutating func real(_ value: Double, _ text: String) {
        if value.isFinite {
            bytes += text.utf8
        } else if value.isNaN {
            ascii("\"NaN\"")
        } else if value < 0 {
            ascii("\"-inf\"")
        } else {
            ascii("\"inf\"")
        }
    }

    private mutating func integer(_ value: Int64) {
        if value < 0 { bytes.append(0x2D) }
        decimal(value.magnitude)
    }

    private mutating func decimal(_ value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        var rest = value
        while divisor > 0 {
            bytes.append(0x30 + UInt8(truncatingIfNeeded: rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    mutating func base64(_ value: ArraySlice<UInt8>) { Base64.append(value, to: &bytes) }
}

/// Base 64 with padding (RFC 4648 Section 4).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func append(_ value: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + (value.count + 2) / 3 * 4)
        var at = value.startIndex
        while at < value.endIndex {
            let left = value.endIndex - at
            let second = left > 1 ? value[at + 1] : 0
            let third = left > 2 ? value[at + 2] : 0
            bytes.append(alphabet[Int(value[at] >> 2)])
            bytes.append(alphabet[Int(value[at] << 4 & 0x30 | second >> 4)])
            bytes.append(left > 1 ? alphabet[Int(second << 2 & 0x3C | third >> 6)] : 0x3D)
            bytes.append(left > 2 ? alphabet[Int(third & 0x3F)] : 0x3D)
            at += 3
        }
    }
}
