// The benchmarks' own executable: what cannot be measured from outside, and the references to measure against.

import ArgumentParser

@main struct PhimBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "phim-bench",
        abstract: "Senders, receivers and disk rates for Benchmarks/side-by-side.",
        subcommands: [
            Receive.self, Send.self, InProcess.self, Disk.self, CatalogScale.self, StudyList.self, WorklistScale.self,
            LinkScale.self, MemoryServer.self,
        ])
}
