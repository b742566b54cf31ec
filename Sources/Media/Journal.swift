// Remembers what an import has taken, so that an interrupted one continues where it stopped.

import Crypto
import Glibc
import Synchronization

/// The journal of one source: a file of lines `size modified path`, written after the archive has acknowledged each
/// object. It goes when the import of its source is complete; after a crash the worst is a line that is missing, and
/// then the object is met as a duplicate.
final class Journal: Sendable {
    /// What makes a file the same as one that was taken: its length, its time and its name.
    struct Key: Hashable, Sendable {
        let line: [UInt8]

        init(_ status: FileStatus, _ path: RawPath) {
            line = Array("\(status.size) \(status.modified) ".utf8) + Self.escaped(path.bytes) + [0x0A]
        }

        /// One path, one line.
        private static func escaped(_ bytes: [UInt8]) -> [UInt8] {
            guard bytes.contains(where: { $0 < 0x20 || $0 == 0x25 }) else { return bytes }
            return bytes.flatMap { byte -> [UInt8] in
                guard byte < 0x20 || byte == 0x25 else { return [byte] }
                let hex = String(byte, radix: 16, uppercase: true)
                return Array(("%" + (hex.count < 2 ? "0" : "") + hex).utf8)
            }
        }

        /// 128 bits of SHA-256: a million lines are held in 32 MB, and no two are ever taken for each other.
        var digest: UInt128 { SHA256.hash(data: line).prefix(16).reduce(0) { $0 << 8 | UInt128($1) } }
    }

    private let path: RawPath
    private let descriptor: Int32
    private let taken: Mutex<Set<UInt128>>
    private let mustStay = Atomic<Bool>(false)

    /// Opens the journal of a source.
    /// - Parameters:
    ///   - folder: the folder of all journals; it must exist.
    ///   - source: absolute path of the source.
    ///   - again: forget what earlier imports have taken.
    init(in folder: RawPath, source: RawPath, again: Bool) throws(MediaFailure) {
        let name = SHA256.hash(data: source.bytes).map { byte in
            let hex = String(byte, radix: 16)
            return hex.count < 2 ? "0" + hex : hex
        }.joined()
        path = folder.appending(RawPath(name + ".journal"))
        let opened = unsafe path.withCString { unsafe open($0, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
        guard opened >= 0 else { throw .system(errno, "opening the journal") }
        var lines: Set<UInt128> = []
        do throws(MediaFailure) {
            guard flock(opened, LOCK_EX | LOCK_NB) == 0 else { throw .alreadyRunning }
            if again, ftruncate(opened, 0) != 0 { throw .system(errno, "emptying the journal") }
            lines = try Self.load(opened)
        } catch {
            close(opened)
            throw error
        }
        descriptor = opened
        taken = Mutex(lines)
    }

    deinit { close(descriptor) }

    func holds(_ key: Key) -> Bool {
        let digest = key.digest
        return taken.withLock { $0.contains(digest) }
    }

    /// Notes an object that the archive has acknowledged. A line that cannot be written is lost, nothing else.
    func note(_ key: Key) {
        let digest = key.digest
        taken.withLock { taken in
            taken.insert(digest)
            _ = unsafe key.line.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    /// Something of the source has to be tried again: the journal stays for the next import.
    func keep() { mustStay.store(true, ordering: .relaxed) }

    var isKept: Bool { mustStay.load(ordering: .relaxed) }

    /// Lets the next import of this source begin; the threads of this one may hold the journal a little longer.
    func release() { flock(descriptor, LOCK_UN) }

    /// The source is through: the journal has done its work, and the names in it need not be kept.
    func finish() {
        guard !isKept else { return }
        _ = unsafe path.withCString { unsafe unlink($0) }
    }

    /// Reads the whole lines and cuts off the torn one that a crash may have left.
    private static func load(_ descriptor: Int32) throws(MediaFailure) -> Set<UInt128> {
        var lines: Set<UInt128> = []
        var rest: [UInt8] = []
        var whole: Int64 = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 else { throw .system(errno, "reading the journal") }
            if count == 0 { break }
            rest.append(contentsOf: buffer[..<count])
            var start = 0
            while let end = rest[start...].firstIndex(of: 0x0A) {
                lines.insert(SHA256.hash(data: rest[start...end]).prefix(16).reduce(0) { $0 << 8 | UInt128($1) })
                start = end + 1
            }
            whole += Int64(start)
            rest.removeFirst(start)
        }
        if !rest.isEmpty, ftruncate(descriptor, off_t(whole)) != 0 { throw .system(errno, "repairing the journal") }
        return lines
    }
}
