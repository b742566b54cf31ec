// The entries of one archive file, read by several workers in turn.

import Dispatch
import Synchronization

final class ArchiveEntries: Sendable {
    private struct State: ~Copyable {
        var reader: ArchiveReader
        var count = 0
        var isOver = false
    }

    private let state: Mutex<State>
    /// Held from an entry's header to the end of its bytes.
    private let turn = DispatchSemaphore(value: 1)
    private let label: String
    private let status: FileStatus
    private let journal: Journal
    private let intake: Intake
    private let limit: Int

    init(
        _ reader: consuming sending ArchiveReader, label: String, status: FileStatus, journal: Journal, intake: Intake,
        limit: Int
    ) {
        state = Mutex(State(reader: reader))
        self.label = label
        self.status = status
        self.journal = journal
        self.intake = intake
        self.limit = limit
    }

    /// Takes entries until there are no more; the life of one worker.
    func work() {
        var buffer = [UInt8](repeating: 0, count: Intake.pieceLength)
        while !intake.tally.isInterrupted, takeNext(&buffer) {}
    }

    private func takeNext(_ buffer: inout [UInt8]) -> Bool {
        turn.wait()
        guard let candidate = nextCandidate() else {
            turn.signal()
            return false
        }
        do throws(MediaFailure) {
            intake.finish(try receive(candidate, &buffer), candidate)
        } catch {
            journal.keep()
            intake.tally.count { $0.refuse(candidate.label, error.description) }
        }
        return true
    }

    /// Ends the turn when the entry's bytes have been read.
    private func receive(_ candidate: Candidate, _ buffer: inout [UInt8]) throws(MediaFailure) -> Received {
        defer { turn.signal() }
        return try intake.receive(candidate, &buffer) { buffer throws(MediaFailure) in
            try state.withLock { state throws(MediaFailure) in try state.reader.read(into: &buffer) }
        }
    }

    /// The next entry that is worth reading.
    private func nextCandidate() -> Candidate? {
        while !intake.tally.isInterrupted {
            do throws(MediaFailure) {
                let next = try state.withLock { state throws(MediaFailure) in try Self.advance(&state, limit: limit) }
                guard let (entry, ordinal) = next else { return nil }
                if let candidate = candidate(entry, ordinal) { return candidate }
            } catch {
                journal.keep()
                intake.tally.count { $0.refuse(label, error.description) }
                return nil
            }
        }
        return nil
    }

    private static func advance(
        _ state: inout State, limit: Int
    ) throws(MediaFailure) -> (ArchiveReader.Entry, Int)? {
        guard !state.isOver else { return nil }
        do throws(MediaFailure) {
            guard let entry = try state.reader.next() else {
                state.isOver = true
                return nil
            }
            state.count += 1
            guard state.count <= limit else { throw .damaged(reason: "more than \(limit) entries") }
            return (entry, state.count)
        } catch {
            state.isOver = true
            throw error
        }
    }

    private func candidate(_ entry: ArchiveReader.Entry, _ ordinal: Int) -> Candidate? {
        guard entry.kind == .file else { return nil }
        let path = "\(label):\(entry.name.text)"
        let tally = intake.tally
        if entry.leadsUpwards {
            tally.count { $0.refuse(path, "an entry whose name leads out of the archive file") }
        } else if entry.isEncrypted {
            tally.count { $0.refuse(path, "encrypted") }
        } else if entry.isSystemFile {
            tally.count { $0.ignored += 1 }
        } else {
            // Names may occur twice; the archive file's own time and length say whether it is still the same.
            let key = Journal.Key(status, RawPath("\(ordinal)/").appending(entry.name))
            guard !journal.holds(key) else {
                tally.count { $0.skipped += 1 }
                return nil
            }
            return Candidate(label: path, name: entry.name, isNamed: false, isEntry: true, key: key, journal: journal)
        }
        return nil
    }
}

extension ArchiveReader.Entry {
    /// Nothing is unpacked, so nothing could be overwritten; but nobody writes such names in good faith.
    fileprivate var leadsUpwards: Bool {
        name.bytes.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.contains {
            $0.elementsEqual("..".utf8)
        }
    }

    /// What macOS puts beside every file.
    fileprivate var isSystemFile: Bool {
        name.bytes.starts(with: "__MACOSX/".utf8) || name.lastComponent.bytes.starts(with: "._".utf8)
    }
}
