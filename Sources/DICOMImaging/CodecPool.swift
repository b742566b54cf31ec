// The codecs in processes of their own: a hostile image costs one job and one worker, never the archive.

package import DICOMCore
import Dispatch
import Glibc
import Metrics
import Synchronization

/// A bounded set of worker processes, started when there is work. Calls block.
package final class CodecPool: Sendable {
    private let executable: String
    private let timeout: Int
    private let permits: DispatchSemaphore
    private let idle = Mutex<[WorkerProcess]>([])
    private let jobs = RepeatedCoding<CodecJob>()
    private let answers = RepeatedCoding<CodecAnswer>()

    /// - Parameters:
    ///   - executable: this program, called as `executable codec-worker`.
    ///   - workers: processes at once; further callers wait in order.
    ///   - timeout: seconds that one job may take.
    package init(executable: String, workers: Int, timeout: Int = CodecWorkerLoop.Limits.seconds) {
        self.executable = executable
        self.timeout = timeout
        permits = DispatchSemaphore(value: max(1, workers))
        // The pipe of a worker that has ended must not end this process as well.
        _ = signal(SIGPIPE, SIG_IGN)
    }

    deinit { idle.withLock { $0.forEach { _ = $0.end() } } }

    /// A frame in another transfer syntax, and how a data set must describe it then.
    package func convert(
        _ bytes: [UInt8], from: TransferSyntax, to: TransferSyntax, layout: PixelLayout, quality: Int = 90
    ) throws(ImagingFailure) -> NativeFrame {
        try run(.convert(from: from.uid, to: to.uid, layout: layout, quality: quality), bytes)
    }

    /// A frame as an image file.
    package func render(
        _ bytes: [UInt8], from: TransferSyntax, plan: RenderingPlan
    ) throws(ImagingFailure) -> [UInt8] {
        try run(.render(from: from.uid, plan: plan), bytes).bytes
    }

    /// Gives a job to a worker and waits for it.
    package func run(_ job: CodecJob, _ bytes: [UInt8]) throws(ImagingFailure) -> NativeFrame {
        guard bytes.count <= WorkerMessage.longestBody else { throw .unsupported("frame is too large") }
        guard let head = jobs.encode(job) else { throw .unsupported("image attributes out of range") }
        CodecMetrics.waiting.increment()
        let isMine = permits.wait(timeout: .now() + .seconds(timeout)) == .success
        CodecMetrics.waiting.decrement()
        guard isMine else {
            CodecMetrics.busy.increment()
            throw .busy
        }
        defer { permits.signal() }
        let started = DispatchTime.now()
        while true {
            let kept = idle.withLock { $0.popLast() }
            let worker = if let kept { kept } else { try start() }
            let answer: (head: [UInt8], body: [UInt8])
            do throws(WorkerProcess.Loss) {
                answer = try worker.exchange(head: head, body: bytes, within: timeout * 1_000 + 1_000)
            } catch {
                // A worker that was idle has ended meanwhile: the next one does it.
                if case .retired = error, kept != nil { continue }
                CodecMetrics.lost.increment()
                throw Self.failure(error)
            }
            idle.withLock { $0.append(worker) }
            CodecMetrics.time.recordInterval(since: started)
            return try result(answer)
        }
    }

    private func start() throws(ImagingFailure) -> WorkerProcess {
        let worker = try WorkerProcess(executable: executable)
        CodecMetrics.started.increment()
        return worker
    }

    private func result(_ answer: (head: [UInt8], body: [UInt8])) throws(ImagingFailure) -> NativeFrame {
        guard let head = answers.decode(answer.head) else { throw .unavailable("codec worker is not understood") }
        if let failure = head.failure {
            CodecMetrics.refused.increment()
            throw failure
        }
        guard let layout = head.layout else { throw .unavailable("codec worker is not understood") }
        CodecMetrics.done.increment()
        return NativeFrame(bytes: answer.body, layout: layout)
    }

    private static func failure(_ loss: WorkerProcess.Loss) -> ImagingFailure {
        switch loss {
        case .timedOut: .workerLost("decoding took too long")
        case .died(let signal?): .workerLost("the image ended its decoder (signal \(signal))")
        case .died(nil): .workerLost("the image ended its decoder")
        case .retired: .unavailable("codec worker does not run")
        }
    }
}
