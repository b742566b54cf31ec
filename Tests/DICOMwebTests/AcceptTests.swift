// Accept negotiation case by case: what comes for what is accepted, of what is stored (PS3.18 Section 8.7.5).

import DICOMweb
import Testing

/// One case. What comes is written as `media type` of one part, `[media type]` of several, then the transfer syntax.
struct AcceptCase: Sendable, CustomTestStringConvertible {
    let category: ResourceCategory
    let stored: String
    let accept: String
    let expected: String

    var testDescription: String { "\(category), \(stored): \(accept) -> \(expected)" }

    /// Cases of a category, a line each: what is stored, what is accepted, what comes, separated by `|`.
    static func cases(_ category: ResourceCategory, _ table: String) -> [AcceptCase] {
        table.split(separator: "\n").map { line in
            let cells = line.split(separator: "|").map { cell in
                String(cell).split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
            }
            precondition(cells.count == 3, "\(line)")
            return AcceptCase(category: category, stored: cells[0], accept: cells[1], expected: cells[2])
        }
    }
}

/// Short names of transfer syntaxes, so that a case fits on a line.
enum Syntaxes {
    static let uids = [
        "implicit": "1.2.840.10008.1.2", "explicit": "1.2.840.10008.1.2.1", "deflated": "1.2.840.10008.1.2.1.99",
        "big": "1.2.840.10008.1.2.2", "rle": "1.2.840.10008.1.2.5", "jpeg50": "1.2.840.10008.1.2.4.50",
        "jpeg51": "1.2.840.10008.1.2.4.51", "jpeg57": "1.2.840.10008.1.2.4.57", "jpeg70": "1.2.840.10008.1.2.4.70",
        "jls80": "1.2.840.10008.1.2.4.80", "jls81": "1.2.840.10008.1.2.4.81", "j2k90": "1.2.840.10008.1.2.4.90",
        "j2k91": "1.2.840.10008.1.2.4.91", "jpx92": "1.2.840.10008.1.2.4.92", "htj201": "1.2.840.10008.1.2.4.201",
        "htj202": "1.2.840.10008.1.2.4.202", "htj203": "1.2.840.10008.1.2.4.203",
        "jxl110": "1.2.840.10008.1.2.4.110", "mpeg100": "1.2.840.10008.1.2.4.100",
        "mpeg102": "1.2.840.10008.1.2.4.102", "hevc107": "1.2.840.10008.1.2.4.107", "private": "1.2.3.4",
    ]

    /// Replaces the short names behind `=` and alone by their UIDs.
    static func expanded(_ text: String) -> String {
        var text = text
        for (name, uid) in uids {
            text = text.replacing("=\(name)", with: "=\(uid)").replacing("=\"\(name)\"", with: "=\"\(uid)\"")
                .replacing("@\(name)", with: uid)
        }
        return text
    }

    static func name(_ uid: String?) -> String {
        uid.map { uid in uids.first { $0.value == uid }?.key ?? uid } ?? ""
    }

    /// As this archive has them: no codec for video, JPEG XL and private syntaxes.
    static let codecs = FrameCodecs(
        decodable: Set(
            uids.filter { !["jxl110", "mpeg100", "mpeg102", "hevc107", "private", "jpx92"].contains($0.key) }.values),
        encodable: Set(
            ["rle", "jpeg50", "jpeg57", "jpeg70", "jls80", "j2k90", "htj201", "htj202"].compactMap { uids[$0] }))
}

@Suite("Accept negotiation")
struct AcceptTests {
    private func outcome(
        _ one: AcceptCase, isOne: Bool = true, compact: String? = nil, ownMediaType: String? = nil
    ) -> String {
        var negotiation = Negotiation(one.category)
        negotiation.stored = Syntaxes.uids[one.stored] ?? one.stored
        negotiation.codecs = Syntaxes.codecs
        negotiation.isOne = isOne
        negotiation.compact = compact
        negotiation.ownMediaType = ownMediaType
        guard let ranges = MediaRange.parse(Syntaxes.expanded(one.accept)) else { return "unreadable" }
        guard let chosen = negotiation.choose(ranges) else { return "406" }
        let type = chosen.packaging == .single ? chosen.mediaType : "[\(chosen.mediaType)]"
        let syntax = Syntaxes.name(chosen.transferSyntax)
        return syntax.isEmpty ? type : "\(type) \(syntax)"
    }

    @Test("Frames", arguments: AcceptTables.frames)
    func frames(_ one: AcceptCase) { #expect(outcome(one) == one.expected) }

    @Test("Several frames", arguments: AcceptTables.severalFrames)
    func severalFrames(_ one: AcceptCase) { #expect(outcome(one, isOne: false) == one.expected) }

    @Test("Frames for thin lines", arguments: AcceptTables.compactFrames)
    func compactFrames(_ one: AcceptCase) {
        #expect(outcome(one, compact: Syntaxes.uids["htj202"]) == one.expected)
    }

    @Test("Instances", arguments: AcceptTables.objects)
    func objects(_ one: AcceptCase) { #expect(outcome(one) == one.expected) }

    @Test("Studies and series", arguments: AcceptTables.manyObjects)
    func manyObjects(_ one: AcceptCase) { #expect(outcome(one, isOne: false) == one.expected) }

    @Test("Metadata", arguments: AcceptTables.metadata)
    func metadata(_ one: AcceptCase) { #expect(outcome(one) == one.expected) }

    @Test("Rendered", arguments: AcceptTables.rendered)
    func rendered(_ one: AcceptCase) { #expect(outcome(one) == one.expected) }

    @Test("Bulk data", arguments: AcceptTables.bulkData)
    func bulkData(_ one: AcceptCase) { #expect(outcome(one) == one.expected) }

    @Test("A document's own media type", arguments: AcceptTables.documents)
    func documents(_ one: AcceptCase) { #expect(outcome(one, ownMediaType: "application/pdf") == one.expected) }

    @Test("There are at least two hundred cases, and every category has some")
    func number() {
        let tables = [
            AcceptTables.frames, AcceptTables.severalFrames, AcceptTables.compactFrames, AcceptTables.objects,
            AcceptTables.manyObjects, AcceptTables.metadata, AcceptTables.rendered, AcceptTables.bulkData,
            AcceptTables.documents,
        ]
        let all = tables.flatMap(\.self)
        #expect(all.count >= 200)
        #expect(Set(all.map(\.category)) == Set(ResourceCategory.allCases))
    }

    @Test("What is no Accept field is none", arguments: ["", ",", ";", "image", "/", "a/b/c", "=", "\"", " , ; , "])
    func unreadable(_ field: String) { #expect(MediaRange.parse(field) == nil) }

    @Test("Long fields are refused, many alternatives cut")
    func bounded() {
        #expect(MediaRange.parse(String(repeating: "a/b,", count: 10_000)) == nil)
        #expect(MediaRange.parse(String(repeating: "a/b,", count: 1_000))?.count == 64)
    }
}
