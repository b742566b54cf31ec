// phim codec-worker: decodes one object in a process of its own; called by the archive, not by people.

import ArgumentParser
import DICOMToolkit
import Glibc
import Retrieval

struct CodecWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codec-worker", abstract: "Decode one object (used by the archive itself).", shouldDisplay: false)

    @Argument var input: String
    @Argument var output: String
    @Argument var transferSyntax: String

    func run() throws {
        // A hostile image may ask for any amount of memory and time: it gets this much.
        var memory = rlimit(rlim_cur: 4 << 30, rlim_max: 4 << 30)
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &memory)
        var seconds = rlimit(rlim_cur: 100, rlim_max: 100)
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &seconds)
        do {
            try Codec.transcode(from: input, to: output, transferSyntaxUID: transferSyntax)
        } catch ToolkitError.unsupported {
            throw ExitCode(Converter.WorkerExit.unsupported)
        } catch {
            throw ExitCode(Converter.WorkerExit.failed)
        }
    }
}
