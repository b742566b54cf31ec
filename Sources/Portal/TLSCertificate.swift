// The certificate and key of HTTPS, read from their files, and read again when those change.

import Dispatch
import Foundation
package import Logging
import NIOCore
package import NIOSSL
import Synchronization

/// A certificate that cannot be used; the text says why and names the file, never its contents.
package struct TLSFailure: Error, CustomStringConvertible, Sendable {
    package let description: String
}

/// The certificate in use. New connections get what its files hold; those that are open keep what they began with.
package final class TLSCertificate: Sendable {
    private struct Pair: Sendable {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    private struct State {
        var pair: Pair
        var seen: [Stamp?]
    }

    /// What tells one state of a file from the next.
    private struct Stamp: Equatable {
        let modified: Date?
        let size: Int?
        let inode: Int?
    }

    private let certificatePath: String
    private let keyPath: String
    private let logger: Logger
    private let state: Mutex<State>
    private let timer: Mutex<any DispatchSourceTimer>

    /// - Parameters:
    ///   - certificate: path of a PEM file: the server's certificate, then those between it and its authority.
    ///   - key: path of the PEM file of its private key.
    package init(certificate: String, key: String, every interval: Int = 5, logger: Logger) throws(TLSFailure) {
        certificatePath = certificate
        keyPath = key
        self.logger = logger
        let seen = [certificate, key].map(Self.stamp)
        state = Mutex(State(pair: try Self.read(certificate, key), seen: seen))
        timer = Mutex(DispatchSource.makeTimerSource(queue: DispatchQueue(label: "phim-certificate")))
        timer.withLock { timer in
            timer.schedule(deadline: .now() + .seconds(interval), repeating: .seconds(interval))
            timer.setEventHandler { [weak self] in self?.refresh() }
            timer.resume()
        }
    }

    deinit { timer.withLock { $0.cancel() } }

    /// Settings of the listener: TLS 1.2 and later (RFC 9325), and the certificate of the moment for every handshake.
    package var configuration: TLSConfiguration {
        let pair = state.withLock { $0.pair }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: pair.chain.map { .certificate($0) }, privateKey: .privateKey(pair.key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.sslContextCallback = { [self] _, promise in
            let pair = state.withLock { $0.pair }
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = pair.chain.map { .certificate($0) }
            override.privateKey = .privateKey(pair.key)
            promise.succeed(override)
        }
        return configuration
    }

    /// Takes a new pair when its files have changed and belong together; keeps the old one otherwise.
    private func refresh() {
        let seen = [certificatePath, keyPath].map(Self.stamp)
        guard seen != state.withLock({ $0.seen }) else { return }
        do throws(TLSFailure) {
            let pair = try Self.read(certificatePath, keyPath)
            state.withLock { $0 = State(pair: pair, seen: seen) }
            logger.notice("the certificate was read again")
        } catch {
            state.withLock { $0.seen = seen }
            logger.error("the new certificate is not used; the old one stays", metadata: ["why": "\(error)"])
        }
    }

    private static func read(_ certificate: String, _ key: String) throws(TLSFailure) -> Pair {
        guard let chain = try? NIOSSLCertificate.fromPEMFile(certificate), !chain.isEmpty else {
            throw TLSFailure(description: "\(certificate): no certificate in PEM can be read there")
        }
        guard let privateKey = try? NIOSSLPrivateKey(file: key, format: .pem) else {
            throw TLSFailure(description: "\(key): no private key in PEM can be read there")
        }
        let trial = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        do { _ = try NIOSSLContext(configuration: trial) } catch {
            throw TLSFailure(description: "\(certificate) and \(key) do not belong together")
        }
        return Pair(chain: chain, key: privateKey)
    }

    private static func stamp(_ path: String) -> Stamp? {
        // Links are followed: certificate tools put new files behind old names.
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: target) else { return nil }
        return Stamp(
            modified: attributes[.modificationDate] as? Date, size: (attributes[.size] as? NSNumber)?.intValue,
            inode: (attributes[.systemFileNumber] as? NSNumber)?.intValue)
    }
}
