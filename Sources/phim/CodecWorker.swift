// phim codec-worker: decodes and renders in a process of its own; called by the archive, not by people.

import ArgumentParser
import DICOMImaging

struct CodecWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codec-worker", abstract: "Decode frames (used by the archive itself).", shouldDisplay: false)

    func run() { CodecWorkerLoop.run() }
}
