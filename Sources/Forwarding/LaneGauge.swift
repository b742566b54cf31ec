// How many lanes a line is worth: one more while that makes it faster, one less when it does not.

/// Climbs towards the number of lanes that carries most.
package struct LaneGauge: Hashable, Sendable {
    /// Less than this much faster is no gain: another lane has its price.
    private static let gain = 1.05

    /// Lanes in use, from 1 on.
    package private(set) var width: Int
    private let most: Int
    private var step = 1
    /// Octets a second with the width before.
    private var before = 0.0

    /// - Parameter most: lanes at most.
    package init(most: Int) {
        self.most = max(1, most)
        // Two hide each other's waiting; more must prove their worth.
        width = min(2, self.most)
    }

    /// Takes a measurement over a time in which there was always something to send.
    package mutating func measured(octetsPerSecond rate: Double) {
        if rate < before * Self.gain { step = -step }
        // What a wider line did not gain is given back; what a narrower one loses is taken again.
        before = rate
        let next = min(max(width + step, 1), most)
        if next == width {
            // At a bound it turns round, and the next measurement moves it, whatever it says.
            step = width == 1 ? 1 : -1
            before = 0
        }
        width = next
    }

    /// The line was lost.
    package mutating func lost() {
        width = max(1, width / 2)
        (step, before) = (1, 0)
    }
}
