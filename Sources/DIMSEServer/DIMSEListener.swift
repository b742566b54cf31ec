// The DICOM listener as a service of the archive: starts, and stops with its work finished.

package import DICOMNetwork
import Dispatch
package import Logging
import ServiceLifecycle

/// Accepts associations until the service group shuts down.
package struct DIMSEListener: Service {
    private let listener: AssociationListener
    /// Seconds that messages in hand get to finish; the whole program has ten to exit.
    private static let grace = Duration.seconds(5)

    /// Binds; connections are taken once the service runs.
    package init(
        host: String, port: Int, services: DIMSEServices, policy: AdmissionPolicy, options: ListenerOptions,
        logger: Logger
    ) throws(NetworkError) {
        listener = try AssociationListener(
            host: host, port: port, options: options,
            server: Reception(services: services, policy: policy, logger: logger))
    }

    /// The port bound to.
    package var port: Int { listener.port }

    package func run() async throws {
        listener.start()
        try? await gracefulShutdown()
        // Stopping blocks until the last association's thread is gone: not on the cooperative pool.
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "dicom-stop").async { [listener] in
                listener.stop(grace: Self.grace)
                continuation.resume()
            }
        }
    }
}
