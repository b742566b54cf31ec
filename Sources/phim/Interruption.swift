// Ctrl-C and SIGTERM during long work: it ends soon and in order, instead of at once.

import ArgumentParser
import Dispatch
import Glibc
import Synchronization

/// While it lives, the first SIGINT or SIGTERM calls `cancel`; a second one ends the program on the spot.
final class Interruption {
    private let sources: [any DispatchSourceSignal]

    init(_ cancel: @escaping @Sendable () -> Void) {
        let isAsked = Atomic<Bool>(false)
        let ask: @Sendable () -> Void = {
            guard !isAsked.exchange(true, ordering: .relaxed) else { _exit(ExitStatus.incomplete.rawValue) }
            Terminal.note("Ending; once more ends at once.")
            cancel()
        }
        // Dispatch installs the handlers of these signals itself.
        sources = [SIGINT, SIGTERM].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler(handler: ask)
            source.resume()
            return source
        }
    }

    deinit {
        for source in sources { source.cancel() }
    }
}
