// The viewer's files in a folder of their own: found once when the server starts, read and kept when first asked for.

import Foundation
import Synchronization
import Web

/// A folder with the OHIF viewer, as `scripts/fetch-ohif` makes it.
package final class ViewerFiles: Sendable {
    /// Where the folder is.
    package let folder: String
    /// Regular files by their path inside the folder: nothing else can be asked for, whatever a path says.
    private let names: Set<String>
    private let kept = Mutex(Kept())
    /// What the viewer loads before it shows anything.
    package let startFiles: [String]

    private struct Kept {
        var assets: [String: Asset] = [:]
        var bytes = 0
    }

    /// Bytes kept in memory; beyond it files are read each time.
    private static let mostKept = 96 << 20
    private static let largestFile = 64 << 20

    /// - Returns: nil when the folder holds no viewer.
    package init?(folder: String) {
        self.folder = folder
        let root = URL(fileURLWithPath: folder, isDirectory: true).resolvingSymlinksInPath()
        guard let page = try? String(contentsOf: root.appending(path: "index.html"), encoding: .utf8) else {
            return nil
        }
        let keys: [URLResourceKey] = [.isRegularFileKey]
        let walk = FileManager.default.enumerator(at: root, includingPropertiesForKeys: keys)
        var names: Set<String> = []
        while let file = walk?.nextObject() as? URL {
            guard (try? file.resourceValues(forKeys: Set(keys)))?.isRegularFile == true else { continue }
            names.insert(String(file.path.dropFirst(root.path.count + 1)))
        }
        self.names = names
        startFiles = Self.references(in: page).filter { name in
            names.contains(name) && (name.hasSuffix(".js") || name.hasSuffix(".css")) && name != "app-config.js"
        }
    }

    /// Where the viewer is looked for when nobody says.
    package static func usualFolders(environment: [String: String]) -> [String] {
        let home = environment["HOME"] ?? "/root"
        let cache = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/.cache"
        return [cache + "/phim/ohif", "/usr/local/share/phim/ohif", "/usr/share/phim/ohif"]
    }

    /// Same-origin scripts and styles that a page names.
    private static func references(in page: String) -> [String] {
        page.matches(of: /(?:src|href)="\/ohif\/([A-Za-z0-9._\/-]+)"/).map { String($0.1) }
    }

    func contains(_ name: String) -> Bool { names.contains(name) }

    /// Reads a file and its compressed forms. Blocks.
    func asset(_ name: String) -> Asset? {
        guard names.contains(name) else { return nil }
        if let asset = kept.withLock({ $0.assets[name] }) { return asset }
        guard let bytes = read(name) else { return nil }
        let forms = [("br", ".br"), ("gzip", ".gz")].compactMap { coding, suffix in
            names.contains(name + suffix) ? read(name + suffix).map { (coding: coding, bytes: $0) } : nil
        }
        let asset = Asset(
            bytes, mediaType: MediaTypes.of(name), freshness: Self.isHashed(name) ? .immutable : .revalidated,
            precompressed: forms)
        kept.withLock { kept in
            guard kept.assets[name] == nil, kept.bytes + asset.size <= Self.mostKept else { return }
            kept.assets[name] = asset
            kept.bytes += asset.size
        }
        return asset
    }

    private func read(_ name: String) -> [UInt8]? {
        let url = URL(fileURLWithPath: folder + "/" + name)
        guard let data = try? Data(contentsOf: url), data.count <= Self.largestFile else { return nil }
        return [UInt8](data)
    }

    /// Whether a name holds a digest of the content, as the bundler writes it: sixteen or more hexadecimal digits.
    package static func isHashed(_ name: String) -> Bool {
        guard let file = name.split(separator: "/").last else { return false }
        return file.split(separator: ".").contains { $0.count >= 16 && $0.allSatisfy(\.isHexDigit) }
    }
}

/// Media types by file name.
package enum MediaTypes {
    private static let table: [String: String] = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "json": "application/json",
        "webapp": "application/manifest+json", "wasm": "application/wasm", "svg": "image/svg+xml", "png": "image/png",
        "jpg": "image/jpeg", "ico": "image/x-icon", "xml": "text/xml", "txt": "text/plain; charset=utf-8",
        "woff": "font/woff", "woff2": "font/woff2", "map": "application/json",
    ]

    package static func of(_ name: String) -> String {
        let ending = name.split(separator: ".").last.map { $0.lowercased() } ?? ""
        return table[ending] ?? "application/octet-stream"
    }
}
