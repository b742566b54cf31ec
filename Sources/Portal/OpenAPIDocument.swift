// The OpenAPI document that comes with the program: OpenAPI/openapi.json, kept by hand.

import Foundation

/// The document, and what is made of it.
package enum OpenAPIDocument {
    static let json: [UInt8] = PackageResources.openapi_json

    /// One operation.
    package struct Operation: Hashable, Sendable {
        package let method: String
        package let path: String
        let summary: String
        let tag: String
    }

    private struct Described: Decodable {
        struct Item: Decodable {
            let summary: String
            let tags: [String]
        }

        struct PathItem: Decodable {
            let get: Item?
            let post: Item?
            let put: Item?
            let patch: Item?
            let delete: Item?

            var all: [(String, Item?)] {
                [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)]
            }
        }

        let paths: [String: PathItem]
    }

    /// Every operation, by tag and path.
    package static let operations: [Operation] = {
        guard let described = try? JSONDecoder().decode(Described.self, from: Data(json)) else {
            preconditionFailure("OpenAPI/openapi.json is no OpenAPI document")
        }
        return described.paths.flatMap { path, item in
            item.all.compactMap { method, item in
                item.map { Operation(method: method, path: path, summary: $0.summary, tag: $0.tags.first ?? "") }
            }
        }.sorted { ($0.tag, $0.path, $0.method) < ($1.tag, $1.path, $1.method) }
    }()

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    /// The operations as a page without scripts.
    static let page: [UInt8] = {
        let sections = Dictionary(grouping: operations, by: \.tag).sorted { $0.key < $1.key }.map { tag, operations in
            let rows = operations.map { operation in
                """
                <tr><td>\(operation.method)</td><td><code>\(escaped(operation.path))</code></td>\
                <td>\(escaped(operation.summary))</td></tr>
                """
            }
            return "<h2>\(escaped(tag))</h2>\n<table>\n\(rows.joined(separator: "\n"))\n</table>"
        }
        return Array(
            """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Phim API</title>
            <style>
            :root { color-scheme: light dark; }
            body { font: 1rem/1.6 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1.5rem; }
            h1 { font-weight: 600; letter-spacing: -0.02em; margin-bottom: 0; }
            h2 { font-size: 1.05rem; margin: 2rem 0 0.25rem; text-transform: capitalize; }
            table { border-collapse: collapse; width: 100%; }
            td { padding: 0.25rem 1rem 0.25rem 0; vertical-align: top; }
            td:first-child { width: 4rem; opacity: 0.7; font-size: 0.85em; }
            code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
            </style>
            </head>
            <body>
            <h1>Phim API</h1>
            <p>Every request needs a session or <code>Authorization: Bearer TOKEN</code>, unless it says otherwise. The whole
            description, for programs: <a href="/api/v1/openapi.json">openapi.json</a>.</p>
            \(sections.joined(separator: "\n"))
            </body>
            </html>
            """.utf8)
    }()
}
