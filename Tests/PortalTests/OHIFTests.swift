// The viewer's files: what is served, to whom, under which headers, and what never is.

import Access
import Foundation
import Hummingbird
import HummingbirdTesting
import Portal
import Testing
import Web

/// Puts a caller into every request, as the authentication does.
private struct SignedIn: RouterMiddleware {
    let caller: Caller?

    @concurrent
    func handle(
        _ request: Request, context: WebRequestContext,
        next: @concurrent (Request, WebRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.caller = caller
        return try await next(request, context)
    }
}

@Suite struct OHIFTests {
    private let folder = NSTemporaryDirectory() + "phim-ohif-" + UUID().uuidString
    private static let bundle = "app.bundle.af87d1dd396d277eac89.js"
    private static let reader = caller([.radiologist], .session(1))

    private static func caller(_ roles: Set<Role>, _ credential: Credential, _ scope: StudyScope = .all) -> Caller {
        Caller(account: "a", roles: roles, credential: credential, scope: scope, address: "127.0.0.1")
    }

    init() throws {
        let files = [
            "index.html": "<script src=\"/ohif/\(Self.bundle)\"></script><script src=\"/ohif/app-config.js\"></script>",
            Self.bundle: "let viewer = 1", "17dd54813d5acc10bf8f.wasm": "\0asm", "app.bundle.css": "a{}",
            "dicom-microscopy-viewer/dicomMicroscopyViewer.min.js": "slides",
        ]
        for (name, text) in files {
            let url = URL(fileURLWithPath: folder + "/inside/" + name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        try Data("secret".utf8).write(to: URL(fileURLWithPath: folder + "/secret.txt"))
    }

    private func get(
        _ path: String, as caller: Caller? = OHIFTests.reader, isInstalled: Bool = true
    ) async throws -> TestResponse {
        let router = Router(context: WebRequestContext.self)
        router.add(middleware: SignedIn(caller: caller))
        let work = BlockingWork(threads: 1)
        OHIFRoutes(viewer: isInstalled ? ViewerFiles(folder: folder + "/inside") : nil, work: work).add(to: router)
        let answer = try await Application(router: router).test(.router) { client in
            try await client.execute(uri: path, method: .get) { $0 }
        }
        try await work.shutDown()
        return answer
    }

    @Test(
        "every place inside the viewer is its page, isolated, and its typeface stays unasked for",
        arguments: ["/ohif", "/ohif/", "/ohif/viewer?StudyInstanceUIDs=1.2.3", "/ohif/index.html", "/ohif/a/b"])
    func page(path: String) async throws {
        let answer = try await get(path)
        #expect(answer.status == .ok)
        #expect(answer.headers[.contentType] == "text/html; charset=utf-8")
        #expect(answer.headers[.init("Cross-Origin-Embedder-Policy")!] == "require-corp")
        #expect(answer.headers[.cacheControl] == "no-cache")
        #expect(answer.headers[.contentSecurityPolicy]?.contains("googleapis") == false)
    }

    @Test("without a session the way leads to the first page and back")
    func signIn() async throws {
        let answer = try await get("/ohif/viewer?StudyInstanceUIDs=1.2.3&x=//evil", as: nil)
        #expect(answer.status == .seeOther)
        #expect(answer.headers[.location] == "/?return=/ohif/viewer%3FStudyInstanceUIDs%3D1.2.3%26x%3D//evil")
        #expect(try await get("/ohif/", as: nil, isInstalled: false).status == .seeOther)
    }

    @Test(
        "files have their types; a name with a digest is kept for a year",
        arguments: [
            (OHIFTests.bundle, "text/javascript; charset=utf-8", true),
            ("17dd54813d5acc10bf8f.wasm", "application/wasm", true),
            ("app.bundle.css", "text/css; charset=utf-8", false),
        ])
    func files(name: String, type: String, isKept: Bool) async throws {
        for caller in [OHIFTests.reader, nil] {
            let answer = try await get("/ohif/" + name, as: caller)
            #expect(answer.status == .ok && answer.headers[.contentType] == type)
            #expect(answer.headers[.cacheControl]?.contains("immutable") == isKept)
            #expect(answer.headers[.init("Cross-Origin-Resource-Policy")!] == "same-origin")
        }
    }

    @Test("microscopy's files are at the root of the site")
    func microscopy() async throws {
        let answer = try await get("/dicom-microscopy-viewer/dicomMicroscopyViewer.min.js")
        #expect(answer.status == .ok && String(buffer: answer.body) == "slides")
    }

    @Test(
        "nothing outside the folder, and no page for a file that is missing",
        arguments: [
            "/ohif/../secret.txt", "/ohif/%2e%2e/secret.txt", "/ohif/..%2fsecret.txt", "/ohif/a/../../secret.txt",
            "/ohif//etc/passwd.txt", "/ohif/missing.js", "/dicom-microscopy-viewer/../../secret.txt",
            "/dicom-microscopy-viewer/%00.js", "/ohif/%ff.js",
        ])
    func outside(path: String) async throws {
        let answer = try await get(path)
        #expect(answer.status == .notFound || answer.status == .badRequest, "\(path)")
        #expect(!String(buffer: answer.body).contains("secret"))
    }

    @Test("the configuration is the caller's: who may not store has no upload, who came by a link has no list")
    func configuration() async throws {
        let technician = Self.caller([.technician], .session(1))
        let doctor = Self.caller([.referringPhysician], .session(2))
        let link = Self.caller([.radiologist], .link(3), .only(["1.2.3"]))
        for (caller, uploads, list) in [(technician, true, true), (doctor, false, true), (link, false, false)] {
            let answer = try await get("/ohif/app-config.js", as: caller)
            let text = String(buffer: answer.body)
            #expect(text.contains("dicomUploadEnabled: \(uploads)"))
            #expect(text.contains("showStudyList: \(list)"))
            #expect(text.contains("qidoRoot: '/dicom-web'"))
            #expect(answer.headers[.cacheControl] == "private, no-store")
        }
    }

    @Test("without the viewer a page tells how to add it")
    func missing() async throws {
        let answer = try await get("/ohif/", isInstalled: false)
        #expect(answer.status == .notFound)
        #expect(String(buffer: answer.body).contains("scripts/fetch-ohif"))
        #expect(ViewerFiles(folder: folder) == nil)
    }

    @Test("the files that the page loads first are told, but not the configuration")
    func startFiles() async throws {
        let answer = try await get("/ohif/start-files.json", as: nil)
        #expect(String(buffer: answer.body) == "[\"/ohif/\(Self.bundle)\"]")
    }
}
