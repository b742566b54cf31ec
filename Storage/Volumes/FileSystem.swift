// The seam to the operating system: every system call of this room passes here, so that tests can make the Nth fail.

/// How a file is opened.
package enum FileAccess: Sendable {
    /// For reading.
    case read
    /// For reading and writing.
    case readWrite
    /// For reading and writing past the page cache (`O_DIRECT`): offsets, lengths and memory in whole blocks. Fails with
    /// `EINVAL` where the file system has no such thing.
    case direct
    /// For reading and writing; fails with `EEXIST` when the name is taken.
    case createNew
    /// For reading and writing; an old file of that name loses its content.
    case replace
}

/// What `fstat` tells of a file.
package struct FileStatus: Equatable, Sendable {
    package let size: Int64
    /// Bytes that the file takes on the disk; less than `size` where there are holes.
    package let allocated: Int64
    package let isReadOnly: Bool
    /// Number of names; 0 once the file was unlinked.
    package let links: Int

    package init(size: Int64, allocated: Int64, isReadOnly: Bool, links: Int) {
        self.size = size
        self.allocated = allocated
        self.isReadOnly = isReadOnly
        self.links = links
    }
}

/// The system calls that volumes need. Calls interrupted by a signal are repeated by the implementation.
package protocol FileSystem: Sendable {
    /// A new file descriptor (and a new open file description: locks and write-back errors are per description).
    func open(_ path: String, _ access: FileAccess) throws(VolumeFailure) -> Int32
    /// Closes the descriptor, which also releases its lock.
    func close(_ descriptor: Int32)
    /// Writes some of `bytes`, at least one, and says how many.
    func write(_ descriptor: Int32, _ bytes: Span<UInt8>, at offset: Int64) throws(VolumeFailure) -> Int
    /// Reads at most `count` bytes; fewer only by the end of the file or a short read, none at its end.
    func read(_ descriptor: Int32, count: Int, at offset: Int64) throws(VolumeFailure) -> [UInt8]
    /// The same, appended to memory of the caller, which has room for `count` bytes; says how many.
    func read(
        _ descriptor: Int32, count: Int, at offset: Int64, into buffer: inout OutputRawSpan
    ) throws(VolumeFailure) -> Int
    /// Returns once all data written to the file is on stable storage (`fdatasync`).
    func synchronize(_ descriptor: Int32) throws(VolumeFailure)
    /// Returns once names made or removed in the directory are on stable storage.
    func synchronizeDirectory(_ path: String) throws(VolumeFailure)
    /// Asks for early write-back of a range without waiting; a hint.
    func startWriteback(_ descriptor: Int32, from offset: Int64, count: Int64)
    /// Reserves blocks and grows the file to hold the range; false where the file system cannot.
    func allocate(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool
    /// Makes the range read as zeros and gives its blocks back; false where the file system cannot.
    func punchHole(_ descriptor: Int32, from offset: Int64, count: Int64) throws(VolumeFailure) -> Bool
    /// Sets the size of the file.
    func truncate(_ descriptor: Int32, to size: Int64) throws(VolumeFailure)
    /// Takes the file's exclusive lock (`flock`); false when another holds it and `waiting` is false.
    func lock(_ descriptor: Int32, waiting: Bool) throws(VolumeFailure) -> Bool
    /// Releases the file's lock.
    func unlock(_ descriptor: Int32)
    /// Size, blocks and mode.
    func status(_ descriptor: Int32) throws(VolumeFailure) -> FileStatus
    /// First offset at or after `offset` that is not in a hole; nil when only holes follow.
    func nextData(_ descriptor: Int32, from offset: Int64) throws(VolumeFailure) -> Int64?
    /// Sets mode 0444 or 0644.
    func setReadOnly(_ descriptor: Int32, _ isReadOnly: Bool) throws(VolumeFailure)
    /// Bytes free for this process in the file system that holds `path`.
    func freeSpace(_ path: String) throws(VolumeFailure) -> Int64
    /// Names of the files in a directory, in any order.
    func names(in directory: String) throws(VolumeFailure) -> [String]
    /// Whether the name exists.
    func exists(_ path: String) -> Bool
    /// Makes the directory and those above it; no error when it is there.
    func makeDirectory(_ path: String) throws(VolumeFailure)
    /// Gives the file a second name; fails with `EEXIST` when the name is taken.
    func link(_ path: String, to name: String) throws(VolumeFailure)
    /// Renames over whatever has that name.
    func rename(_ path: String, to name: String) throws(VolumeFailure)
    /// Removes the name; no error when it is gone already.
    func unlink(_ path: String) throws(VolumeFailure)
}
