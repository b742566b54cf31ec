// Zip, tar and ISO 9660 files on their way in.

import Foundation
import Ingest
import Media
import Testing

@Suite struct ArchiveFileTests {
    private let source: TemporaryFolder
    private let archive: TestArchive

    init() throws {
        source = try TemporaryFolder()
        archive = try TestArchive()
    }

    @Test(
        "objects come out of every kind",
        arguments: [(Packed.Format.zip, "a.zip"), (.tarGzip, "a.tgz"), (.iso, "a.iso")])
    func kinds(format: Packed.Format, name: String) throws {
        let path = source.path + "/" + name
        let entries = (1...12).map { ("dir/IM\($0)", Sample.file(instance: $0)) }
        try Packed.make(format, entries + [("readme.txt", Array("hello, this is a disc".utf8))], at: path)
        let report = try archive.take(path)
        #expect(report.imported == 12)
        #expect(report.ignored == 1)
        #expect(report.isComplete)
    }

    @Test("a zip file inside a folder is opened, one inside a zip file is not")
    func nested() throws {
        let inner = source.path + "/inner.zip"
        try Packed.make(.zip, [("IM2", Sample.file(instance: 2))], at: inner)
        try Packed.make(
            .zip, [("IM1", Sample.file(instance: 1)), ("deep.zip", try source.read("inner.zip"))],
            at: source.path + "/outer.zip")
        let report = try archive.take(source.path)
        #expect(report.imported == 2)
        #expect(report.refused.map(\.path) == [source.path + "/outer.zip:deep.zip"])
        #expect(report.refused.first?.reason.contains("inside another") == true)
    }

    @Test(
        "names that lead upwards are refused, whatever they hold",
        arguments: ["../up.dcm", "a/../../up.dcm", "..\\up.dcm"])
    func upwards(name: String) throws {
        let path = source.path + "/trick.zip"
        try Packed.make(.zip, [(name, Sample.file(instance: 1)), ("fine.dcm", Sample.file(instance: 2))], at: path)
        let report = try archive.take(path)
        #expect(report.imported == 1)
        #expect(report.refused.count == 1)
        #expect(report.refused.first?.reason.contains("leads out") == true)
    }

    @Test("a truncated zip file gives what is whole and says that it is damaged")
    func truncated() throws {
        let whole = source.path + "/whole.zip"
        try Packed.make(.zip, (1...10).map { ("IM\($0)", noisy($0)) }, at: whole)
        let bytes = try source.read("whole.zip")
        let path = try source.write("half.zip", Array(bytes.prefix(bytes.count / 2)))
        let report = try archive.take(path)
        #expect((3...6).contains(report.imported))
        #expect(report.imported == (try archive.instances().count))
        #expect(report.refused.contains { $0.reason.contains("damaged") })
        // Only what is damaged is tried again.
        #expect(try archive.take(path).skipped == report.imported)
    }

    @Test("an entry whose bytes do not match its checksum is refused")
    func checksum() throws {
        let path = source.path + "/rot.zip"
        try Packed.make(.zip, [("IM1", noisy(1)), ("IM2", noisy(2))], at: path)
        var bytes = try source.read("rot.zip")
        bytes[bytes.count / 4] ^= 0x10
        try source.write("rot.zip", bytes)
        let report = try archive.take(path)
        #expect(report.imported == 1)
        #expect(report.refused.count >= 1)
    }

    @Test("what only claims to be a zip file is refused")
    func fake() throws {
        let path = try source.write("fake.zip", Array("PK\u{3}\u{4} and then nothing that a zip file would have".utf8))
        let report = try archive.take(path)
        #expect(report.imported == 0)
        #expect(report.refused.count == 1)
    }

    @Test("an archive file with more entries than allowed is not read to its end")
    func tooManyEntries() throws {
        let path = source.path + "/many.zip"
        try Packed.make(.zip, (1...10).map { ("IM\($0)", Sample.file(instance: $0)) }, at: path)
        let report = try archive.importer(maximumArchiveEntries: 4).run([path])
        #expect(report.imported == 4)
        #expect(report.refused.map(\.reason) == ["more than 4 entries"])
    }

    @Test("a zip bomb ends at the archive's limit for one object")
    func bomb() throws {
        var limits = IngestLimits()
        limits.maximumObjectSize = 4 << 20
        let small = try TestArchive(limits: limits)
        let path = source.path + "/bomb.zip"
        try Packed.make(.zip, [("bomb.dcm", Sample.file(instance: 0, pixels: 64 << 20))], at: path)
        #expect(try source.read("bomb.zip").count < 1 << 20)
        let report = try small.take(path)
        #expect(report.imported == 0)
        #expect(report.refused.first?.reason.contains("larger") == true)
    }

    @Test("empty entries and names with accents are no obstacle")
    func oddEntries() throws {
        let path = source.path + "/odd.zip"
        try Packed.make(.zip, [("trống.dcm", []), ("ảnh/một.dcm", Sample.file())], at: path)
        let report = try archive.take(path)
        #expect(report.imported == 1)
        #expect(report.refused.map(\.reason) == ["empty file"])
        #expect(report.refused.first?.path == path + ":trống.dcm")
    }

    /// An object that does not compress.
    private func noisy(_ instance: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var bytes = Sample.file(instance: instance, pixels: 20_000)
        for index in bytes.count - 19_000..<bytes.count { bytes[index] = generator.next() }
        return bytes
    }
}
