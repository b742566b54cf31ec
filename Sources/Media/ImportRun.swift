// One call of the importer: tells the kinds of sources apart and feeds their files to the workers.

import Synchronization

struct ImportRun: Sendable {
    let importer: Importer
    let intake: Intake
    var tally: Tally { intake.tally }

    /// What a path turned out to be.
    private enum Source: Sendable {
        case files([RawPath])
        case folder(RawPath)
        case directory(RawPath)
        case archive(RawPath)
    }

    /// A file to be taken and where it belongs.
    struct Found: Sendable {
        let path: RawPath
        let relative: RawPath
        let isNamed: Bool
    }

    func take(_ paths: [RawPath]) {
        var sources: [Source] = []
        for path in paths {
            do throws(MediaFailure) {
                let source = try source(path)
                // Files named one after the other share the workers.
                if case .files(let new) = source, case .files(let before) = sources.last {
                    sources[sources.count - 1] = .files(before + new)
                } else {
                    sources.append(source)
                }
            } catch { tally.count { $0.refuse(path.text, error.description) } }
        }
        for source in sources where !tally.isInterrupted {
            switch source {
            case .files(let paths): takeFiles(paths)
            case .folder(let path): guarded(path) { () throws(MediaFailure) in try takeFolder(path) }
            case .directory(let path): guarded(path) { () throws(MediaFailure) in try takeDirectory(path) }
            case .archive(let path): guarded(path) { () throws(MediaFailure) in _ = try takeArchive(path) }
            }
        }
    }

    /// What concerns a whole source is said of its path.
    private func guarded(_ path: RawPath, _ body: () throws(MediaFailure) -> Void) {
        do throws(MediaFailure) { try body() } catch { tally.count { $0.refuse(path.text, error.description) } }
    }

    private func source(_ path: RawPath) throws(MediaFailure) -> Source {
        let status = try FileStatus.of(path, followsLinks: true)
        if status.kind == .folder { return .folder(path) }
        if FileName(path).isDirectory { return .directory(path) }
        let file = try InputFile(path, followsLinks: true)
        var start = [UInt8](repeating: 0, count: 64 << 10)
        let count = try file.read(into: &start)
        switch Recognition(start: start[..<count], name: path) {
        case .directory: return .directory(path)
        case .archive: return .archive(path)
        case .object, .other, .unreadable: return .files([path])
        }
    }

    private func takeFiles(_ paths: [RawPath]) {
        tally.expect(paths.count)
        let rest = Mutex(paths.makeIterator())
        workers(journal: nil) {
            rest.withLock { $0.next() }.map { Found(path: $0, relative: $0.lastComponent, isNamed: true) }
        }
    }

    /// Runs the workers over files until there are no more.
    private func workers(journal: Journal?, next: @escaping @Sendable () -> Found?) {
        Crew.run(importer.options.concurrency, givesWay: intake.givesWay) {
            var buffer = [UInt8](repeating: 0, count: Intake.pieceLength)
            while !tally.isInterrupted, let found = next() { take(found, journal, &buffer) }
        }
    }

    private func take(_ found: Found, _ journal: Journal?, _ buffer: inout [UInt8]) {
        do throws(MediaFailure) {
            let file = try InputFile(found.path, followsLinks: found.isNamed)
            let key = Journal.Key(file.status, found.relative)
            if let journal, journal.holds(key) { return tally.count { $0.skipped += 1 } }
            let candidate = Candidate(
                label: found.path.text, name: found.relative, isNamed: found.isNamed, isEntry: false, key: key,
                journal: journal)
            let received = try intake.receive(candidate, &buffer) { buffer throws(MediaFailure) in
                try file.read(into: &buffer)
            }
            intake.finish(received, candidate)
        } catch {
            journal?.keep()
            tally.count { $0.refuse(found.path.text, error.description) }
        }
    }
}

// MARK: Folders

extension ImportRun {
    /// What a walk has met so far.
    private struct Walked: Sendable {
        var walk: FolderWalk
        var directories: [RawPath] = []
        var archives: [RawPath] = []
    }

