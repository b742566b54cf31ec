// phim verify and phim rebuild-index: is everything still there, and can the index be made anew.

import Archive
import ArgumentParser
import Volumes

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read everything again and compare with the digests taken on arrival.",
        discussion: "Exit status 1 when anything has rotted or is missing; each such instance is listed.")

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    struct Report: Encodable {
        struct Rot: Encodable {
            let sopInstanceUID: String
            let volume: Int
            let offset: Int64
            let reason: String
        }
        let checked: Int
        let bytes: Int64
        let rot: [Rot]
    }

    func run() throws {
        let bar = ProgressBar("Verifying")
        let result = try options.withArchive { archive in
            try archive.verifyAll { done, total in bar.show(done, of: total) }
        }
        bar.finish()
        let rot = result.rot.map {
            Report.Rot(
                sopInstanceUID: $0.sopInstanceUID, volume: $0.place.volume, offset: $0.place.entryOffset,
                reason: $0.reason)
        }
        if output.json {
            try Terminal.printJSON(Report(checked: result.checked, bytes: result.bytes, rot: rot))
        } else {
            for one in rot {
                Terminal.print("ROT  \(one.sopInstanceUID)  volume \(one.volume) offset \(one.offset)  \(one.reason)")
            }
            Terminal.print(
                "\(result.checked) checked, \(Terminal.bytes(result.bytes)), \(rot.count) not as they arrived")
        }
        if !rot.isEmpty { throw ExitStatus.incomplete }
    }
}

struct RebuildIndex: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild-index",
        abstract: "Make the index anew from the volumes alone.",
        discussion: """
            The new index is made beside the old one and takes its place at the end, in one step; a running server \
            goes on receiving and answering meanwhile. Peers are kept elsewhere and are not touched.
            """)

    @OptionGroup var options: ArchiveOptions
    @OptionGroup var output: OutputOptions

    struct Report: Encodable {
        let instances: Int
        let unreadable: Int
        let damages: [String]
    }

    func run() throws {
        let bar = ProgressBar("Rebuilding")
        let result: RebuildResult
        do {
            let rebuild = IndexRebuild(options.folder, configuration: try options.configuration())
            result = try rebuild.run { bar.show($0, of: nil) }
        } catch {
            throw Fault.exit(for: error)
        }
        bar.finish()
        if output.json {
            try Terminal.printJSON(
                Report(instances: result.instances, unreadable: result.unreadable, damages: result.damages))
        } else {
            for damage in result.damages { Terminal.print("DAMAGED  \(damage)") }
            Terminal.print("\(result.instances) instances enrolled, \(result.unreadable) entries could not be read")
        }
        if result.unreadable > 0 || !result.damages.isEmpty { throw ExitStatus.incomplete }
    }
}
