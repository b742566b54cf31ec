// What the centre has of a study, by what the station would send.

import Catalog
import Encounters
import Records
import Volumes

/// Calls block.
struct HeldObjects: Sendable {
    private let services: ExchangeServices

    init(_ services: ExchangeServices) { self.services = services }

    /// The digests that are shown of a study, without those of copies that are known to have rotted.
    /// - Parameter includingUnsound: with those.
    func manifest(study: String, includingUnsound: Bool = false) throws -> StudyManifest {
        let instances = try services.catalog.instances(Scope(studyUIDs: [study])).filter {
            includingUnsound || !services.unsound.contains($0.sopInstanceUID, $0.place)
        }
        return StudyManifest(
            Dictionary(instances.map { ($0.sopInstanceUID, $0.digest) }, uniquingKeysWith: { first, _ in first }))
    }

    /// The copy that a station's digest, or its beginning, stands for, and whether it has another file header.
    /// - Parameter includingUnsound: also one that is known to have rotted.
    func copy(
        _ uid: String, digest: [UInt8], includingUnsound: Bool = false
    ) throws -> (copy: StoredCopy, isEquivalent: Bool)? {
        let copies = try services.catalog.copies(sopInstanceUID: uid).filter {
            includingUnsound || !services.unsound.contains(uid, $0.place)
        }
        if let same = copies.first(where: { $0.digest.starts(with: digest) }) { return (same, false) }
        if copies.isEmpty { return nil }
        let known = try services.encounters.look { try $0.heldAs(sopInstanceUID: uid) }
        guard let stored = known.first(where: { $0.digest.starts(with: digest) })?.storedDigest,
            let copy = copies.first(where: { $0.digest == stored })
        else { return nil }
        return (copy, true)
    }

    /// Whether the copy's octets, read again now, are those that were received. What they are not is remembered.
    func isSound(_ uid: String, _ copy: StoredCopy) throws -> Bool {
        let isSound: Bool
        do throws(VolumeFailure) {
            isSound = try services.volumes.verify(copy.place, digest: copy.digest)
        } catch {
            switch error {
            case .erased, .corrupt, .notFound, .io: isSound = false
            case .noSpace, .invalidEntry, .closed: throw error
            }
        }
        services.unsound.note(uid, copy.place, isSound: isSound)
        return isSound
    }

    /// Writes down that a file is kept as the same data set under another header: as the one that it was found equal to.
    func note(_ uid: String, digest: [UInt8], as stored: [UInt8]?) throws {
        guard let stored, stored != digest else { return }
        _ = try services.encounters.change(by: "station") {
            try $0.records.noteHeld(sopInstanceUID: uid, digest: digest, as: stored)
        }
    }
}
