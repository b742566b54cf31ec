// Threads that work side by side on calls that block.

import Foundation

enum Crew {
    /// Runs `work` on threads of their own and waits until each has returned.
    static func run(_ count: Int, _ work: @escaping @Sendable () -> Void) {
        let group = DispatchGroup()
        for index in 0..<max(count, 1) {
            group.enter()
            let thread = Thread {
                work()
                group.leave()
            }
            thread.name = "phim-media-\(index)"
            thread.start()
        }
        group.wait()
    }
}
