// One object that arrives: a file, behind it what is not written yet, and who may write.

import Foundation
import Synchronization

/// The right to write one object, until somebody else takes it. Calls block, but for `received`, `isDue` and what is `append`ed
/// before it is due.
package struct UploadTicket: Sendable {
    private let upload: Upload
    private let epoch: Int

    init(upload: Upload, epoch: Int) {
        self.upload = upload
        self.epoch = epoch
    }

    package var length: Int64 { upload.length }
    package var received: Int64 { upload.received }

    /// Whether what waits in memory is enough to be written.
    package func isDue(with count: Int) -> Bool { upload.pending + count >= Upload.piece }

    /// Takes octets that follow what has come.
    package func append(_ bytes: [UInt8]) throws(UploadFailure) { try upload.append(bytes, epoch: epoch) }

    package func read(from offset: Int64, count: Int) throws(UploadFailure) -> [UInt8] {
        try upload.read(from: offset, count: count)
    }

    /// It is whole, and is taken in: nobody else takes it until it is left or removed.
    package func accept() throws(UploadFailure) { try upload.accept(epoch: epoch) }

    /// What has come goes to the disk, and waits there for the rest; nothing where somebody else has it.
    package func leave() { upload.end(epoch: epoch, isKept: true) }

    /// It is in the archive, or worth nothing; nothing where somebody else has it.
    package func remove() { upload.end(epoch: epoch, isKept: false) }
}

/// One object. There is one of these for a file at a time, and one writer of it.
final class Upload: Sendable {
    private struct State {
        var epoch = 0
        var pending: [UInt8] = []
        var written: Int64
        var isAccepting = false
        /// Let go: the file may be another's by now.
        var isEnded = false
    }

    /// Octets that are written at once; what is lost when the process dies.
    static let piece = 64 << 10

    let path: String
    let length: Int64
    private let folder: UploadFolder
    private let state: Mutex<State>

    init(folder: UploadFolder, path: String, length: Int64, written: Int64) {
        self.folder = folder
        self.path = path
        self.length = length
        state = Mutex(State(written: written))
    }

    var received: Int64 { state.withLock { $0.written + Int64($0.pending.count) } }
    var pending: Int { state.withLock { $0.pending.count } }

    /// Whoever wrote before writes no more.
    /// - Returns: the new writer's epoch; nil where the object was let go.
    func supersede() throws(UploadFailure) -> Int? {
        let result = state.withLock { state -> Result<Int?, UploadFailure> in
            if state.isEnded { return .success(nil) }
            if state.isAccepting { return .failure(.accepting) }
            state.epoch += 1
            return .success(state.epoch)
        }
        return try result.get()
    }

    func accept(epoch: Int) throws(UploadFailure) {
        let isMine = state.withLock { state in
            guard state.epoch == epoch, !state.isEnded, !state.isAccepting else { return false }
            state.isAccepting = true
            return true
        }
        guard isMine else { throw .superseded }
    }

    func append(_ bytes: [UInt8], epoch: Int) throws(UploadFailure) {
        let result = state.withLock { state -> Result<Void, UploadFailure> in
            Result { () throws(UploadFailure) in
                guard state.epoch == epoch, !state.isEnded, !state.isAccepting else { throw .superseded }
                state.pending += bytes
                if state.pending.count >= Self.piece { try write(&state) }
            }
        }
        try result.get()
    }

    func end(epoch: Int, isKept: Bool) {
        state.withLock { state in
            guard state.epoch == epoch, !state.isEnded else { return }
            if isKept { try? write(&state) }
            state.isEnded = true
            state.pending = []
            folder.release(path, size: isKept ? state.written : 0)
        }
    }

    private func write(_ state: inout State) throws(UploadFailure) {
        guard !state.pending.isEmpty else { return }
        try folder.reserve(Int64(state.pending.count), for: path)
        do {
            let file = try Self.open(path)
            defer { try? file.close() }
            try file.truncate(atOffset: UInt64(state.written))
            try file.write(contentsOf: state.pending)
        } catch { throw .full }
        state.written += Int64(state.pending.count)
        state.pending = []
    }

    private static func open(_ path: String) throws -> FileHandle {
        if let file = FileHandle(forUpdatingAtPath: path) { return file }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let file = FileHandle(forUpdatingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        return file
    }

    /// Octets from an offset; fewer at the end of what has come.
    func read(from offset: Int64, count: Int) throws(UploadFailure) -> [UInt8] {
        let result = state.withLock { state -> Result<[UInt8], UploadFailure> in
            Result { () throws(UploadFailure) in
                var bytes: [UInt8] = []
                if offset < state.written {
                    let wanted = Int(min(Int64(count), state.written - offset))
                    do {
                        guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileReadUnknown) }
                        defer { try? file.close() }
                        try file.seek(toOffset: UInt64(offset))
                        bytes = Array(try file.read(upToCount: wanted) ?? Data())
                    } catch { throw .unreadable }
                    guard bytes.count == wanted else { throw .unreadable }
                }
                let first = Int(max(0, offset + Int64(bytes.count) - state.written))
                if bytes.count < count, first < state.pending.count {
                    bytes += state.pending[first..<min(first + count - bytes.count, state.pending.count)]
                }
                return bytes
            }
        }
        return try result.get()
    }
}
