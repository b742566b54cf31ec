// The name of an attribute: group and element number (PS3.5 Section 7.1).

/// A data element tag, ordered as elements are ordered in a data set.
package struct Tag: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Group in the upper, element in the lower sixteen bits.
    package let rawValue: UInt32

    /// A tag from both numbers in one.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// A tag from its group and element number.
    package init(_ group: UInt16, _ element: UInt16) {
        rawValue = UInt32(group) << 16 | UInt32(element)
    }

    /// The group number.
    package var group: UInt16 { UInt16(rawValue >> 16) }
    /// The element number.
    package var element: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// An odd group belongs to a manufacturer (PS3.5 Section 7.8).
    package var isPrivate: Bool { group & 1 == 1 }

    package static func < (left: Tag, right: Tag) -> Bool { left.rawValue < right.rawValue }

    /// `(GGGG,EEEE)` in upper-case hexadecimal, as PS3.6 prints it.
    package var description: String {
        func four(_ value: UInt16) -> String {
            let digits = String(value, radix: 16, uppercase: true)
            return String(repeating: "0", count: 4 - digits.count) + digits
        }
        return "(\(four(group)),\(four(element)))"
    }
}
