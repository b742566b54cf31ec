// Bytes that are the same for everybody: a strong entity tag, a compressed form, and the answer to a request for them.

import Crypto
package import Hummingbird
import NIOCore

/// One file of a web page, held in memory.
package struct Asset: Sendable {
    /// How long a browser may keep it without asking.
    package enum Freshness: Sendable {
        /// Ask each time; the entity tag makes the answer short.
        case revalidated
        /// The name changes with the content.
        case immutable
    }

    let mediaType: String
    let freshness: Freshness
    /// By content coding, smallest first; the last is the identity.
    private let forms: [Form]

    private struct Form: Sendable {
        let coding: String?
        let bytes: ByteBuffer
        let entityTag: String
    }

    /// - Parameter precompressed: forms by content coding that somebody has made already.
    package init(
        _ bytes: [UInt8], mediaType: String, freshness: Freshness = .revalidated,
        precompressed: [(coding: String, bytes: [UInt8])] = []
    ) {
        self.mediaType = mediaType
        self.freshness = freshness
        let tag = EntityTags.strong(bytes)
        var compressed = precompressed
        if compressed.isEmpty, bytes.count > 512, Self.isCompressible(mediaType), let gzip = Gzip.compress(bytes) {
            compressed = [("gzip", gzip)]
        }
        forms =
            compressed.sorted { $0.bytes.count < $1.bytes.count }.map { coding, bytes in
                Form(coding: coding, bytes: ByteBuffer(bytes: bytes), entityTag: "\(tag.dropLast())-\(coding)\"")
            } + [Form(coding: nil, bytes: ByteBuffer(bytes: bytes), entityTag: tag)]
    }

    /// Bytes held in memory.
    var size: Int { forms.reduce(0) { $0 + $1.bytes.readableBytes } }

    /// The best form that the request accepts, or 304 when the asker has it (RFC 9110 Sections 12.5.3 and 13.1.2).
    package func response(to request: Request, adding extra: HTTPFields = [:]) -> Response {
        let accepted = AcceptedCodings(request.headers[.acceptEncoding])
        guard let form = forms.first(where: { $0.coding.map(accepted.contains) ?? true }) ?? forms.last else {
            return Response(status: .notFound)
        }
        var headers = extra
        headers[.eTag] = form.entityTag
        headers[.vary] = "Accept-Encoding"
        headers[.xContentTypeOptions] = "nosniff"
        headers[.cacheControl] =
            switch freshness {
            case .revalidated: "no-cache"
            case .immutable: "public, max-age=31536000, immutable"
            }
        if EntityTags.matches(request.headers[.ifNoneMatch], form.entityTag) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = mediaType
        if let coding = form.coding { headers[.contentEncoding] = coding }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: form.bytes))
    }

    static func isCompressible(_ mediaType: String) -> Bool {
        mediaType.hasPrefix("text/") || mediaType.hasSuffix("+xml") || mediaType.hasPrefix("application/json")
            || ["application/wasm", "application/manifest+json"].contains(mediaType)
    }
}

/// Strong validators (RFC 9110 Section 8.8.3).
enum EntityTags {
    static func strong(_ bytes: [UInt8]) -> String {
        let digest = SHA256.hash(data: bytes).prefix(12)
        return "\"" + digest.map { String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined() + "\""
    }

    /// Whether an If-None-Match names the tag.
    static func matches(_ field: String?, _ tag: String) -> Bool {
        guard let field else { return false }
        return field.split(separator: ",").contains { candidate in
            let candidate = candidate.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            let text = String(candidate)
            return text == "*" || text == tag || text == "W/" + tag
        }
    }
}

/// What Accept-Encoding allows (RFC 9110 Section 12.5.3).
struct AcceptedCodings {
    private var weights: [String: Double] = [:]

    init(_ field: String?) {
        for item in (field ?? "").lowercased().split(separator: ",") {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let coding = parts.first, !coding.isEmpty else { continue }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) }
            weights[coding] = quality ?? 1
        }
    }

    func contains(_ coding: String) -> Bool { (weights[coding] ?? weights["*"] ?? 0) > 0 }
}
