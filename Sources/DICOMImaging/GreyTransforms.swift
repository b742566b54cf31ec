// From stored values to what is shown: the modality and the VOI transformation (PS3.3 Sections C.11.1 and C.11.2).

import Foundation

/// From stored values to values of meaning, such as Hounsfield units.
package enum ModalityTransform: Sendable, Hashable, Codable {
    case identity
    case linear(slope: Double, intercept: Double)
    case table(LookupTable)

    /// The value of meaning of a stored one.
    package func apply(_ stored: Double) -> Double {
        switch self {
        case .identity: stored
        case .linear(let slope, let intercept): stored * slope + intercept
        case .table(let table): Double(table.value(Int(stored)))
        }
    }
}

/// A window (PS3.3 Section C.11.2.1.2).
package struct VOIWindow: Sendable, Hashable, Codable {
    /// A defined term of VOI LUT Function (0028,1056).
    package enum Function: String, Sendable, Hashable, Codable, CaseIterable {
        case linear = "LINEAR"
        case linearExact = "LINEAR_EXACT"
        case sigmoid = "SIGMOID"
    }

    package var center: Double
    package var width: Double
    package var function = Function.linear
    /// Window Center & Width Explanation (0028,1055), such as `LUNG`.
    package var explanation: String?

    /// A window; nil when its width is not one that the function is defined for.
    package init?(center: Double, width: Double, function: Function = .linear, explanation: String? = nil) {
        guard center.isFinite, width.isFinite, width > 0, function != .linear || width >= 1 else { return nil }
        self.center = center
        self.width = width
        self.function = function
        self.explanation = explanation
    }

    /// The window that shows values from `least` to `most` and nothing beyond.
    package init(from least: Double, through most: Double) {
        center = (least + most) / 2
        width = max(most - least, .leastNormalMagnitude)
        function = .linearExact
    }

    /// 0 for black to 1 for white.
    package func apply(_ value: Double) -> Double {
        switch function {
        case .linear:
            let low = center - 0.5 - (width - 1) / 2
            let high = center - 0.5 + (width - 1) / 2
            if value <= low { return 0 }
            if value > high { return 1 }
            return (value - (center - 0.5)) / (width - 1) + 0.5
        case .linearExact:
            return min(1, max(0, (value - center) / width + 0.5))
        case .sigmoid:
            return 1 / (1 + exp(-4 * (value - center) / width))
        }
    }
}

/// What of the values is shown, and how.
package enum VOITransform: Sendable, Hashable, Codable {
    case window(VOIWindow)
    case table(LookupTable, explanation: String?)

    /// 0 for black to 1 for white.
    package func apply(_ value: Double) -> Double {
        switch self {
        case .window(let window): window.apply(value)
        case .table(let table, _):
            Double(table.value(Int(value.clamped(to: -1e9...1e9).rounded()))) / Double(table.largest)
        }
    }
}

extension Comparable {
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
