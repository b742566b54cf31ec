// Takes objects in from files, folders, archive files and DICOM media.

package import Ingest

/// What an import may be told.
package struct ImportOptions: Sendable {
    /// Objects on their way at once: the archive syncs once for all that wait.
    package var concurrency = 4
    /// Also offer what an interrupted import has brought in already.
    package var again = false
    /// An archive file with more entries is not read to its end.
    package var maximumArchiveEntries = 10_000_000
    /// The class that the objects wait in; the threads of a bulk import give way to all others.
    package var priority = IngestPriority.bulk

    package init() {}
}

/// Imports into one archive. Calls block; `cancel()` may come from any thread.
///
/// A folder is taken whole: every object in it and in the archive files in it, and what a DICOMDIR in it names but is
/// not there is reported. Of a DICOMDIR that is named itself, the files that it references are taken (PS3.10 Section 8).
/// An interrupted import continues where it stopped when it is started again with the same path.
package final class Importer: Sendable {
    let ingest: IngestPipeline
    let dataFolder: RawPath
    let journals: RawPath
    let options: ImportOptions
    private let cancellation = Cancellation()

    /// - Parameter dataFolder: the archive's data directory; journals are kept in `imports` below it.
    package init(ingest: IngestPipeline, dataFolder: String, options: ImportOptions = .init()) throws(MediaFailure) {
        self.ingest = ingest
        self.options = options
        self.dataFolder = RawPath(dataFolder)
        journals = self.dataFolder.appending(RawPath("imports"))
        try OutputFile.makeFolder(journals, permissions: 0o700)
    }

    /// Imports everything that the paths name, one source after the other.
    ///
    /// Nothing that concerns a single file ends an import; what ends it early is in the report's `interruption`.
    package func run(
        _ paths: [String], progress: @escaping @Sendable (MediaProgress) -> Void = { _ in }
    ) -> ImportReport {
        let tally = Tally(cancellation: cancellation, progress: progress)
        let run = ImportRun(importer: self, intake: Intake(ingest: ingest, tally: tally, priority: options.priority))
        run.take(paths.map { RawPath($0) })
        return tally.result
    }

    /// Ends running and later imports soon. What was acknowledged stays, the rest leaves nothing behind.
    package func cancel() { cancellation.cancel() }
}
