// Files and folders on their way in.

import Catalog
import Crypto
import DICOMCore
import Foundation
import Ingest
import Media
import Synchronization
import Testing

@Suite struct FolderImportTests {
    @Test("a folder is taken whole, down to its last sub-folder")
    func folder() throws {
        let source = try TemporaryFolder()
        for instance in 1...30 { try source.write("a/b\(instance % 3)/IM\(instance)", Sample.file(instance: instance)) }
        let archive = try TestArchive()
        let report = try archive.take(source.path)
        #expect(report.imported == 30)
        #expect(report.isComplete)
        #expect(report.bytes == (1...30).reduce(0) { $0 + Int64(Sample.file(instance: $1).count) })
        #expect(try archive.instances().count == 30)
    }

    @Test("bytes are kept exactly: the catalogue's digest is that of the file")
    func exactBytes() throws {
        let source = try TemporaryFolder()
        let bytes = Sample.file(pixels: 3 << 20)
        let path = try source.write("large", bytes)
        let archive = try TestArchive()
        #expect(try archive.take(path).imported == 1)
        #expect(try archive.digests() == [Sample.uid(): Array(SHA256.hash(data: bytes))])
    }

    @Test("an object above the streaming threshold is taken as any other")
    func streamed() throws {
        var limits = IngestLimits()
        limits.streamThreshold = 1 << 20
        let source = try TemporaryFolder()
        let bytes = Sample.file(pixels: 5 << 20)
        let path = try source.write("multi-frame.dcm", bytes)
        let archive = try TestArchive(limits: limits)
        #expect(try archive.take(path).imported == 1)
        #expect(try archive.digests() == [Sample.uid(): Array(SHA256.hash(data: bytes))])
    }

    @Test("what is beside the images on a disc is passed over in silence")
    func ignored() throws {
        let source = try TemporaryFolder()
        try source.write("IM1", Sample.file())
        for name in ["autorun.inf", "viewer.exe", "readme.txt", "LICENSE", ".hidden", "page/index.html", "empty.log"] {
            try source.write(name, name == "empty.log" ? [] : Array("[autorun] open=viewer.exe, and so on".utf8))
        }
        let archive = try TestArchive()
        let report = try archive.take(source.path)
        #expect(report.imported == 1)
        #expect(report.ignored == 7)
        #expect(report.refused.isEmpty)
    }

    @Test("an object counts as one by its content, whatever its name")
    func misleadingName() throws {
        let source = try TemporaryFolder()
        try source.write("scan.jpg", Sample.file())
        #expect(try TestArchive().take(source.path).imported == 1)
    }

    @Test("a data set without preamble and meta information is taken (PS3.10 Section 7.1)")
    func bareDataSet() throws {
        let source = try TemporaryFolder()
        try source.write("bare", Sample.dataSet())
        #expect(try TestArchive().take(source.path).imported == 1)
    }

    @Test("what looks like DICOM and cannot be taken is refused with a reason")
    func refused() throws {
        let source = try TemporaryFolder()
        try source.write("good.dcm", Sample.file())
        try source.write("empty.dcm", [])
        try source.write("IM0", [])
        try source.write("text.dcm", Array("this is no image at all, only its name says so".utf8))
        try source.write("nameless", Sample.anonymous())
        try source.write("only-meta", Array(Sample.file().prefix(200)))
        let report = try TestArchive().take(source.path)
        #expect(report.imported == 1)
        #expect(Set(report.refusals.keys) == ["empty.dcm", "IM0", "text.dcm", "nameless", "only-meta"])
        #expect(report.refusals["empty.dcm"] == "empty file")
        #expect(report.refusals["nameless"]?.contains("SOPInstanceUID") == true)
        #expect(report.refusals.values.allSatisfy { !$0.isEmpty })
        #expect(!report.isComplete)
    }

