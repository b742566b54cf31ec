// A file that is read in pieces, closed when it goes out of scope.

import Glibc

struct InputFile: ~Copyable {
    private let descriptor: Int32
    let status: FileStatus

    /// Opens a regular file; anything else (a pipe, a device) is refused without waiting for it.
    init(_ path: RawPath, followsLinks: Bool) throws(MediaFailure) {
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW)
        let opened = unsafe path.withCString { unsafe open($0, flags) }
        guard opened >= 0 else { throw .system(errno, "opening it") }
        var info = stat()
        guard unsafe fstat(opened, &info) == 0, FileStatus(info).kind == .file else {
            close(opened)
            throw .damaged(reason: "not a regular file")
        }
        descriptor = opened
        status = FileStatus(info)
    }

    deinit { close(descriptor) }

    /// Fills the buffer as far as the file goes; 0 at its end.
    func read(into buffer: inout [UInt8]) throws(MediaFailure) -> Int {
        try unsafe buffer.withUnsafeMutableBufferPointer { bytes throws(MediaFailure) in
            var filled = 0
            while filled < bytes.count, let start = bytes.baseAddress {
                let count = unsafe Glibc.read(descriptor, start + filled, bytes.count - filled)
                if count == 0 { break }
                if count < 0 {
                    if errno == EINTR { continue }
                    throw .system(errno, "reading it")
                }
                filled += count
            }
            return filled
        }
    }

    /// The whole file, when it is no longer than `limit`.
    static func contents(_ path: RawPath, limit: Int) throws(MediaFailure) -> [UInt8] {
        let file = try InputFile(path, followsLinks: true)
        guard file.status.size <= Int64(limit) else { throw .damaged(reason: "larger than \(limit) bytes") }
        var bytes = [UInt8](repeating: 0, count: Int(file.status.size))
        let count = try file.read(into: &bytes)
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
