// A histogram as a value: percentiles and means of what was observed.

/// Observations in buckets.
package struct Distribution: Equatable, Sendable {
    package struct Bucket: Equatable, Sendable {
        /// Upper bound, inclusive; the last bucket's is infinite.
        package let bound: Double
        /// Observations up to the bound, those of lower buckets included.
        package let cumulative: Double
    }

    /// Ascending by bound.
    package let buckets: [Bucket]
    package let sum: Double

    package var count: Double { buckets.last?.cumulative ?? 0 }

    /// Nil when nothing was observed.
    package var mean: Double? { count > 0 ? sum / count : nil }

    /// The value below which a part of the observations lies, taken to be spread evenly inside each bucket; nil when nothing
    /// was observed. What lies above the last finite bound counts as that bound.
    /// - Parameter part: 0.5 is the median.
    package func quantile(_ part: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = part * count
        var (lower, below) = (0.0, 0.0)
        for bucket in buckets {
            guard bucket.bound.isFinite else { break }
            if bucket.cumulative >= rank, bucket.cumulative > below {
                return lower + (bucket.bound - lower) * max(0, rank - below) / (bucket.cumulative - below)
            }
            (lower, below) = (bucket.bound, bucket.cumulative)
        }
        return lower
    }

    /// What was observed after an earlier reading of the same histogram. After a restart that is everything.
    package func since(_ earlier: Distribution) -> Distribution {
        let isSame = buckets.map(\.bound) == earlier.buckets.map(\.bound)
        let steps = zip(buckets, earlier.buckets)
        guard isSame, steps.allSatisfy({ $0.cumulative >= $1.cumulative }) else { return self }
        return Distribution(
            buckets: steps.map { Bucket(bound: $0.bound, cumulative: $0.cumulative - $1.cumulative) },
            sum: sum - earlier.sum)
    }
}
