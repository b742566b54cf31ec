// The catalogue is a projection: from the volumes alone it comes out the same.

import Catalog
import DICOMCore
import Foundation
import Ingest
import Testing
import Volumes

@Suite struct ReplayTests {
    private func fill(_ bench: Bench) throws {
        for number in 0..<40 {
            var sample = Sample()
            sample.studyInstanceUID = number % 7 == 0 ? nil : "2.25.\(100 + number % 5)"
            sample.seriesInstanceUID = "2.25.\(200 + number % 11)"
            sample.patientID = number % 9 == 0 ? nil : "P\(number % 5)"
            try bench.send(sample)
            if number % 10 == 0 {
                sample.pixels = [UInt8](repeating: UInt8(number), count: 4096)
                try bench.send(sample)
            }
        }
    }

    @Test("A rebuilt catalogue equals the live one (invariant 1)")
    func rebuild() throws {
        let bench = try Bench()
        try fill(bench)
        let rebuilt = try CatalogStore(path: bench.folder.appending(path: "rebuilt.sqlite").path)
        let summary = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        #expect(summary.enrolled == 44)
        #expect(summary.unreadable == 0)
        #expect(try rebuilt.snapshot() == bench.catalog.snapshot())
    }

    @Test("A catalogue that fell behind catches up from the position it knows")
    func catchUp() throws {
        let first = try Bench()
        try fill(first)
        let expected = try first.catalog.snapshot()
        first.close()
        let fresh = try CatalogStore(path: first.folder.appending(path: "fresh.sqlite").path)
        let volumes = try VolumeStore(directory: first.folder.appending(path: "volumes").path)
        #expect(try Replay(volumes: volumes, catalog: fresh).catchUp().enrolled == 44)
        #expect(try fresh.snapshot() == expected)
        #expect(try Replay(volumes: volumes, catalog: fresh).catchUp().enrolled == 0)
        volumes.close()
    }

    @Test("Swapping a rebuilt catalogue in keeps the change feed and what waits to be erased")
    func replace() throws {
        let bench = try Bench()
        try fill(bench)
        let expected = try bench.catalog.snapshot()
        let changes = try bench.catalog.changes(after: 0, limit: 10_000).count
        let rebuilt = try CatalogStore(path: bench.folder.appending(path: "rebuilt.sqlite").path)
        _ = try Replay(volumes: bench.volumes, catalog: rebuilt).everything()
        try bench.catalog.replace(with: rebuilt)
        #expect(try bench.catalog.snapshot() == expected)
        #expect(try bench.catalog.changes(after: 0, limit: 10_000).count == changes)
        try bench.send(Sample())
    }
}
