// What an import tells: while it runs, and at its end.

/// One source that was not taken, and why.
package struct Refusal: Hashable, Sendable, Encodable {
    /// As the person who started the import would name it; inside an archive file `ARCHIVE:entry`.
    package let path: String
    package let reason: String
}

/// The outcome of an import.
package struct ImportReport: Sendable {
    /// Objects that are new in the archive.
    package internal(set) var imported = 0
    /// Objects that were there already, byte for byte.
    package internal(set) var duplicates = 0
    /// Objects that share their UID with another one; both are kept.
    package internal(set) var conflicts = 0
    /// Objects that the journal of an interrupted import knows as taken.
    package internal(set) var skipped = 0
    /// Files that are no DICOM objects and of which nobody would expect it.
    package internal(set) var ignored = 0
    /// What was not taken, at most `refusalLimit` of them.
    package internal(set) var refused: [Refusal] = []
    package internal(set) var refusedCount = 0
    /// Bytes of imported, duplicate and conflicting objects.
    package internal(set) var bytes: Int64 = 0
    /// Why the import ended before its end; nil when it went through. A later one continues.
    package internal(set) var interruption: MediaFailure?

    package static let refusalLimit = 100_000

    /// Whether everything that was asked for is in the archive now.
    package var isComplete: Bool { refusedCount == 0 && interruption == nil }

    var objects: Int { imported + duplicates + conflicts + skipped + ignored + refusedCount }

    mutating func refuse(_ path: String, _ reason: String) {
        refusedCount += 1
        if refused.count < Self.refusalLimit { refused.append(Refusal(path: path, reason: reason)) }
    }
}

/// How far an import or export is.
package struct MediaProgress: Sendable {
    /// Files dealt with.
    package let objects: Int
    /// Bytes read.
    package let bytes: Int64
    /// All files, nil while unknown.
    package let total: Int?
}
