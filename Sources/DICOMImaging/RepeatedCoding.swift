// JSON of values that repeat: pictures of one series are asked for, and answered, in the same words.

import Foundation
import Synchronization

/// Remembers the last value and its text.
final class RepeatedCoding<Value: Codable & Hashable & Sendable>: Sendable {
    private struct Last {
        var value: Value
        var text: [UInt8]
    }

    private let last = Mutex<Last?>(nil)

    /// The text of a value; nil when it cannot be said, as an infinite number.
    func encode(_ value: Value) -> [UInt8]? {
        if let known = last.withLock({ $0 }), known.value == value { return known.text }
        guard let text = try? JSONEncoder().encode(value) else { return nil }
        remember(value, Array(text))
        return Array(text)
    }

    /// The value of a text; nil for what is none.
    func decode(_ text: [UInt8]) -> Value? {
        if let known = last.withLock({ $0 }), known.text == text { return known.value }
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(text)) else { return nil }
        remember(value, text)
        return value
    }

    private func remember(_ value: Value, _ text: [UInt8]) {
        // Look-up tables and overlays make long texts, and are not worth the memory.
        if text.count <= 1 << 20 { last.withLock { $0 = Last(value: value, text: text) } }
    }
}
