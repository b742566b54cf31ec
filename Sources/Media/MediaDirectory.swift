// Reads a DICOMDIR: which files of a medium hold objects (PS3.3 Annex F, PS3.10 Section 8).

import DICOMCore

/// The references of one DICOMDIR, in its order, each file once.
struct MediaDirectory: Sendable {
    struct Reference: Hashable, Sendable {
        /// The components of Referenced File ID, empty when they lead out of the medium.
        let components: [String]
        /// As the DICOMDIR has it, with slashes.
        let text: String
    }

    let references: [Reference]

    /// A directory of a million records is a quarter of this.
    private static let largest = 1 << 30

    init(_ path: RawPath) throws(MediaFailure) {
        let bytes = try InputFile.contents(path, limit: Self.largest)
        do throws(ReadFailure) {
            let file = try Part10.parse(bytes)
            let header = try HeaderReader.read(bytes, from: file.dataSetOffset, transferSyntax: file.transferSyntax)
            guard header.dataSet[.directoryRecordSequence] != nil else {
                throw .notDICOM(offset: file.dataSetOffset)
            }
            references = Self.references(in: header.dataSet.items(.directoryRecordSequence))
        } catch { throw .damaged(reason: "DICOMDIR cannot be read: \(error)") }
    }

    private static func references(in records: [DataSet]) -> [Reference] {
        var seen: Set<[String]> = []
        var references: [Reference] = []
        for record in records {
            let parts = record.strings(.referencedFileID)
            guard !parts.allSatisfy(\.isEmpty), seen.insert(parts).inserted else { continue }
            references.append(Reference(components: components(parts), text: parts.joined(separator: "/")))
        }
        return references
    }

    /// Components as the standard wants them (PS3.10 Section 8.2), also when a writer joined them by slashes or put a
    /// dot in front; none at all when one of them leads upwards or is empty.
    private static func components(_ parts: [String]) -> [String] {
        let components = parts.flatMap { $0.split(separator: "/", omittingEmptySubsequences: false).map(String.init) }
        let real = components.filter { $0 != "." }
        return real.contains { $0.isEmpty || $0 == ".." || $0.utf8.contains(0) } ? [] : real
    }
}

/// Finds the files that a DICOMDIR names on a file system that may have changed the names on its way: other case,
/// version suffixes of ISO 9660 (`;1`), a trailing dot.
struct MediaFiles {
    private let root: RawPath
    /// Listings by folder, the names by their folded form. Bounded by starting anew.
    private var listings: [RawPath: [String: RawPath]] = [:]

    init(root: RawPath) { self.root = root }

    /// Path relative to the root, nil when there is no such file inside it.
    mutating func find(_ reference: MediaDirectory.Reference) -> RawPath? {
        guard !reference.components.isEmpty else { return nil }
        let exact = reference.components.reduce(RawPath("")) { $0.appending(RawPath($1)) }
        guard let path = isFile(exact) ? exact : folded(reference.components),
            let real = root.appending(path).resolved, real.isInside(root)
        else { return nil }
        return path
    }

    private func isFile(_ path: RawPath) -> Bool {
        (try? FileStatus.of(root.appending(path), followsLinks: true))?.kind == .file
    }

    private mutating func folded(_ components: [String]) -> RawPath? {
        var path = RawPath("")
        for component in components {
            guard let name = listing(of: path)[Self.fold(component)] else { return nil }
            path = path.appending(name)
        }
        return isFile(path) ? path : nil
    }

    private mutating func listing(of folder: RawPath) -> [String: RawPath] {
        if let known = listings[folder] { return known }
        let names = (try? FolderWalk.names(in: root.appending(folder))) ?? []
        let listing = Dictionary(names.map { (Self.fold($0.text), $0) }, uniquingKeysWith: { first, _ in first })
        if listings.count > 1000 { listings.removeAll() }
        listings[folder] = listing
        return listing
    }

    private static func fold(_ name: String) -> String {
        var folded = name.lowercased()
        if let semicolon = folded.firstIndex(of: ";") { folded = String(folded[..<semicolon]) }
        if folded.hasSuffix(".") { folded.removeLast() }
        return folded
    }
}
