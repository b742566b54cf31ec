// Carries one object from its file or archive entry to the archive's receipt.

import Ingest

/// A file that may be an object.
struct Candidate: Sendable {
    /// For the report.
    let label: String
    /// Relative to its source.
    let name: RawPath
    /// Somebody asked for this very file: silence is no answer.
    let isNamed: Bool
    /// It lies in an archive file.
    let isEntry: Bool
    let key: Journal.Key?
    let journal: Journal?
}

/// What became of a candidate's bytes.
enum Received: ~Copyable {
    /// In memory or on a volume, not acknowledged yet.
    case arrival(Arrival, isCertain: Bool, length: Int64)
    /// Counted already.
    case settled
}

/// The way of one object. Used by several threads at once.
struct Intake: Sendable {
    /// What is read at once: memory stays flat whatever the length of an object.
    static let pieceLength = 1 << 20

    let ingest: IngestPipeline
    let tally: Tally
    let priority: IngestPriority
    /// Whether the threads that carry objects are to leave the processor to others.
    var givesWay: Bool { priority == .bulk }

    /// Reads a candidate to its end.
    /// - Parameter read: fills the buffer, 0 at the end.
    func receive(
        _ candidate: Candidate, _ buffer: inout [UInt8],
        read: (inout [UInt8]) throws(MediaFailure) -> Int
    ) throws(MediaFailure) -> Received {
        var count = try read(&buffer)
        let isCertain: Bool
        switch Recognition(start: buffer[..<count], name: candidate.name) {
        case .object(let certain): isCertain = certain
        case .unreadable(let reason):
            tally.count { $0.refuse(candidate.label, reason) }
            return .settled
        case .archive where candidate.isEntry && FileName(candidate.name).isArchive:
            tally.count { $0.refuse(candidate.label, "an archive file inside another one: unpack it first") }
            return .settled
        case .directory, .archive, .other:
            settleOther(candidate)
            return .settled
        }
        var arrival = ingest.begin(Origin(source: "import", priority: priority))
        var length: Int64 = 0
        while count > 0 {
            guard !tally.isInterrupted else { return .settled }
            do throws(IngestFailure) {
                try unsafe buffer.withUnsafeBufferPointer { bytes throws(IngestFailure) in
                    try unsafe arrival.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<count]))
                }
            } catch {
                settle(error, candidate, isCertain: isCertain)
                return .settled
            }
            length += Int64(count)
            tally.read(count)
            count = try read(&buffer)
        }
        return .arrival(arrival, isCertain: isCertain, length: length)
    }

    /// Waits for the archive's answer and counts it.
    func finish(_ received: consuming Received, _ candidate: Candidate) {
        switch consume received {
        case .settled: return
        case .arrival(let arrival, let isCertain, let length):
            do throws(IngestFailure) {
                let receipt = try ingest.accept(arrival)
                if let key = candidate.key { candidate.journal?.note(key) }
                tally.count { report in
                    report.bytes += length
                    switch receipt.outcome {
                    case .stored: report.imported += 1
                    case .duplicate: report.duplicates += 1
                    case .conflict: report.conflicts += 1
                    }
                }
            } catch {
                settle(error, candidate, isCertain: isCertain)
            }
        }
    }

    private func settleOther(_ candidate: Candidate) {
        tally.count { report in
            if candidate.isNamed { report.refuse(candidate.label, "not DICOM") } else { report.ignored += 1 }
        }
    }

    private func settle(_ failure: IngestFailure, _ candidate: Candidate, isCertain: Bool) {
        switch failure {
        case .unreadable, .invalidIdentifier:
            // Something that only happened to look like a data set is no loss.
            if isCertain || candidate.isNamed {
                tally.count { $0.refuse(candidate.label, failure.reason) }
            } else {
                settleOther(candidate)
            }
        case .identifierMismatch, .refused, .tooLarge:
            tally.count { $0.refuse(candidate.label, failure.reason) }
        case .busy:
            candidate.journal?.keep()
            tally.count { $0.refuse(candidate.label, failure.reason) }
        case .storage(let reason):
            candidate.journal?.keep()
            tally.storageFailed(candidate.label, reason)
        case .outOfSpace: tally.interrupt(.outOfSpace)
        case .stopped: tally.interrupt(.storage(reason: failure.reason))
        }
    }
}

extension IngestFailure {
    /// In words for the person who imports.
    fileprivate var reason: String {
        switch self {
        case .outOfSpace: "no space left in the archive"
        case .busy: "the archive was too busy; import again"
        case .stopped: "the archive is stopping"
        case .unreadable(let reason): reason
        case .invalidIdentifier(let attribute): "\(attribute) is absent or no UID"
        case .identifierMismatch(let attribute): "\(attribute) contradicts the request"
        case .refused(let reason), .storage(let reason): reason
        case .tooLarge: "larger than the archive takes"
        }
    }
}
