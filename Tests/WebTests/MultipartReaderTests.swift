// The multipart reader: the same parts however the bytes were cut, and a clear refusal of what is no multipart body.

import NIOCore
import Testing
import Web

@Suite("Multipart reader (RFC 2046 Section 5.1)")
struct MultipartReaderTests {
    struct Part: Equatable {
        var type: String?
        var bytes: [UInt8] = []
    }

    /// Reads a body that comes in pieces of these lengths; what is left comes as one piece.
    private func parts(_ body: [UInt8], boundary: String = "B", cuts: [Int] = []) throws -> [Part] {
        var reader = try MultipartReader(boundary: boundary)
        var parts: [Part] = []
        var isOpen = false
        var rest = body[...]
        for cut in cuts + [body.count] {
            let piece = rest.prefix(cut)
            rest = rest.dropFirst(cut)
            reader.append(ByteBuffer(bytes: piece))
            while let event = try reader.next() {
                switch event {
                case .begin(let header):
                    #expect(!isOpen)
                    isOpen = true
                    parts.append(Part(type: header["content-type"]))
                case .bytes(let bytes):
                    #expect(isOpen && bytes.readableBytes > 0)
                    parts[parts.count - 1].bytes += Array(bytes.readableBytesView)
                case .end:
                    #expect(isOpen)
                    isOpen = false
                }
            }
        }
        try reader.finish()
        #expect(!isOpen)
        return parts
    }

    private func body(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Bodies in which much looks like a boundary and little is one.
    private static let tricky: [(body: String, parts: [String])] = [
        ("--B\r\n\r\none\r\n--B--", ["one"]),
        ("--B\r\n\r\none\r\n--B\r\nA: b\r\n\r\ntwo\r\n--B--\r\n", ["one", "two"]),
        ("--B\n\none\n--B\n\ntwo\n--B--\n", ["one", "two"]),
        ("preamble\r\n--B \t \r\n\r\none\r\n--B--epilogue\r\n--B\r\n", ["one"]),
        ("--B\r\n\r\n--B\r\n\r\n\r\n--B--", ["", ""]),
        ("--B\r\n\r\n\r\n\r\n--B--", ["\r\n"]),
        (
            "--B\r\n\r\n--Bx\r\n--B-\r\n --B\r\n--\r\n\r--B\r\n\r\r\n--B--",
            ["--Bx\r\n--B-\r\n --B\r\n--\r\n\r--B\r\n\r"]
        ),
        ("--B\r\n\r\n\r\r\n\r\n-\r\n--\r\n--B--", ["\r\r\n\r\n-\r\n--"]),
        ("--B\r\nContent-Type: a/b;\r\n charset=x\r\n\r\nz\r\n--B--", ["z"]),
    ]

    @Test("Every way to cut a body in three gives the same parts", arguments: tricky.indices)
    func cuts(index: Int) throws {
        let (text, expected) = Self.tricky[index]
        let bytes = body(text)
        for first in 0...bytes.count {
            for second in 0...(bytes.count - first) {
                let read = try parts(bytes, cuts: [first, second])
                #expect(
                    read.map { String(decoding: $0.bytes, as: UTF8.self) } == expected, "cut at \(first), \(second)")
            }
        }
        let single = try parts(bytes, cuts: [Int](repeating: 1, count: bytes.count))
        #expect(single.map { String(decoding: $0.bytes, as: UTF8.self) } == expected)
    }

    @Test("Random bodies of boundary-like bytes come back as they were put together, in random chunks")
    func randomBodies() throws {
        var dice = SystemRandomNumberGenerator()
        let alphabet = Array("\r\n-Bound ".utf8)
        for _ in 0..<400 {
            let contents = (0..<Int.random(in: 1...5, using: &dice)).map { _ in
                (0..<Int.random(in: 0...300, using: &dice)).map { _ in alphabet.randomElement(using: &dice) ?? 0 }
            }
            let boundary = "Bound-B"
            guard !contents.contains(where: { String(decoding: $0, as: UTF8.self).contains("--" + boundary) }) else {
                continue
            }
            let bytes =
                contents.flatMap { Array("--\(boundary)\r\nContent-Type: x/y\r\n\r\n".utf8) + $0 + Array("\r\n".utf8) }
                + Array("--\(boundary)--\r\n".utf8)
            var cuts: [Int] = []
            while cuts.reduce(0, +) < bytes.count { cuts.append(Int.random(in: 0...40, using: &dice)) }
            let read = try parts(bytes, boundary: boundary, cuts: cuts)
            #expect(read.map(\.bytes) == contents)
            #expect(read.allSatisfy { $0.type == "x/y" })
        }
    }

