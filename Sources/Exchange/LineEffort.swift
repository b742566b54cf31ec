// How much is done to an object before it is sent: nothing, where the line is faster than the codecs.

/// What has been seen of one line, and what follows for the next object.
package struct LineEffort: Sendable {
    package enum Form: Sendable, Hashable {
        /// Coded as small as it goes.
        case small
        /// As it is.
        case plain
    }

    /// Octets a second below which no object goes as it is: most lines, and those that somebody else pays for.
    package static let fast = 4e6
    /// After so many objects the other form is tried again.
    package static let often = 64
    /// Objects by which a line is judged at first.
    package static let first = 16
    private static let weight = 0.2

    /// Seconds for an octet of the object, prepared and sent, on average.
    private var costs: [Form: Double] = [:]
    /// Octets that the line takes a second, on average.
    private var rate = 0.0
    private var seen = 0
    private var sinceTry = 0

    package init() {}

    /// The form of the next object.
    package mutating func next() -> Form {
        guard seen >= Self.first, rate >= Self.fast, let small = costs[.small] else { return .small }
        guard let plain = costs[.plain] else { return .plain }
        let better = plain < small ? Form.plain : .small
        sinceTry += 1
        guard sinceTry >= Self.often else { return better }
        sinceTry = 0
        return better == .plain ? .small : .plain
    }

    /// An object has arrived.
    /// - Parameters:
    ///   - preparing, sending: seconds.
    package mutating func note(
        _ form: Form, octets: Int64, lineOctets: Int64, preparing: Double, sending: Double
    ) {
        guard octets > 0, sending > 0 else { return }
        seen += 1
        let cost = (preparing + sending) / Double(octets)
        costs[form] = costs[form].map { $0 + (cost - $0) * Self.weight } ?? cost
        let now = Double(lineOctets) / sending
        rate = rate == 0 ? now : rate + (now - rate) * Self.weight
    }
}
