// The bare loop: what the network room and the disk allow a receiver that does nothing else.

import ArgumentParser
import DICOMNetwork
import Dispatch
import Glibc
import Synchronization

struct Receive: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take in objects with no hash, no parsing and no index: a reference, not an archive.",
        discussion: """
            Each data set is appended to one file. The association that brings every eighth object waits for one \
            fdatasync; the others are answered at once. So an answer promises nothing. Ends at SIGTERM.
            """)

    @Option(help: "0 picks a free one.") var port = 0
    @Option(help: "Where the data sets go, one behind the other.") var file: String
    @Option(help: "One fdatasync for so many objects.") var every = 8
    @Option(help: "Ends by itself after so many seconds.") var seconds = 600.0

    private struct Ready: Encodable {
        let dicomPort: Int
    }

    func validate() throws {
        guard every > 0 else { throw ValidationError("--every is positive") }
    }

    func run() throws {
        let loop = try BareLoop(path: file, every: every)
        let listener = try AssociationListener(
            host: "127.0.0.1", port: port, options: ListenerOptions(maxAssociations: 256), server: loop)
        signal(SIGTERM, SIG_IGN)
        let ended = DispatchSemaphore(value: 0)
        let terminate = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
        terminate.setEventHandler { ended.signal() }
        terminate.resume()
        listener.start()
        try Report.line(Ready(dicomPort: listener.port))
        _ = ended.wait(timeout: .now() + seconds)
        listener.stop(grace: .seconds(2))
        try Report.line(loop.tally)
    }
}

/// One file that all associations append to.
private final class BareLoop: AssociationServer {
    struct Tally: Encodable {
        var objects = 0
        var bytes: Int64 = 0
        var synchronizations = 0
        /// Writes or syncs that failed.
        var failures = 0
    }

    private let descriptor: Int32
    private let every: Int
    private let state = Mutex(Tally())

    init(path: String, every: Int) throws {
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ValidationError("\(path): cannot be created") }
        self.every = every
    }

    deinit { close(descriptor) }

    var tally: Tally { state.withLock { $0 } }

    func negotiate(_ request: AssociationRequest) -> NegotiationAnswer {
        .accept(
            request.contexts.map { context in
                guard let syntax = context.transferSyntaxes.first else {
                    return AcceptedContext(id: context.id, refusal: .transferSyntaxesNotSupported)
                }
                return AcceptedContext(id: context.id, transferSyntax: syntax)
            })
    }

    func serve(_ association: Association) {
        var buffer: [UInt8] = []
        do {
            while let message = try association.nextMessage() {
                buffer.removeAll(keepingCapacity: true)
                try unsafe association.readDataSet { fragment in unsafe buffer.append(contentsOf: fragment) }
                let isKept = buffer.isEmpty || append(buffer)
                try association.send(
                    CommandSet(answering: message.command, status: isKept ? .success : .outOfResources),
                    on: message.contextID)
            }
        } catch {
            // The association is over; the sender reports it.
        }
    }

    func record(_ event: AssociationEvent) {}

    private func append(_ bytes: [UInt8]) -> Bool {
        let (offset, isTurn) = state.withLock { tally in
            defer {
                tally.objects += 1
                tally.bytes += Int64(bytes.count)
            }
            return (tally.bytes, (tally.objects + 1) % every == 0)
        }
        var isKept = PieceFile.write(bytes, to: descriptor, at: offset)
        if isTurn { isKept = fdatasync(descriptor) == 0 && isKept }
        state.withLock { tally in
            if isTurn { tally.synchronizations += 1 }
            if !isKept { tally.failures += 1 }
        }
        return isKept
    }
}
