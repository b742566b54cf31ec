// One request of the retrieve transaction: what it names, what it accepts, and that the caller may (PS3.18 Section 10.4).

import Access
import Catalog
import DICOMCore
import Hummingbird
import Logging
import Retrieval
import Web

/// A request whose path is sound and whose caller may read the study.
struct RetrieveCall: Sendable {
    let request: Request
    let context: WebRequestContext
    let services: DICOMwebServices
    let study: String
    let series: String?
    let instance: String?
    var accepted: [MediaRange]
    /// As it was received, whatever was found out since: for those who may correct.
    let wantsOriginal: Bool

    init(
        _ request: Request, _ context: WebRequestContext, _ services: DICOMwebServices
    ) throws(Problem) {
        self.request = request
        self.context = context
        self.services = services
        study = try Self.uid("study", context) ?? ""
        series = try Self.uid("series", context)
        instance = try Self.uid("instance", context)
        _ = try context.authorized(.read, study: study)
        wantsOriginal = try Self.wantsOriginal(request, context, study)
        accepted = try Self.accepted(request)
    }

    /// A request that names what it wants otherwise than by its path.
    init(
        _ request: Request, _ context: WebRequestContext, _ services: DICOMwebServices, study: String, series: String,
        instance: String, accepted: [MediaRange]
    ) throws(Problem) {
        (self.request, self.context, self.services) = (request, context, services)
        (self.study, self.series, self.instance, self.accepted) = (study, series, instance, accepted)
        _ = try context.authorized(.read, study: study)
        wantsOriginal = try Self.wantsOriginal(request, context, study)
    }

    /// `original=true`: it may name the wrong patient, so not everybody who reads may have it.
    private static func wantsOriginal(
        _ request: Request, _ context: WebRequestContext, _ study: String
    ) throws(Problem) -> Bool {
        switch request.uri.queryParameters["original"] {
        case nil, "false": return false
        case "true":
            _ = try context.authorized(.reconcile, study: study, detail: "as it was received")
            return true
        default: throw Problem(.badRequest, "The parameter original is true or false.")
        }
    }

    private static func uid(_ name: String, _ context: WebRequestContext) throws(Problem) -> String? {
        guard let text = context.parameters.get(name) else { return nil }
        guard UID.isValid(text) else { throw Problem(.badRequest, "The \(name) in the path is no UID.") }
        return text
    }

    /// The `accept` parameter of the query goes before the header field: a link cannot send one (PS3.18 Section 8.3.3.1).
    static func accepted(_ request: Request) throws(Problem) -> [MediaRange] {
        let query = request.uri.queryParameters.getAll("accept")
        let fields = query.isEmpty ? request.headers[values: .accept] : query
        guard !fields.isEmpty else { return [.anything] }
        guard let ranges = MediaRange.parse(fields.joined(separator: ",")) else {
            throw Problem(.badRequest, "The accepted media types cannot be read.")
        }
        return ranges
    }

    /// The instance that the path names; it belongs to the study and the series of the path.
    func oneInstance() async throws -> StoredInstance {
        let call = self
        let found = try await services.work.run { try call.findInstance() }
        return wantsOriginal ? found.asReceived : found
    }

    /// The same, on a thread that may block.
    func findInstance() throws(Problem) -> StoredInstance {
        let found: StoredInstance?
        do throws(CatalogError) { found = try services.catalog.primary(sopInstanceUID: instance ?? "") } catch {
            throw Problem.catalogue(error, services)
        }
        guard let found, found.studyInstanceUID == study, found.seriesInstanceUID == series else { throw .absent }
        return found
    }

    /// A refusal as an answer, from where only failures of retrieval are thrown.
    func refusal(_ problem: Problem) -> Response {
        (try? problem.response(from: request, context: context)) ?? Response(status: problem.status)
    }

    /// Everything that the path names, in order of series and instance number.
    func instances() async throws -> [StoredInstance] {
        if instance != nil { return [try await oneInstance()] }
        let services = services
        let scope = Scope(studyUIDs: [study], seriesUIDs: series.map { [$0] } ?? [])
        let found = try await services.work.run {
            do throws(CatalogError) { return try services.catalog.instances(scope) } catch {
                throw Problem.catalogue(error, services)
            }
        }
        guard !found.isEmpty else { throw Problem.absent }
        return wantsOriginal ? found.map(\.asReceived) : found
    }

    /// Runs what blocks and says over HTTP how it failed.
    /// - Parameter lane: threads other than the common ones.
    func run<Value: Sendable>(
        on lane: BlockingWork? = nil, _ body: @escaping @Sendable () throws(RetrievalFailure) -> Value
    ) async throws -> Value {
        let services = services
        return try await (lane ?? services.work).run {
            do throws(RetrievalFailure) { return try body() } catch {
                throw Problem.logged(error, services)
            }
        }
    }
}

extension Problem {
    static func catalogue(_ error: CatalogError, _ services: DICOMwebServices) -> Problem {
        services.logger.error("the catalogue cannot be asked", metadata: ["failure": "\(error)"])
        return .busy
    }

    /// What the archive cannot read is for its log as well.
    static func logged(_ failure: RetrievalFailure, _ services: DICOMwebServices) -> Problem {
        switch failure {
        case .unreadable(let reason):
            services.logger.error("an instance cannot be read", metadata: ["failure": "\(reason)"])
        case .outOfSpace: services.logger.error("no room for temporary files")
        case .absent, .notConvertible, .busy: break
        }
        return Problem(failure)
    }
}
