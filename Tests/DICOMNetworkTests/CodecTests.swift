// Decompression and DICOMDIR, checked with programs that others wrote.
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

    /// The pixel bytes, as DCMTK writes them out.
    static func pixels(_ file: String, _ folder: String) throws -> Data {
        let raw = folder + "/raw-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: raw, withIntermediateDirectories: true)
        _ = try run("dcmdump", ["+W", raw, file])
        let names = try FileManager.default.contentsOfDirectory(atPath: raw).sorted()
        return try names.reduce(into: Data()) { $0 += try Data(contentsOf: URL(fileURLWithPath: raw + "/" + $1)) }
    }
}

@Suite("Codecs and DICOMDIR", .enabled(if: Machine.has("dump2dcm")))
struct CodecTests {
    static let explicitLittleEndian = "1.2.840.10008.1.2.1"

    @Test(
        "what DCMTK's compressors wrote losslessly comes back bit for bit",
        arguments: [
            ("dcmcjpeg", ["+e1"]), ("dcmcjpeg", ["+el"]), ("dcmcjpls", ["+el"]), ("dcmcrle", []), ("dcmconv", ["+td"]),
            ("dcmconv", ["+tb"]), ("dcmconv", ["+ti"]),
        ])
    func lossless(tool: String, options: [String]) throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let image = try Machine.makeImage(in: folder)
        let packed = folder + "/packed.dcm"
        #expect(try Machine.run(tool, options + [image, packed]).status == 0)
        for syntax in [Self.explicitLittleEndian, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"] {
            let out = folder + "/out-\(syntax).dcm"
            try Codec.transcode(from: packed, to: out, transferSyntaxUID: syntax)
            let little = folder + "/little-\(syntax).dcm"
            #expect(try Machine.run("dcmconv", ["+te", out, little]).status == 0)
            #expect(try Machine.pixels(little, folder) == Machine.pixels(image, folder))
            let dump = try Machine.run("dcmdump", ["-M", "+P", "SOPInstanceUID", "-Un", out]).output
            #expect(dump.contains("[1.2.3.4.5]"))
        }
    }

    /// A lossless codestream of 8 by 8 samples of 12 bits, of value 61 times their index (OpenJPEG 2.5).
    static let codestream = """
        ff4fff5100290000000000080000000800000000000000000000000800000008000000000000000000010b0101ff52000c00000001000104
        040001ff5c00074060686870ff640025000143726561746564206279204f70656e4a5045472076657273696f6e20322e352e30ff90000a00
        000000003d0001ff93dfe068120f849fd4d47e0a55bc5ee43cf825a27c494d4d959c912f9809c03ea0583f3060221880787f037e6928bb77
        ffd9
        """

    @Test("JPEG 2000 frames come back bit for bit, in one fragment or several", arguments: [1, 2])
    func jpeg2000(cuts: Int) throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let digits = Array(Self.codestream.filter { !$0.isWhitespace })
        let bytes = stride(from: 0, to: digits.count, by: 2).map { String(digits[$0...$0 + 1]) }
        let half = bytes.count / 2 / 2 * 2
        let second = cuts == 1 ? [bytes] : [Array(bytes[..<half]), Array(bytes[half...])]
        let items = ([bytes] + second).map { "(fffe,e000) pi " + $0.joined(separator: "\\") }
        let dump = """
            (0002,0010) UI [1.2.840.10008.1.2.4.90]
            (0008,0016) UI [1.2.840.10008.5.1.4.1.1.7.3]
            (0008,0018) UI [1.2.3.4.5]
            (0028,0002) US 1
            (0028,0004) CS [MONOCHROME2]
            (0028,0008) IS [2]
            (0028,0010) US 8
            (0028,0011) US 8
            (0028,0100) US 16
            (0028,0101) US 12
            (0028,0102) US 11
            (0028,0103) US 0
            (7fe0,0010) OB (PixelSequence #=3)
            (fffe,e000) pi (no value available)
            \(items.joined(separator: "\n"))
            (fffe,e0dd) na (SequenceDelimitationItem)
            """
        try dump.write(toFile: folder + "/dump", atomically: true, encoding: .utf8)
        #expect(try Machine.run("dump2dcm", [folder + "/dump", folder + "/packed.dcm"]).status == 0)
        try Codec.transcode(
            from: folder + "/packed.dcm", to: folder + "/out.dcm", transferSyntaxUID: Self.explicitLittleEndian)
        var expected = Data()
        for sample in 0..<128 {
            let value = sample % 64 * 61
            expected.append(contentsOf: [UInt8(value & 0xFF), UInt8(value >> 8)])
        }
        let written = try Data(contentsOf: URL(fileURLWithPath: folder + "/out.dcm"))
        #expect(written.suffix(256) == expected)
    }

    @Test(
        "a compressed syntax, a file that is none, and nonsense pixels are refused, without an output file"
    )
    func refusals() throws {
        let folder = try Machine.makeFolder()
        defer { Machine.remove(folder) }
        let image = try Machine.makeImage(in: folder)
        let out = folder + "/out.dcm"
        #expect(throws: ToolkitError.self) {
            try Codec.transcode(from: image, to: out, transferSyntaxUID: "1.2.840.10008.1.2.4.70")
        }
        #expect(throws: ToolkitError.self) {
            try Codec.transcode(from: "/nowhere", to: out, transferSyntaxUID: Self.explicitLittleEndian)
        }
        let packed = folder + "/packed.dcm"
        #expect(try Machine.run("dcmcjpeg", ["+e1", image, packed]).status == 0)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: packed))
        for index in (bytes.count - 900)..<(bytes.count - 20) { bytes[index] = 0 }
        try bytes.prefix(bytes.count - 400).write(to: URL(fileURLWithPath: packed))
        #expect(throws: ToolkitError.self) {
            try Codec.transcode(from: packed, to: out, transferSyntaxUID: Self.explicitLittleEndian)
        }
        #expect(!FileManager.default.fileExists(atPath: out))
    }

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
