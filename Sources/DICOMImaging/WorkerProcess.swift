// The archive's end of one worker process: two pipes, shared memory and a process id.

import CLinux
import Glibc

/// A worker that runs. Its owner sees to it that one thread at a time talks to it, and ends it.
struct WorkerProcess: Sendable {
    private let process: Int32
    private let input: Int32
    private let output: Int32
    private let frames: SharedFrames

    /// Starts a program as `executable codec-worker`.
    init(executable: String) throws(ImagingFailure) {
        var jobs: [Int32] = [-1, -1]
        var answers: [Int32] = [-1, -1]
        guard unsafe pipe2(&jobs, Int32(LINUX_CLOSE_ON_EXEC)) == 0 else {
            throw .unavailable("no pipe for a codec worker")
        }
        guard unsafe pipe2(&answers, Int32(LINUX_CLOSE_ON_EXEC)) == 0 else {
            jobs.forEach { _ = close($0) }
            throw .unavailable("no pipe for a codec worker")
        }
        guard let memory = SharedFrames.make() else {
            (jobs + answers).forEach { _ = close($0) }
            throw .unavailable("no memory for a codec worker")
        }
        for end in [jobs[1], answers[0]] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        var started: Int32 = 0
        let code = unsafe linux_spawn(
            executable, "codec-worker", jobs[0], answers[1], memory.descriptor, &started)
        for end in [jobs[0], answers[1], memory.descriptor] { _ = close(end) }
        guard code == 0 else {
            _ = close(jobs[1])
            _ = close(answers[0])
            memory.frames.unmap()
            throw .unavailable("codec worker does not start")
        }
        (process, input, output, frames) = (started, jobs[1], answers[0], memory.frames)
    }

    /// How an exchange ended without an answer.
    enum Loss: Error {
        /// The worker had ended before it took the job: another may do it.
        case retired
        /// It was still working when its time was over.
        case timedOut
        case died(signal: Int32?)
    }

    /// Sends a job and waits for the answer. After a loss the worker has ended and must not be used again.
    func exchange(
        head: [UInt8], body: [UInt8], within milliseconds: Int
    ) throws(Loss) -> (head: [UInt8], body: [UInt8]) {
        let deadline = Self.now() + milliseconds
        frames.put(body, .jobs)
        guard try send(WorkerMessage.prefix(head: head.count, body: body.count) + head, deadline) else {
            _ = end()
            throw .retired
        }
        guard let prefix = try receive(WorkerMessage.prefixSize, deadline),
            let lengths = WorkerMessage.lengths(prefix), let answer = try receive(lengths.head, deadline)
        else { throw end() }
        let bytes = frames.take(lengths.body, .answers)
        frames.shrink(body.count, .jobs)
        frames.shrink(lengths.body, .answers)
        return (answer, bytes)
    }

    /// Kills the worker if it still runs and takes note of how it ended.
    @discardableResult
    func end() -> Loss {
        _ = close(input)
        _ = close(output)
        frames.unmap()
        // Its pipes are closed: one that still works is stopped, one that has ended already says how.
        var status: Int32 = 0
        _ = kill(process, SIGKILL)
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        if status & 0x7F == 0 { return status == 0 ? .retired : .died(signal: nil) }
        return .died(signal: status & 0x7F)
    }

    private func send(_ bytes: [UInt8], _ deadline: Int) throws(Loss) -> Bool {
        var done = 0
        while done < bytes.count {
            let put = unsafe bytes.withUnsafeBufferPointer { buffer in
                unsafe buffer.baseAddress.map { unsafe write(input, $0 + done, buffer.count - done) } ?? 0
            }
            if put > 0 {
                done += put
            } else if errno == EAGAIN {
                try wait(input, POLLOUT, deadline)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    private func receive(_ count: Int, _ deadline: Int) throws(Loss) -> [UInt8]? {
        var done = 0
        var failure: Loss?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while done < count, let base = buffer.baseAddress {
                let got = unsafe read(output, base + done, count - done)
                if got > 0 {
                    done += got
                } else if got < 0, errno == EAGAIN {
                    do throws(Loss) { try wait(output, POLLIN, deadline) } catch {
                        failure = error
                        break
                    }
                } else if got == 0 || errno != EINTR {
                    break
                }
            }
            initialized = done
        }
        if let failure { throw failure }
        return done == count ? bytes : nil
    }

    private func wait(_ descriptor: Int32, _ event: Int32, _ deadline: Int) throws(Loss) {
        var waiting = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        let left = deadline - Self.now()
        let ready = unsafe left > 0 ? poll(&waiting, 1, Int32(clamping: left)) : 0
        if ready == 0 {
            _ = end()
            throw .timedOut
        }
    }

    private static func now() -> Int {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}
