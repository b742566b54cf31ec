// Volumes and catalogue: what an object costs to keep, and a question to answer.

import Benchmark
import Catalog
import DICOMCore
import Volumes

func volumeBenchmarks() {
    for (size, label) in [(16 << 10, "16KiB"), (516 << 10, "516KiB")] {
        for count in [1, 8] {
            let body = Slices.file(0, size: size)
            micro("Volumes-append-\(count)x\(label)", iterations: 60, writes: true) {
                try VolumeBench()
            } prepare: { _, run in
                (0..<count).map { entry(run * count + $0, body) }
            } operation: { bench, entries in
                blackHole(try bench.store.append(entries))
            }
        }
    }
}

/// The volume does not look into the object: the same bytes do for each.
private func entry(_ number: Int, _ body: [UInt8]) -> NewEntry {
    NewEntry(
        facts: EntryFacts(
            studyInstanceUID: UIDs.study(number / 500), seriesInstanceUID: UIDs.series(number / 500),
            sopInstanceUID: UIDs.instance(number), digest: [UInt8](repeating: UInt8(number & 0xFF), count: 32),
            receipt: EntryReceipt(receivedAt: 1_700_000_000_000_000, source: "CT01", dataSetOffset: 376)),
        body: EntryBuffer(body))
}

/// Slices that the catalogue holds before anything is measured, of 2,000 studies.
private let enrolled = 8_000

func catalogBenchmarks() {
    for count in [1, 8, 64] {
        micro("Catalog-enroll-\(count)", iterations: 100) {
            try CatalogBench(slices: enrolled)
        } prepare: { bench, _ in
            bench.batch(of: count)
        } operation: { bench, batch in
            try bench.enroll(batch)
        }
    }
    search("nguyen", limit: 100) { _ in [.patientName: MatchingKey("*nguyen*", for: .patientName)] }
    search("patientID") { run in
        [.patientID: MatchingKey("BN\(1_000_000 + run * 7919 % (enrolled / 4))", for: .patientID)]
    }
    search("dateRange") { run in
        [.studyDate: .range(lower: CatalogBench.day(run % 50 * 40), upper: CatalogBench.day(run % 50 * 40))]
    }
    micro("Catalog-copies-10") {
        try CatalogBench(slices: enrolled)
    } prepare: { _, run in
        (0..<10).map { UIDs.instance((run * 10 + $0) * 7919 % enrolled) }
    } operation: { bench, uids in
        for uid in uids where try bench.store.copies(sopInstanceUID: uid).count != 1 {
            throw BenchmarkFailure.unexpectedOutcome
        }
    }
}

/// A study list: what a workstation asks for, answered with all that the catalogue knows of each study.
private func search(_ name: String, limit: Int? = nil, filters: @escaping (Int) -> [Tag: MatchingKey]) {
    micro("Catalog-search-\(name)") {
        try CatalogBench(slices: enrolled)
    } prepare: { _, run in
        Query(level: .study, filters: filters(run), limit: limit)
    } operation: { bench, query in
        guard try !bench.store.find(query).isEmpty else { throw BenchmarkFailure.unexpectedOutcome }
    }
}
