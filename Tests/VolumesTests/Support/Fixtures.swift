// Folders that vanish, entries whose bytes are known, and the tar program of the system.

import Crypto
import FaultInjection
import Foundation
import Volumes

/// A folder that is removed with its last reference.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("phim-volumes-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A store on this folder; its syncs are counted but not made.
    func store(_ options: VolumeOptions) throws -> VolumeStore {
        try VolumeStore(directory: path, fileSystem: FaultyFileSystem(), options: options)
    }

    /// Names in the folder with this ending, sorted.
    func names(_ suffix: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(suffix) }.sorted()
    }

    func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
    }
}

extension ArraySlice<UInt8> {
    /// Whether all is zeros; compared in one piece, because that is quick in debug builds too.
    var isZero: Bool { self == [UInt8](repeating: 0, count: count)[...] }
}

/// A small generator with a seed, so that every failure can be repeated.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// An entry with its joined body, for comparison.
struct Sample: Sendable {
    let entry: NewEntry
    let body: [UInt8]

    var facts: EntryFacts { entry.facts }
    var name: String { "\(facts.studyInstanceUID)/\(facts.seriesInstanceUID)/\(facts.sopInstanceUID).dcm" }

    /// A prime length makes every block of a body differ; no byte is zero, so that a lost one shows.
    private static let pattern: [UInt8] = {
        var random = Seeded(997)
        return (0..<997).map { _ in UInt8.random(in: 1...255, using: &random) }
    }()

    /// Entry number `index`: a body of `length` bytes, cut into parts of uneven size.
    init(_ index: Int, length: Int, others: [String: String] = [:]) {
        var body = Array("\(index):".utf8)
        body.reserveCapacity(length + Self.pattern.count)
        while body.count < length { body += Self.pattern }
        self.init(index, body: Array(body.prefix(length)), others: others)
    }

    init(_ index: Int, body: [UInt8], others: [String: String] = [:]) {
        self.body = body
        let buffer = EntryBuffer()
        let receipt = EntryReceipt(
            receivedAt: 1_700_000_000_000_000 + Int64(index), source: "MODALITY", dataSetOffset: 300, others: others)
        let facts = EntryFacts(
            studyInstanceUID: "1.2.826.0.1.3680043.\(index / 10)", seriesInstanceUID: "1.2.826.0.1.3680043.1.\(index)",
            sopInstanceUID: "1.2.826.0.1.3680043.2.\(index)", digest: Array(SHA256.hash(data: body)), receipt: receipt)
        entry = NewEntry(facts: facts, body: buffer)
        for part in parts { buffer.append(part.span) }
    }

    /// The body as it might come in: in parts of uneven size.
    var parts: [[UInt8]] {
        var parts: [[UInt8]] = []
        var start = 0
        var size = 132
        while start < body.count {
            parts.append(Array(body[start..<min(start + size, body.count)]))
            start += size
            size = size * 5 + 1
        }
        return parts
    }
}

/// What a program printed, and how it ended.
struct ProgramResult {
    let status: Int32
    let output: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// The system's tar.
enum Tar {
    static let path = "/usr/bin/tar"
    static let isInstalled = FileManager.default.isExecutableFile(atPath: path)

    static func run(_ arguments: String...) throws -> ProgramResult {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return ProgramResult(status: process.terminationStatus, output: String(decoding: data, as: UTF8.self))
    }
}

extension VolumeStore {
    /// All entries of all volumes that are not erased, bodies checked.
    func allEntries() throws -> [VolumeEntry] {
        var found: [VolumeEntry] = []
        for volume in try volumes() {
            _ = try entries(volume: volume.number, verifyBodies: true) { entry in
                if !entry.isErased { found.append(entry) }
                return true
            }
        }
        return found
    }
}

extension VolumeOptions {
    /// Small volumes and no background filling, for tests that count.
    static func small(_ volumeSize: Int64 = 1 << 20) -> VolumeOptions {
        VolumeOptions(volumeSize: volumeSize, zeroAhead: 0, reserve: 0)
    }
}
