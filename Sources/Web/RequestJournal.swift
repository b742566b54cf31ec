// Counts and times every request by its route, and logs it: never a query string, a UID or a name.

import Dispatch
package import Hummingbird
package import Logging
import Metrics
import Synchronization

/// Stands before all other middleware.
package struct RequestJournal: RouterMiddleware {
    private let logger: Logger
    private let instruments = InstrumentCache()

    package init(logger: Logger) { self.logger = logger }

    // Hummingbird's requirement was compiled without nonisolated(nonsending) by default.
    @concurrent
    package func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        let started = DispatchTime.now()
        do {
            let response = try await next(request, context)
            note(request, context, response.status, started)
            return response
        } catch {
            note(request, context, (error as? any HTTPResponseError)?.status ?? .internalServerError, started)
            throw error
        }
    }

    /// The route's own pattern stands for the path, which holds UIDs.
    private func note(
        _ request: Request, _ context: WebRequestContext, _ status: HTTPResponse.Status, _ started: DispatchTime
    ) {
        let nanoseconds = DispatchTime.now().uptimeNanoseconds - started.uptimeNanoseconds
        let route = context.endpointPath ?? "none"
        let key = InstrumentCache.Key(
            route: route, method: InstrumentCache.known(request.method.rawValue), status: "\(status.code / 100)xx")
        let found = instruments[key]
        found.count.increment()
        found.time.recordNanoseconds(Int64(clamping: nanoseconds))
        logger.log(
            level: status.code >= 500 && status != .serviceUnavailable ? .error : .debug, "request",
            metadata: [
                "method": "\(key.method)", "route": "\(route)", "status": "\(status.code)",
                "milliseconds": "\(nanoseconds / 1_000_000)", "from": "\(context.address)",
            ])
    }
}

/// Instruments are made once for each route, method and class of status; all three are bounded.
private final class InstrumentCache: Sendable {
    struct Key: Hashable {
        let route: String
        let method: String
        let status: String
    }

    struct Instruments: Sendable {
        let count: Counter
        let time: Timer
    }

    private let made = Mutex<[Key: Instruments]>([:])

    subscript(_ key: Key) -> Instruments {
        made.withLock { made in
            if let found = made[key] { return found }
            let instruments = Instruments(
                count: Counter(
                    label: "phim_http_requests_total",
                    dimensions: [("route", key.route), ("method", key.method), ("status", key.status)]),
                time: Timer(label: "phim_http_request_seconds", dimensions: [("route", key.route)]))
            made[key] = instruments
            return instruments
        }
    }

    /// A method that callers may have made up counts as another one.
    static func known(_ method: String) -> String {
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(method) ? method : "other"
    }
}
