// Whether a caller takes an answer in gzip (RFC 9110 Section 12.5.3).

package import Hummingbird

/// Content codings.
package enum ContentCoding {
    /// Whether `Accept-Encoding` takes gzip.
    package static func acceptsGzip(_ headers: HTTPFields) -> Bool {
        var named: Bool?
        var any: Bool?
        for field in headers[values: .acceptEncoding] {
            for coding in field.lowercased().split(separator: ",") {
                let parts = coding.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
                guard let name = parts.first else { continue }
                let isWanted = !parts.dropFirst().contains { $0.hasPrefix("q=") && (Double($0.dropFirst(2)) ?? 1) <= 0 }
                if name == "gzip" || name == "x-gzip" { named = isWanted }
                if name == "*" { any = isWanted }
            }
        }
        return named ?? any ?? false
    }
}
