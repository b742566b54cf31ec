// Which method made pictures of a kind smaller so far: images of one kind are alike, and trying both takes twice the time.

import Foundation
import Synchronization

/// What is remembered of kinds of images. It outlives the process, so that an object is coded as it was before.
package final class MethodMemory: Sendable {
    /// A kind of image: by SOP class and samples.
    struct Kind: Hashable {
        let sopClassUID: String
        let bits: Int
        let samples: Int

        var name: String { "\(sopClassUID)/\(bits)/\(samples)" }
    }

    private struct Known: Codable {
        /// Octets left of an octet, on average, by method.
        var rates: [FrameMethod: Double] = [:]
        var tries = 0
    }

    /// Images of a kind of which both are tried at first, and one of so many afterwards.
    private static let firstTries = 3
    private static let often = 32
    private static let mostKinds = 1_000

    private let known: Mutex<[String: Known]>
    private let path: String?

    /// - Parameter path: file that it is kept in; nil: in memory only.
    package init(path: String? = nil) {
        self.path = path
        let kept = path.flatMap { try? Data(contentsOf: URL(fileURLWithPath: $0)) }
            .flatMap { try? JSONDecoder().decode([String: Known].self, from: $0) }
        known = Mutex(kept ?? [:])
    }

    /// The methods to try, the better known first.
    /// - Parameter chance: a byte of the object's digest: whether both are tried is the object's own affair.
    func methods(for kind: Kind, chance: UInt8) -> [FrameMethod] {
        let found = known.withLock { $0[kind.name] }
        guard let found, found.tries >= Self.firstTries, Int(chance) % Self.often != 0,
            let best = found.rates.min(by: { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) })
        else { return FrameMethod.allCases }
        return [best.key]
    }

    /// Both were tried on an image.
    func note(_ kind: Kind, sizes: [FrameMethod: Int], of length: Int) {
        guard !sizes.isEmpty, length > 0 else { return }
        let text = known.withLock { known -> Data? in
            guard known[kind.name] != nil || known.count < Self.mostKinds else { return nil }
            var found = known[kind.name] ?? Known()
            found.tries += 1
            for (method, size) in sizes {
                let rate = Double(size) / Double(length)
                found.rates[method] = found.rates[method].map { $0 * 0.8 + rate * 0.2 } ?? rate
            }
            known[kind.name] = found
            return path == nil ? nil : try? JSONEncoder().encode(known)
        }
        guard let path, let text else { return }
        // What is lost of it is tried again.
        try? text.write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}
