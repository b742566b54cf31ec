// The landing page: what runs here and how to reach it, readable without signing in because it says nothing about patients.

/// Facts shown on the landing page.
package struct Landing: Sendable {
    package let version: String
    package let aeTitle: String
    package let dicomPort: Int

    package init(version: String, aeTitle: String, dicomPort: Int) {
        self.version = version
        self.aeTitle = aeTitle
        self.dicomPort = dicomPort
    }

    /// The page as HTML5, without scripts and without anything fetched from elsewhere.
    package var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Phim</title>
        <style>
        :root { color-scheme: light dark; }
        body { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1.5rem; }
        h1 { font-weight: 600; letter-spacing: -0.02em; margin-bottom: 0; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1.5rem; }
        dt { opacity: 0.7; }
        dd { margin: 0; }
        code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
        pre { overflow-x: auto; padding: 0.75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 20%, transparent); \
        border-radius: 0.5rem; }
        </style>
        </head>
        <body>
        <h1>Phim</h1>
        <p>Imaging archive. This server receives, keeps, finds and gives back studies over DICOM.</p>
        <dl>
        <dt>Version</dt><dd>\(Self.escape(version))</dd>
        <dt>AE title</dt><dd><code>\(Self.escape(aeTitle))</code></dd>
        <dt>DICOM port</dt><dd><code>\(dicomPort)</code></dd>
        <dt>Health</dt><dd><a href="/health/ready"><code>/health/ready</code></a></dd>
        <dt>Metrics</dt><dd><a href="/metrics"><code>/metrics</code></a></dd>
        </dl>
        <p>Send a first study from this machine:</p>
        <pre><code>dcmsend -aec \(Self.escape(aeTitle)) localhost \(dicomPort) --scan-directories FOLDER</code></pre>
        </body>
        </html>
        """
    }

    private static func escape(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
