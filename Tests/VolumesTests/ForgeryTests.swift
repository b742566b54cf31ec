// A sender chooses the bytes of a body: made to look like entries, they must neither pass for ours nor hide a torn tail.

import Foundation
import Testing
import Volumes

/// Overwrites part of a file.
private func overwrite(_ path: String, at offset: Int64, with bytes: [UInt8]) throws {
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.seek(toOffset: UInt64(offset))
    try handle.write(contentsOf: bytes)
    try handle.close()
}

/// The bytes with each occurrence of `text` replaced by one of the same length.
private func replacing(_ text: String, by other: String, in bytes: [UInt8]) -> [UInt8] {
    precondition(text.utf8.count == other.utf8.count)
    var data = Data(bytes)
    var start = 0
    while let range = data.range(of: Data(text.utf8), in: start..<data.count) {
        data.replaceSubrange(range, with: Data(other.utf8))
        start = range.upperBound
    }
    return Array(data)
}

private func fixed(_ number: Int64) -> String { String(repeating: "0", count: 15 - "\(number)".count) + "\(number)" }

/// What a sender may know, which is all but the secret: a whole entry with a true digest, as another archive wrote it.
private func forgedEntry(batchOffset: Int64, hasNonce: Bool) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    let place = try folder.store(.small()).append([Sample(666, length: 3_000).entry])[0]
    let bytes = Array(try folder.bytes("000001.tar").prefix(Int(place.end)))
    let moved = replacing("PHIM.batch=\(fixed(0))", by: "PHIM.batch=\(fixed(batchOffset))", in: bytes)
    return hasNonce ? moved : replacing("PHIM.nonce=", by: "PHIM.other=", in: moved)
}

@Suite("Forged entries")
struct ForgeryTests {
    /// How the first block of the hostile batch looks after the crash.
    enum Tear: CaseIterable { case firstBlockMissing, bodyTorn }

    @Test(
        "Entries forged in a torn body prove nothing and are not handed back",
        arguments: [0, 2], Tear.allCases)
    func tornBody(batchesBefore: Int, tear: Tear) throws {
        for hasNonce in [false, true] {
            let source = try TemporaryFolder()
            let store = try source.store(.small())
            var enrolledTo: Int64 = 0
            for index in 0..<batchesBefore {
                enrolledTo = try store.append([Sample(index, length: 5_000).entry])[0].end
            }
            // The headers of one entry take 1,536 bytes: the sender knows where the body comes to lie.
            let forged = try forgedEntry(batchOffset: enrolledTo + 1_536, hasNonce: hasNonce)
            let hostile = Sample(50, body: forged + forged + [UInt8](repeating: 7, count: 4_096))
            let place = try store.append([hostile.entry])[0]
            #expect(place.bodyOffset == enrolledTo + 1_536)
            let folder = try TemporaryFolder()
            for name in ["000001.tar", "numbers"] {
                try FileManager.default.copyItem(atPath: "\(source.path)/\(name)", toPath: "\(folder.path)/\(name)")
            }
            let path = "\(folder.path)/000001.tar"
            switch tear {
            case .firstBlockMissing:
                try overwrite(path, at: place.entryOffset, with: [UInt8](repeating: 0, count: 512))
            case .bodyTorn: try overwrite(path, at: place.end - 1_024, with: [UInt8](repeating: 0, count: 512))
            }
            let recovery = try #require(try folder.store(.small()).recover(volume: 1, from: enrolledTo))
            #expect(recovery.isAdopted)
            #expect(recovery.flaw == nil)
            #expect(recovery.entries.isEmpty)
            #expect(recovery.tail == enrolledTo)
        }
    }

    @Test("Entries forged in a body whose header rotted are not found by a walk", arguments: [false, true])
    func rottenHeader(hasNonce: Bool) throws {
        let folder = try TemporaryFolder()
        let store = try folder.store(.small())
        let first = try store.append([Sample(1, length: 100).entry])[0]
        let forged = try forgedEntry(batchOffset: 0, hasNonce: hasNonce)
        let hostile = try store.append([Sample(2, body: forged).entry])[0]
        let last = try store.append([Sample(3, length: 100).entry])[0]
        try overwrite("\(folder.path)/000001.tar", at: hostile.entryOffset + 100, with: [0])
        #expect(try store.allEntries().map(\.place) == [first, last])
    }

    @Test("Rot is told from a torn tail even where the first header and the last bodies are lost")
    func rotAndTornTail() throws {
        let source = try TemporaryFolder()
        let store = try source.store(.small())
        let places = try (0..<3).map { try store.append([Sample($0, length: 5_000).entry])[0] }
        let folder = try TemporaryFolder()
        for name in ["000001.tar", "numbers"] {
            try FileManager.default.copyItem(atPath: "\(source.path)/\(name)", toPath: "\(folder.path)/\(name)")
        }
        let path = "\(folder.path)/000001.tar"
        try overwrite(path, at: places[0].entryOffset + 100, with: [0])
        try overwrite(path, at: places[2].bodyOffset, with: [0])
        let recovery = try #require(try folder.store(.small()).recover(volume: 1, from: 0))
        #expect(!recovery.isAdopted)
        #expect(recovery.entries.map(\.place) == [places[1]])
    }

    @Test("Volumes without nonces are read, recovered and protected against rot as before")
    func olderVolume() throws {
        let source = try TemporaryFolder()
        let store = try source.store(.small())
        let places = try (0..<3).map { try store.append([Sample($0, length: 5_000).entry])[0] }
        let bytes = replacing("PHIM.nonce=", by: "PHIM.other=", in: try source.bytes("000001.tar"))
        for isRotten in [false, true] {
            let folder = try TemporaryFolder()
            let path = "\(folder.path)/000001.tar"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            if isRotten { try overwrite(path, at: places[0].entryOffset + 100, with: [0]) }
            let store = try folder.store(.small())
            let recovery = try #require(try store.recover(volume: 1, from: 0))
            #expect(recovery.isAdopted == !isRotten)
            #expect(recovery.entries.map(\.place) == Array(places.dropFirst(isRotten ? 1 : 0)))
            let later = try store.append([Sample(9, length: 10).entry])[0]
            #expect(later.volume == (isRotten ? 2 : 1))
        }
    }
}
