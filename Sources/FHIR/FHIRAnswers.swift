// What every route does alike: one view or one transaction on a thread of its own, and the answer as a response.

import Access
import Catalog
import Encounters
import Foundation
import HTTPTypes
import Hummingbird
import Records
import Web

struct FHIRAnswers: Sendable {
    let services: FHIRServices

    init(_ services: FHIRServices) { self.services = services }

    /// The base of this service, as the caller wrote it.
    func base(_ request: Request, _ context: WebRequestContext) -> String {
        root(request, context) + FHIREdge.prefix
    }

    private func root(_ request: Request, _ context: WebRequestContext) -> String {
        services.address.base(of: request, peer: context.remoteAddress?.ipAddress ?? "")
    }

    // MARK: Work

    /// Reads within one view of the records, as much as the caller may see.
    func look<Value: Sendable>(
        _ request: Request, _ context: WebRequestContext, as caller: Caller,
        _ body: @escaping @Sendable (ResourceReader) throws -> Value
    ) async throws -> Value {
        let dicomweb = root(request, context) + services.dicomwebPrefix
        let services = services
        return try await services.work.run {
            try Self.told {
                try services.encounters.records.view { records in
                    try body(
                        Self.reader(records, services, dicomweb, scope: try Self.scope(of: caller, records)))
                }
            }
        }
    }

    /// Changes within one transaction.
    func change<Value: Sendable>(
        _ request: Request, _ context: WebRequestContext, as caller: Caller,
        _ body: @escaping @Sendable (inout ResourceDesk) throws -> Value
    ) async throws -> Value {
        guard case .all = caller.scope else {
            throw FHIRFault(.forbidden, "forbidden", "Who sees some studies only changes nothing here.")
        }
        let dicomweb = root(request, context) + services.dicomwebPrefix
        let services = services
        return try await services.work.run {
            var fault: FHIRFault?
            return try Self.told {
                do throws(EncounterFailure) {
                    return try services.encounters.change(by: "FHIR " + caller.account) { desk in
                        let reader = Self.reader(desk.records, services, dicomweb, scope: nil)
                        var resources = ResourceDesk(desk: desk, reader: reader)
                        do { return try Self.told { try body(&resources) } } catch let error as FHIRFault {
                            fault = error
                            throw error
                        }
                    }
                } catch {
                    throw fault ?? FHIRFault(error)
                }
            }
        }
    }

    private static func reader(
        _ records: RecordTransaction, _ services: FHIRServices, _ dicomweb: String, scope: RecordScope?
    ) -> ResourceReader {
        ResourceReader(
            records: records, catalog: services.catalog, retrieval: services.retrieval,
            site: services.encounters.settings.issuer, dicomweb: dicomweb,
            scope: scope)
    }

    private static func scope(of caller: Caller, _ records: RecordTransaction) throws -> RecordScope? {
        guard case .only(let studies) = caller.scope else { return nil }
        return try RecordScope(studies, records)
    }

    /// Failures of the rooms below, in FHIR's words.
    static func told<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as EncounterFailure {
            throw FHIRFault(failure)
        } catch let failure as RecordsError {
            throw FHIRFault(.records(failure))
        } catch let problem as Problem {
            throw FHIRFault(problem)
        } catch let failure as CatalogError {
            throw failure == .busy
                ? FHIRFault(.serviceUnavailable, "transient", "The archive is busy; try again.")
                : FHIRFault(.internalServerError, "exception", "The catalogue cannot be read.")
        }
    }

    // MARK: Responses

    /// A value as JSON.
    func response(
        _ value: some Encodable, _ request: Request, format: String? = nil, isPretty: Bool = false,
        status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) throws -> Response {
        var fields = headers
        fields[.contentType] = try FHIRFormat.accepted(request, format: format)
        fields[.cacheControl] = "private, no-cache"
        fields[.vary] = "Accept, Authorization, Cookie"
        let bytes = try FHIRFormat.bytes(value, isPretty: isPretty)
        return Response(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// ETag and Last-Modified of a resource.
    static func validators(_ meta: Meta?) -> HTTPFields {
        var fields: HTTPFields = [:]
        fields[.eTag] = FHIRFormat.tag(meta)
        fields[.lastModified] = FHIRFormat.httpDate(meta?.lastUpdated)
        return fields
    }

    /// A value of `Prefer`, such as `lenient` of `handling=lenient` (RFC 7240).
    static func preference(_ name: String, _ request: Request) -> String? {
        let wishes = request.headers[values: .prefer].flatMap { $0.split { $0 == "," || $0 == ";" } }
        for wish in wishes {
            let halves = wish.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if halves.count == 2, halves[0].lowercased() == name { return halves[1] }
        }
        return nil
    }
}

extension HTTPField.Name {
    static let prefer = HTTPField.Name("Prefer")!
    static let ifNoneExist = HTTPField.Name("If-None-Exist")!
}