    func takeFolder(_ root: RawPath) throws(MediaFailure) {
        tally.expect(nil)
        guard let source = root.resolved else { throw .damaged(reason: "the folder has gone") }
        let own = (try? FileStatus.of(importer.dataFolder, followsLinks: true))?.identity
        guard try FileStatus.of(root, followsLinks: true).identity != own else {
            throw .damaged(reason: "the archive's own data directory")
        }
        let journal = try Journal(in: importer.journals, source: source, again: importer.options.again)
        defer { journal.release() }
        let walked = Mutex(Walked(walk: try FolderWalk(root, excluding: own)))
        workers(journal: journal) { [tally] in
            walked.withLock { Self.next(&$0, root, tally) }
        }
        let (directories, archives) = walked.withLock { ($0.directories, $0.archives) }
        for directory in directories where !tally.isInterrupted { reportMissing(root.appending(directory)) }
        for archive in archives where !tally.isInterrupted { takeArchive(archive, in: root, journal) }
        if !tally.isInterrupted { journal.finish() }
    }

    private static func next(_ walked: inout Walked, _ root: RawPath, _ tally: Tally) -> Found? {
        while let step = walked.walk.next() {
            switch step {
            case .file(let path) where FileName(path).isDirectory:
                walked.directories.append(path)
                tally.count { $0.ignored += 1 }
            case .file(let path) where FileName(path).isArchive: walked.archives.append(path)
            case .file(let path): return Found(path: root.appending(path), relative: path, isNamed: false)
            case .passedOver: tally.count { $0.ignored += 1 }
            case .unreadable(let path, let failure):
                tally.count { $0.refuse(root.appending(path).text, failure.description) }
            }
        }
        return nil
    }

    /// An archive file met in a folder: when it is through, the folder's journal knows it.
    private func takeArchive(_ path: RawPath, in root: RawPath, _ journal: Journal) {
        let whole = root.appending(path)
        do throws(MediaFailure) {
            let key = Journal.Key(try FileStatus.of(whole, followsLinks: false), path)
            if journal.holds(key) { return tally.count { $0.skipped += 1 } }
            if try takeArchive(whole) { journal.note(key) } else { journal.keep() }
        } catch {
            tally.count { $0.refuse(whole.text, error.description) }
        }
    }
}

// MARK: DICOM media

extension ImportRun {
    /// Takes the files that a DICOMDIR references.
    func takeDirectory(_ path: RawPath) throws(MediaFailure) {
        let references = try MediaDirectory(path).references
        guard let source = path.resolved else { throw .damaged(reason: "the DICOMDIR has gone") }
        let root = source.parent
        let journal = try Journal(in: importer.journals, source: source, again: importer.options.again)
        defer { journal.release() }
        tally.expect(references.count)
        let rest = Mutex((references: references.makeIterator(), files: MediaFiles(root: root)))
        let folder = path.parent
        workers(journal: journal) { [tally] in
            rest.withLock { rest -> Found? in
                while let reference = rest.references.next() {
                    if let found = rest.files.find(reference) {
                        return Found(path: folder.appending(found), relative: found, isNamed: true)
                    }
                    Self.refuse(reference, of: path, tally)
                }
                return nil
            }
        }
        if !tally.isInterrupted { journal.finish() }
    }

    /// A disc with a scratch, or a copy that was not finished: the person should hear of it.
    private func reportMissing(_ directory: RawPath) {
        guarded(directory) { () throws(MediaFailure) in
            guard let root = directory.resolved?.parent else { return }
            var files = MediaFiles(root: root)
            for reference in try MediaDirectory(directory).references where files.find(reference) == nil {
                Self.refuse(reference, of: directory, tally)
            }
        }
    }

    private static func refuse(_ reference: MediaDirectory.Reference, of directory: RawPath, _ tally: Tally) {
        let reason =
            reference.components.isEmpty
            ? "a reference of the DICOMDIR that leads out of the medium"
            : "referenced by the DICOMDIR, but not there"
        tally.count { $0.refuse("\(directory.text):\(reference.text)", reason) }
    }
}

// MARK: Archive files

extension ImportRun {
    /// Takes the objects in an archive file. The workers take turns in reading; while one waits for its receipt, the
    /// next one reads.
    /// - Returns: whether the archive file is through.
    func takeArchive(_ path: RawPath) throws(MediaFailure) -> Bool {
        tally.expect(nil)
        guard let source = path.resolved else { throw .damaged(reason: "the archive file has gone") }
        let status = try FileStatus.of(path, followsLinks: true)
        let journal = try Journal(in: importer.journals, source: source, again: importer.options.again)
        defer { journal.release() }
        let entries = ArchiveEntries(
            try ArchiveReader(path), label: path.text, status: status, journal: journal, intake: intake,
            limit: importer.options.maximumArchiveEntries)
        Crew.run(importer.options.concurrency, givesWay: intake.givesWay) {
            NameEncoding.withUTF8 { entries.work() }
        }
        guard !tally.isInterrupted, !journal.isKept else { return false }
        journal.finish()
        return true
    }
}
