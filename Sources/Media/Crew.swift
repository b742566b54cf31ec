// Threads that work side by side on calls that block.

import DICOMToolkit
import Foundation

enum Crew {
    /// Runs `work` on threads of their own and waits until each has returned.
    /// - Parameter givesWay: whether everybody else gets the processor first.
    static func run(_ count: Int, givesWay: Bool, _ work: @escaping @Sendable () -> Void) {
        let group = DispatchGroup()
        for index in 0..<max(count, 1) {
            group.enter()
            let thread = Thread {
                if givesWay { BlockingThread.giveWay() }
                work()
                group.leave()
            }
            thread.name = "phim-media-\(index)"
            thread.start()
        }
        group.wait()
    }
}
