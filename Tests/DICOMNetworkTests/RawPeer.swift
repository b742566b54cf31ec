// A peer below the level of DICOM: a socket that sends any bytes, for what a toolkit would never send.
import Foundation

/// A blocking TCP connection on the loopback interface, to a listener or accepted by a `RawListener`.
final class RawPeer {
    private let descriptor: Int32

    fileprivate init(accepted: Int32) {
        descriptor = accepted
        setLimit()
    }

    /// A peer that waits for ever would hang the test run.
    private func setLimit() {
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        setLimit()
        let result = unsafe withLoopback(port) { unsafe Foundation.connect(descriptor, $0, $1) }
        guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
    }

    deinit { close() }

    private var open = true

    func close() {
        if open { _ = Foundation.close(descriptor) }
        open = false
    }

    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let rest = Array(bytes[sent...])
            let n = unsafe Foundation.send(descriptor, rest, rest.count, Int32(MSG_NOSIGNAL))
            if n <= 0 { return }
            sent += n
        }
    }

    /// Everything the other side sends until it closes; nil when it keeps the connection open.
    func readToEnd() -> [UInt8]? {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let n = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if n == 0 { return all }
            if n < 0 { return errno == ECONNRESET ? all : nil }
            all.append(contentsOf: buffer[0..<n])
        }
    }

    /// Exactly `count` bytes, or fewer at the end.
    func read(_ count: Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let n = unsafe recv(descriptor, &buffer, count, Int32(MSG_WAITALL))
        return Array(buffer[0..<max(0, n)])
    }

    /// A whole PDU (PS3.8 Section 9.3.1): type, reserved byte, 32 bit length, body.
    func readPDU() -> [UInt8] {
        let head = read(6)
        guard head.count == 6 else { return head }
        let length = Int(head[2]) << 24 | Int(head[3]) << 16 | Int(head[4]) << 8 | Int(head[5])
        return head + read(length)
    }
}

/// The loopback address with a port, as the socket calls take it.
private func withLoopback(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

/// A listening socket whose one caller is answered by hand.
final class RawListener {
    private let descriptor: Int32
    let port: Int

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard unsafe withLoopback(0, { unsafe bind(descriptor, $0, $1) }) == 0, listen(descriptor, 1) == 0 else {
            throw POSIXError(.EADDRINUSE)
        }
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &size)
            }
        }
        self.descriptor = descriptor
        port = Int(in_port_t(bigEndian: name.sin_port))
    }

    deinit { _ = Foundation.close(descriptor) }

    func accept() -> RawPeer { RawPeer(accepted: Foundation.accept(descriptor, nil, nil)) }
}

/// PDUs built by hand (PS3.8 Section 9.3).
enum PDU {
    static func make(_ type: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
        let n = UInt32(length ?? body.count)
        return [type, 0] + (0..<4).reversed().map { UInt8(truncatingIfNeeded: n >> ($0 * 8)) } + body
    }

    static func item(_ type: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
        let n = length ?? body.count
        return [type, 0, UInt8(n >> 8 & 0xFF), UInt8(n & 0xFF)] + body
    }

    static func text(_ type: UInt8, _ text: String) -> [UInt8] { item(type, Array(text.utf8)) }

    /// The fixed fields: protocol version, reserved, called and calling AE title, 32 reserved bytes.
    static func fixedFields(version: UInt8 = 1) -> [UInt8] {
        [0, version, 0, 0] + Array("TESTSCP         ".utf8) + Array("RAWPEER         ".utf8)
            + [UInt8](repeating: 0, count: 32)
    }

    static func context(_ id: UInt8, _ abstract: String, _ transfer: [String]) -> [UInt8] {
        item(0x20, [id, 0, 0, 0] + text(0x30, abstract) + transfer.flatMap { text(0x40, $0) })
    }

    static func userInformation(_ extra: [UInt8] = [], maxLength: UInt16 = 0x4000) -> [UInt8] {
        let most: [UInt8] = [0, 0, UInt8(maxLength >> 8), UInt8(maxLength & 0xFF)]
        return item(0x50, item(0x51, most) + text(0x52, "1.2.3") + text(0x55, "RAW") + extra)
    }

    static func associateRequest(
        contexts: [UInt8] = PDU.context(1, UIDs.verification, [UIDs.implicitLittleEndian]),
        userInformation: [UInt8] = PDU.userInformation()
    ) -> [UInt8] {
        make(1, fixedFields() + text(0x10, "1.2.840.10008.3.1.1.1") + contexts + userInformation)
    }

    /// A context of an answer (PS3.8 Section 9.3.3.2).
    static func result(_ id: UInt8, _ result: UInt8 = 0, _ transfer: [String] = [UIDs.explicitLittleEndian]) -> [UInt8]
    {
        item(0x21, [id, 0, result, 0] + transfer.flatMap { text(0x40, $0) })
    }

    static func associateAnswer(
        results: [UInt8] = PDU.result(1) + PDU.result(3), userInformation: [UInt8] = PDU.userInformation()
    ) -> [UInt8] {
        make(2, fixedFields() + text(0x10, "1.2.840.10008.3.1.1.1") + results + userInformation)
    }

    static func data(_ context: UInt8, control: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        let length = UInt32(bytes.count + 2)
        return make(
            4, (0..<4).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + [context, control] + bytes)
    }

    static let releaseRequest = make(5, [0, 0, 0, 0])
}
