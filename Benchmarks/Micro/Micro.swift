// What is measured, room by room, in the order in which an object and a question meet them.

import Benchmark
import Glibc

/// Read by the runner that the benchmark package generates.
let benchmarks: @Sendable () -> Void = {
    widenReply()
    readingBenchmarks()
    foldBenchmarks()
    volumeBenchmarks()
    catalogBenchmarks()
    arrivalBenchmarks()
    metadataBenchmarks()
}

/// Makes the pipe to the tool large enough for a whole reply.
///
/// The runner gives up when its one write to the pipe is cut short, and the tool then waits for the rest for ever (benchmark
/// 1.38.1). A reply is some 300 KB; a write that need not wait for the reader is never cut short.
private func widenReply() {
    let setPipeSize: Int32 = 1031  // F_SETPIPE_SZ of <fcntl.h>
    let arguments = CommandLine.arguments
    guard let option = arguments.firstIndex(of: "--output-fd"), option + 1 < arguments.count else { return }
    if let descriptor = Int32(arguments[option + 1]) { _ = fcntl(descriptor, setPipeSize, 1 << 20) }
}
