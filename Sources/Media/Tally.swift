// Counts what the workers do, and stops them when one of them meets what concerns all.

import Synchronization

/// The shared side of an import.
final class Tally: Sendable {
    private struct State {
        var report = ImportReport()
        var bytesRead: Int64 = 0
        var total: Int?
        var storageFailures = 0
    }

    private let state = Mutex(State())
    private let cancellation: Cancellation
    private let report: @Sendable (MediaProgress) -> Void
    /// One object may be at fault itself; so many cannot.
    private static let storageFailureLimit = 32

    init(cancellation: Cancellation, progress: @escaping @Sendable (MediaProgress) -> Void) {
        self.cancellation = cancellation
        report = progress
    }

    var result: ImportReport { state.withLock { $0.report } }

    var isInterrupted: Bool {
        if cancellation.isCancelled { interrupt(.cancelled) }
        return state.withLock { $0.report.interruption != nil }
    }

    /// The first interruption counts.
    func interrupt(_ failure: MediaFailure) {
        state.withLock { if $0.report.interruption == nil { $0.report.interruption = failure } }
    }

    /// An object that the archive's storage did not take; the import goes on unless that becomes the rule.
    func storageFailed(_ path: String, _ reason: String) {
        count { $0.refuse(path, "the archive's storage failed: \(reason)") }
        let failures = state.withLock { state in
            state.storageFailures += 1
            return state.storageFailures
        }
        if failures >= Self.storageFailureLimit { interrupt(.storage(reason: reason)) }
    }

    func count(_ change: (inout ImportReport) -> Void) {
        state.withLock { change(&$0.report) }
        tell()
    }

    func read(_ count: Int) {
        let isLarge = state.withLock {
            $0.bytesRead += Int64(count)
            return count >= Intake.pieceLength
        }
        // Of small objects the count speaks; within large ones the bytes do.
        if isLarge { tell() }
    }

    /// What is known of the number of files still to come; nil makes the total unknown.
    func expect(_ count: Int?) {
        state.withLock { state in
            state.total = count.map { state.report.objects + $0 }
        }
    }

    private func tell() {
        report(
            state.withLock { state in
                MediaProgress(objects: state.report.objects, bytes: state.bytesRead, total: state.total)
            })
    }
}

/// A wish to end early, from any thread.
final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    var isCancelled: Bool { flag.load(ordering: .relaxed) }

    func cancel() { flag.store(true, ordering: .relaxed) }
}
