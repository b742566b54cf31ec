// What the centre has of a study, by what the station would send.

import Catalog
import Encounters
import Records
import Volumes

/// Calls block.
struct HeldObjects: Sendable {
    private let services: ExchangeServices

    init(_ services: ExchangeServices) { self.services = services }

    /// The digests that are shown of a study.
    func manifest(study: String) throws -> StudyManifest {
        let instances = try services.catalog.instances(Scope(studyUIDs: [study]))
        return StudyManifest(
            Dictionary(instances.map { ($0.sopInstanceUID, $0.digest) }, uniquingKeysWith: { first, _ in first }))
    }

    /// The copy that a station's digest, or its beginning, stands for, and whether it has another file header.
    func copy(_ uid: String, digest: [UInt8]) throws -> (copy: StoredCopy, isEquivalent: Bool)? {
        let copies = try services.catalog.copies(sopInstanceUID: uid)
        if let same = copies.first(where: { $0.digest.starts(with: digest) }) { return (same, false) }
        if copies.isEmpty { return nil }
        let known = try services.encounters.look { try $0.heldAs(sopInstanceUID: uid) }
        guard let stored = known.first(where: { $0.digest.starts(with: digest) })?.storedDigest,
            let copy = copies.first(where: { $0.digest == stored })
        else { return nil }
        return (copy, true)
    }

    /// Whether the copy's octets, read again now, are those that were received.
    func isSound(_ copy: StoredCopy) throws -> Bool {
        do throws(VolumeFailure) {
            return try services.volumes.verify(copy.place, digest: copy.digest)
        } catch {
            switch error {
            case .erased, .corrupt, .notFound: return false
            case .noSpace, .io, .invalidEntry, .closed: throw error
            }
        }
    }

    /// Writes down that a file is kept as the same data set under another header, where it is.
    func note(_ uid: String, digest: [UInt8]) throws {
        let copies = try services.catalog.copies(sopInstanceUID: uid)
        guard !copies.isEmpty, !copies.contains(where: { $0.digest == digest }) else { return }
        // The pipeline called it a duplicate: of which copy only the data set tells, and the earliest is what is shown.
        let stored = copies[0].digest
        _ = try services.encounters.change(by: "station") {
            try $0.records.noteHeld(sopInstanceUID: uid, digest: digest, as: stored)
        }
    }
}
