// A file under a temporary name that gets its own once it is whole, or goes.

import Glibc

struct OutputFile: ~Copyable {
    let descriptor: Int32
    private let target: RawPath
    private let temporary: RawPath
    private var isCommitted = false

    /// Creates the temporary file beside the target.
    init(_ target: RawPath) throws(MediaFailure) {
        let temporary = RawPath(bytes: target.bytes + Array(".part".utf8))
        // What an earlier export left behind when it was killed.
        _ = unsafe temporary.withCString { unsafe unlink($0) }
        let opened = unsafe temporary.withCString {
            unsafe open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        }
        guard opened >= 0 else { throw .system(errno, "creating a file") }
        descriptor = opened
        self.target = target
        self.temporary = temporary
    }

    deinit {
        close(descriptor)
        if !isCommitted { _ = unsafe temporary.withCString { unsafe unlink($0) } }
    }

    func write(_ bytes: [UInt8]) throws(MediaFailure) {
        try unsafe bytes.withUnsafeBufferPointer { bytes throws(MediaFailure) in
            var written = 0
            while written < bytes.count, let start = bytes.baseAddress {
                let count = unsafe Glibc.write(descriptor, start + written, bytes.count - written)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw .system(errno, "writing a file")
                }
                written += count
            }
        }
    }

    /// Gives the file its name.
    /// - Parameter isDurable: whether to wait until the bytes are on the medium.
    mutating func commit(isDurable: Bool) throws(MediaFailure) {
        if isDurable, fsync(descriptor) != 0 { throw .system(errno, "writing a file") }
        let status = unsafe temporary.withCString { from in unsafe target.withCString { unsafe rename(from, $0) } }
        guard status == 0 else { throw .system(errno, "naming a file") }
        isCommitted = true
    }

    /// Removes a file, if there is one.
    static func remove(_ path: RawPath) throws(MediaFailure) {
        guard unsafe path.withCString({ unsafe unlink($0) }) == 0 || errno == ENOENT else {
            throw .system(errno, "removing a file")
        }
    }

    /// Makes a folder and those above it.
    static func makeFolder(_ path: RawPath, permissions: mode_t = 0o755) throws(MediaFailure) {
        if unsafe path.withCString({ unsafe mkdir($0, permissions) }) == 0 { return }
        switch errno {
        case EEXIST:
            guard try FileStatus.of(path, followsLinks: true).kind == .folder else {
                throw .system(ENOTDIR, "making a folder")
            }
        case ENOENT where path.parent != path && !path.isEmpty:
            try makeFolder(path.parent, permissions: permissions)
            guard unsafe path.withCString({ unsafe mkdir($0, permissions) }) == 0 || errno == EEXIST else {
                throw .system(errno, "making a folder")
            }
        default: throw .system(errno, "making a folder")
        }
    }
}
