// DICOM TLS: the secure transport connection profile of PS3.15 Annex B.12, for both sides of an association.
internal import DICOMToolkit
import Foundation
import Synchronization

/// Files in PEM that say whom we trust and who we are.
package struct SecureTransportSettings: Hashable, Sendable {
    /// Authorities, or the peers' own certificates. A requestor without it trusts whom the system trusts.
    package var ca: String?
    /// Our certificate, with what it was signed by; an acceptor needs one.
    package var certificate: String?
    /// Without a pass phrase; nil: in the certificate's file.
    package var key: String?
    /// Acceptor: whether the peer must show a certificate that `ca` vouches for.
    package var requiresCertificate = true

    package init(ca: String? = nil, certificate: String? = nil, key: String? = nil) {
        self.ca = ca
        self.certificate = certificate
        self.key = key
    }
}

/// One side of associations over TLS. The files are read again when they change, so that a renewed certificate counts from
/// the next association on; files that cannot be read then leave what was.
///
/// What is checked of the peer: that its certificate is in force and leads to an authority of `ca`; by a requestor also that
/// it names the host that is called, unless the certificate itself stands in `ca`. Lists of revoked certificates are not
/// asked for. Which application entity calls is told by its title and address as without TLS.
package final class SecureTransport: Sendable {
    private let settings: SecureTransportSettings
    private let isAcceptor: Bool
    private let state: Mutex<State>

    private struct State {
        var identity: TLSIdentity
        var stamp: [Date?]
        var lookedAt: ContinuousClock.Instant
    }

    private static let glance = Duration.seconds(2)

    package init(_ settings: SecureTransportSettings, isAcceptor: Bool) throws(NetworkError) {
        self.settings = settings
        self.isAcceptor = isAcceptor
        let stamp = Self.stamp(settings)
        state = Mutex(
            State(identity: try Self.identity(settings, isAcceptor), stamp: stamp, lookedAt: ContinuousClock.now))
    }

    /// What the next association is made with.
    func identity() -> TLSIdentity {
        state.withLock { state in
            let now = ContinuousClock.now
            guard now - state.lookedAt > Self.glance else { return state.identity }
            state.lookedAt = now
            let stamp = Self.stamp(settings)
            if stamp != state.stamp, let renewed = try? Self.identity(settings, isAcceptor) {
                state.identity = renewed
                state.stamp = stamp
            }
            return state.identity
        }
    }

    private static func identity(
        _ settings: SecureTransportSettings, _ isAcceptor: Bool
    ) throws(NetworkError) -> TLSIdentity {
        do throws(ToolkitError) {
            return try TLSIdentity(
                ca: settings.ca, certificate: settings.certificate, key: settings.key, isAcceptor: isAcceptor,
                requiresCertificate: settings.requiresCertificate)
        } catch { throw NetworkError(error) }
    }

    private static func stamp(_ settings: SecureTransportSettings) -> [Date?] {
        [settings.ca, settings.certificate, settings.key].map { file in
            file.flatMap { try? FileManager.default.attributesOfItem(atPath: $0)[.modificationDate] as? Date }
        }
    }
}
