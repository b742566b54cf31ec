// Files that say who we are to a server, replaced while requests are under way.

import Foundation
import Hummingbird
import Records
import Testing
import WebForwarding

@Suite("Who we are to a DICOMweb server")
struct AccessTests {
    /// A certificate of nobody's: http does not ask for it, but it is a file that is watched.
    private static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBdDCCARugAwIBAgIUdqvh5ZSrgWtm1ifjnj88E0FVYXQwCgYIKoZIzj0EAwIw
        DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIwODEwMDFaGA8yMTI2MTAyOTA4MTAw
        MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABK9J
        DZ6ZeJZl1V3iegOFEQWpFJw54YtQIudHp1E2HyTJvch6Z35rQFQlKgYxwhSWYE7z
        Bh0fZ8NrBSMbKhrx/UyjUzBRMB0GA1UdDgQWBBQB/GpV6vH1N1sevyHc0SJVvw+c
        BDAfBgNVHSMEGDAWgBQB/GpV6vH1N1sevyHc0SJVvw+cBDAPBgNVHRMBAf8EBTAD
        AQH/MAoGCCqGSM49BAMCA0cAMEQCIDJ4PGhzIJmnqY9mjakSIpEIec87E4lPoo7D
        iccVqlxkAiBMLrAbFf+72lT5v+/x5isYxP3WK3GyI+5VxqoKCWPTkA==
        -----END CERTIFICATE-----

        """

    @Test("Renewed files count from the next request on and cut none; unreadable ones change nothing")
    func renewal() async throws {
        let folder = NSTemporaryDirectory() + "phim-access-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let folderURL = URL(fileURLWithPath: folder)
        /// Another file of the same name, as they are renewed.
        @Sendable func put(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: folderURL.appendingPathComponent(name), options: .atomic)
        }
        try put("token", "first\n")
        try put("ca.pem", Self.authority)
        let (asked, isAsked) = AsyncStream<Void>.makeStream()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let server = FarServer { _, before in
            if before == 0 {
                isAsked.yield()
                for await _ in gate { break }
            }
            return FarServer.json(.ok, "[]")
        }
        try await server.run { url in
            var settings = Station.settings(url)
            (settings.tokenFile, settings.caFile) = ("token", "ca.pem")
            var patience = WebDestination.Patience()
            patience.trust = .zero
            let destination = try WebDestination(settings, folder: folder, patience: patience)
            async let long = destination.check(isPhim: false)
            for await _ in asked { break }
            for number in 1...3 {
                try put("ca.pem", Self.authority + String(repeating: "\n", count: number))
                try put("token", "token-\(number)\n")
                #expect(await destination.check(isPhim: false) == nil)
            }
            try put("token", "")
            #expect(await destination.check(isPhim: false) == nil)
            try put("token", "last\n")
            try put("ca.pem", "no certificate")
            #expect(await destination.check(isPhim: false) == nil)
            open.yield()
            #expect(await long == nil)
            await destination.close()
        }
        #expect(
            server.requests.map(\.authorization) == [
                "Bearer first", "Bearer token-1", "Bearer token-2", "Bearer token-3", "Bearer token-3",
                "Bearer token-3",
            ])
    }
}
