// Whether a destination can be reached, and whether it would take something: asked once, by a person.

import DIMSEServer
package import Records
import WebForwarding

extension OpenArchive {
    /// Asks a destination whether it hears us: C-ECHO, a search over DICOMweb, or who we are at another archive.
    /// - Returns: nil when it does, otherwise why not, one sentence.
    package func check(_ settings: DestinationSettings) async throws -> String? {
        if settings.way == .dimse {
            let (known, dialing) = (try peer(of: settings), try dialing(to: settings))
            return try await ArchiveServer.offThePool { dialing.echo(known) }
        }
        do {
            let destination = try await ArchiveServer.offThePool { [folder] in
                try WebDestination(settings, folder: folder.path)
            }
            let answer = await destination.check(isPhim: settings.way == .phim)
            await destination.close()
            return answer
        } catch let failure as WebDestinationFailure { return failure.sentence }
    }
}
