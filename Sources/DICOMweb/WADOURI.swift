// WADO-URI: one object by the parameters of a query (PS3.18 Section 9).

import Catalog
import DICOMCore
import DICOMImaging
import Hummingbird
import Retrieval
import Web

struct WADOURI: Sendable {
    private let services: DICOMwebServices

    init(_ services: DICOMwebServices) { self.services = services }

    /// Mounts the resource at a path of a group.
    func add(_ path: RouterPath, to group: RouterGroup<WebRequestContext>) {
        let services = services
        group.get(path) { request, context -> Response in
            try await WADOURIAnswer(request, context, services).response()
        }
        group.head(path) { request, context -> Response in
            try await WADOURIAnswer(request, context, services).response().createHeadResponse()
        }
    }
}

private struct WADOURIAnswer: Sendable {
    private let request: Request
    private let context: WebRequestContext
    private let services: DICOMwebServices
    private let query: [String: String]

    init(_ request: Request, _ context: WebRequestContext, _ services: DICOMwebServices) {
        self.request = request
        self.context = context
        self.services = services
        // A parameter that comes twice counts once.
        query = Dictionary(
            request.uri.queryParameters.map { (String($0.key), String($0.value)) },
            uniquingKeysWith: { first, _ in first })
    }

    func response() async throws -> Response {
        guard query["requestType"] == "WADO" else { throw malformed("requestType is WADO") }
        let (study, series, object) = (try uid("studyUID"), try uid("seriesUID"), try uid("objectUID"))
        if let wish = query["anonymize"] {
            guard wish == "yes" else { throw malformed("anonymize is yes or absent") }
            throw Problem(.notAcceptable, "This archive gives no anonymized objects.")
        }
        var call = try RetrieveCall(
            request, context, services, study: study, series: series, instance: object, accepted: [.anything])
        let instance = try await call.oneInstance()
        call.accepted = try accepted(instance)
        if try wantsObject(call.accepted, instance) {
            if let syntax = query["transferSyntax"] {
                guard UID.isValid(syntax) else { throw malformed("transferSyntax is a UID") }
                call.accepted = [MediaRange.single("application/dicom", syntax)]
            } else {
                call.accepted = [MediaRange.single("application/dicom", nil)]
            }
            return try await ObjectAnswer(call).response()
        }
        return try await RenderedAnswer(call, try parameters(instance)).response(frames: try frame())
    }

    private func malformed(_ rule: String) -> Problem { Problem(.badRequest, "The query is wrong: \(rule).") }

    private func uid(_ name: String) throws(Problem) -> String {
        guard let text = query[name], UID.isValid(text) else { throw malformed("\(name) is a UID") }
        return text
    }

    private func frame() throws(Problem) -> [Int]? {
        guard let text = query["frameNumber"] else { return nil }
        let numbers = try FramesAnswer.numbers(text)
        guard numbers.count == 1 else { throw malformed("frameNumber is one number") }
        return numbers
    }

    /// The wanted media types: the parameter, else the header field (PS3.18 Section 9.1.2.2.1).
    private func accepted(_ instance: StoredInstance) throws(Problem) -> [MediaRange] {
        if let types = query["contentType"] {
            guard let ranges = MediaRange.parse(types) else { throw malformed("contentType is a list of media types") }
            return ranges
        }
        return try RetrieveCall.accepted(request)
    }

    /// Without a wish, images of one frame come as pictures, documents as such, and all else as objects (PS3.18 Table
    /// 9.1.2-2).
    private func wantsObject(_ accepted: [MediaRange], _ instance: StoredInstance) throws(Problem) -> Bool {
        let isPicture = SOPClassKind(instance) != .other
        for range in accepted.sorted(by: { $0.quality > $1.quality }) where range.quality > 0 {
            if range.mediaType == "application/dicom" { return true }
            if range.mediaType.hasSuffix("*/*") || range.mediaType == "application/*" {
                return !isPicture || instance.numberOfFrames > 1
            }
            if range.mediaType.hasPrefix("image/") || range.mediaType.hasPrefix("video/") { return false }
            if range.mediaType == "application/pdf" { return false }
        }
        throw .notAcceptable(.objects)
    }

    private enum SOPClassKind {
        case image, document, other

        init(_ instance: StoredInstance) {
            let name = SOPClass.name(of: instance.sopClassUID) ?? ""
            self =
                instance.sopClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
                ? .document : name.contains("Image Storage") ? .image : .other
        }
    }

    private func parameters(_ instance: StoredInstance) throws(Problem) -> RenderedParameters {
        var wanted = RenderingRequest()
        if let text = query["imageQuality"] {
            guard let quality = Int(text), (1...100).contains(quality) else {
                throw malformed("imageQuality is a number from 1 to 100")
            }
            wanted.quality = quality
        }
        switch (query["windowCenter"], query["windowWidth"]) {
        case (nil, nil): break
        case (let center?, let width?):
            guard let center = Double(center), let width = Double(width),
                let window = VOIWindow(center: center, width: width)
            else { throw malformed("windowCenter and windowWidth are numbers") }
            wanted.window = window
        default: throw malformed("windowCenter and windowWidth come together")
        }
        wanted.viewport = try viewport()
        let annotation = Set((query["annotation"] ?? "").split(separator: ",").map { String($0) })
        guard annotation.isSubset(of: ["patient", "technique"]) else {
            throw malformed("annotation is patient, technique, or both")
        }
        return RenderedParameters(wanted, annotation: annotation)
    }

    /// `rows` and `columns` bound the picture; one alone leaves the other side open (PS3.18 Section 9.1.2.2.5).
    private func viewport() throws(Problem) -> Viewport? {
        let sides = ["columns", "rows"].map { name in query[name].map { Int($0) ?? 0 } }
        guard sides.contains(where: { $0 != nil }) else { return nil }
        let viewport = Viewport(
            width: sides[0] ?? Viewport.longestSide, height: sides[1] ?? Viewport.longestSide)
        guard let viewport else { throw malformed("rows and columns are from 1 to \(Viewport.longestSide)") }
        return viewport
    }
}
