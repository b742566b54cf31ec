// Writing messages, by the letter of the standard (HL7 v2.5.1 Sections 2.5 and 2.7).

extension Message {
    /// The message with its own separators; every segment ends with CR.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The message in UTF-8.
    package var bytes: [UInt8] {
        let writer = MessageWriter(separators: separators)
        var output: [UInt8] = []
        for segment in segments {
            writer.write(segment, to: &output)
            output.append(0x0D)
        }
        return output
    }
}

struct MessageWriter {
    let separators: Separators

    func write(_ segment: Segment, to output: inout [UInt8]) {
        output += segment.name.utf8
        var fields = segment.fields[...]
        if segment.name == "MSH" {
            output.append(separators.field)
            output += separators.encodingCharacters.utf8
            fields = fields.dropFirst(2)
        }
        for field in fields {
            output.append(separators.field)
            join(field.repetitions, separators.repetition, &output) { repetition, output in
                join(repetition.components, separators.component, &output) { component, output in
                    join(component.subcomponents, separators.subcomponent, &output, write)
                }
            }
        }
    }

    private func join<Element>(
        _ elements: [Element], _ separator: UInt8, _ output: inout [UInt8], _ write: (Element, inout [UInt8]) -> Void
    ) {
        for (index, element) in elements.enumerated() {
            if index > 0 { output.append(separator) }
            write(element, &output)
        }
    }

    private func write(_ value: Value, to output: inout [UInt8]) {
        switch value.content {
        case .absent: break
        case .null: output += [0x22, 0x22]
        // As it stands it would be the null.
        case .plain("\"\""): output += [separators.escape] + Array("X2222".utf8) + [separators.escape]
        case .plain(let text): write(text, to: &output)
        case .mixed(let runs):
            for run in runs {
                switch run {
                case .plain(let text): write(text, to: &output)
                case .sequence(let sequence):
                    output.append(separators.escape)
                    output += sequence.utf8
                    output.append(separators.escape)
                }
            }
        }
    }

    private func write(_ text: String, to output: inout [UInt8]) {
        for byte in text.utf8 {
            if let letter = separators.letter(for: byte) {
                output += [separators.escape, letter, separators.escape]
            } else if byte == 0x0A {
                output += [separators.escape, 0x2E, 0x62, 0x72, separators.escape]
            } else if byte < 0x20 || byte == 0x7F {
                let digits = Array("0123456789ABCDEF".utf8)
                output += [
                    separators.escape, 0x58, digits[Int(byte >> 4)], digits[Int(byte & 15)], separators.escape,
                ]
            } else {
                output.append(byte)
            }
        }
    }
}
