// Objects to send: read from Part 10 files once, then given a new SOP Instance UID as often as one is needed.

import ArgumentParser
import DICOMCore
import Foundation

/// A Part 10 file in memory whose SOP Instance UID can be replaced by another of the same length.
struct SampleObject: Sendable {
    let sopClassUID: String
    let transferSyntaxUID: String
    private(set) var sopInstanceUID: String
    /// The file, or its data set alone.
    private(set) var bytes: [UInt8]
    private let places: [Int]

    /// - Parameter dataSetOnly: whether the file header is left out, as a C-STORE does.
    init(path: String, dataSetOnly: Bool) throws {
        let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let part10 = try Part10.parse(file)
        guard let sopClass = part10.mediaStorageSOPClassUID, let instance = part10.mediaStorageSOPInstanceUID else {
            throw ValidationError("\(path): no SOP class or instance UID in the file header")
        }
        sopClassUID = sopClass
        sopInstanceUID = instance
        transferSyntaxUID = part10.transferSyntax.uid
        bytes = dataSetOnly ? Array(file[part10.dataSetOffset...]) : file
        places = Self.places(of: Array(instance.utf8), in: bytes.prefix(4096))
        guard places.count == (dataSetOnly ? 1 : 2) else {
            throw ValidationError("\(path): the SOP Instance UID is not where it is looked for")
        }
    }

    /// Another instance of the same content. `number` is written at the end of the UID, which keeps its length.
    mutating func renew(_ number: Int) throws {
        let digits = String(number)
        let old = sopInstanceUID.utf8.count
        let root = "2.25."
        guard root.utf8.count + digits.utf8.count <= old else { throw ValidationError("UIDs too short to be renewed") }
        // A component has no leading zero, so ones fill the gap.
        let gap = old - root.utf8.count - digits.utf8.count
        sopInstanceUID = root + String(repeating: "1", count: gap) + digits
        let text = Array(sopInstanceUID.utf8)
        for place in places { bytes.replaceSubrange(place..<place + text.count, with: text) }
    }

    private static func places(of text: [UInt8], in bytes: ArraySlice<UInt8>) -> [Int] {
        guard bytes.count >= text.count else { return [] }
        return (0...bytes.count - text.count).filter { bytes[$0..<$0 + text.count].elementsEqual(text) }
    }
}

/// The files that objects are made from.
struct SampleOptions: ParsableArguments {
    @Option(name: .customLong("samples"), help: "Folder of Part 10 files in Explicit VR Little Endian.")
    var folder: String

    @Option(help: "How many of the files to use, spread over the folder; all by default.")
    var sampleCount: Int?

    @Option(help: "First number for new SOP Instance UIDs: runs into one archive need ranges of their own.")
    var firstNumber = 1_000_000_000

    func read(dataSetOnly: Bool) throws -> [SampleObject] {
        guard let walk = FileManager.default.enumerator(atPath: folder) else {
            throw ValidationError("\(folder): cannot be read")
        }
        let names = walk.compactMap { $0 as? String }.filter { $0.hasSuffix(".dcm") }.sorted()
        guard !names.isEmpty else { throw ValidationError("\(folder): no files named *.dcm") }
        let wanted = min(max(1, sampleCount ?? names.count), names.count)
        return try (0..<wanted).map {
            try SampleObject(path: folder + "/" + names[$0 * names.count / wanted], dataSetOnly: dataSetOnly)
        }
    }
}
