// The retrieve transaction: which path gives what (PS3.18 Section 10.4, Table 10.4.1-1).

import Hummingbird
import Web

struct RetrieveRoutes: Sendable {
    private let services: DICOMwebServices

    init(_ services: DICOMwebServices) { self.services = services }

    private typealias Answer = @Sendable (RetrieveCall) async throws -> Response

    func add(to group: RouterGroup<WebRequestContext>) {
        let study = "studies/:study"
        let series = study + "/series/:series"
        let instance = series + "/instances/:instance"
        for level in [study, series, instance] {
            add(level, to: group) { call in try await ObjectAnswer(call).response() }
            add(level + "/metadata", to: group) { call in try await MetadataAnswer(call).response() }
            add(level + "/rendered", to: group) { call in
                try await RenderedAnswer(call, isThumbnail: false).response()
            }
            add(level + "/thumbnail", to: group) { call in
                try await RenderedAnswer(call, isThumbnail: true).response()
            }
            add(level + "/bulkdata", to: group) { call in try await BulkDataAnswer(call).all() }
        }
        let frames = instance + "/frames/:frames"
        add(frames, to: group) { call in try await FramesAnswer(call).response() }
        for name in ["rendered", "thumbnail"] {
            add(frames + "/\(name)", to: group) { call in
                let numbers = try FramesAnswer.numbers(call.context.parameters.get("frames") ?? "")
                return try await RenderedAnswer(call, isThumbnail: name == "thumbnail").response(frames: numbers)
            }
        }
        for name in ["bulk", "bulkdata"] {
            add(instance + "/\(name)/**", to: group) { call in
                try await BulkDataAnswer(call).value(at: call.context.parameters.getCatchAll())
            }
        }
    }

    private func add(_ path: String, to group: RouterGroup<WebRequestContext>, _ answer: @escaping Answer) {
        let services = services
        group.get(RouterPath(path)) { request, context -> Response in
            try await answer(RetrieveCall(request, context, services))
        }
        group.head(RouterPath(path)) { request, context -> Response in
            try await answer(RetrieveCall(request, context, services)).createHeadResponse()
        }
    }
}
