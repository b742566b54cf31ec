// A sender that times each C-STORE: from its first byte sent to its response.

import ArgumentParser
import DICOMNetwork
import Dispatch
import Foundation

struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Send objects and time each C-STORE.")

    @Option var host = "127.0.0.1"
    @Option var port: Int
    @Option(help: "Called AE title.") var called = "ANY-SCP"
    @Option(help: "Calling AE title; the number of the association is appended.") var calling = "BENCH"
    @Option var associations = 1
    @Option(help: "Objects to send in all; without it, until --seconds are over.") var objects: Int?
    @Option(help: "Start no object after this many seconds.") var seconds = 120.0
    @Option(help: "One object each so many milliseconds and association; times then count from when it was due.")
    var interval: Int?
    @Option(help: "low, medium or high: Priority (0000,0700).") var priority = MessagePriority.medium
    @OptionGroup var samples: SampleOptions

    enum MessagePriority: String, ExpressibleByArgument {
        case low, medium, high

        var value: CommandSet.Priority {
            switch self {
            case .low: .low
            case .medium: .medium
            case .high: .high
            }
        }
    }

    private struct Outcome: Encodable {
        let objects: Int
        let refused: Int
        let bytes: Int
        let seconds: Double
        let perSecond: Double
        let latency: Latencies?
        let processorSeconds: Double
    }

    /// What one association did.
    private struct Sent: Sendable {
        var milliseconds: [Double] = []
        var refused = 0
        var bytes = 0
    }

    func validate() throws {
        guard associations > 0, interval ?? 1 > 0 else { throw ValidationError("numbers are positive") }
    }

    func run() throws {
        let samples = try samples.read(dataSetOnly: true)
        let (sent, elapsed) = try Crew.run(associations) { number in
            let association = try connect(number, samples)
            return { try pour(samples, number, association) }
        }
        let times = sent.flatMap(\.milliseconds)
        let refused = sent.map(\.refused).reduce(0, +)
        try Report.line(
            Outcome(
                objects: times.count, refused: refused, bytes: sent.map(\.bytes).reduce(0, +), seconds: elapsed,
                perSecond: Double(times.count) / elapsed, latency: Latencies(milliseconds: times),
                processorSeconds: Report.processorSeconds))
        if refused > 0 { throw ExitCode.failure }
    }

    private func connect(_ number: Int, _ samples: [SampleObject]) throws -> Association {
        let classes = Set(samples.map { [$0.sopClassUID, $0.transferSyntaxUID] }).sorted { $0[0] < $1[0] }
        let contexts = classes.enumerated().map { index, pair in
            ProposedContext(id: UInt8(index * 2 + 1), abstractSyntax: pair[0], transferSyntaxes: [pair[1]])
        }
        return try AssociationRequestor.connect(
            host: host, port: port, callingAETitle: calling + String(number + 1), calledAETitle: called,
            contexts: contexts)
    }

    /// Sends this association's share, then releases.
    private func pour(_ shared: [SampleObject], _ number: Int, _ association: Association) throws -> Sent {
        var samples = shared
        var sent = Sent()
        let started = DispatchTime.now()
        let share = objects.map { $0 / associations + (number < $0 % associations ? 1 : 0) } ?? .max
        while sent.milliseconds.count < share {
            let index = sent.milliseconds.count
            let due = interval.map { started + .milliseconds(index * $0) }
            guard (due ?? .now()) < started + seconds else { break }
            let which = (index + number) % samples.count
            try samples[which].renew(self.samples.firstNumber + index * associations + number)
            if let early = due?.seconds, early < 0 { Thread.sleep(forTimeInterval: -early) }
            try store(samples[which], association, due: due, &sent)
        }
        try association.release()
        return sent
    }

    /// - Parameter due: since when the object waits to be sent; nil for since now.
    private func store(
        _ object: SampleObject, _ association: Association, due: DispatchTime?, _ sent: inout Sent
    ) throws {
        let context = association.contexts(for: object.sopClassUID).first {
            $0.transferSyntax == object.transferSyntaxUID
        }
        guard let context else { throw ValidationError("the peer does not take \(object.sopClassUID)") }
        let request = StoreRequest(
            sopClassUID: object.sopClassUID, sopInstanceUID: object.sopInstanceUID, priority: priority.value)
        let began = due ?? .now()
        let outcome = try association.store(request, on: context.id, dataSet: object.bytes)
        sent.milliseconds.append(began.seconds * 1000)
        sent.bytes += object.bytes.count
        if !outcome.status.isSuccess { sent.refused += 1 }
    }
}
