// Deleting an entry: its name is marked, its body becomes a hole, everything else stays where it is.

/// Marks and empties entries of one volume.
struct Erasure {
    let directory: VolumeDirectory
    let number: Int

    /// Deletes the bodies at `places`, all of this volume. May be repeated after a failure.
    ///
    /// A sealed volume's manifest is removed first and the volume's lock is held, so that no digest of a half
    /// erased volume is ever listed; `Sealer.refresh` writes the manifest anew.
    func erase(_ places: [Place]) throws(VolumeFailure) {
        let probe = try directory.open(number, .read)
        let isReadOnly = try probe.status().isReadOnly
        let wasSealed = try directory.isSealed(probe)
        if wasSealed { try unlist(probe) }
        let file = try openForWriting(probe, isReadOnly: isReadOnly)
        for place in places { try mark(place, in: file) }
        try file.synchronize()
        for place in places { try empty(place, in: file) }
        try file.synchronize()
        // Sealed by its owner meanwhile: wait for the owner's digest, which may be of either state, and discard it.
        if !wasSealed, try directory.isSealed(probe) { try unlist(probe) }
    }

    private func unlist(_ file: VolumeFile) throws(VolumeFailure) {
        _ = try directory.fileSystem.lock(file.descriptor, waiting: true)
        try directory.fileSystem.unlink(directory.manifestPath(number))
        // A volume whose mode was lost in a copy is known as sealed by its manifest alone.
        try directory.fileSystem.setReadOnly(file.descriptor, true)
        try directory.fileSystem.synchronizeDirectory(directory.path)
    }

    /// Only the superuser may open a read-only file for writing: others lend themselves the mode for that moment.
    private func openForWriting(_ probe: VolumeFile, isReadOnly: Bool) throws(VolumeFailure) -> VolumeFile {
        do throws(VolumeFailure) {
            return try directory.open(number, .readWrite)
        } catch {
            guard isReadOnly else { throw error }
        }
        try directory.fileSystem.setReadOnly(probe.descriptor, false)
        defer { try? directory.fileSystem.setReadOnly(probe.descriptor, true) }
        return try directory.open(number, .readWrite)
    }

    private func mark(_ place: Place, in file: VolumeFile) throws(VolumeFailure) {
        let offset = place.bodyOffset - Int64(TarBlock.size)
        guard var block = TarBlock(try file.read(at: offset, count: TarBlock.size)[...]),
            block.type == TarBlock.regularFile
        else { throw .corrupt(volume: number, offset: offset, reason: "no file header") }
        guard !block.prefix.hasPrefix(EntryHeader.erasedPrefix) else { return }
        block.prefix = EntryHeader.erasedPrefix + block.prefix
        try file.write(block.encoded().span, at: offset)
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