    @Test(
        "a file that was named gets an answer even when it is no DICOM at all",
        arguments: [("notes.txt", "not DICOM"), ("absent.dcm", "No such file"), ("empty.txt", "not DICOM")])
    func named(name: String, reason: String) throws {
        let source = try TemporaryFolder()
        try source.write("notes.txt", Array("nothing to see here, move along please".utf8))
        try source.write("empty.txt", [])
        let report = try TestArchive().take(source.path + "/" + name)
        #expect(report.refused.count == 1)
        #expect(report.refused.first?.path == source.path + "/" + name)
        #expect(report.refused.first?.reason.contains(reason) == true)
    }

    @Test("the same object twice in one import is stored once; the same UID with other bytes is kept as a conflict")
    func duplicatesAndConflicts() throws {
        let source = try TemporaryFolder()
        for copy in 1...8 { try source.write("copy\(copy).dcm", Sample.file()) }
        try source.write("other.dcm", Sample.file(remark: "edited"))
        let archive = try TestArchive()
        let report = try archive.take(source.path)
        #expect(report.imported == 1)
        #expect(report.duplicates == 7)
        #expect(report.conflicts == 1)
        #expect(try archive.catalog.copies(sopInstanceUID: Sample.uid()).count == 2)
    }

    @Test("symbolic links do not lead an import out of its folder, nor round in circles")
    func links() throws {
        let outside = try TemporaryFolder()
        try outside.write("secret.dcm", Sample.file(instance: 2))
        let source = try TemporaryFolder()
        try source.write("IM1", Sample.file())
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: source.path + "/out", withDestinationPath: outside.path)
        try manager.createSymbolicLink(atPath: source.path + "/file", withDestinationPath: outside.path + "/secret.dcm")
        try manager.createSymbolicLink(atPath: source.path + "/round", withDestinationPath: source.path)
        let archive = try TestArchive()
        let report = try archive.take(source.path)
        #expect(report.imported == 1)
        #expect(report.ignored == 3)
        #expect(try Array(archive.digests().keys) == [Sample.uid()])
    }

    @Test("an object larger than the archive takes is refused, the others are not")
    func tooLarge() throws {
        var limits = IngestLimits()
        limits.maximumObjectSize = 1 << 20
        let source = try TemporaryFolder()
        try source.write("large.dcm", Sample.file(instance: 1, pixels: 2 << 20))
        try source.write("small.dcm", Sample.file(instance: 2))
        let report = try TestArchive(limits: limits).take(source.path)
        #expect(report.imported == 1)
        #expect(report.refusals["large.dcm"]?.contains("larger") == true)
    }

    @Test("the archive's own data directory is not imported into itself")
    func ownDataDirectory() throws {
        let archive = try TestArchive()
        let report = try archive.take(archive.folder.path)
        #expect(report.imported == 0)
        #expect(report.refused.map(\.reason) == ["the archive's own data directory"])
    }

    @Test("progress counts every file and knows the total when files are named")
    func progress() throws {
        let source = try TemporaryFolder()
        let paths = try (1...5).map { try source.write("IM\($0)", Sample.file(instance: $0)) }
        let seen = Mutex<[MediaProgress]>([])
        _ = try TestArchive().importer().run(paths) { step in seen.withLock { $0.append(step) } }
        let steps = seen.withLock { $0 }
        #expect(steps.map(\.objects).max() == 5)
        #expect(steps.allSatisfy { $0.total == 5 })
    }

    @Test("names that are no UTF-8 are no obstacle")
    func rawNames() throws {
        let source = try TemporaryFolder()
        try source.write("IM1", Sample.file())
        let old = (source.path + "/IM1").utf8CString.map(\.self)
        let new = Array((source.path + "/").utf8).map { CChar(bitPattern: $0) } + [CChar(bitPattern: 0xC9), 0]
        #expect(unsafe rename(old, new) == 0)
        #expect(try TestArchive().take(source.path).imported == 1)
    }
}
