// What a DICOMweb server has of a study, page by page (PS3.18 Section 10.6).

import AsyncHTTPClient
import DICOMCore
import Foundation
import NIOCore
import NIOHTTP1

/// An object that a server has.
struct RemoteObject: Hashable, Sendable {
    let seriesInstanceUID: String
    let sopInstanceUID: String
    let sopClassUID: String
    let instanceNumber: Int
}

/// Why a server was asked in vain; one sentence.
struct WebFailure: Error, Hashable, Sendable {
    let sentence: String
    /// Whether the server said no, and not the line.
    var isRefusal = false
}

/// Searches of one server.
struct WebSearch: Sendable {
    /// Objects that are asked for at once, and of one study at most.
    private static let page = 500
    private static let most = 200_000

    private let destination: WebDestination

    init(_ destination: WebDestination) { self.destination = destination }

    /// The objects of a study, in no order.
    /// - Parameter sopInstanceUID: only this one.
    func objects(of study: String, sopInstanceUID: String? = nil) async throws -> [RemoteObject] {
        guard UID.isValid(study) else { throw WebFailure(sentence: "no Study Instance UID", isRefusal: true) }
        var found: [String: RemoteObject] = [:]
        var offset = 0
        while offset < Self.most {
            var path = "/studies/\(study)/instances?limit=\(Self.page)&offset=\(offset)"
            if let sopInstanceUID { path += "&SOPInstanceUID=\(sopInstanceUID)" }
            let page = try await self.page(path)
            let before = found.count
            for object in page.compactMap(Self.object) { found[object.sopInstanceUID] = object }
            // Servers that know no pages answer everything, again and again.
            if page.count < Self.page || found.count == before { return Array(found.values) }
            offset += page.count
        }
        throw WebFailure(sentence: "the study has more than \(Self.most) objects", isRefusal: true)
    }

    private static func object(_ dataSet: TextDataSet) -> RemoteObject? {
        guard let instance = dataSet.string(.sopInstanceUID), UID.isValid(instance),
            let series = dataSet.string(.seriesInstanceUID), UID.isValid(series)
        else { return nil }
        return RemoteObject(
            seriesInstanceUID: series, sopInstanceUID: instance, sopClassUID: dataSet.string(.sopClassUID) ?? "",
            instanceNumber: dataSet.string(.instanceNumber).flatMap { Int($0) } ?? 0)
    }

    /// One answer, as data sets.
    func page(_ path: String) async throws -> [TextDataSet] {
        let response: HTTPClientResponse
        let body: ByteBuffer
        do {
            response = try await destination.execute(
                destination.request(path, accept: "application/dicom+json"), within: 300)
            // A page of 500 objects with every attribute that a server may add.
            body = try await response.body.collect(upTo: WebDestination.longestAnswer)
        } catch { throw WebFailure(sentence: WebDestination.words(error)) }
        switch response.status.code {
        case 204: return []
        case 200:
            guard let page = try? TextDataSet.read(Data(body.readableBytesView)) else {
                throw WebFailure(sentence: "its answer to a search is not DICOM JSON", isRefusal: true)
            }
            return page
        case 404: return []
        case let status:
            throw WebFailure(sentence: "it answers a search with \(status)", isRefusal: (400..<500).contains(status))
        }
    }
}
