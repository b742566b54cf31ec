// DICOMDIR, checked with programs that others wrote.
import DICOMToolkit
import Foundation
import Testing

/// What tests need of the machine: DCMTK's tools, and the real files when they are there.
enum Machine {
    static func has(_ tool: String) -> Bool { FileManager.default.isExecutableFile(atPath: "/usr/bin/" + tool) }

    /// Runs a tool; its exit status and what it printed.
    static func run(_ tool: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/" + tool)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// A new folder in the temporary directory; the caller removes it.
    static func makeFolder() throws -> String {
        let path = NSTemporaryDirectory() + "network-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    /// The pixel bytes, as DCMTK writes them out.
    static func pixels(_ file: String, _ folder: String) throws -> Data {
        let raw = folder + "/raw-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: raw, withIntermediateDirectories: true)
        _ = try run("dcmdump", ["+W", raw, file])
        let names = try FileManager.default.contentsOfDirectory(atPath: raw).sorted()
        return try names.reduce(into: Data()) { $0 += try Data(contentsOf: URL(fileURLWithPath: raw + "/" + $1)) }
    }

    /// A small grey image made by dump2dcm, rows of a ramp.
    static func makeImage(in folder: String, name: String = "image.dcm", columns: Int = 64) throws -> String {
        let pixels = (0..<(columns * 64)).map { String(format: "%04x", ($0 * 37) % 4_096) }.joined(separator: "\\")
        let dump = """
            (0008,0016) UI [1.2.840.10008.5.1.4.1.1.2]
            (0008,0018) UI [1.2.3.4.5]
            (0008,0020) DA [20240102]
            (0008,0060) CS [CT]
            (0010,0010) PN [Test^Image]
            (0010,0020) LO [T1]
            (0020,000d) UI [1.2.3.4]
            (0020,000e) UI [1.2.3.4.1]
            (0028,0002) US 1
            (0028,0004) CS [MONOCHROME2]
            (0028,0010) US 64
            (0028,0011) US \(columns)
            (0028,0100) US 16
            (0028,0101) US 12
            (0028,0102) US 11
            (0028,0103) US 0
            (7fe0,0010) OW \(pixels)
            """
        let text = folder + "/" + name + ".dump"
        try dump.write(toFile: text, atomically: true, encoding: .utf8)
        let file = folder + "/" + name
        #expect(try run("dump2dcm", ["+l", "100000", "+te", text, file]).status == 0)
        return file
    }
}

@Suite("DICOMDIR", .enabled(if: Machine.has("dump2dcm")))
struct DICOMDIRTests {
    @Test("a DICOMDIR lists the files given, inventing what they lack, and says which it left out (PS3.10 Section 8)")
    func directory() throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let image = try Machine.makeImage(in: folder)
        let media = folder + "/MEDIA"
        try FileManager.default.createDirectory(atPath: media + "/IMAGES", withIntermediateDirectories: true)
        let bare = folder + "/bare.dcm"
        try FileManager.default.copyItem(atPath: image, toPath: bare)
        #expect(
            try Machine.run(
                "dcmodify", ["-nb", "-ea", "PatientID", "-ea", "StudyDate", "-m", "SOPInstanceUID=1.2.3.4.6", bare]
            )
            .status == 0)
        try FileManager.default.copyItem(atPath: image, toPath: media + "/IMAGES/IM000001")
        try FileManager.default.copyItem(atPath: bare, toPath: media + "/IMAGES/IM000002")
        try "nothing".write(toFile: media + "/IMAGES/README", atomically: true, encoding: .utf8)
        let omitted = try DICOMDIR.write(
            root: media, files: ["IMAGES/IM000001", "IMAGES/IM000002", "IMAGES/README"], fileSetID: "PHIM")
        #expect(omitted.map(\.file) == ["IMAGES/README"])
        let dump = try Machine.run("dcmdump", ["+P", "ReferencedFileID", media + "/DICOMDIR"]).output
        #expect(dump.contains("[IMAGES\\IM000001]"))
        #expect(dump.contains("[IMAGES\\IM000002]"))
    }
}
