// Paths as the file system has them: bytes. Discs written elsewhere hold names that are no UTF-8.

import Glibc

/// A path or part of one, without NUL.
struct RawPath: Hashable, Comparable, Sendable {
    private(set) var bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8.prefix { $0 != 0 }) }
    init(bytes: [UInt8]) { self.bytes = Array(bytes.prefix { $0 != 0 }) }

    static func < (left: RawPath, right: RawPath) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

    /// For people: what is no UTF-8 is replaced.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    var isEmpty: Bool { bytes.isEmpty }

    func appending(_ component: RawPath) -> RawPath {
        guard !isEmpty else { return component }
        var joined = self
        if joined.bytes.last != UInt8(ascii: "/") { joined.bytes.append(UInt8(ascii: "/")) }
        joined.bytes += component.bytes
        return joined
    }

    var lastComponent: RawPath {
        let name = bytes.split(separator: UInt8(ascii: "/")).last ?? []
        return RawPath(bytes: Array(name))
    }

    /// Everything before the last component; "." for a bare name.
    var parent: RawPath {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return RawPath(".") }
        return RawPath(bytes: slash == 0 ? [UInt8(ascii: "/")] : Array(bytes[..<slash]))
    }

    func withCString<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value {
        let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
        return unsafe terminated.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("a terminated path is never empty") }
            return unsafe body(start)
        }
    }

    /// Absolute and without symbolic links, nil when nothing is there.
    var resolved: RawPath? {
        unsafe withCString { path in
            guard let real = unsafe realpath(path, nil) else { return nil }
            defer { unsafe free(real) }
            return RawPath(bytes: unsafe Array(UnsafeRawBufferPointer(start: real, count: strlen(real))))
        }
    }

    func isInside(_ folder: RawPath) -> Bool {
        guard bytes.starts(with: folder.bytes) else { return false }
        return folder.bytes.last == UInt8(ascii: "/")
            || bytes.count > folder.bytes.count
                && bytes[folder.bytes.count] == UInt8(ascii: "/")
    }
}

/// What the file system says of a path.
struct FileStatus: Sendable {
    enum Kind: Sendable { case file, folder, link, other }

    let kind: Kind
    let size: Int64
    /// Nanoseconds since 1970.
    let modified: Int64
    let identity: FileIdentity

    init(_ info: stat) {
        switch info.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        case S_IFLNK: kind = .link
        default: kind = .other
        }
        size = Int64(info.st_size)
        modified = Int64(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(info.st_mtim.tv_nsec)
        identity = FileIdentity(device: UInt64(info.st_dev), number: UInt64(info.st_ino))
    }

    /// - Parameter followsLinks: whether a symbolic link stands for what it points to.
    static func of(_ path: RawPath, followsLinks: Bool) throws(MediaFailure) -> FileStatus {
        var info = stat()
        let status = unsafe path.withCString { unsafe followsLinks ? stat($0, &info) : lstat($0, &info) }
        guard status == 0 else { throw .system(errno, "looking at it") }
        return FileStatus(info)
    }
}

/// Tells one file or folder from every other.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let number: UInt64
}
