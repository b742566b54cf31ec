// A queue before threads that is full says so.

import Dispatch
import HTTPTypes
import Testing
import Web

@Suite("Blocking work")
struct BlockingWorkTests {
    @Test("What finds the queue full is put off; what has begun is not")
    func full() async throws {
        let work = BlockingWork(threads: 1, longestQueue: 2)
        let gate = DispatchSemaphore(value: 0)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<3 {
                group.addTask {
                    try await work.run {
                        gate.wait()
                        return number
                    }
                }
            }
            while work.waiting < 2 { await Task.yield() }
            let refusal = await #expect(throws: Problem.self) { try await work.run { 3 } }
            #expect(refusal?.status == .serviceUnavailable)
            #expect(refusal?.headers[.retryAfter] == "5")
            group.addTask { try await work.run(isBegun: true) { 4 } }
            while work.waiting < 3 { await Task.yield() }
            for _ in 0..<3 { gate.signal() }
            var done: Set<Int> = []
            for try await number in group { done.insert(number) }
            #expect(done == [0, 1, 2, 4])
        }
        #expect(work.waiting == 0)
        try await work.shutDown()
    }
}
