// The file `numbers`: which number is next, so that none is ever given twice, and the secret that marks our entries.

import Crypto
import Glibc

/// The content of `numbers`. Three lines of fixed width, so that an update is one write within one sector.
struct VolumeNumbers: Equatable {
    static let length = 128
    private static let secretBytes = 32
    private static let digits = 15

    /// No volume ever had this number or a higher one.
    var next: Int
    /// Never leaves the disk: whoever does not read the folder cannot forge an entry.
    let secret: [UInt8]
    /// The first number that was given under this secret.
    let since: Int

    /// For a folder without the file, or with one that cannot be understood.
    init(startingAt number: Int) {
        next = number
        since = number
        secret = (0..<Self.secretBytes).map { _ in UInt8.random(in: 0...255) }
    }

    init?(_ bytes: [UInt8]) {
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        func value(_ index: Int, _ key: String) -> String? {
            guard lines.count > index, lines[index].hasPrefix("\(key)=") else { return nil }
            return String(lines[index].dropFirst(key.utf8.count + 1))
        }
        guard let next = value(0, "next").flatMap({ Int($0) }), let since = value(1, "since").flatMap({ Int($0) }),
            let secret = value(2, "secret").flatMap(EntryHeader.bytes(hex:)), next > 0, since > 0,
            secret.count == Self.secretBytes
        else { return nil }
        self.next = next
        self.since = since
        self.secret = secret
    }

    func encoded() -> [UInt8] {
        func padded(_ number: Int) -> String {
            String(repeating: "0", count: max(0, Self.digits - "\(number)".utf8.count)) + "\(number)"
        }
        let text = "next=\(padded(next))\nsince=\(padded(since))\nsecret=\(EntryHeader.hex(secret))\n"
        return Array((text + String(repeating: "\n", count: max(0, Self.length - text.utf8.count))).utf8)
    }

    /// What the entries of a volume carry to show that Phim wrote them.
    func nonce(of volume: Int) -> String {
        let key = SymmetricKey(data: secret)
        let code = HMAC<SHA256>.authenticationCode(for: Array("volume \(volume)".utf8), using: key)
        return EntryHeader.hex(code.prefix(16))
    }
}

/// What is known of the nonce that the entries of one volume carry.
struct VolumeNonce {
    /// The one that this archive's secret gives.
    let value: String?
    /// Whether the volume came into being under that secret: then an entry without it is none of ours.
    let isRequired: Bool

    static let unknown = VolumeNonce(value: nil, isRequired: false)
}

extension VolumeDirectory {
    private var numbersPath: String { "\(path)/numbers" }

    /// A number that no volume of this archive ever had, also none that is gone: a catalogue may remember it.
    ///
    /// The file's name becomes durable with that of the volume, when the caller syncs the folder.
    func takeNumber() throws(VolumeFailure) -> (number: Int, nonce: String) {
        try withNumbers { (numbers) throws(VolumeFailure) in
            let number = max(numbers.next, try numberAboveAll())
            numbers.next = number + 1
            return (number, numbers.nonce(of: number))
        }
    }

    /// The nonce for entries of a volume whose entries have none so far.
    func nonceForAppending(to number: Int) throws(VolumeFailure) -> String {
        try withNumbers { $0.nonce(of: number) }
    }

    /// What to expect of the entries of a volume; writes nothing, because an archive may lie on a read-only disk.
    func nonce(of number: Int) throws(VolumeFailure) -> VolumeNonce {
        guard fileSystem.exists(numbersPath) else { return .unknown }
        let file = try VolumeFile(number: 0, path: numbersPath, access: .read, fileSystem: fileSystem)
        guard let numbers = VolumeNumbers(try file.read(at: 0, count: VolumeNumbers.length)) else { return .unknown }
        return VolumeNonce(value: numbers.nonce(of: number), isRequired: number >= numbers.since)
    }

    func scan(_ file: VolumeFile, size: Int64) throws(VolumeFailure) -> VolumeScan {
        VolumeScan(file: file, size: size, nonce: try nonce(of: file.number))
    }

    /// Runs `body` with the numbers locked against other processes; what it changed is durable on return.
    private func withNumbers<Result>(
        _ body: (inout VolumeNumbers) throws(VolumeFailure) -> Result
    ) throws(VolumeFailure) -> Result {
        while true {
            let file = try openNumbers()
            _ = try fileSystem.lock(file.descriptor, waiting: true)
            // Explicit, because the file's last use may come before the end of the work.
            defer { fileSystem.unlock(file.descriptor) }
            guard try file.status().links > 0 else { continue }
            let known = VolumeNumbers(try file.read(at: 0, count: VolumeNumbers.length))
            var numbers = if let known { known } else { VolumeNumbers(startingAt: try numberAboveAll()) }
            let result = try body(&numbers)
            if numbers != known {
                try file.write(numbers.encoded().span, at: 0)
                try file.synchronize()
            }
            return result
        }
    }

    private func openNumbers() throws(VolumeFailure) -> VolumeFile {
        while true {
            // Made by another process between the two calls, or removed: tried again.
            do throws(VolumeFailure) {
                return try VolumeFile(number: 0, path: numbersPath, access: .readWrite, fileSystem: fileSystem)
            } catch {
                if !error.isErrno(ENOENT) { throw error }
            }
            do throws(VolumeFailure) {
                return try VolumeFile(number: 0, path: numbersPath, access: .createNew, fileSystem: fileSystem)
            } catch {
                if !error.isErrno(EEXIST) { throw error }
            }
        }
    }
}
