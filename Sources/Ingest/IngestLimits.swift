// The bounds of the pipeline: what is held in memory, how much may wait, how large a batch grows.

/// Sizes in bytes unless said otherwise.
package struct IngestLimits: Sendable {
    /// Objects above this size stream to a volume of their own.
    package var streamThreshold = 64 << 20
    /// The same while memory is tight.
    package var tightStreamThreshold = 4 << 20
    /// How much of a streamed object is kept in memory to read its header.
    package var inspectedPrefix = 8 << 20
    /// Bytes of arriving objects in memory above which memory counts as tight. No memory is taken for it ahead.
    package var memoryBudget = leastMemoryBudget
    /// Larger objects are refused.
    package var maximumObjectSize: Int64 = 64 << 30
    /// Objects of one priority that may wait for the writer; a sender waits for its place for at most `patience` seconds.
    package var queueCapacity = 256
    package var patience = 30
    /// One group commit takes at most this many objects and bytes.
    package var batchCount = 64
    package var batchBytes = 64 << 20
    /// Also take SOP classes that the standard does not list (private and future ones).
    package var acceptsUnknownSOPClasses = true

    package init() {}

    private static let leastMemoryBudget = 128 << 20
    private static let largestMemoryBudget = 1 << 30

    /// What a machine of so much memory can spare for arriving objects: an eighth, within bounds.
    package static func memoryBudget(ofMachine bytes: UInt64) -> Int {
        min(max(Int(clamping: bytes / 8), leastMemoryBudget), largestMemoryBudget)
    }
}
