// Memory that the archive and one worker both see: frames lie here, and the pipes say only what is to be done with them.

import CLinux
import Glibc

/// Two halves of one mapping: the archive puts frames into the first, the worker what it made of them into the second.
/// A page exists once it is touched. What comes out is a copy: a worker that goes mad can change it no more.
struct SharedFrames: Sendable {
    enum Half: Int {
        case jobs, answers
    }

    /// Most bytes of a half.
    static let room = WorkerMessage.longestBody
    /// Bytes of address space.
    static let size = 2 * room
    /// The descriptor of a worker.
    static let descriptor: Int32 = 3
    /// The pages of a frame up to this size are kept for the next.
    private static let kept = 8 << 20

    private let address: UInt

    /// Memory without a name whose size nobody can change any more; nil when the system has none.
    static func make() -> (descriptor: Int32, frames: SharedFrames)? {
        let descriptor = unsafe memfd_create("phim-frames", UInt32(LINUX_MEMORY_FILE))
        guard descriptor >= 0 else { return nil }
        guard ftruncate(descriptor, size) == 0,
            fcntl(descriptor, Int32(LINUX_ADD_SEALS), Int32(LINUX_SEAL_SIZE)) == 0,
            let frames = SharedFrames(descriptor)
        else {
            _ = close(descriptor)
            return nil
        }
        return (descriptor, frames)
    }

    /// Maps what a descriptor stands for.
    init?(_ descriptor: Int32) {
        let mapped = unsafe mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { return nil }
        address = UInt(bitPattern: mapped)
    }

    /// Copies bytes to the start of a half.
    func put(_ bytes: [UInt8], _ half: Half) {
        precondition(bytes.count <= Self.room)
        unsafe bytes.withUnsafeBytes { source in
            if let from = source.baseAddress { unsafe start(half).copyMemory(from: from, byteCount: source.count) }
        }
    }

    /// A copy of the start of a half.
    func take(_ count: Int, _ half: Half) -> [UInt8] {
        precondition(count <= Self.room)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start(half), count: count))
    }

    /// Gives the pages of a long frame back to the system.
    func shrink(_ count: Int, _ half: Half) {
        if count > Self.kept { _ = unsafe madvise(start(half), count, Int32(LINUX_REMOVE_PAGES)) }
    }

    func unmap() { _ = unsafe munmap(start(.jobs), Self.size) }

    private func start(_ half: Half) -> UnsafeMutableRawPointer {
        // Made from a pointer that was not nil.
        unsafe UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped + half.rawValue * Self.room
    }
}
