// `hl7:` where the hospital's system sends its messages.

import Interop

/// `hl7:` the listener of HL7 v2 over MLLP. Without a port there is none.
package struct HL7Section: Decodable, Sendable, Equatable {
    package var host = "127.0.0.1"
    package var port: Int?
    package var tls: TLSSection?
    /// Addresses and networks that may connect; everybody when empty.
    package var allowedAddresses: [String] = []
    package var maxConnections = 64
    /// Seconds.
    package var idleTimeout = 600

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port, tls, allowedAddresses, maxConnections, idleTimeout
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        host = try values.decodeIfPresent(String.self, forKey: .host) ?? host
        if values.contains(.port) { port = try values.integer(.port, 0...65_535, 0, "hl7") }
        tls = try values.decodeIfPresent(TLSSection.self, forKey: .tls)
        allowedAddresses = try values.decodeIfPresent([String].self, forKey: .allowedAddresses) ?? allowedAddresses
        for address in allowedAddresses where AddressRange(address) == nil {
            throw ConfigurationError(
                "hl7.allowedAddresses: \(address) is no address and no network such as 10.1.0.0/16")
        }
        maxConnections = try values.integer(.maxConnections, 1...10_000, maxConnections, "hl7")
        idleTimeout = try values.integer(.idleTimeout, 1...86_400, idleTimeout, "hl7")
    }

    /// Whether only this machine can reach it.
    var isLocal: Bool { host == "127.0.0.1" || host == "::1" || host == "localhost" }
}
