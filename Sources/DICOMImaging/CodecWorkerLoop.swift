// The inside of a worker process: one job after the other, under limits, until the archive or the idle time ends it.

import CLinux
import Glibc

/// The worker's side.
package enum CodecWorkerLoop {
    /// Limits of one worker.
    package enum Limits {
        /// Bytes of address space: a frame of the largest size as 32-bit samples, what it was made of, and what is shared.
        package static let memory = 3 << 29 + SharedFrames.size
        /// Bytes of memory that are kept from one job to the next: fresh pages cost as much time as drawing.
        static let kept: Int32 = 32 << 20
        /// Seconds of one job, by the clock and of processor time.
        package static let seconds = 60
        /// Milliseconds without a job after which a worker ends.
        package static let idle: Int32 = 60_000
    }

    /// Works off what comes on standard input. Returns when it ends, or after the idle time.
    package static func run() {
        limit(RLIMIT_AS.rawValue, UInt(Limits.memory))
        // Writes no files, leaves no image of its memory.
        limit(RLIMIT_FSIZE.rawValue, 0)
        limit(RLIMIT_CORE.rawValue, 0)
        _ = mallopt(Int32(LINUX_TRIM_THRESHOLD), Limits.kept)
        _ = mallopt(Int32(LINUX_MAPPING_THRESHOLD), Limits.kept)
        guard let frames = SharedFrames(SharedFrames.descriptor) else { return }
        _ = close(SharedFrames.descriptor)
        let jobs = RepeatedCoding<CodecJob>()
        let answers = RepeatedCoding<CodecAnswer>()
        while let (head, body) = receive(frames) {
            arm(seconds: Limits.seconds)
            var answer = CodecAnswer()
            var bytes: [UInt8] = []
            do throws(ImagingFailure) {
                guard let job = jobs.decode(head) else {
                    throw .unavailable("job is not understood")
                }
                let frame = try job.perform(body)
                answer.layout = frame.layout
                bytes = frame.bytes
                if bytes.count > WorkerMessage.longestBody { throw .unsupported("frame is too large") }
            } catch {
                answer.failure = error
                bytes = []
            }
            arm(seconds: 0)
            guard let head = answers.encode(answer) else { return }
            frames.put(bytes, .answers)
            guard send(WorkerMessage.prefix(head: head.count, body: bytes.count) + head) else { return }
        }
    }

    private static func limit(_ resource: UInt32, _ amount: UInt) {
        var value = rlimit(rlim_cur: amount, rlim_max: amount)
        _ = unsafe setrlimit(__rlimit_resource_t(resource), &value)
    }

    /// Both timers kill the process when they run out; nobody has to look at them.
    private static func arm(seconds: Int) {
        var value = itimerval()
        value.it_value.tv_sec = seconds
        _ = unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &value, nil)
        _ = unsafe setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &value, nil)
    }

    private static func receive(_ frames: SharedFrames) -> (head: [UInt8], body: [UInt8])? {
        var waiting = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waiting, 1, Limits.idle) > 0, let prefix = read(WorkerMessage.prefixSize),
            let lengths = WorkerMessage.lengths(prefix), let head = read(lengths.head)
        else { return nil }
        return (head, frames.take(lengths.body, .jobs))
    }

    private static func read(_ count: Int) -> [UInt8]? {
        var done = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while done < count, let base = buffer.baseAddress {
                let got = unsafe Glibc.read(0, base + done, count - done)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { break }
                done += got
            }
            initialized = done
        }
        return done == count ? bytes : nil
    }

    private static func send(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            var done = 0
            while done < buffer.count, let base = buffer.baseAddress {
                let put = unsafe Glibc.write(1, base + done, buffer.count - done)
                if put < 0, errno == EINTR { continue }
                guard put > 0 else { return false }
                done += put
            }
            return true
        }
    }
}
