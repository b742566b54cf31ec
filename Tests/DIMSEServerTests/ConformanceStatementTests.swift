// The conformance statement in the documents is the one that the tables give.

import DIMSEServer
import Foundation
import Testing

@Suite struct ConformanceStatementTests {
    @Test("docs/conformance-statement.md is what `make docs` writes (PS3.2)")
    func documentIsCurrent() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let document = try String(contentsOf: root.appending(path: "docs/conformance-statement.md"), encoding: .utf8)
        #expect(document == ConformanceStatement.markdown, "run: make docs")
    }
}
