// A thread for a call that blocks.

import Foundation

enum BlockingWork {
    static func start(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = "dicom-stop"
        thread.start()
    }
}
