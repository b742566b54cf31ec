// The data set that answers a store request, as DICOM JSON or XML (PS3.18 Section 10.5.3.2, Annex F; PS3.19 Annex A).

import DICOMCore
import Hummingbird
import Ingest

/// An element of the response: the few kinds that it has.
private indirect enum ResponseElement {
    case uid(Tag, String)
    case url(Tag, String)
    case code(Tag, UInt16)
    case sequence(Tag, [[ResponseElement]])
}

/// The store instances response (PS3.18 Table I.1-1).
struct StoreResponse {
    private let elements: [ResponseElement]
    private let status: HTTPResponse.Status

    /// - Parameter base: path of the service, to which the retrieve URLs are relative.
    init(_ outcomes: [StoreOutcome], study: String?, base: String) {
        status = StoreOutcome.status(of: outcomes)
        var stored: [[ResponseElement]] = []
        var failed: [[ResponseElement]] = []
        var others: [[ResponseElement]] = []
        for outcome in outcomes {
            let identity = Self.identity(outcome)
            switch outcome.result {
            case .success(let kept):
                var item = identity ?? []
                if let url = Self.url(outcome, base) { item.append(.url(.retrieveURL, url)) }
                if let reason = kept.warningReason { item.append(.code(.warningReason, reason)) }
                stored.append(item)
            case .failure(let fault):
                if let identity {
                    failed.append(identity + [.code(.failureReason, fault.reason)])
                } else {
                    others.append([.code(.failureReason, fault.reason)])
                }
            }
        }
        var elements: [ResponseElement] = []
        let studies = Set(outcomes.filter { $0.fault == nil }.compactMap(\.studyInstanceUID))
        if let only = study ?? (studies.count == 1 ? studies.first : nil), !studies.isEmpty {
            elements.append(.url(.retrieveURL, "\(base)/studies/\(only)"))
        }
        if !failed.isEmpty { elements.append(.sequence(.failedSOPSequence, failed)) }
        if !stored.isEmpty { elements.append(.sequence(.referencedSOPSequence, stored)) }
        if !others.isEmpty { elements.append(.sequence(.otherFailuresSequence, others)) }
        self.elements = elements
    }

    private static func identity(_ outcome: StoreOutcome) -> [ResponseElement]? {
        guard let sopClass = outcome.sopClassUID, let instance = outcome.sopInstanceUID else { return nil }
        return [.uid(.referencedSOPClassUID, sopClass), .uid(.referencedSOPInstanceUID, instance)]
    }

    private static func url(_ outcome: StoreOutcome, _ base: String) -> String? {
        guard let study = outcome.studyInstanceUID, let series = outcome.seriesInstanceUID,
            let instance = outcome.sopInstanceUID
        else { return nil }
        return "\(base)/studies/\(study)/series/\(series)/instances/\(instance)"
    }

    /// The answer; JSON unless the caller asks for XML and not for JSON.
    func response(accept: String?) -> Response {
        let wantsXML = accept.map { $0.contains("application/dicom+xml") && !$0.contains("application/dicom+json") }
        var text = ""
        if wantsXML == true { writeXML(to: &text) } else { Self.writeJSON(elements, to: &text) }
        var headers: HTTPFields = [
            .contentType: wantsXML == true ? "application/dicom+xml" : "application/dicom+json",
            .cacheControl: "no-store",
        ]
        if status == .serviceUnavailable { headers[.retryAfter] = "30" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private static func writeJSON(_ elements: [ResponseElement], to text: inout String) {
        text += "{"
        for (index, element) in elements.enumerated() {
            if index > 0 { text += "," }
            text += "\"\(element.tag.hexadecimal)\":{\"vr\":\"\(element.vr.rawValue)\",\"Value\":["
            switch element {
            case .uid(_, let value), .url(_, let value): text += "\"\(value)\""
            case .code(_, let value): text += "\(value)"
            case .sequence(_, let items):
                for (index, item) in items.enumerated() {
                    if index > 0 { text += "," }
                    writeJSON(item, to: &text)
                }
            }
            text += "]}"
        }
        text += "}"
    }

    private func writeXML(to text: inout String) {
        text += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        text += "<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">"
        Self.writeXML(elements, to: &text)
        text += "</NativeDicomModel>\n"
    }

    private static func writeXML(_ elements: [ResponseElement], to text: inout String) {
        for element in elements {
            let keyword = element.tag.keyword ?? ""
            text +=
                "<DicomAttribute tag=\"\(element.tag.hexadecimal)\" vr=\"\(element.vr.rawValue)\" keyword=\"\(keyword)\">"
            switch element {
            case .uid(_, let value), .url(_, let value): text += "<Value number=\"1\">\(value)</Value>"
            case .code(_, let value): text += "<Value number=\"1\">\(value)</Value>"
            case .sequence(_, let items):
                for (index, item) in items.enumerated() {
                    text += "<Item number=\"\(index + 1)\">"
                    writeXML(item, to: &text)
                    text += "</Item>"
                }
            }
            text += "</DicomAttribute>"
        }
    }
}

extension ResponseElement {
    fileprivate var tag: Tag {
        switch self {
        case .uid(let tag, _), .url(let tag, _), .code(let tag, _), .sequence(let tag, _): tag
        }
    }

    fileprivate var vr: VR {
        switch self {
        case .uid: .UI
        case .url: .UR
        case .code: .US
        case .sequence: .SQ
        }
    }
}

extension Tag {
    fileprivate static let referencedSOPClassUID = Tag(0x0008, 0x1150)
    fileprivate static let referencedSOPInstanceUID = Tag(0x0008, 0x1155)
    fileprivate static let retrieveURL = Tag(0x0008, 0x1190)
    fileprivate static let warningReason = Tag(0x0008, 0x1196)
    fileprivate static let failureReason = Tag(0x0008, 0x1197)
    fileprivate static let failedSOPSequence = Tag(0x0008, 0x1198)
    fileprivate static let referencedSOPSequence = Tag(0x0008, 0x1199)
    fileprivate static let otherFailuresSequence = Tag(0x0008, 0x119A)
}
