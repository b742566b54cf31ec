import Hummingbird
import Portal
import Testing

@Suite("The description of /api/v1")
struct OpenAPITests {
    @Test("every route is described, and every description has its route") func routes() throws {
        let mounted = try ViewerBench().router().routes.compactMap { route -> String? in
            // `:uid` here is `{uid}` there.
            let parts = route.path.description.split(separator: "/").map {
                $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0)
            }
            guard parts.starts(with: ["api", "v1"]) else { return nil }
            return "\(route.method.rawValue) /" + parts.joined(separator: "/")
        }
        let described = OpenAPIDocument.operations.map { operation in
            "\(operation.method) "
                + (operation.path.hasSuffix("/") ? String(operation.path.dropLast()) : operation.path)
        }
        #expect(Set(mounted).subtracting(described).isEmpty, "not described")
        #expect(Set(described).subtracting(mounted).isEmpty, "described, but not there")
        #expect(described.count > 20)
    }
}
