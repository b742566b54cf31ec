// phim render and phim transcode: files as pictures, and files in another transfer syntax.

import Archive
import ArgumentParser
import DICOMCore
import DICOMImaging
import Foundation
import Retrieval

/// What both commands share.
struct FileForms: ParsableArguments {
    @Argument(help: "DICOM files.", completion: .file())
    var files: [String]

    @Option(name: .shortAndLong, help: "Folder for the results; it is made when it is not there.")
    var output = "."

    /// Calls the body for each file, with a name for its result; what fails is said and counted.
    func run(suffix: String, _ body: (ImageFile, Converter, URL) throws -> Void) throws {
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let scratch = NSTemporaryDirectory() + "phim-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let converter = Converter(executable: OpenArchive.thisProgram, scratch: scratch)
        var failed = false
        for file in files {
            let name = URL(fileURLWithPath: file).lastPathComponent + suffix
            do {
                let result = URL(fileURLWithPath: output + "/" + name)
                try body(ImageFile(file, converter: converter), converter, result)
            } catch {
                failed = true
                Terminal.error("\(file): \((error as? RetrievalFailure)?.sentence ?? error.localizedDescription)")
            }
        }
        if failed { throw ExitStatus.incomplete }
    }
}

struct Render: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw DICOM files as JPEG, PNG or GIF pictures.",
        discussion: """
            phim render ct.dcm --window 40,400 --output pictures
            phim render --format png16 --viewport 1024x1024 *.dcm

            A result is named as its file with .jpg, .png or .gif behind. GIF holds all frames.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case jpeg, png, png16, gif
    }

    @OptionGroup var forms: FileForms
    @Option(help: "jpeg, png, png16 (grey with 16 bits) or gif.")
    var format = Format.png
    @Option(help: "Frame, from 1.")
    var frame: Int?
    @Option(help: "Window as centre,width[,function]; function is linear, linear-exact or sigmoid.")
    var window: String?
    @Option(help: "Largest size as WIDTHxHEIGHT.")
    var viewport: String?
    @Option(help: "Quality of JPEG, 1 to 100.")
    var quality = 90
    @Option(help: "A presentation state that refers to the files.", completion: .file())
    var presentationState: String?
    @Flag(inversion: .prefixedNo, help: "Draw overlay planes.")
    var overlays = true

    func run() throws {
        let request = try request()
        let suffix = [Format.jpeg: ".jpg", .png: ".png", .png16: ".png", .gif: ".gif"][format] ?? ""
        try forms.run(suffix: suffix) { file, converter, result in
            let state = try presentationState.map { path throws(RetrievalFailure) in
                try ImageFile(path, converter: converter)
            }
            let picture = try file.rendered(frame, request, presentationState: state)
            try Data(picture.bytes).write(to: result)
        }
    }

    private func request() throws -> RenderingRequest {
        var request = RenderingRequest()
        request.format = [.jpeg: .jpeg, .png: .png, .png16: .png16, .gif: .gif][format] ?? .png
        request.quality = quality
        request.showsOverlays = overlays
        if let window {
            let parts = window.split(separator: ",").map(String.init)
            let term = parts.count > 2 ? parts[2].uppercased().replacingOccurrences(of: "-", with: "_") : "LINEAR"
            guard parts.count >= 2, let center = Double(parts[0]), let width = Double(parts[1]),
                let function = VOIWindow.Function(rawValue: term),
                let made = VOIWindow(center: center, width: width, function: function)
            else { throw ValidationError("--window takes centre,width[,function]") }
            request.window = made
        }
        if let viewport {
            let sides = viewport.split(separator: "x").compactMap { Int($0) }
            guard sides.count == 2, let made = Viewport(width: sides[0], height: sides[1]) else {
                throw ValidationError("--viewport takes WIDTHxHEIGHT")
            }
            request.viewport = made
        }
        return request
    }
}

struct Transcode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write DICOM files in another transfer syntax, without loss.",
        discussion: """
            phim transcode --to 1.2.840.10008.1.2.4.202 ct.dcm --output htj2k

            A result is named as its file with .dcm behind. Objects keep their UIDs, since not a bit of their pixels changes.
            """)

    @OptionGroup var forms: FileForms
    @Option(help: "UID of a lossless transfer syntax.")
    var to: String

    func run() throws {
        guard CodecTable.encodesLosslessly(to) else {
            let known = CodecTable.entries.filter { $0.encodes && $0.isLossless }
            let lines = known.map { "  \($0.transferSyntax.uid)  \($0.transferSyntax.name ?? "")" }
            throw ValidationError("--to takes one of:\n" + lines.joined(separator: "\n"))
        }
        try forms.run(suffix: ".dcm") { file, _, result in
            let object = try file.converted(to: to)
            try Data().write(to: result)
            let handle = try FileHandle(forWritingTo: result)
            var at: Int64 = 0
            while at < object.length {
                let piece = try object.read(from: at, count: 1 << 20)
                try handle.write(contentsOf: piece)
                at += Int64(piece.count)
            }
            try handle.close()
        }
    }
}

extension RetrievalFailure {
    /// For a terminal.
    var sentence: String {
        switch self {
        case .absent: "no such frame"
        case .notConvertible(let syntax, let reason): "\(reason) (transfer syntax \(syntax))"
        case .unreadable(let reason): reason
        case .outOfSpace: "no room on the disk for temporary files"
        case .busy: "all codecs are busy"
        }
    }
}
