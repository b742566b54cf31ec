// DICOM media in both directions (PS3.10 Section 8, PS3.3 Annex F).

import Catalog
import DICOMCore
import Foundation
import Media
import Testing

@Suite struct MediumTests {
    private func filled(_ archive: TestArchive) throws {
        let source = try TemporaryFolder()
        for study in 1...2 {
            for series in 1...2 {
                for instance in 1...3 {
                    let bytes = Sample.file(
                        study: study, series: series, instance: instance, modality: series == 1 ? "CT" : "MR")
                    try source.write("\(study)-\(series)-\(instance)", bytes)
                }
            }
        }
        #expect(try archive.take(source.path).imported == 12)
    }

    /// A DICOMDIR that references files by their components.
    private func directory(_ references: [[String]]) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .ascii)
        let items = references.map { components in
            var item = writer.makeItem()
            item.put(.directoryRecordType, "IMAGE")
            item.put(.referencedFileID, components)
            return item
        }
        writer.put(.directoryRecordSequence, items: items)
        return Part10.header(
            sopClassUID: SOPClass.mediaStorageDirectory, sopInstanceUID: "1.2.3",
            transferSyntaxUID: TransferSyntax.explicitVRLittleEndian.uid) + writer.finish()
    }

    @Test(
        "what goes out on a medium comes in again byte for byte, by its DICOMDIR and by its folder",
        arguments: [true, false])
    func roundTrip(byDirectory: Bool) throws {
        let first = try TestArchive()
        try filled(first)
        let medium = try TemporaryFolder()
        let exported = try first.exporter.export(first.instances(), to: medium.path, as: .dicomdir)
        #expect(exported.files == 12)
        #expect(exported.problems.isEmpty)
        let files = try medium.files()
        #expect(files.contains("DICOMDIR") && files.contains("README.TXT"))
        #expect(files.contains("DICOM/ST000002/SE000002/IM000003"))

        let second = try TestArchive()
        let report = try second.take(byDirectory ? medium.path + "/DICOMDIR" : medium.path)
        #expect(report.imported == 12)
        #expect(report.refused.isEmpty)
        #expect(try second.digests() == first.digests())
    }

    @Test(
        "file names that a medium's file system changed are found",
        arguments: ["dicom/im1", "DICOM/IM1;1", "Dicom/Im1.;1"])
    func changedNames(name: String) throws {
        let medium = try TemporaryFolder()
        try medium.write(name, Sample.file())
        let path = try medium.write("dicomdir;1", directory([["DICOM", "IM1"]]))
        let report = try TestArchive().take(path)
        #expect(report.imported == 1)
        #expect(report.refused.isEmpty)
    }

    @Test(
        "references out of the medium are refused",
        arguments: [
            ["..", "outside.dcm"], ["DICOM", "..", "..", "outside.dcm"], ["DICOM/../../outside.dcm"],
            ["", "etc", "passwd"],
        ])
    func tricks(reference: [String]) throws {
        let folder = try TemporaryFolder()
        try folder.write("outside.dcm", Sample.file(instance: 2))
        try folder.write("medium/DICOM/IM1", Sample.file(instance: 1))
        let path = try folder.write("medium/DICOMDIR", directory([["DICOM", "IM1"], reference]))
        let archive = try TestArchive()
        let report = try archive.take(path)
        #expect(report.imported == 1)
        #expect(report.refused.count == 1)
        #expect(report.refused.first?.reason.contains("leads out") == true)
        #expect(try Array(archive.digests().keys) == [Sample.uid(instance: 1)])
    }

    @Test("a symbolic link on a medium does not lead out of it")
    func link() throws {
        let outside = try TemporaryFolder()
        try outside.write("IM1", Sample.file())
        let medium = try TemporaryFolder()
        try FileManager.default.createSymbolicLink(atPath: medium.path + "/DICOM", withDestinationPath: outside.path)
        let path = try medium.write("DICOMDIR", directory([["DICOM", "IM1"]]))
        let report = try TestArchive().take(path)
        #expect(report.imported == 0)
        #expect(report.refused.count == 1)
    }

    @Test(
        "a file that the DICOMDIR references but that is missing is reported, by its DICOMDIR and by its folder",
        arguments: [true, false])
    func missing(byDirectory: Bool) throws {
        let medium = try TemporaryFolder()
        try medium.write("DICOM/IM1", Sample.file())
        let path = try medium.write("DICOMDIR", directory([["DICOM", "IM1"], ["DICOM", "IM2"]]))
        let report = try TestArchive().take(byDirectory ? path : medium.path)
        #expect(report.imported == 1)
        #expect(report.refused.map(\.path) == [medium.path + "/DICOMDIR:DICOM/IM2"])
    }

    @Test("a DICOMDIR takes only what it references; its folder takes all")
    func unreferenced() throws {
        let medium = try TemporaryFolder()
        try medium.write("DICOM/IM1", Sample.file(instance: 1))
        try medium.write("DICOM/IM2", Sample.file(instance: 2))
        let path = try medium.write("DICOMDIR", directory([["DICOM", "IM1"]]))
        #expect(try TestArchive().take(path).imported == 1)
        #expect(try TestArchive().take(medium.path).imported == 2)
    }

    @Test("a damaged DICOMDIR is refused; the folder's objects are taken all the same")
    func damaged() throws {
        let medium = try TemporaryFolder()
        try medium.write("DICOM/IM1", Sample.file())
        let path = try medium.write("DICOMDIR", Array("no directory".utf8))
        let byName = try TestArchive().take(path)
        #expect(byName.imported == 0)
        #expect(byName.refused.first?.reason.contains("DICOMDIR cannot be read") == true)
        let byFolder = try TestArchive().take(medium.path)
        #expect(byFolder.imported == 1)
        #expect(byFolder.refused.count == 1)
    }
}
