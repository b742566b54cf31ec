// What a technician does to an open archive: catch up, verify, delete, look peers up.

package import Catalog
package import DIMSEServer
package import Ingest
import Logging
import Records
import Retrieval
package import Volumes

/// An instance that is not as it arrived.
package struct Rot: Sendable, Equatable {
    package let sopInstanceUID: String
    package let place: Place
    package let reason: String
}

/// The outcome of reading everything again.
package struct VerificationResult: Sendable, Equatable {
    package var checked = 0
    package var bytes: Int64 = 0
    package var rot: [Rot] = []
}

extension OpenArchive {
    /// Takes over volumes that nobody writes and enrolls what a crash left behind; finishes erasures cut short.
    @discardableResult
    package func catchUp() throws -> Int {
        do { try deletion.finish() } catch {
            // A rotten volume must not keep the archive from opening: it is tried again at the next start.
            logger.error("deletions are not finished", metadata: ["failure": "\(error)"])
        }
        let summary = try Replay(volumes: volumes, catalog: catalog, limits: limits).catchUp()
        for flaw in summary.flaws { logger.error("a volume is damaged", metadata: ["failure": "\(flaw)"]) }
        if summary.unreadable > 0 {
            logger.error("entries cannot be read", metadata: ["count": "\(summary.unreadable)"])
        }
        return summary.enrolled
    }

    /// Digests every copy of every instance anew, the hidden ones of conflicts included.
    package func verifyAll(progress: (_ done: Int, _ total: Int) -> Void) throws -> VerificationResult {
        var result = VerificationResult()
        let total = try catalog.statistics().instances
        var last: Int64 = 0
        while true {
            let page = try catalog.instances(after: last)
            guard let end = page.last else { break }
            for instance in page {
                check(instance.sopInstanceUID, instance.place, instance.digest, &result)
                progress(result.checked, total)
            }
            last = end.id
        }
        for conflict in try catalog.conflicts(limit: .max, includingDecided: true) {
            for copy in conflict.copies where !copy.isPrimary {
                check(conflict.sopInstanceUID, copy.place, copy.digest, &result)
            }
        }
        return result
    }

    private func check(_ uid: String, _ place: Place, _ digest: [UInt8], _ result: inout VerificationResult) {
        result.checked += 1
        result.bytes += place.length
        do throws(VolumeFailure) {
            guard try !volumes.verify(place, digest: digest) else { return }
            result.rot.append(Rot(sopInstanceUID: uid, place: place, reason: "digest differs"))
        } catch {
            // Deleted by another process since the page was read: gone from the catalogue as well.
            if error == .erased, (try? catalog.primary(sopInstanceUID: uid)) == nil { return }
            result.rot.append(Rot(sopInstanceUID: uid, place: place, reason: "\(error)"))
        }
    }

    /// Deletions, which exclude rebuilds of the index.
    package var deletion: Deletion {
        let lockPath = folder.maintenanceLock
        return Deletion(
            catalog: catalog, volumes: volumes,
            forget: { [metadata, records] study, series, instances in
                metadata.forget(study: study, series: series)
                // What could not be forgotten now stands for nothing: there is no such copy.
                try? records.lightTransaction { try $0.forgetHeld(sopInstanceUIDs: instances) }
            }
        ) { body in
            guard let lock = try? FolderLock(lockPath, shared: true) else { return false }
            defer { withExtendedLifetime(lock) {} }
            body()
            return true
        }
    }

    /// Waits until the volumes that deletions of this process changed are listed again: for commands, whose end would cut
    /// that off. What fails is done by the next start of a server.
    package func finishSealing() {
        do throws(VolumeFailure) { try volumes.finishSealing() } catch {
            logger.error("cannot write a manifest", metadata: ["failure": "\(error)"])
        }
    }

    /// Takes instances out of sight, then out of their volumes.
    package func delete(_ scope: Scope) throws -> (count: Int, bytes: Int64) {
        try deleted { deletion throws(DeletionFailure) in try deletion.delete(scope) }
    }

    /// As `delete`, these very copies and no other contents of the same UIDs.
    package func delete(copies: [StoredInstance]) throws -> (count: Int, bytes: Int64) {
        try deleted { deletion throws(DeletionFailure) in try deletion.delete(copies: copies) }
    }

    private func deleted(
        _ body: (Deletion) throws(DeletionFailure) -> Deleted
    ) throws -> (count: Int, bytes: Int64) {
        do throws(DeletionFailure) {
            let deleted = try body(deletion)
            if let pending = deleted.pending { throw pending }
            return (deleted.instances, deleted.bytes)
        } catch {
            switch error {
            case .rebuilding: throw ArchiveError.inUse("the index is being rebuilt; delete when that is done")
            case .catalog(let failure): throw failure
            case .volume(let failure): throw failure
            }
        }
    }

    /// What we call ourselves: the title that the running server was given, or the configured one.
    package var callingAETitle: String {
        RunningServer.current(in: folder)?.aeTitle ?? configuration.dicom.aeTitle
    }

    /// Every peer with where it is from.
    package func allPeers() throws -> [(peer: KnownPeer, origin: String)] {
        try records.peers().map { (KnownPeer($0), "added") }
            + configuration.peers.map { (KnownPeer($0), "configuration file") }
    }

    package func peer(named name: String) throws -> KnownPeer {
        guard let found = try allPeers().first(where: { $0.peer.name.lowercased() == name.lowercased() }) else {
            throw ArchiveError.unusable("there is no peer \(name); phim peer list shows those there are")
        }
        return found.peer
    }
}

extension OpenArchive {
    /// What a station would be told.
    package func preview(_ question: WorklistQuestion, for station: KnownPeer) throws -> WorklistPreview {
        try WorklistPreview(
            question, stationAETitle: station.aeTitle,
            characterSet: station.characterSet ?? configuration.dicom.characterSet, encounters: encounters,
            policy: worklistPolicy)
    }
}
