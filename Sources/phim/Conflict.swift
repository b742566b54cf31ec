// phim conflict: objects that share a UID but not their bytes, for a person to resolve.

import Archive
import ArgumentParser
import Catalog
import Records

struct Conflict: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List objects that share a SOP Instance UID but not their bytes, and choose between them.",
        discussion: "All copies are kept; the first to arrive is shown to askers until a person chooses another.",
        subcommands: [List.self, Keep.self])
}

extension Conflict {
    struct Copy: Encodable {
        let isPrimary: Bool
        let sha256: String
        let studyInstanceUID: String
        let source: String
    }

    struct Entry: Encodable {
        let sopInstanceUID: String
        let copies: [Copy]
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the conflicts.")

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Flag(help: "Also those that are decided already.") var all = false

        func run() throws {
            let entries = try options.withArchive { archive in
                try archive.catalog.conflicts(limit: .max, includingDecided: all).map { conflict in
                    Entry(
                        sopInstanceUID: conflict.sopInstanceUID,
                        copies: conflict.copies.map {
                            Copy(
                                isPrimary: $0.isPrimary, sha256: Digest.hexadecimal($0.digest),
                                studyInstanceUID: $0.studyInstanceUID, source: $0.source)
                        })
                }
            }
            if output.json { return try Terminal.printJSON(entries) }
            guard !entries.isEmpty else { return Terminal.note("No conflicts.") }
            for entry in entries {
                Terminal.print(entry.sopInstanceUID)
                for copy in entry.copies {
                    Terminal.print(
                        "  \(copy.isPrimary ? "shown " : "hidden") \(copy.sha256.prefix(16))  from \(copy.source)  study "
                            + copy.studyInstanceUID)
                }
            }
        }
    }

    struct Keep: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show this copy instead of the other.",
            discussion: "Nothing is deleted: the other copies stay and can be chosen later (phim conflict list --all).")

        struct Choice: Encodable {
            let sopInstanceUID: String
            let sha256: String
        }

        @OptionGroup var options: ArchiveOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "SOP Instance UID.") var instance: String
        @Option(help: ArgumentHelp("First characters of the copy's SHA-256.", valueName: "hex")) var sha256: String

        func run() throws {
            let chosen = try options.withArchive { archive in
                let wanted = try archive.catalog.copies(sopInstanceUID: instance).filter {
                    Digest.hexadecimal($0.digest).hasPrefix(sha256.lowercased())
                }
                guard let copy = wanted.first, wanted.count == 1 else {
                    throw CannotBegin(
                        wanted.isEmpty
                            ? "no such copy; see phim conflict list --all" : "more than one copy begins with \(sha256)")
                }
                try archive.records.noteDecision(Decision(sopInstanceUID: instance, digest: copy.digest))
                _ = try archive.catalog.resolveConflict(sopInstanceUID: instance, keep: copy.digest)
                return Choice(sopInstanceUID: instance, sha256: Digest.hexadecimal(copy.digest))
            }
            if output.json { try Terminal.printJSON(chosen) }
        }
    }
}

/// SHA-256 digests as people compare them.
enum Digest {
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
