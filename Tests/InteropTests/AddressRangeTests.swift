// Which addresses a network holds.

import Interop
import Testing

@Suite struct AddressRangeTests {
    @Test(
        "addresses and networks",
        arguments: [
            ("10.0.0.5", "10.0.0.5", true), ("10.0.0.5", "10.0.0.6", false), ("10.0.0.0/8", "10.200.1.1", true),
            ("10.0.0.0/8", "11.0.0.1", false), ("192.168.4.0/22", "192.168.7.255", true),
            ("192.168.4.0/22", "192.168.8.0", false), ("0.0.0.0/0", "1.2.3.4", true),
            ("10.0.0.5", "::ffff:10.0.0.5", true),
            ("fd00::/8", "fd12::1", true), ("fd00::/8", "fe80::1", false), ("::1", "127.0.0.1", false),
        ])
    func addresses(range: String, address: String, isIn: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == isIn)
    }

    @Test(
        "what is no address",
        arguments: ["", "his.local", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "10.0.0.0/-1"])
    func noAddresses(text: String) { #expect(AddressRange(text) == nil) }
}
