// Metadata on disk: a projection that may be lost or removed at any time, checked when it is read.

import Crypto
import Foundation

/// A folder with a file for each series.
struct MetadataFolder: Sendable {
    let path: String
    /// Part of what a file is good for: addresses in it begin with this.
    let root: String

    private static let mark = "phim-metadata-1"

    private func file(study: String, series: String) -> String {
        let digest = SHA256.hash(data: Array("\(study)/\(series)".utf8)).prefix(16).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        return "\(path)/\(digest.prefix(2))/\(digest.dropFirst(2))"
    }

    /// The metadata of a series in this state; nil when it is not here, is of another state, or is damaged.
    func read(study: String, series: String, fingerprint: String) -> SeriesMetadata? {
        guard let data = FileManager.default.contents(atPath: file(study: study, series: series)),
            let headEnd = data.firstRange(of: Data("\n\n".utf8))
        else { return nil }
        let lines = String(decoding: data[..<headEnd.lowerBound], as: UTF8.self).split(separator: "\n")
        guard lines.count >= 6, lines[0] == Self.mark, lines[1] == root, lines[2] == fingerprint, lines[3] == series,
            let length = Int(lines[4]), let checksum = UInt32(lines[5]), length >= 0, length <= 1 << 31
        else { return nil }
        var instances: [(String, Range<Int>)] = []
        for line in lines.dropFirst(6) {
            let words = line.split(separator: " ")
            guard words.count == 3, let start = Int(words[1]), let end = Int(words[2]), 0 <= start, start <= end,
                end <= length
            else { return nil }
            instances.append((String(words[0]), start..<end))
        }
        let deflated = DeflatedBytes(bytes: [UInt8](data[headEnd.upperBound...]), checksum: checksum, length: length)
        guard let objects = deflated.inflated() else { return nil }
        return SeriesMetadata(
            seriesInstanceUID: series, fingerprint: fingerprint, objects: objects, instances: instances,
            deflated: deflated)
    }

    /// Writes the metadata of a series, whole or not at all. A disk without room is no failure: it is built again.
    func write(_ metadata: SeriesMetadata, study: String) {
        let name = file(study: study, series: metadata.seriesInstanceUID)
        var head = [
            Self.mark, root, metadata.fingerprint, metadata.seriesInstanceUID, String(metadata.objects.count),
            String(metadata.deflated.checksum),
        ]
        head += metadata.instances.map { "\($0.sopInstanceUID) \($0.range.lowerBound) \($0.range.upperBound)" }
        var data = Data((head.joined(separator: "\n") + "\n\n").utf8)
        data.append(contentsOf: metadata.deflated.bytes)
        let folder = URL(fileURLWithPath: name).deletingLastPathComponent()
        try? FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try? data.write(to: URL(fileURLWithPath: name), options: .atomic)
    }

    func remove(study: String, series: String) {
        try? FileManager.default.removeItem(atPath: file(study: study, series: series))
    }
}
