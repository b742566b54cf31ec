// An import that was interrupted continues where it stopped.

import Foundation
import Media
import Testing

@Suite struct ResumeTests {
    private func cancelled(after count: Int, _ archive: TestArchive, _ path: String) throws -> ImportReport {
        let importer = try archive.importer(concurrency: 1)
        return importer.run([path]) { if $0.objects >= count { importer.cancel() } }
    }

    @Test("of a folder")
    func folder() throws {
        let source = try TemporaryFolder()
        for instance in 1...20 { try source.write("IM\(instance)", Sample.file(instance: instance)) }
        let archive = try TestArchive()
        let first = try cancelled(after: 7, archive, source.path)
        #expect(first.interruption == .cancelled)
        #expect(first.imported == 7)
        #expect(try archive.journals().count == 1)

        let second = try archive.take(source.path)
        #expect(second.interruption == nil)
        #expect(second.skipped == 7)
        #expect(second.imported == 13)
        #expect(second.duplicates == 0)
        #expect(try archive.instances().count == 20)
    }

    @Test("of a zip file")
    func zip() throws {
        let source = try TemporaryFolder()
        let path = source.path + "/all.zip"
        try Packed.make(.zip, (1...20).map { ("IM\($0)", Sample.file(instance: $0)) }, at: path)
        let archive = try TestArchive()
        #expect(try cancelled(after: 4, archive, path).imported == 4)
        let second = try archive.take(path)
        #expect(second.skipped == 4)
        #expect(second.imported == 16)
    }

    @Test("only where it stopped: a finished import leaves no journal and is a new one the next time")
    func finished() throws {
        let source = try TemporaryFolder()
        for instance in 1...3 { try source.write("IM\(instance)", Sample.file(instance: instance)) }
        let archive = try TestArchive()
        #expect(try archive.take(source.path).imported == 3)
        #expect(try archive.journals().isEmpty)
        let again = try archive.take(source.path)
        #expect(again.skipped == 0)
        #expect(again.duplicates == 3)
    }

    @Test("a full disk ends an import at once instead of refusing every file, and the journal stays")
    func fullDisk() throws {
        let source = try TemporaryFolder()
        for instance in 1...50 { try source.write("IM\(instance)", Sample.file(instance: instance)) }
        let archive = try TestArchive(reserve: 1 << 60)
        let report = try archive.take(source.path)
        #expect(report.interruption == .outOfSpace)
        #expect(report.imported == 0)
        #expect(report.refused.isEmpty)
        #expect(try archive.journals().count == 1)
    }

    @Test("unless it is told to start again")
    func again() throws {
        let source = try TemporaryFolder()
        for instance in 1...6 { try source.write("IM\(instance)", Sample.file(instance: instance)) }
        let archive = try TestArchive()
        #expect(try cancelled(after: 2, archive, source.path).imported == 2)
        let second = try archive.importer(again: true).run([source.path])
        #expect(second.skipped == 0)
        #expect(second.duplicates == 2)
        #expect(second.imported == 4)
    }

    @Test("and takes a file that has changed meanwhile")
    func changed() throws {
        let source = try TemporaryFolder()
        for instance in 1...4 { try source.write("IM\(instance)", Sample.file(instance: instance)) }
        let archive = try TestArchive()
        #expect(try cancelled(after: 2, archive, source.path).imported == 2)
        try source.write("IM1", Sample.file(instance: 1, remark: "corrected"))
        let second = try archive.take(source.path)
        #expect(second.skipped == 1)
        #expect(second.conflicts == 1)
        #expect(second.imported == 2)
    }

    @Test("also when a crash tore the journal's last line")
    func torn() throws {
        let source = try TemporaryFolder()
        for instance in 1...5 { try source.write("IM\(instance)", Sample.file(instance: instance)) }
        let archive = try TestArchive()
        #expect(try cancelled(after: 3, archive, source.path).imported == 3)
        let journal = archive.folder.path + "/imports/" + (try #require(archive.journals().first))
        let lines = try Data(contentsOf: URL(fileURLWithPath: journal))
        try lines.dropLast(3).write(to: URL(fileURLWithPath: journal))
        let second = try archive.take(source.path)
        #expect(second.skipped == 2)
        #expect(second.duplicates == 1)
        #expect(second.imported == 2)
    }
}
