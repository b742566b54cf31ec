// Taking in without a network: whole Part 10 files handed over in process, as a STOW-RS edge would.

import Archive
import ArgumentParser
import Dispatch
import Ingest
import Logging

struct InProcess: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest", abstract: "Hand Part 10 files to the pipeline from threads of this process.",
        discussion: "Each is durable and enrolled before its thread goes on to the next.")

    @Option(name: .customLong("data"), help: "Folder of the archive; made when it is not there.") var folder: String
    @Option var threads = 8
    @Option(help: "Objects in all.") var objects = 1000
    @Option(help: "Bytes handed over at a time.") var piece = 131_072
    @Option(help: "Objects taken in before the clock starts, so that the first volume is there.") var warmUp = 16
    @OptionGroup var samples: SampleOptions

    private struct Outcome: Encodable {
        let objects: Int
        let bytes: Int
        let seconds: Double
        let perSecond: Double
        let mebibytesPerSecond: Double
        let latency: Latencies?
        let processorSeconds: Double
    }

    private struct Taken: Sendable {
        var milliseconds: [Double] = []
        var bytes = 0
    }

    func validate() throws {
        guard threads > 0, objects > 0, piece > 0, warmUp >= 0 else { throw ValidationError("numbers are positive") }
    }

    func run() throws {
        let samples = try samples.read(dataSetOnly: false)
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "phim-bench")
        logger.logLevel = .warning
        let place = ArchiveFolder(folder)
        try place.create()
        let archive = try OpenArchive(place, configuration: Configuration(), logger: logger)
        defer { archive.close() }
        archive.ingest.warm()
        for number in 0..<warmUp {
            var object = samples[number % samples.count]
            try object.renew(self.samples.firstNumber - warmUp + number)
            try take(object, archive.ingest)
        }
        let processor = Report.processorSeconds
        let (taken, seconds) = try Crew.run(threads) { number in
            { try takeShare(samples, number, archive.ingest) }
        }
        let times = taken.flatMap(\.milliseconds)
        let bytes = taken.map(\.bytes).reduce(0, +)
        try Report.line(
            Outcome(
                objects: times.count, bytes: bytes, seconds: seconds, perSecond: Double(times.count) / seconds,
                mebibytesPerSecond: Double(bytes) / 1_048_576 / seconds, latency: Latencies(milliseconds: times),
                processorSeconds: Report.processorSeconds - processor))
    }

    private func takeShare(_ shared: [SampleObject], _ number: Int, _ ingest: IngestPipeline) throws -> Taken {
        var samples = shared
        var taken = Taken()
        for index in stride(from: number, to: objects, by: threads) {
            let which = index % samples.count
            try samples[which].renew(self.samples.firstNumber + index)
            let began = DispatchTime.now()
            try take(samples[which], ingest)
            taken.milliseconds.append(began.seconds * 1000)
            taken.bytes += samples[which].bytes.count
        }
        return taken
    }

    private func take(_ object: SampleObject, _ ingest: IngestPipeline) throws {
        var arrival = ingest.begin(Origin(source: "BENCH"))
        try unsafe object.bytes.withUnsafeBytes { whole in
            for start in stride(from: 0, to: whole.count, by: piece) {
                let end = min(start + piece, whole.count)
                try unsafe arrival.append(UnsafeRawBufferPointer(rebasing: whole[start..<end]))
            }
        }
        let receipt = try ingest.accept(arrival)
        guard receipt.outcome == .stored else { throw ValidationError("an object was not new: \(receipt.outcome)") }
    }
}
