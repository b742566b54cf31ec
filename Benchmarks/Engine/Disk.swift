// The disk's synced write rate: the most that an archive which answers after a sync can take in on this disk.

import ArgumentParser
import Dispatch
import Foundation
import Glibc

struct Disk: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast one file takes pieces, with one fdatasync for every few of them.",
        discussion: """
            One thread writes --count pieces of --size bytes one behind the other into a new file and calls fdatasync \
            after every --every pieces and at the end. "buffered": through the page cache. "direct": O_DIRECT, pieces \
            brought up to 4 KiB blocks. "directOver": O_DIRECT over blocks that were written and synced before the \
            clock started. Rates count the bytes of --size only.
            """)

    @Option(help: "An existing folder; a file of count x size bytes is made there and removed.") var folder: String
    @Option(help: "Bytes of a piece.") var size = 528_384
    @Option(help: "Pieces.") var count = 1000
    @Option(help: "One fdatasync for so many pieces.") var every = 8
    @Option var rounds = 3

    private enum Way: String, CaseIterable {
        case buffered, direct, directOver
    }

    private struct Rate: Encodable {
        /// MiB per second of each round, in order.
        let rounds: [Double]
        let median: Double
        let best: Double
    }

    func validate() throws {
        guard size > 7, count > 0, every > 0, rounds > 0 else { throw ValidationError("numbers are positive") }
    }

    func run() throws {
        var rates: [Way: [Double]] = [:]
        for _ in 0..<rounds {
            for way in Way.allCases {
                if let rate = try measure(way) { rates[way, default: []].append(rate) }
            }
        }
        try Report.line(
            Dictionary(
                uniqueKeysWithValues: rates.map { way, all in
                    let sorted = all.sorted()
                    let rate = Rate(rounds: all, median: sorted[sorted.count / 2], best: sorted[sorted.count - 1])
                    return (way.rawValue, rate)
                }))
    }

    /// MiB per second; nil where the file system does not take O_DIRECT.
    private func measure(_ way: Way) throws -> Double? {
        let path = folder + "/disk-\(getpid())"
        defer { unsafe unlink(path) }
        let piece = AlignedPiece(size)
        if way == .directOver {
            let descriptor = try created(path, O_TRUNC)
            defer { close(descriptor) }
            try fill(descriptor, piece, piece.count, every: count)
        }
        let descriptor: Int32
        switch way {
        case .buffered: descriptor = try created(path, O_TRUNC)
        case .direct, .directOver:
            let flags = PieceFile.direct | (way == .direct ? O_TRUNC : 0)
            descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o600)
            if descriptor < 0, errno == EINVAL { return nil }
            guard descriptor >= 0 else { throw failure(path) }
        }
        defer { close(descriptor) }
        let began = DispatchTime.now()
        try fill(descriptor, piece, way == .buffered ? size : piece.count, every: every)
        return Double(size) * Double(count) / 1_048_576 / began.seconds
    }

    private func created(_ path: String, _ flags: Int32) throws -> Int32 {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        return descriptor
    }

    private func fill(_ descriptor: Int32, _ piece: AlignedPiece, _ bytes: Int, every: Int) throws {
        for number in 0..<count {
            guard piece.write(number: number, count: bytes, to: descriptor, at: Int64(number) * Int64(bytes)) else {
                throw failure("write")
            }
            let isTurn = (number + 1) % every == 0 || number + 1 == count
            if isTurn, fdatasync(descriptor) != 0 { throw failure("fdatasync") }
        }
    }

    private func failure(_ what: String) -> any Error {
        let reason = unsafe String(cString: strerror(errno))
        return ValidationError("\(what): \(reason)")
    }
}
