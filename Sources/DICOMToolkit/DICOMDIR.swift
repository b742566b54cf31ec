// The directory of a DICOM file-set.
internal import CDCMTK

/// DICOMDIR (PS3.3 Annex F, general purpose profile of PS3.11 Annex D).
package enum DICOMDIR {
    /// A file that could not be listed, and why.
    package struct Omission: Sendable, Equatable {
        package let file: String
        package let reason: String
    }

    /// Writes `root`/DICOMDIR listing `files`: paths below `root` whose components are at most eight of A-Z, 0-9 and _
    /// (PS3.10 Section 8.2 and 8.5). Missing attributes are invented; files of unknown SOP classes are left out and
    /// returned. Reports each file to `progress`.
    package static func write(
        root: String, files: [String], fileSetID: String, progress: (Int) -> Void = { _ in }
    ) throws(ToolkitError) -> [Omission] {
        var made: OpaquePointer?
        try unsafe ToolkitError.check { unsafe phim_directory_create(root, fileSetID, &made, $0) }
        let directory = unsafe made
        defer { unsafe phim_directory_free(directory) }
        var omitted: [Omission] = []
        for (index, file) in files.enumerated() {
            do throws(ToolkitError) {
                try unsafe ToolkitError.check { unsafe phim_directory_add(directory, file, $0) }
            } catch .failed(let reason) {
                omitted.append(Omission(file: file, reason: reason))
            }
            progress(index + 1)
        }
        try unsafe ToolkitError.check { unsafe phim_directory_write(directory, $0) }
        return omitted
    }
}
