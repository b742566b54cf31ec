// Gives instances out as files: in folders, in one zip file, or as a DICOM medium.

package import Catalog
import Crypto
import DICOMToolkit
package import Retrieval

/// The form of an export.
package enum ExportFormat: String, Sendable, CaseIterable {
    /// A folder of folders.
    case folder
    /// One zip file of the same.
    case zip
    /// A folder to be written to a disc or stick, with a DICOMDIR (PS3.11 Annex D).
    case dicomdir
}

/// The outcome of an export.
package struct ExportReport: Sendable {
    /// An instance that was not exported, or not as it should be.
    package struct Problem: Hashable, Sendable, Encodable {
        package let sopInstanceUID: String
        package let reason: String
    }

    /// Instances exported.
    package internal(set) var files = 0
    package internal(set) var bytes: Int64 = 0
    package internal(set) var problems: [Problem] = []
}

/// Exports from one archive: every object byte for byte as it is stored, but for headers that were corrected. Calls block; `cancel()` may come from any thread.
package final class Exporter: Sendable {
    private let retrieval: InstanceRetrieval
    private let cancellation = Cancellation()

    package init(retrieval: InstanceRetrieval) { self.retrieval = retrieval }

    /// Ends a running export soon. A zip file leaves nothing behind, a folder what was whole.
    package func cancel() { cancellation.cancel() }

    /// Exports instances, numbered in the order given.
    /// - Parameters:
    ///   - target: a folder (made if need be), or the zip file.
    ///   - overwriting: whether a folder that is not empty, or an existing file, may be written over.
    package func export(
        _ instances: [StoredInstance], to target: String, as format: ExportFormat, overwriting: Bool = false,
        progress: @Sendable (MediaProgress) -> Void = { _ in }
    ) throws(MediaFailure) -> ExportReport {
        guard !instances.isEmpty else { throw .nothingToExport }
        let target = RawPath(target)
        switch format {
        case .folder:
            try Self.prepare(folder: target, overwriting)
            return try writeFiles(ExportPlan.readable(instances, retrieval), target, isMedium: false, progress).report
        case .zip:
            try Self.prepare(file: target, overwriting)
            return try writeZip(ExportPlan.readable(instances, retrieval), target, progress)
        case .dicomdir:
            try Self.prepare(folder: target, overwriting)
            return try writeMedium(ExportPlan.media(instances), target, progress)
        }
    }

    private static func prepare(folder: RawPath, _ overwriting: Bool) throws(MediaFailure) {
        try OutputFile.makeFolder(folder)
        let names = try FolderWalk.names(in: folder)
        guard overwriting || names.isEmpty else { throw .targetNotEmpty }
    }

    private static func prepare(file: RawPath, _ overwriting: Bool) throws(MediaFailure) {
        try OutputFile.makeFolder(file.parent)
        guard let there = try? FileStatus.of(file, followsLinks: true) else { return }
        guard overwriting, there.kind == .file else { throw .targetNotEmpty }
    }
}

// MARK: Folders and media

extension Exporter {
    private func writeFiles(
        _ plan: ExportPlan, _ target: RawPath, isMedium: Bool, _ progress: @Sendable (MediaProgress) -> Void
    ) throws(MediaFailure) -> (report: ExportReport, written: [PlannedFile]) {
        var report = ExportReport()
        var written: [PlannedFile] = []
        var folder = RawPath("")
        for (index, file) in plan.files.enumerated() {
            let path = target.appending(RawPath(file.path))
            if path.parent != folder {
                folder = path.parent
                try OutputFile.makeFolder(folder)
            }
            var output = try OutputFile(path)
            switch try copy(file.instance, to: { piece throws(MediaFailure) in try output.write(piece) }) {
            case .whole(let length):
                // Media are pulled out as soon as the program says that it is done.
                try output.commit(isDurable: isMedium)
                report.files += 1
                report.bytes += length
                written.append(file)
            case .broken(let reason): report.add(file.instance, reason)
            }
            progress(MediaProgress(objects: index + 1, bytes: report.bytes, total: plan.files.count))
        }
        return (report, written)
    }

    private func writeMedium(
        _ plan: ExportPlan, _ target: RawPath, _ progress: @Sendable (MediaProgress) -> Void
    ) throws(MediaFailure) -> ExportReport {
        // A directory of an earlier export would describe files that are written over.
        try OutputFile.remove(target.appending(RawPath("DICOMDIR")))
        var (report, written) = try writeFiles(plan, target, isMedium: true, progress)
        do throws(ToolkitError) {
            let omissions = try DICOMDIR.write(root: target.text, files: written.map(\.path), fileSetID: "PHIM")
            let instances = Dictionary(written.map { ($0.path, $0.instance) }, uniquingKeysWith: { first, _ in first })
            for omission in omissions {
                guard let instance = instances[omission.file] else { continue }
                report.add(instance, "on the medium, but not in its DICOMDIR: \(omission.reason)")
            }
        } catch { throw .damaged(reason: "the DICOMDIR cannot be written: \(error)") }
        var readme = try OutputFile(target.appending(RawPath("README.TXT")))
        try readme.write(Self.readme(plan, report))
        try readme.commit(isDurable: true)
        return report
    }

