// Whether a web destination hears us, and knows us: asked once, by a person.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

extension WebDestination {
    private struct Session: Decodable {
        let rights: [String]
    }

    /// Asks a DICOMweb server for one study, or another archive of this kind who we are to it. Nothing goes there.
    /// - Returns: nil when it would take something, otherwise why not, one sentence.
    package func check(isPhim: Bool) async -> String? {
        var asked = request(
            isPhim ? "" : "/studies?limit=1", accept: isPhim ? "application/json" : "application/dicom+json")
        // Who we are stands beside the services, not below them.
        if isPhim { asked.url = root.replacing(/\/dicom-web$/, with: "") + "/api/v1/session" }
        do {
            let (status, body) = try await ask(asked, within: 20) { answer in
                (answer.status.code, try await answer.body.collect(upTo: Self.longestAnswer))
            }
            switch status {
            case 200:
                guard isPhim else { return nil }
                guard let session = try? JSONDecoder().decode(Session.self, from: Data(body.readableBytesView)) else {
                    return "what answers there is no Phim"
                }
                return session.rights.contains("exchange")
                    ? nil : "the token is good, but its account may not hand over studies (role station)"
            case 204 where !isPhim: return nil
            case 401: return "it does not know us: HTTP status 401 (--token-file)"
            case 403: return "it knows us and lets us do nothing: HTTP status 403"
            default: return "it answers with HTTP status \(status)"
            }
        } catch { return "it cannot be reached: \(Self.words(error))" }
    }
}
