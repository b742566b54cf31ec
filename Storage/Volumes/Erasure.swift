// Deleting an entry: its name is marked, its body becomes a hole, everything else stays where it is.

import Glibc

/// Marks and empties entries of one volume.
struct Erasure {
    let directory: VolumeDirectory
    let number: Int

    /// Deletes the bodies at `places`, all of this volume. May be repeated after a failure. An entry that fails does
    /// not save the others: all is erased that can be, then the first failure is thrown.
    ///
    /// A sealed volume's manifest is removed first and the volume's lock is held, so that no digest of a half
    /// erased volume is ever listed; the sealer writes the manifest anew.
    func erase(_ places: [Place]) throws(VolumeFailure) {
        let probe = try directory.open(number, .read)
        // Its lock lasts until all is done.
        defer { directory.fileSystem.unlock(probe.descriptor) }
        let wasSealed = try directory.isSealed(probe)
        if wasSealed { try unlist(probe) }
        let (file, marks) = try openForWriting(probe)
        var failure: VolumeFailure?
        var marked: [Place] = []
        for place in places {
            do throws(VolumeFailure) {
                try mark(place, in: file, marks)
                marked.append(place)
            } catch {
                failure = failure ?? error
            }
        }
        try file.synchronize()
        for place in marked {
            do throws(VolumeFailure) { try empty(place, in: file) } catch { failure = failure ?? error }
        }
        try file.synchronize()
        // Sealed by its owner meanwhile: wait for the owner's digest, which may be of either state, and discard it.
        if !wasSealed, try directory.isSealed(probe) { try unlist(probe) }
        if let failure { throw failure }
    }

    private func unlist(_ file: VolumeFile) throws(VolumeFailure) {
        _ = try directory.fileSystem.lock(file.descriptor, waiting: true)
        try directory.fileSystem.unlink(directory.manifestPath(number))
        // A volume whose mode was lost in a copy is known as sealed by its manifest alone.
        try directory.fileSystem.setReadOnly(file.descriptor, true)
        try directory.fileSystem.synchronizeDirectory(directory.path)
    }

    /// Only the superuser may open a read-only file for writing: others lend themselves the mode for that moment.
    private func openForWriting(_ probe: VolumeFile) throws(VolumeFailure) -> (file: VolumeFile, marks: VolumeFile) {
        do throws(VolumeFailure) {
            return try openTwice()
        } catch {
            // Asked only now: the mode may be set by `unlist`, or by an owner that has just finished.
            guard try probe.status().isReadOnly else { throw error }
        }
        try directory.fileSystem.setReadOnly(probe.descriptor, false)
        defer { try? directory.fileSystem.setReadOnly(probe.descriptor, true) }
        return try openTwice()
    }

    /// Once for reading and emptying, once for the marks: these go past the page cache like what their neighbours' writer
    /// appends, so that no old page of the cache is ever written over it.
    private func openTwice() throws(VolumeFailure) -> (file: VolumeFile, marks: VolumeFile) {
        let file = try directory.open(number, .readWrite)
        do throws(VolumeFailure) { return (file, try directory.open(number, .direct)) } catch {
            guard error.isErrno(EINVAL) || error.isErrno(EOPNOTSUPP) else { throw error }
            return (file, file)
        }
    }

    /// Marks the name. A header that cannot be read any more is left as it is: nobody finds the body by it, and the
    /// body shall go nevertheless.
    private func mark(_ place: Place, in file: VolumeFile, _ marks: VolumeFile) throws(VolumeFailure) {
        let offset = place.bodyOffset - Int64(TarBlock.size)
        guard let bytes = try? file.read(at: offset, count: TarBlock.size), var block = TarBlock(bytes[...]),
            block.type == TarBlock.regularFile
        else {
            guard try isFree(place, in: file) else {
                throw .corrupt(volume: number, offset: offset, reason: "no file header")
            }
            return
        }
        guard !block.prefix.hasPrefix(EntryHeader.erasedPrefix) else { return }
        block.prefix = EntryHeader.erasedPrefix + block.prefix
        let encoded = EntryBuffer(block.encoded())
        try encoded.withBytes(0..<encoded.count) { span throws(VolumeFailure) in
            do throws(VolumeFailure) { try marks.write(span, at: offset) } catch {
                // The disk's blocks are larger than tar's: nobody writes past the page cache there.
                guard marks.isDirect, error.isErrno(EINVAL) else { throw error }
                try file.write(span, at: offset)
            }
        }
    }

    /// Whether no other entry that can be read lies where `place` says: a wrong place must not empty a good body.
    private func isFree(_ place: Place, in file: VolumeFile) throws(VolumeFailure) -> Bool {
        let size = try file.status().size
        guard place.entryOffset >= 0, place.entryOffset < place.bodyOffset, place.end <= size else { return false }
        var scan = try directory.scan(file, size: size)
        var isFree = true
        do throws(VolumeFailure) {
            _ = try scan.run(from: 0, verifyBodies: false, isSealed: true) { entry in
                if entry.place.entryOffset < place.end, entry.place.end > place.entryOffset { isFree = false }
                return isFree && entry.place.entryOffset < place.end
            }
        } catch {
            // The disk cannot read a header there, most likely the very one. What was seen before it decides.
        }
        return isFree
    }

    private func empty(_ place: Place, in file: VolumeFile) throws(VolumeFailure) {
        let count = place.end - place.bodyOffset
        guard count > 0 else { return }
        if try directory.fileSystem.punchHole(file.descriptor, from: place.bodyOffset, count: count) { return }
        let zeros = [UInt8](repeating: 0, count: Int(min(count, 1 << 20)))
        var done: Int64 = 0
        while done < count {
            let step = min(Int64(zeros.count), count - done)
            try file.write(zeros.span.extracting(0..<Int(step)), at: place.bodyOffset + done)
            done += step
        }
    }
}
