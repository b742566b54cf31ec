// A listening TCP socket whose waiting thread can be woken.
internal import CDCMTK
import Synchronization

/// A connection accepted and not yet spoken to. Hand it to `UpperLayer.accepting` or close it.
package struct AcceptedSocket: Sendable {
    let descriptor: Int32
    /// The caller's numeric address.
    package let address: String

    /// Hangs up without a word.
    package func close() {
        phim_close(descriptor)
    }
}

/// A bound, listening socket. `accept` blocks; `stop` wakes it.
package final class ListeningSocket: Sendable {
    private let descriptor: Int32
    private let wake: Int32
    private let closed = Mutex(false)
    /// The port bound to.
    package let port: Int

    /// Binds `host` (a name or numeric address, IPv4 or IPv6); port 0 picks a free one.
    package init(host: String, port: Int, backlog: Int = 128) throws(ToolkitError) {
        guard let wanted = UInt16(exactly: port) else { throw .failed("port \(port) is out of range") }
        var made: Int32 = -1
        var bound: UInt16 = 0
        try unsafe ToolkitError.check { unsafe phim_listen(host, wanted, Int32(backlog), &made, &bound, $0) }
        descriptor = made
        self.port = Int(bound)
        wake = phim_wake_open()
    }

    deinit {
        close()
        phim_close(wake)
    }

    /// The next connection; nil once stopped.
    package func accept() throws(ToolkitError) -> AcceptedSocket? {
        var made: Int32 = -1
        let size = 64
        var address = [CChar](repeating: 0, count: size)
        do {
            try unsafe ToolkitError.check { error in
                unsafe address.withUnsafeMutableBufferPointer { text in
                    unsafe phim_accept(descriptor, wake, &made, text.baseAddress, text.count, error)
                }
            }
        } catch .interrupted {
            return nil
        }
        let text = String(decoding: address.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return AcceptedSocket(descriptor: made, address: text)
    }

    /// Wakes `accept` for good. Connections not yet accepted are refused by the system once `close` is called.
    package func stop() {
        phim_wake(wake)
    }

    /// Frees the port. Call when no thread is in `accept`.
    package func close() {
        closed.withLock { done in
            if !done { phim_close(descriptor) }
            done = true
        }
    }
}
