// Threads that start together, and what they bring back.

import Dispatch
import Foundation
import Synchronization

/// Runs the same work on several threads at once. Everything that is measured blocks, so each has a thread of its own.
enum Crew {
    /// Where a thread says that it is prepared and waits for the others.
    final class StartLine: Sendable {
        private let prepared = DispatchGroup()
        private let gate = DispatchSemaphore(value: 0)
        private let count: Int

        fileprivate init(_ count: Int) {
            self.count = count
            for _ in 0..<count { prepared.enter() }
        }

        /// Blocks until all are here.
        func wait() {
            prepared.leave()
            gate.wait()
        }

        fileprivate func fellOut() { prepared.leave() }

        fileprivate func open() -> DispatchTime {
            prepared.wait()
            let started = DispatchTime.now()
            for _ in 0..<count { gate.signal() }
            return started
        }
    }

    /// Prepares `count` pieces of work, starts them together and waits for the last.
    /// - Parameters:
    ///   - prepare: makes a thread's work from its number; not measured.
    /// - Returns: what each brought back, and the seconds from the common start to the last end.
    static func run<Result: Sendable>(
        _ count: Int, _ prepare: @escaping @Sendable (Int) throws -> () throws -> Result
    ) throws -> (results: [Result], seconds: Double) {
        let line = StartLine(count)
        let ended = DispatchGroup()
        let results = Mutex<[Result]>([])
        let failure = Mutex<(any Error)?>(nil)
        for number in 0..<count {
            ended.enter()
            let thread = Thread {
                defer { ended.leave() }
                do {
                    let work: () throws -> Result
                    do { work = try prepare(number) } catch {
                        line.fellOut()
                        throw error
                    }
                    line.wait()
                    let result = try work()
                    results.withLock { $0.append(result) }
                } catch {
                    failure.withLock { $0 = $0 ?? error }
                }
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        let started = line.open()
        ended.wait()
        let seconds = started.seconds
        if let error = failure.withLock({ $0 }) { throw error }
        return (results.withLock { $0 }, seconds)
    }
}

extension DispatchTime {
    /// Seconds since then; negative while it is to come.
    var seconds: Double {
        Double(Int64(DispatchTime.now().uptimeNanoseconds) - Int64(uptimeNanoseconds)) / 1e9
    }
}
