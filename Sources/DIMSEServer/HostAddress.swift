// Compares a configured host, by name or number, with the address a caller comes from.

import Glibc
import Synchronization

enum HostAddress {
    static func isLoopback(_ address: String) -> Bool {
        address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
    }

    /// Whether `host` is this address or a name that resolves to it.
    static func matches(_ host: String, _ address: String) -> Bool {
        let plain = address.hasPrefix("::ffff:") ? String(address.dropFirst(7)) : address
        if host == plain { return true }
        // A number needs no resolver; only names are looked up.
        guard host.contains(where: { $0.isLetter }), !host.contains(":") else { return false }
        return addresses(of: host).contains(plain)
    }

    /// Answers are kept for a minute, so that a resolver that is down does not hold up every association.
    private static let known = Mutex<[String: (addresses: [String], until: ContinuousClock.Instant)]>([:])

    private static func addresses(of host: String) -> [String] {
        let now = ContinuousClock.now
        if let answer = known.withLock({ $0[host] }), answer.until > now { return answer.addresses }
        let addresses = resolve(host)
        known.withLock { $0[host] = (addresses, now + .seconds(60)) }
        return addresses
    }

    private static func resolve(_ host: String) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var found: [String] = []
        var next = unsafe list
        while let entry = unsafe next {
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = unsafe getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
            if status == 0 { found.append(String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)) }
            unsafe next = entry.pointee.ai_next
        }
        return found
    }
}
