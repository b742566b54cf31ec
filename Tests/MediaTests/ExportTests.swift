// Instances on their way out.

import Catalog
import Crypto
import Foundation
import Media
import Synchronization
import Testing
import Volumes

@Suite struct ExportTests {
    private let archive: TestArchive
    private let target: TemporaryFolder

    init() throws {
        archive = try TestArchive()
        target = try TemporaryFolder()
        let source = try TemporaryFolder()
        for instance in 1...4 {
            try source.write("CT\(instance)", Sample.file(instance: instance, pixels: 2 << 20))
            try source.write("MR\(instance)", Sample.file(series: 2, instance: instance, modality: "MR"))
        }
        #expect(try archive.take(source.path).imported == 8)
    }

    private func digests(of names: [String], in folder: TemporaryFolder) throws -> Set<[UInt8]> {
        Set(try names.map { Array(SHA256.hash(data: try folder.read($0))) })
    }

    @Test("a folder holds every instance byte for byte, under names without the patient's")
    func folder() throws {
        let report = try archive.exporter.export(archive.instances(), to: target.path, as: .folder)
        #expect(report.files == 8)
        #expect(report.problems.isEmpty)
        let files = try target.files()
        #expect(files.first == "study-1/series-1-CT/IM00001.dcm")
        #expect(files.last == "study-1/series-2-MR/IM00004.dcm")
        #expect(try digests(of: files, in: target) == Set(archive.digests().values))
    }

    @Test("a zip file can be read by others and comes in again")
    func zip() throws {
        let path = target.path + "/study.zip"
        let report = try archive.exporter.export(archive.instances(), to: path, as: .zip)
        #expect(report.files == 8)
        #expect(try target.files() == ["study.zip"])
        let other = try TestArchive()
        #expect(try other.take(path).imported == 8)
        #expect(try other.digests() == archive.digests())

        let python = Process()
        python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        python.arguments = ["python3", "-m", "zipfile", "--test", path]
        python.standardOutput = FileHandle.nullDevice
        try python.run()
        python.waitUntilExit()
        #expect(python.terminationStatus == 0)
    }

    @Test("nothing is written over unless that was asked for", arguments: ExportFormat.allCases)
    func occupied(format: ExportFormat) throws {
        let other = try target.write("mine.txt", [1, 2, 3])
        let path = format == .zip ? other : target.path
        #expect(throws: MediaFailure.targetNotEmpty) {
            try archive.exporter.export(archive.instances(), to: path, as: format)
        }
        #expect(try target.files() == ["mine.txt"])
        #expect(try target.read("mine.txt") == [1, 2, 3])
        #expect(try archive.exporter.export(archive.instances(), to: path, as: format, overwriting: true).files == 8)
    }

    @Test("rot is reported and not handed out", arguments: ExportFormat.allCases)
    func rot(format: ExportFormat) throws {
        let instance = try #require(try archive.instances().first)
        let volume = archive.folder.path + "/volumes/" + String(format: "%06d.tar", instance.place.volume)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: volume))
        try file.seek(toOffset: UInt64(instance.place.bodyOffset + instance.place.length - 10))
        try file.write(contentsOf: Data([0xFF, 0x0E, 0xFF]))
        try file.close()

        let path = format == .zip ? target.path + "/a.zip" : target.path
        let report = try archive.exporter.export(archive.instances(), to: path, as: format)
        #expect(report.files == 7)
        #expect(report.problems.map(\.sopInstanceUID) == [instance.sopInstanceUID])
        #expect(report.problems.first?.reason.contains("SHA-256") == true)
        let other = try TestArchive()
        #expect(try other.take(path).imported == 7)
        #expect(try target.files().allSatisfy { !$0.hasSuffix(".part") })
    }

    @Test("a cancelled export leaves no half file", arguments: ExportFormat.allCases)
    func cancelled(format: ExportFormat) throws {
        let path = format == .zip ? target.path + "/a.zip" : target.path
        let exporter = archive.exporter
        #expect(throws: MediaFailure.cancelled) {
            try exporter.export(archive.instances(), to: path, as: format) { if $0.objects == 2 { exporter.cancel() } }
        }
        let files = try target.files()
        #expect(files.count == (format == .zip ? 0 : 2))
        #expect(try digests(of: files, in: target).isSubset(of: Set(archive.digests().values)))
    }

    @Test("nothing chosen is an error, not an empty folder")
    func nothing() throws {
        #expect(throws: MediaFailure.nothingToExport) {
            try archive.exporter.export([], to: target.path + "/new", as: .folder)
        }
        #expect(try target.files().isEmpty)
    }

    @Test("progress ends at the total")
    func progress() throws {
        let last = Mutex<(Int, Int?)>((0, nil))
        _ = try archive.exporter.export(archive.instances(), to: target.path, as: .folder) { step in
            last.withLock { $0 = (step.objects, step.total) }
        }
        #expect(last.withLock { $0 == (8, 8) })
    }
}
