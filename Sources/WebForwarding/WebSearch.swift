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
    /// Answers to one search, however little each of them brings.
    private static let mostPages = 2_000
    /// Objects that are asked for at once, and of one study at most.
    private static let page = 500
    private static let most = 200_000

    private let destination: WebDestination

    init(_ destination: WebDestination) { self.destination = destination }

    /// The objects of a study, in no order.
    /// - Parameter sopInstanceUID: only this one.
    func objects(of study: String, sopInstanceUID: String? = nil) async throws -> [RemoteObject] {
        guard UID.isValid(study) else { throw WebFailure(sentence: "no Study Instance UID", isRefusal: true) }
        if let sopInstanceUID {
            let path = "/studies/\(study)/instances?limit=\(Self.page)&offset=0&SOPInstanceUID=\(sopInstanceUID)"
            return try await page(path).compactMap(Self.object)
        }
        let found = try await pages("/studies/\(study)/instances?includefield=00080016", most: Self.most + 1) {
            dataSet in
            Self.object(dataSet).map { ($0.sopInstanceUID, $0) }
        }
        guard found.count <= Self.most else {
            throw WebFailure(sentence: "the study has more than \(Self.most) objects", isRefusal: true)
        }
        return found
    }

    /// Everything that a search finds, each once, in the order in which it comes. Servers give fewer at a time than they are
    /// asked for, as they like (PS3.18 Section 8.3.4.4): the end is where nothing new comes.
    /// - Parameters:
    ///   - search: path and query, to which the place in the result is added.
    ///   - most: when there are so many, no more is asked for.
    ///   - read: a match, and the UID by which it is known.
    func pages<Match>(
        _ search: String, most: Int, read: (TextDataSet) -> (uid: String, match: Match)?
    ) async throws -> [Match] {
        var found: [Match] = []
        var known: Set<String> = []
        var (offset, asked) = (0, 0)
        while found.count < most {
            asked += 1
            guard asked <= Self.mostPages else {
                throw WebFailure(sentence: "the server answers in more than \(Self.mostPages) pages", isRefusal: true)
            }
            let page = try await page("\(search)&limit=\(min(Self.page, most - found.count))&offset=\(offset)")
            let before = found.count
            for case let (uid, match)? in page.map(read) where known.insert(uid).inserted { found.append(match) }
            // Servers that know no pages answer everything, again and again.
            if found.count == before { break }
            offset += page.count
        }
        return Array(found.prefix(most))
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
        let (status, body): (UInt, ByteBuffer)
        do {
            let request = destination.request(path, accept: "application/dicom+json")
            (status, body) = try await destination.ask(request, within: 300) { response in
                // A page of 500 objects with every attribute that a server may add.
                (response.status.code, try await response.body.collect(upTo: WebDestination.longestAnswer))
            }
        } catch { throw WebFailure(sentence: WebDestination.words(error)) }
        switch status {
        case 204: return []
        case 200:
            guard let page = try? TextDataSet.read(Data(body.readableBytesView)) else {
                throw WebFailure(sentence: "its answer to a search is not DICOM JSON", isRefusal: true)
            }
            return page
        case 404: return []
        default:
            throw WebFailure(sentence: "it answers a search with \(status)", isRefusal: (400..<500).contains(status))
        }
    }
}
