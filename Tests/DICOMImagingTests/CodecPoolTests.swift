// What a caller is told when workers die, take too long, or are all at work.

import DICOMCore
import DICOMImaging
import Dispatch
import Foundation
import Synchronization
import Testing

@Suite("Codec pool")
struct CodecPoolTests {
    /// A pool whose workers are shell scripts.
    private static func pool(_ script: String, workers: Int = 1, timeout: Int = 1) throws -> (CodecPool, URL) {
        let file = FileManager.default.temporaryDirectory.appending(path: "worker-\(UUID().uuidString)")
        try "#!/bin/sh\n\(script)\n".write(to: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        return (CodecPool(executable: file.path, workers: workers, timeout: timeout), file)
    }

    private static func failure(_ pool: CodecPool, _ bytes: [UInt8] = [1, 2]) -> ImagingFailure? {
        do throws(ImagingFailure) {
            let layout = PixelLayout(rows: 1, columns: 1, bitsAllocated: 16)
            _ = try pool.convert(bytes, from: .rleLossless, to: .explicitVRLittleEndian, layout: layout)
            return nil
        } catch { return error }
    }

    // The first 16 bytes of a job are read, so that it counts as taken.
    private static let takes = "head -c 16 > /dev/null"

    @Test("A worker that dies at a job")
    func died() throws {
        let (pool, file) = try Self.pool("\(Self.takes); kill -SEGV $$")
        defer { try? FileManager.default.removeItem(at: file) }
        for _ in 0..<3 {
            #expect(Self.failure(pool) == .workerLost("the image ended its decoder (signal 11)"))
        }
    }

    @Test("A worker that answers what is no answer", arguments: ["echo abcdefghijklmnopqrst", "head -c 64 /dev/zero"])
    func nonsense(_ answer: String) throws {
        let (pool, file) = try Self.pool("\(Self.takes); \(answer); sleep 60")
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(Self.failure(pool) == .workerLost("the image ended its decoder (signal 9)"))
    }

    @Test("A worker that takes too long, and one who waits for it meanwhile")
    func late() async throws {
        let (pool, file) = try Self.pool("exec sleep 60")
        defer { try? FileManager.default.removeItem(at: file) }
        let failures = Mutex<[ImagingFailure?]>([])
        await withCheckedContinuation { done in
            let group = DispatchGroup()
            for _ in 0..<2 {
                DispatchQueue.global().async(group: group) {
                    let failure = Self.failure(pool)
                    failures.withLock { $0.append(failure) }
                }
            }
            group.notify(queue: .global()) { done.resume() }
        }
        // One has the worker until its time is over, which is longer than the other waits.
        let found = failures.withLock { $0 }
        #expect(found.contains(.busy))
        #expect(found.contains(.workerLost("decoding took too long")))
    }

    @Test("A worker that does not start, and one that ends at once")
    func absent() throws {
        let none = CodecPool(executable: "/nowhere", workers: 1)
        #expect(Self.failure(none) == .unavailable("codec worker does not start"))
        let (pool, file) = try Self.pool("exit 0")
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(Self.failure(pool) == .unavailable("codec worker does not run"))
    }
}
