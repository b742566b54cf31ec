// Goes through a folder and all below it, one file at a time, in an order that is the same every time.

import Glibc

/// A walk in depth, names in byte order. Only the listings on the way down are held in memory. Symbolic links are not
/// followed: what they point to inside the tree is met anyway, and what lies outside was not asked for.
struct FolderWalk: Sendable {
    enum Step: Sendable {
        /// Path relative to the root.
        case file(RawPath)
        /// A symbolic link, device, socket or pipe.
        case passedOver(RawPath)
        case unreadable(RawPath, MediaFailure)
    }

    private struct Level: Sendable {
        let folder: RawPath
        /// Last name first.
        var names: [RawPath]
    }

    private let root: RawPath
    private let excluded: FileIdentity?
    private var levels: [Level] = []

    /// - Parameter excluded: a folder that is not entered (the archive's own data directory).
    init(_ root: RawPath, excluding excluded: FileIdentity?) throws(MediaFailure) {
        self.root = root
        self.excluded = excluded
        levels = [Level(folder: RawPath(""), names: try Self.names(in: root).reversed())]
    }

    mutating func next() -> Step? {
        while let last = levels.indices.last {
            guard let name = levels[last].names.popLast() else {
                levels.removeLast()
                continue
            }
            let path = levels[last].folder.appending(name)
            do throws(MediaFailure) {
                let status = try FileStatus.of(root.appending(path), followsLinks: false)
                switch status.kind {
                case .file: return .file(path)
                case .folder:
                    guard status.identity != excluded else { continue }
                    levels.append(Level(folder: path, names: try Self.names(in: root.appending(path)).reversed()))
                case .link, .other: return .passedOver(path)
                }
            } catch { return .unreadable(path, error) }
        }
        return nil
    }

    /// Sorted names of a folder.
    static func names(in folder: RawPath) throws(MediaFailure) -> [RawPath] {
        guard let stream = unsafe folder.withCString({ unsafe opendir($0) }) else {
            throw .system(errno, "listing the folder")
        }
        defer { unsafe closedir(stream) }
        var names: [RawPath] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let start = unsafe UnsafeRawPointer(entry) + nameOffset
            let length = unsafe strlen(start.assumingMemoryBound(to: CChar.self))
            let name = unsafe Array(UnsafeRawBufferPointer(start: start, count: length))
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(RawPath(bytes: name)) }
        }
        guard errno == 0 else { throw .system(errno, "listing the folder") }
        return names.sorted()
    }

    /// Names are read in place: a record of readdir(3) is shorter than its structure.
    private static let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
}
