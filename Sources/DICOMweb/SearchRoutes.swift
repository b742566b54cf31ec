// The search transaction, QIDO-RS (PS3.18 Section 10.6).

import Access
import Catalog
import DICOMCore
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Retrieval
import Web

struct SearchRoutes: Sendable {
    private let services: DICOMwebServices
    private let cache = SearchCache()

    init(_ services: DICOMwebServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        add(.study, "studies", to: group)
        add(.series, "series", to: group)
        add(.image, "instances", to: group)
        add(.series, "studies/:study/series", to: group)
        add(.image, "studies/:study/instances", to: group)
        add(.image, "studies/:study/series/:series/instances", to: group)
    }

    private func add(_ level: QueryLevel, _ path: RouterPath, to group: RouterGroup<WebRequestContext>) {
        group.get(path) { request, context in try await respond(to: request, context, level) }
    }

    // MARK: - One request

    private func respond(
        to request: Request, _ context: WebRequestContext, _ level: QueryLevel
    ) async throws -> Response {
        let target = SearchTarget(
            level, study: context.parameters.get("study"), series: context.parameters.get("series"))
        let caller = try context.authorized(.search, study: target.study)
        for uid in [target.study, target.series] {
            guard uid.map(UID.isValid) ?? true else { throw Problem(.badRequest, "The path holds what is no UID.") }
        }
        let query = request.uri.query ?? ""
        guard let chosen = Negotiation(.metadata).choose(try RetrieveCall.accepted(request)) else {
            throw Problem.notAcceptable(.metadata)
        }
        let base =
            services.address.base(of: request, peer: context.remoteAddress?.ipAddress ?? "") + services.prefix
        let studies: Set<String>? = if case .only(let studies) = caller.scope { studies } else { nil }
        let key = SearchCache.Key(
            target: target, query: query, mediaType: chosen.mediaType, base: base, studies: studies)
        let reply = try await services.work.run { () throws -> SearchReply in try answer(to: key) }
        return Response(
            status: reply.status, headers: reply.headers, body: .init(byteBuffer: reply.body))
    }

    /// Blocks.
    private func answer(to key: SearchCache.Key) throws(Problem) -> SearchReply {
        try cache.reply(to: key, generation: generation) { () throws(Problem) in try found(key) }
    }

    private func generation() throws(Problem) -> Int64 {
        do throws(CatalogError) { return try services.generation.current() } catch {
            throw .catalogue(error, services)
        }
    }

    private func found(_ key: SearchCache.Key) throws(Problem) -> SearchReply {
        let request = try SearchRequest(try QueryParameters(key.query), target: key.target)
        let answer = SearchAnswer(request, base: key.base, seesAll: key.studies == nil)
        var query = answer.query
        query.studies = key.studies
        do throws(CatalogError) {
            return written(try services.catalog.page(query), answer, request, key.mediaType)
        } catch { throw .catalogue(error, services) }
    }

    private func written(
        _ page: MatchPage, _ answer: SearchAnswer, _ request: SearchRequest, _ mediaType: String
    ) -> SearchReply {
        var headers: HTTPFields = [.cacheControl: "private, no-cache", .vary: "Accept, Authorization, Cookie"]
        let total: Int
        switch page.total {
        case .exactly(let count):
            headers[Self.totalCount] = "\(count)"
            total = count
        case .atLeast(let count):
            headers[Self.totalCountAtLeast] = "\(count)"
            total = count
        }
        let end = request.offset + page.matches.count
        var warnings = request.warnings
        if page.hasMore {
            let words = if case .exactly = page.total { "\(total - end)" } else { "\(max(total - end, 1)) or more" }
            warnings.append("There are \(words) additional results that can be requested")
        }
        for warning in warnings { headers.append(HTTPField(name: Self.warning, value: "299 Phim \"\(warning)\"")) }
        guard !page.matches.isEmpty else {
            return SearchReply(status: .noContent, headers: headers, body: ByteBuffer())
        }
        let read: (StoredInstance) -> DataSet? = { try? services.retrieval.header(of: $0) }
        guard mediaType == "application/dicom+xml" else {
            headers[.contentType] = mediaType
            return SearchReply(
                status: .ok, headers: headers, body: ByteBuffer(bytes: answer.json(page.matches, headers: read)))
        }
        let (bytes, boundary) = answer.xml(page.matches, headers: read)
        headers[.contentType] = "multipart/related; type=\"application/dicom+xml\"; boundary=\"\(boundary)\""
        return SearchReply(status: .ok, headers: headers, body: ByteBuffer(bytes: bytes))
    }

    private static let totalCount = HTTPField.Name("X-Total-Count")!
    private static let totalCountAtLeast = HTTPField.Name("X-Total-Count-At-Least")!
    private static let warning = HTTPField.Name("Warning")!
}
