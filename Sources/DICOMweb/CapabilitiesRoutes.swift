// The description of the service: as JSON, or as WADL where that is asked for (PS3.18 Section 8.9.3).

import Foundation
import Hummingbird
import Web

struct CapabilitiesRoutes: Sendable {
    private let services: DICOMwebServices

    init(_ services: DICOMwebServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        group.get("") { request, context in
            let base =
                services.address.base(of: request, peer: context.remoteAddress?.ipAddress ?? "") + services.prefix
            let wantsXML = request.headers[values: .accept].contains { $0.contains("xml") && !$0.contains("json") }
            let (bytes, type) =
                wantsXML
                ? (Array(Self.wadl(base).utf8), "application/vnd.sun.wadl+xml")
                : (try Self.json(base), "application/json")
            return Response(
                status: .ok, headers: [.contentType: type, .vary: "Accept"],
                body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        }
    }

    private struct Description: Encodable {
        struct Resource: Encodable {
            let path: String
            let methods: [String]
            let purpose: String
            let mediaTypes: [String]
        }

        let base: String
        let standard = "DICOM PS3.18"
        let resources: [Resource]
    }

    private static func json(_ base: String) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        let resources = ResourceKind.all.map {
            Description.Resource(
                path: "/" + $0.template, methods: $0.methods.map(\.rawValue), purpose: $0.purpose,
                mediaTypes: $0.mediaTypes)
        }
        return [UInt8](try encoder.encode(Description(base: base, resources: resources)))
    }

    /// Web Application Description Language (W3C member submission of 2009), which PS3.18 names.
    private static func wadl(_ base: String) -> String {
        var text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <application xmlns="http://wadl.dev.java.net/2009/02">
            <resources base="\(base)">

            """
        for kind in ResourceKind.all {
            text += "<resource path=\"\(kind.template)\">\n<doc title=\"\(kind.purpose)\"/>\n"
            for method in kind.methods where method != .options && method != .head {
                text += "<method name=\"\(method.rawValue)\"><response>"
                for type in kind.mediaTypes {
                    text += "<representation mediaType=\"\(type.replacing("\"", with: "&quot;"))\"/>"
                }
                text += "</response></method>\n"
            }
            text += "</resource>\n"
        }
        return text + "</resources>\n</application>\n"
    }
}
