// Decompression in a process of its own: a hostile image ends that process, not the archive.

import Catalog
import DICOMCore
import Foundation
import Glibc

/// Runs the codec worker on one object at a time, with limits on time and memory.
package final class Converter: Sendable {
    private let executable: String
    private let scratch: String
    private let timeout: Int
    private let permits: DispatchSemaphore

    /// - Parameters:
    ///   - executable: this program; it is called as `executable codec-worker INPUT OUTPUT TRANSFER-SYNTAX`.
    ///   - scratch: folder for temporary files.
    ///   - concurrency: workers at once.
    ///   - timeout: seconds after which a worker is killed.
    package init(executable: String, scratch: String, concurrency: Int = 2, timeout: Int = 120) {
        self.executable = executable
        self.scratch = scratch
        self.timeout = timeout
        permits = DispatchSemaphore(value: concurrency)
    }

    /// Transfer syntaxes that the worker can read: uncompressed ones, and those with a decoder in DCMTK or OpenJPEG.
    package static let decodableSyntaxes: Set<String> = Set(
        [
            TransferSyntax.implicitVRLittleEndian, .explicitVRLittleEndian, .explicitVRBigEndian,
            .deflatedExplicitVRLittleEndian, .jpegBaseline, .jpegExtended, .jpegSpectralSelection,
            .jpegFullProgression, .jpegLossless, .jpegLosslessSV1, .jpegLSLossless, .jpegLSNearLossless,
            .jpeg2000Lossless, .jpeg2000, .htj2kLossless, .htj2kLosslessRPCL, .htj2k, .rleLossless,
        ].map(\.uid))

    /// Exit statuses of the worker.
    package enum WorkerExit {
        package static let unsupported: Int32 = 3
        package static let failed: Int32 = 4
    }

    func convert(_ object: StoredObject, to transferSyntaxUID: String) throws(RetrievalFailure) -> ConvertedObject {
        let stored = object.instance.transferSyntaxUID
        guard Self.decodableSyntaxes.contains(stored) else { throw .notConvertible(from: stored, reason: "no codec") }
        permits.wait()
        defer { permits.signal() }
        let input = try TemporaryFile(in: scratch)
        try input.fill(from: object)
        let output = try TemporaryFile(in: scratch)
        let status = try run([input.path, output.path, transferSyntaxUID])
        guard status == 0 else {
            let reason = status == WorkerExit.unsupported ? "no codec" : "decoding failed"
            throw .notConvertible(from: stored, reason: reason)
        }
        return try ConvertedObject(file: output)
    }

    private func run(_ arguments: [String]) throws(RetrievalFailure) -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = ["codec-worker"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        do { try process.run() } catch { throw .unreadable(reason: "codec worker does not start") }
        guard ended.wait(timeout: .now() + .seconds(timeout)) == .success else {
            // The worker may have inherited blocked signals; this one cannot be blocked.
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
            return WorkerExit.failed
        }
        return process.terminationReason == .exit ? process.terminationStatus : WorkerExit.failed
    }
}

/// A Part 10 file made for one asker.
package struct ConvertedObject: Sendable {
    private let file: TemporaryFile
    package let dataSetOffset: Int
    package let length: Int64

    init(file: TemporaryFile) throws(RetrievalFailure) {
        self.file = file
        length = try file.length()
        guard let part10 = try? Part10.parse(file.read(from: 0, count: Int(min(length, 4096)))) else {
            throw .unreadable(reason: "codec worker wrote no Part 10 file")
        }
        dataSetOffset = part10.dataSetOffset
    }

    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        try file.read(from: offset, count: count)
    }
}

/// A file that goes when nobody holds it any more.
final class TemporaryFile: Sendable {
    let path: String

    init(in folder: String) throws(RetrievalFailure) {
        path = folder + "/" + UUID().uuidString + ".dcm"
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw .unreadable(reason: "no temporary file")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func fill(from object: StoredObject) throws(RetrievalFailure) {
        guard let handle = FileHandle(forWritingAtPath: path) else { throw .unreadable(reason: "no temporary file") }
        defer { try? handle.close() }
        var offset: Int64 = 0
        while offset < object.length {
            let bytes = try object.read(from: offset, count: Int(min(1 << 20, object.length - offset)))
            do { try handle.write(contentsOf: bytes) } catch { throw .unreadable(reason: "temporary file is full") }
            offset += Int64(bytes.count)
        }
    }

    func length() throws(RetrievalFailure) -> Int64 {
        guard let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64 ?? 0 else {
            throw .unreadable(reason: "no temporary file")
        }
        return size
    }

    func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            try handle.seek(toOffset: UInt64(offset))
            return Array(try handle.read(upToCount: count) ?? Data())
        } catch { throw .unreadable(reason: "temporary file") }
    }
}
