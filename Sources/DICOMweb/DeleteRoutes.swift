// The delete transactions: a study, a series or an instance leaves the archive for good.

import Access
import Catalog
import DICOMCore
import Hummingbird
import Ingest
import Logging
import Web

struct DeleteRoutes: Sendable {
    private let services: DICOMwebServices

    init(_ services: DICOMwebServices) { self.services = services }

    func add(to group: RouterGroup<WebRequestContext>) {
        for path: RouterPath in [
            "studies/:study", "studies/:study/series/:series",
            "studies/:study/series/:series/instances/:instance",
        ] {
            group.delete(path) { _, context in try await respond(context) }
        }
    }

    private func respond(_ context: WebRequestContext) async throws -> Response {
        let study = try context.parameters.require("study")
        let (series, instance) = (context.parameters.get("series"), context.parameters.get("instance"))
        let what = instance.map { "instance " + $0 } ?? series.map { "series " + $0 } ?? "study"
        _ = try context.authorized(.delete, study: study, detail: String(what.prefix(80)))
        guard [study, series, instance].allSatisfy({ $0.map(UID.isValid) ?? true }) else { throw Problem.absent }
        let scope = Scope(
            studyUIDs: [study], seriesUIDs: series.map { [$0] } ?? [], sopUIDs: instance.map { [$0] } ?? [])
        let deleted = try await services.work.run { () throws -> Deleted in
            do throws(DeletionFailure) { return try services.deletion.delete(scope) } catch {
                throw Problem.deletion(error, services)
            }
        }
        guard deleted.instances > 0 else { throw Problem.absent }
        if let pending = deleted.pending {
            services.logger.error("a deletion is not finished", metadata: ["failure": "\(pending)"])
            // Out of sight for good; the bytes leave the volume at the next start (RFC 9110 Section 15.3.3).
            return Response(status: .accepted)
        }
        return Response(status: .noContent)
    }
}
