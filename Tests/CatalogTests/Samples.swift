// Made-up instances and catalogues on scratch files for the tests of this target.

import Catalog
import DICOMCore
import Foundation
import Records
import Volumes

/// A folder that disappears with its last owner.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "phim-catalog-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func catalog(busyTimeout: TimeInterval = 10, effort: SearchEffort = SearchEffort()) throws -> CatalogStore {
        try CatalogStore(path: path + "/catalog.sqlite", busyTimeout: busyTimeout, effort: effort, now: { 0 })
    }

    func records() throws -> RecordStore { try RecordStore(path: path + "/records.sqlite") }
}

/// The attribute of a keyword.
func attribute(_ keyword: String) -> Attribute {
    guard let tag = Tag(keyword: keyword), let attribute = Attribute.of(tag) else {
        preconditionFailure("no attribute \(keyword)")
    }
    return attribute
}

/// One made-up instance; everything that a test does not name has a plain value.
func sample(
    _ sop: String, study: String = "1.2.1", series: String = "1.2.1.1", patient: String = "P1",
    content: UInt8 = 1, receivedAt: Int64 = 1_000, volume: Int = 1, offset: Int64? = nil,
    _ more: [String: String] = [:]
) -> Enrollment {
    var values: [Attribute: String] = [
        attribute("SOPInstanceUID"): sop, attribute("StudyInstanceUID"): study,
        attribute("SeriesInstanceUID"): series, attribute("PatientID"): patient,
        attribute("SOPClassUID"): "1.2.840.10008.5.1.4.1.1.2", attribute("Modality"): "CT",
        attribute("AvailableTransferSyntaxUID"): "1.2.840.10008.1.2.1",
    ]
    for (keyword, value) in more { values[attribute(keyword)] = value }
    let entry = offset ?? Int64(abs(sop.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) & 0xFFFF_FFFF })) * 512
    return Enrollment(
        facts: InstanceFacts(values),
        place: Place(volume: volume, entryOffset: entry, bodyOffset: entry + 1_024, length: 5_000),
        dataSetOffset: 300, digest: [UInt8](repeating: content, count: 32), receivedAt: receivedAt, source: "SCU")
}

extension CatalogStore {
    /// Enrols without positions.
    @discardableResult
    func enroll(_ batch: [Enrollment]) throws -> [EnrollmentOutcome] { try enroll(batch, enrolledTo: [:]) }

    /// Values of one attribute of everything that matches.
    func values(_ keyword: String, level: QueryLevel, _ filters: [String: String] = [:]) throws -> [String] {
        try find(query(level, filters)).map { $0.values[attribute(keyword).tag] ?? "missing" }
    }
}

/// A query whose keys are written as an identifier has them.
func query(_ level: QueryLevel, _ filters: [String: String]) -> Query {
    let keys = filters.map { (attribute($0.key).tag, MatchingKey($0.value, for: attribute($0.key))) }
    return Query(level: level, filters: [Tag: MatchingKey](uniqueKeysWithValues: keys))
}

/// A generator whose numbers depend on nothing but the seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
