// Why a request is refused: a status and an OperationOutcome with one sentence, never patient data.

import Encounters
import Foundation
package import Hummingbird
import Records
package import Web

/// A refusal, in FHIR's words.
struct FHIRFault: HTTPResponseError, Sendable {
    let status: HTTPResponse.Status
    /// Issue Type (FHIR R4 Section 4.4.1.256).
    let code: String
    let sentence: String
    /// Where in the resource, as FHIRPath.
    var expression: String?
    var headers: HTTPFields = [:]

    init(
        _ status: HTTPResponse.Status, _ code: String, _ sentence: String, at expression: String? = nil,
        headers: HTTPFields = [:]
    ) {
        self.status = status
        self.code = code
        self.sentence = sentence
        self.expression = expression
        self.headers = headers
    }

    /// A value that is not as it should be.
    static func value(_ expression: String, _ sentence: String) -> FHIRFault {
        FHIRFault(.unprocessableContent, "value", sentence, at: expression)
    }

    static func required(_ expression: String, _ sentence: String) -> FHIRFault {
        FHIRFault(.unprocessableContent, "required", sentence, at: expression)
    }

    /// A search that cannot be made.
    static func search(_ sentence: String, code: String = "invalid") -> FHIRFault {
        FHIRFault(.badRequest, code, sentence)
    }

    static func absent(_ type: String) -> FHIRFault {
        FHIRFault(.notFound, "not-found", "There is no such \(type).")
    }

    init(_ problem: Problem) {
        let code =
            switch problem.status {
            case .unauthorized: "login"
            case .forbidden: "forbidden"
            case .notFound: "not-found"
            case .methodNotAllowed: "not-supported"
            case .contentTooLarge, .uriTooLong: "too-long"
            case .serviceUnavailable, .tooManyRequests: "throttled"
            default: problem.status.code < 500 ? "invalid" : "exception"
            }
        self.init(problem.status, code, problem.detail, headers: problem.headers)
    }

    /// Whatever went wrong: what is not known here is for the log, the caller learns no more.
    static func told(_ error: any Error) -> FHIRFault {
        switch error {
        case let fault as FHIRFault: fault
        case let problem as Problem: FHIRFault(problem)
        case let failure as EncounterFailure: FHIRFault(failure)
        default: FHIRFault(.internalServerError, "exception", "The request could not be answered.")
        }
    }

    /// What the records refuse, at the place in the resource that it came from.
    init(_ failure: EncounterFailure, at expression: String? = nil) {
        let (status, code): (HTTPResponse.Status, String) =
            switch failure {
            case .invalid, .records(.invalid): (.unprocessableContent, "value")
            case .unknown: (.unprocessableContent, "not-found")
            case .outdated, .conflict, .merged: (.conflict, "conflict")
            case .unlawful: (.unprocessableContent, "business-rule")
            case .records(.busy), .records(.full): (.serviceUnavailable, "transient")
            case .records(.notFound): (.notFound, "not-found")
            case .records: (.internalServerError, "exception")
            }
        let headers: HTTPFields = failure.isPassing ? [.retryAfter: "5"] : [:]
        self.init(status, code, failure.sentence + ".", at: expression, headers: headers)
    }

    /// What is wrong with JSON, by its place and without its values.
    init(_ error: any Error, in type: String) {
        func place(_ path: [any CodingKey]) -> String {
            path.reduce(type) { place, key in key.intValue.map { "\(place)[\($0)]" } ?? "\(place).\(key.stringValue)" }
        }
        guard let error = error as? DecodingError else {
            self.init(.badRequest, "structure", "The body is not JSON.")
            return
        }
        switch error {
        case .keyNotFound(let key, let at):
            self.init(
                .badRequest, "required", "This element is missing.", at: place(at.codingPath + [key]))
        case .typeMismatch(_, let at), .valueNotFound(_, let at):
            self.init(.badRequest, "structure", "This element is of another kind.", at: place(at.codingPath))
        case .dataCorrupted(let at) where !at.codingPath.isEmpty:
            self.init(.badRequest, "structure", "This element cannot be read.", at: place(at.codingPath))
        case .dataCorrupted: self.init(.badRequest, "structure", "The body is not a resource in JSON.")
        @unknown default: self.init(.badRequest, "structure", "The body cannot be read.")
        }
    }

    var outcome: OperationOutcome {
        OperationOutcome(issue: [
            .init(severity: "error", code: code, diagnostics: sentence, expression: expression.map { [$0] })
        ])
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var fields = headers
        fields[.contentType] = FHIRFormat.mediaType
        fields[.cacheControl] = "no-store"
        return Response(
            status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: try FHIRFormat.bytes(outcome))))
    }
}

/// Everything that fails below a path fails as an OperationOutcome, also what other rooms refuse.
package struct FHIROutcomes: RouterMiddleware {
    private let prefix: String

    /// - Parameter prefix: where the service is, such as `/fhir/R4`.
    package init(prefix: String = FHIREdge.prefix) { self.prefix = prefix }

    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    package func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        guard request.uri.path == prefix || request.uri.path.hasPrefix(prefix + "/") else {
            return try await next(request, context)
        }
        do { return try await next(request, context) } catch {
            let isOurs = error is FHIRFault || error is Problem
            if !isOurs, let error = error as? any HTTPResponseError { throw unrouted(request, error) }
            throw FHIRFault.told(error)
        }
    }

    /// What the router does not know: another interaction with a type that is here, or another type.
    private func unrouted(_ request: Request, _ error: any HTTPResponseError) -> FHIRFault {
        guard error.status == .notFound else {
            return FHIRFault(Problem(error.status, "The request cannot be answered."))
        }
        let first = request.uri.path.dropFirst(prefix.count).split(separator: "/").first.map(String.init) ?? ""
        let type = first.filter { $0.isASCII && $0.isLetter }.prefix(40)
        return ResourceDefinition.all.contains { $0.type == first } || first.isEmpty
            ? FHIRFault(
                .methodNotAllowed, "not-supported", "This is not done here; GET \(prefix)/metadata says what is.")
            : FHIRFault(.notFound, "not-supported", "Resources of the type \(type) are not kept here.")
    }
}
