// Finds the end of sequences and items of undefined length, with a stack of its own instead of recursion.

extension ElementScanner {
    /// Where something of undefined length ends.
    struct Extent {
        /// First byte that is no longer content.
        var contentEnd: Int
        /// First byte after its delimitation item.
        var next: Int
        var isClosed: Bool
        var isTruncated = false
    }

    private struct Open {
        var isItem: Bool
        var encoding: Encoding
    }

    /// Walks from the first item of a sequence of undefined length to its end (PS3.5 Section 7.5). Every step goes
    /// forward, so the cost is linear in the bytes whatever the nesting.
    func skipUndefined(from start: Int, to end: Int, encoding: Encoding) -> Extent {
        var open = [Open(isItem: false, encoding: encoding)]
        var at = start
        while let current = open.last, end - at >= 8 {
            let tag = tag(at: at, bigEndian: current.encoding.isBigEndian)
            if tag.group == 0xFFFE {
                let length = uint32(at: at + 4, bigEndian: current.encoding.isBigEndian)
                switch (tag, current.isItem) {
                case (.item, false):
                    at += 8
                    if length == ElementHeader.undefinedLength {
                        open.append(Open(isItem: true, encoding: current.encoding))
                    } else {
                        at += Int(length)
                    }
                case (.itemDelimitation, true):
                    at += 8
                    open.removeLast()
                case (.sequenceDelimitation, false):
                    open.removeLast()
                    if open.isEmpty { return Extent(contentEnd: at, next: at + 8, isClosed: true) }
                    at += 8
                case (.item, true), (.sequenceDelimitation, true):
                    open.removeLast()
                default:
                    at += 8
                }
                continue
            }
            guard current.isItem else {
                // An element where an item should be: the sequence was never delimited.
                open.removeLast()
                if open.isEmpty { return Extent(contentEnd: at, next: at, isClosed: false) }
                continue
            }
            guard let header = header(at: at, end: end, encoding: current.encoding) else { break }
            at = header.valueOffset
            if header.isUndefined {
                let inner = sequenceEncoding(header, at: at, end: end, encoding: current.encoding)
                open.append(Open(isItem: false, encoding: inner))
            } else {
                at += Int(header.length)
            }
        }
        return Extent(contentEnd: end, next: end, isClosed: false, isTruncated: true)
    }
}