    /// For whoever finds the disc; without anything of the patient.
    private static func readme(_ plan: ExportPlan, _ report: ExportReport) -> [UInt8] {
        let text = """
            This medium holds medical images in DICOM format.

            Studies: \(plan.studyCount)
            Files:   \(report.files)

            Open the file DICOMDIR with any DICOM viewer, or import this folder
            into an image archive (PACS). The images lie in the folder DICOM.
            The pixels are exactly as they were received. Names and numbers that
            were corrected later are those that are true; each file notes what
            stood there before (Original Attributes Sequence).

            Written by Phim.

            """
        return Array(text.replacing("\n", with: "\r\n").utf8)
    }
}

// MARK: Zip files

extension Exporter {
    private func writeZip(
        _ plan: ExportPlan, _ target: RawPath, _ progress: @Sendable (MediaProgress) -> Void
    ) throws(MediaFailure) -> ExportReport {
        var output = try OutputFile(target)
        let report = try fill(try ZipWriter(descriptor: output.descriptor), plan, progress)
        try output.commit(isDurable: true)
        return report
    }

    private func fill(
        _ zip: consuming ZipWriter, _ plan: ExportPlan, _ progress: @Sendable (MediaProgress) -> Void
    ) throws(MediaFailure) -> ExportReport {
        var report = ExportReport()
        for (index, file) in plan.files.enumerated() {
            // What has gone into a zip file cannot be taken out again: a broken object must be known before.
            switch try copy(file.instance, to: { _ throws(MediaFailure) in }) {
            case .broken(let reason): report.add(file.instance, reason)
            case .whole(let length):
                try zip.begin(file, length: length)
                guard case .whole = try copy(file.instance, to: { piece throws(MediaFailure) in try zip.write(piece) })
                else { throw .storage(reason: "an object changed while it was read") }
                report.files += 1
                report.bytes += length
            }
            progress(MediaProgress(objects: index + 1, bytes: report.bytes, total: plan.files.count))
        }
        try zip.finish()
        return report
    }
}

// MARK: One object

extension Exporter {
    private enum Copied {
        case whole(Int64)
        case broken(reason: String)
    }

    /// Reads an object to its end and compares its digest with the catalogue's.
    private func copy(
        _ instance: StoredInstance, to sink: ([UInt8]) throws(MediaFailure) -> Void
    ) throws(MediaFailure) -> Copied {
        // What was corrected has no digest of its own: the bytes below it are looked at first.
        if instance.correction != nil {
            guard case .whole = try copy(instance.asReceived, to: { _ throws(MediaFailure) in }) else {
                return .broken(reason: "its bytes are no longer those that were received (SHA-256 differs)")
            }
        }
        let object: StoredObject
        do throws(RetrievalFailure) { object = try retrieval.outgoing(instance) } catch {
            return .broken(reason: error.reason)
        }
        var hash = SHA256()
        var offset: Int64 = 0
        while offset < object.length {
            guard !cancellation.isCancelled else { throw .cancelled }
            let piece: [UInt8]
            do throws(RetrievalFailure) {
                piece = try object.read(
                    from: offset, count: Int(min(Int64(Intake.pieceLength), object.length - offset)))
            } catch { return .broken(reason: error.reason) }
            guard !piece.isEmpty else { return .broken(reason: "shorter than it should be") }
            hash.update(data: piece)
            try sink(piece)
            offset += Int64(piece.count)
        }
        guard instance.correction != nil || hash.finalize().elementsEqual(instance.digest) else {
            return .broken(reason: "its bytes are no longer those that were received (SHA-256 differs)")
        }
        return .whole(offset)
    }
}

extension ExportReport {
    fileprivate mutating func add(_ instance: StoredInstance, _ reason: String) {
        problems.append(Problem(sopInstanceUID: instance.sopInstanceUID, reason: reason))
    }
}

extension RetrievalFailure {
    fileprivate var reason: String {
        switch self {
        case .absent: "deleted meanwhile"
        case .notConvertible(_, let reason), .unreadable(let reason): reason
        case .outOfSpace: "no room on the disk for temporary files"
        case .busy: "all codecs were busy"
        }
    }
}
