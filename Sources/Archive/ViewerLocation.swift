// Where the viewer's files are: as configured, or wherever they usually lie.

import Foundation
package import Portal

/// The folder of the OHIF viewer.
package struct ViewerLocation: Sendable {
    private let configured: String?

    package init(_ http: HTTPSection) { configured = http.ohif }

    /// Refuses a folder that was named but holds no viewer.
    package func check() throws(ConfigurationError) {
        guard let configured, configured != "none" else { return }
        guard FileManager.default.fileExists(atPath: configured + "/index.html") else {
            throw ConfigurationError("http.ohif: \(configured) holds no viewer (no index.html)")
        }
    }

    /// The files, nil when there are none or none are wanted.
    package var files: ViewerFiles? {
        if configured == "none" { return nil }
        let environment = ProcessInfo.processInfo.environment
        let folders = configured.map { [$0] } ?? ViewerFiles.usualFolders(environment: environment)
        return folders.lazy.compactMap { ViewerFiles(folder: $0) }.first
    }
}
