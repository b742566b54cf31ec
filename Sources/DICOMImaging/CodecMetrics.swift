// What the pool of workers tells of itself.

import Metrics

enum CodecMetrics {
    static let done = jobs("done")
    /// The worker said why not.
    static let refused = jobs("refused")
    /// The worker died, or took too long and was ended.
    static let lost = jobs("lost")
    /// No worker became free in time.
    static let busy = jobs("busy")
    static let time = Timer(label: "phim_codec_job_seconds")
    static let started = Counter(label: "phim_codec_workers_started_total")
    static let waiting = Meter(label: "phim_codec_waiting_jobs")

    private static func jobs(_ outcome: String) -> Counter {
        Counter(label: "phim_codec_jobs_total", dimensions: [("outcome", outcome)])
    }
}
