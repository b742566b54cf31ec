// DICOM TLS: the secure transport connection profile of PS3.15 Annex B.12, for both sides of an association.
internal import DICOMToolkit
import Glibc
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
    private let note: @Sendable (String) -> Void
    private let state: Mutex<State>

    private struct State {
        var identity: TLSIdentity
        var stamp: [FileStamp?]
        /// Of files that could not be used: it is said once.
        var flawed: [FileStamp?]?
        var lookedAt: ContinuousClock.Instant
    }

    private static let glance = Duration.seconds(2)

    /// - Parameter note: is told, in a sentence, what is wrong with the files and does not keep associations from being made.
    package init(
        _ settings: SecureTransportSettings, isAcceptor: Bool, note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(NetworkError) {
        self.settings = settings
        self.isAcceptor = isAcceptor
        self.note = note
        let stamp = Self.stamp(settings)
        state = Mutex(
            State(identity: try Self.identity(settings, isAcceptor), stamp: stamp, lookedAt: ContinuousClock.now))
        if let key = settings.key ?? settings.certificate, FileStamp(key)?.isReadableByAll == true {
            note("\(key): the private key can be read by everybody on this machine")
        }
    }

    /// What the next association is made with.
    func identity() -> TLSIdentity {
        state.withLock { state in
            let now = ContinuousClock.now
            guard now - state.lookedAt > Self.glance else { return state.identity }
            state.lookedAt = now
            let stamp = Self.stamp(settings)
            guard stamp != state.stamp else { return state.identity }
            do throws(NetworkError) {
                state.identity = try Self.identity(settings, isAcceptor)
                state.stamp = stamp
                state.flawed = nil
            } catch {
                // A certificate may have come before its key: it is looked at again.
                if stamp != state.flawed { note("renewed files are not taken over: \(error.words)") }
                state.flawed = stamp
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

    private static func stamp(_ settings: SecureTransportSettings) -> [FileStamp?] {
        [settings.ca, settings.certificate, settings.key].map { $0.flatMap(FileStamp.init) }
    }
}

/// By what a file is seen to be another than before: that which a symbolic link leads to, as those who renew certificates
/// leave them.
private struct FileStamp: Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int
    let isReadableByAll: Bool

    /// Nil where there is no file.
    init?(_ path: String) {
        var info = stat()
        guard unsafe stat(path, &info) == 0 else { return nil }
        device = UInt64(info.st_dev)
        inode = UInt64(info.st_ino)
        size = Int64(info.st_size)
        seconds = info.st_mtim.tv_sec
        nanoseconds = info.st_mtim.tv_nsec
        isReadableByAll = info.st_mode & S_IROTH != 0
    }
}
