// What a server says it stored, read word by word: a status alone is no promise (PS3.18 Section 10.5.3).

import DICOMCore
import Encounters
import Foundation
import Web

/// What became of one object.
enum StoreVerdict: Hashable, Sendable {
    case outcome(DeliveryOutcome)
    /// It does not take this transfer syntax; it may take another.
    case otherSyntax(String)
    /// It says yes, and not of what.
    case unclear(String)
}

/// Reads the answer to a store request of one object.
enum StoreAnswer {
    /// The verdict of a status and a body.
    /// - Parameter contentType: of the body.
    static func verdict(
        status: Int, contentType: String?, body: [UInt8], of sopInstanceUID: String
    ) -> StoreVerdict {
        if let told = response(contentType, body).flatMap({ verdict($0, of: sopInstanceUID) }) { return told }
        switch status {
        case 200..<300: return .unclear("\(status) without a word on the object")
        case 300..<400: return .outcome(.failed("\(status): redirects are not followed"))
        case 401, 403: return .outcome(.failed("\(status): our credential is not accepted"))
        case 404: return .outcome(.failed("404: there is no store service at this address"))
        case 410: return .outcome(.gone("410: the destination wants nothing any more"))
        case 406, 415: return .otherSyntax("\(status): it does not take this form")
        case 400, 409, 411, 413, 422, 507: return .outcome(.refused("\(status): \(words(status))"))
        default: return .outcome(.failed("\(status): \(words(status))"))
        }
    }

    private static func words(_ status: Int) -> String {
        switch status {
        case 400: "the request is not understood"
        case 409: "refused, and no reason given"
        case 413: "the object is too large for it"
        case 429, 503: "it is busy"
        case 507: "it has no room"
        default: "it cannot answer"
        }
    }

    // MARK: The data set

    /// The response as a data set; nil for what is none.
    private static func response(_ contentType: String?, _ body: [UInt8]) -> TextDataSet? {
        guard !body.isEmpty else { return nil }
        let essence = contentType.flatMap { ContentType($0) }?.essence ?? ""
        if essence.hasSuffix("xml") { return try? TextDataSet.read(xml: body) }
        return (try? TextDataSet.read(Data(body)))?.first
    }

    private static func verdict(_ response: TextDataSet, of uid: String) -> StoreVerdict? {
        if let item = item(of: uid, in: response, .referencedSOPSequence) {
            guard let code = code(item, .warningReason) else { return .outcome(.taken("stored")) }
            return .outcome(.taken("stored, with a warning: \(warning(code))"))
        }
        guard let item = item(of: uid, in: response, .failedSOPSequence) else { return nil }
        let code = code(item, .failureReason) ?? 0x0110
        let words = "\(hexadecimal(code)): \(reason(code))"
        switch code {
        case 0x0111: return .outcome(.taken("it has an object of this UID (\(hexadecimal(code)))"))
        case 0xC122: return .otherSyntax(words)
        case 0xA700..<0xA800: return .outcome(.failed(words))
        default: return .outcome(.refused(words))
        }
    }

    private static func item(of uid: String, in response: TextDataSet, _ tag: Tag) -> TextDataSet? {
        guard case .items(let items)? = response.attributes[tag]?.value else { return nil }
        return items.first { $0.string(.referencedSOPInstanceUID) == uid }
    }

    private static func code(_ item: TextDataSet, _ tag: Tag) -> Int? { item.string(tag).flatMap { Int($0) } }

    private static func hexadecimal(_ code: Int) -> String {
        let digits = String(code, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "H"
    }

    /// Failure Reason (0008,1197): PS3.18 Table I.2-2, PS3.7 Annex C.
    private static func reason(_ code: Int) -> String {
        switch code {
        case 0x0110: "processing failure"
        case 0x0111: "there is one already"
        case 0x0112: "no such object"
        case 0x0122: "it does not take this class"
        case 0x0124: "we may not store there"
        case 0xC122: "it does not take this transfer syntax"
        case 0xA700..<0xA800: "it has no room"
        case 0xA900..<0xAA00: "the object does not fit its class, or its study"
        case 0xC000..<0xD000: "it does not understand the object"
        default: "refused"
        }
    }

    /// Warning Reason (0008,1196): PS3.18 Table I.2-1.
    private static func warning(_ code: Int) -> String {
        switch code {
        case 0xB000: "it changed elements (B000H)"
        case 0xB006: "it left out elements (B006H)"
        case 0xB007: "the object does not fit its class (B007H)"
        default: hexadecimal(code)
        }
    }
}

extension Tag {
    static let referencedSOPInstanceUID = Tag(0x0008, 0x1155)
    fileprivate static let warningReason = Tag(0x0008, 0x1196)
    fileprivate static let failureReason = Tag(0x0008, 0x1197)
    fileprivate static let failedSOPSequence = Tag(0x0008, 0x1198)
    fileprivate static let referencedSOPSequence = Tag(0x0008, 0x1199)
}
