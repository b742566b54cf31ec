// How much room is left, for health checks and people.

extension VolumeStore {
    /// Bytes free on the file system of the folder, the reserve included.
    package func freeBytes() throws(VolumeFailure) -> Int64 {
        try directory.fileSystem.freeSpace(directory.path)
    }

    /// Whether more than the reserve is free. Below that new objects are refused and everything else goes on.
    package var hasSpace: Bool {
        (try? freeBytes()).map { $0 > options.reserve } ?? false
    }
}
