// What the HTTP stack itself can do: the same number of bytes for every request, from memory.

import ArgumentParser
import Hummingbird

struct MemoryServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory", abstract: "Answer every HTTP request with bytes from memory.",
        discussion: "A bound for what Phim serves with the same library: no routes, no callers, no disk.")

    @Option(help: "Bytes of each answer.") var bytes = 524_288

    private struct Ready: Encodable {
        let httpPort: Int
    }

    @concurrent
    func run() async throws {
        let body = ByteBuffer(repeating: 0x5A, count: bytes)
        let router = Router()
        router.get("/") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/octet-stream"], body: .init(byteBuffer: body))
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                try? Report.line(Ready(httpPort: channel.localAddress?.port ?? 0))
            })
        try await application.runService()
    }
}
