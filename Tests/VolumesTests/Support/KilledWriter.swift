// A child process that appends, notes what it was told is safe, and is killed in the middle of that.

import Dispatch
import Foundation
import Glibc
import Volumes

/// The life of the child and what is left of it.
enum KilledWriter {
    private static func log(_ path: String) -> String {
        "\(path)/../\(URL(fileURLWithPath: path).lastPathComponent).log"
    }

    /// Appends batches for ever; a timer kills the process.
    static func run(_ path: String, seed: Int) throws {
        var random = Seeded(seed)
        let store = try VolumeStore(
            directory: path, options: VolumeOptions(volumeSize: 8 << 20, zeroAhead: 1 << 20, reserve: 0))
        try Data().write(to: URL(fileURLWithPath: log(path)))
        let acknowledged = FileHandle(forWritingAtPath: log(path))
        let life = DispatchTimeInterval.microseconds(Int.random(in: 5_000...300_000, using: &random))
        DispatchQueue.global().asyncAfter(deadline: .now() + life) { raise(SIGKILL) }
        let stream = try store.beginStream()
        var index = 0
        while true {
            let count = Int.random(in: 1...6, using: &random)
            let samples = (0..<count).map { Sample(index + $0, length: Int.random(in: 1...200_000, using: &random)) }
            _ = try store.append(samples.map(\.entry))
            try acknowledged?.write(contentsOf: Data(samples.map { "\($0.facts.sopInstanceUID)\n" }.joined().utf8))
            try stream.append(samples[0].body)
            index += count
        }
    }

    /// What the child had noted.
    static func acknowledged(in path: String) throws -> [String] {
        defer { try? FileManager.default.removeItem(atPath: log(path)) }
        guard FileManager.default.fileExists(atPath: log(path)) else { return [] }
        return try String(contentsOfFile: log(path), encoding: .utf8).split(separator: "\n").map(String.init)
    }
}
