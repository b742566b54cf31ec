// What associations over TLS demand and show (PS3.15 Annex B.12).
internal import CDCMTK

/// Certificates and keys, read once; used by any number of associations, from any thread.
@safe package final class TLSIdentity: @unchecked Sendable {
    let handle: OpaquePointer

    /// Reads the files, all in PEM.
    ///
    /// - Parameters:
    ///   - ca: whom to trust; a requestor without it trusts whom the system trusts.
    ///   - certificate: our own, with what it was signed by.
    ///   - key: without a pass phrase; nil: in the certificate's file.
    ///   - requiresCertificate: acceptor: the peer must show one that `ca` vouches for.
    package init(
        ca: String?, certificate: String?, key: String?, isAcceptor: Bool, requiresCertificate: Bool
    ) throws(ToolkitError) {
        var made: OpaquePointer?
        try unsafe ToolkitError.check { error in
            unsafe Self.withC(ca) { ca in
                unsafe Self.withC(certificate) { certificate in
                    unsafe Self.withC(key) { key in
                        var settings = unsafe phim_tls_settings(
                            ca_file: ca, certificate_file: certificate, key_file: key,
                            is_acceptor: isAcceptor ? 1 : 0, requires_certificate: requiresCertificate ? 1 : 0)
                        return unsafe phim_tls_create(&settings, &made, error)
                    }
                }
            }
        }
        guard let made = unsafe made else { throw .failed("no TLS context") }
        unsafe handle = unsafe made
    }

    deinit { unsafe phim_tls_free(handle) }

    private static func withC(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Int32) -> Int32 {
        guard let text else { return body(nil) }
        return unsafe text.withCString { unsafe body($0) }
    }
}