    @Test("Nothing but what could begin a boundary is held back")
    func promptness() throws {
        var reader = try MultipartReader(boundary: "B")
        reader.append(ByteBuffer(string: "--B\r\n\r\nimage bytes\r"))
        #expect(try reader.next() == .begin(PartHeader()))
        #expect(try reader.next() == .bytes(ByteBuffer(string: "image bytes")))
        #expect(try reader.next() == nil)
        reader.append(ByteBuffer(string: "x"))
        #expect(try reader.next() == .bytes(ByteBuffer(string: "\rx")))
    }

    @Test(
        "What is no multipart body is refused with its reason",
        arguments: [
            ("", .noBoundary), ("no boundary at all", .noBoundary), ("--A\r\n\r\none\r\n--A--", .noBoundary),
            ("x--B\r\n\r\n", .noBoundary), ("--B\r\n\r\none", .truncated), ("--B\r\n\r\none\r\n--B", .truncated),
            ("--B\r\n\r\none\r\n--B\r\n", .truncated), ("--B\r\nContent-Type: a/b\r\n", .truncated),
            ("--B\r\nno field\r\n\r\none\r\n--B--", .malformedHeader),
            ("--B\r\n: x\r\n\r\none\r\n--B--", .malformedHeader),
            ("--B\r\nContent-Type: Multipart/Mixed; boundary=C\r\n\r\n--C\r\n\r\n--C--\r\n--B--", .nested),
            ("--B\r\nA: " + String(repeating: "x", count: 17_000) + "\r\n\r\n--B--", .headerTooLarge),
            ("--B\r\nA: " + String(repeating: "x", count: 17_000), .headerTooLarge),
            ((0..<65).reduce("--B\r\n") { $0 + "A\($1): x\r\n" } + "\r\n--B--", .headerTooLarge),
            (String(repeating: "x", count: 70_000) + "\r\n--B\r\n\r\n--B--", .noBoundary),
        ] as [(String, MultipartFailure)])
    func refusals(text: String, failure: MultipartFailure) {
        #expect(throws: failure) { try parts(body(text)) }
        #expect(throws: failure) { try parts(body(text), cuts: [Int](repeating: 7, count: text.utf8.count / 7)) }
    }

    @Test("A body of too many parts is refused, not gathered")
    func tooManyParts() throws {
        let bytes = body(String(repeating: "--B\r\n\r\n\r\n", count: 50_001))
        #expect(throws: MultipartFailure.tooManyParts) { try parts(bytes) }
    }

    @Test(
        "Boundaries (RFC 2046 Section 5.1.1: 1 to 70 characters)",
        arguments: [
            ("", false), ("a", true), ("'()+_,-./:=? 9", true), (String(repeating: "b", count: 70), true),
            (String(repeating: "b", count: 71), false), ("ends with space ", false), ("new\nline", false),
        ])
    func boundaries(boundary: String, isValid: Bool) throws {
        let reader = try? MultipartReader(boundary: boundary)
        #expect((reader != nil) == isValid)
        guard isValid else { return }
        #expect(
            try parts(body("--\(boundary)\r\n\r\nx\r\n--\(boundary)--"), boundary: boundary).map(\.bytes) == [[0x78]])
    }
}

@Suite("Content types (RFC 9110 Section 8.3.1)")
struct ContentTypeTests {
    @Test(
        "Types and parameters",
        arguments: [
            ("application/dicom", "application/dicom", [:]),
            (
                "Multipart/Related; type=\"application/dicom\"; boundary=abc", "multipart/related",
                ["type": "application/dicom", "boundary": "abc"]
            ),
            (
                "multipart/related;boundary=\"a b;c=\\\"d\";TYPE=application/dicom ;x", "multipart/related",
                ["boundary": "a b;c=\"d", "type": "application/dicom"]
            ),
            ("a/b; x=1; x=2", "a/b", ["x": "1"]), ("a/b;", "a/b", [:]), ("a/b; ;=;q=\"", "a/b", ["": "", "q": ""]),
        ] as [(String, String, [String: String])])
    func reading(text: String, essence: String, parameters: [String: String]) {
        let type = ContentType(text)
        #expect(type?.essence == essence)
        #expect(type?.parameters == parameters)
    }

    @Test("No types", arguments: ["", "application", "/", "a/", "/b", "a/b/c", ";boundary=x", "a b/c"])
    func nonsense(text: String) { #expect(ContentType(text) == nil) }
}
