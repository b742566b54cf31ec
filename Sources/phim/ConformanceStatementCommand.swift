// phim conformance-statement: prints what this archive conforms to.

import ArgumentParser
import DIMSEServer

struct ConformanceStatementCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conformance-statement",
        abstract: "Print the DICOM conformance statement of this version.")

    func run() {
        Terminal.print(String(ConformanceStatement.markdown.dropLast()))
    }
}
