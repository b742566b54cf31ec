// Where what goes wrong with volumes in background is told: a line in the log, and a counter.

import Logging
import Metrics
import Volumes

extension VolumeTrouble {
    private static let unsealed = Counter(label: "phim_volume_troubles_total", dimensions: [("trouble", "unsealed")])
    private static let abandoned = Counter(label: "phim_volume_troubles_total", dimensions: [("trouble", "abandoned")])

    func tell(_ logger: Logger) {
        switch self {
        case .unsealed(let volume, let failure):
            Self.unsealed.increment()
            logger.error(
                "a full volume could not be sealed, the next start does it",
                metadata: ["volume": "\(volume)", "failure": "\(failure)"])
        case .abandoned(let volume, let failure):
            Self.abandoned.increment()
            logger.error(
                "a volume could not be cleared of what failed, nothing more is written to it before the next start",
                metadata: ["volume": "\(volume)", "failure": "\(failure)"])
        }
    }
}
