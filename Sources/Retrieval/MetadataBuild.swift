// Builds the metadata of a series from the headers of its instances: read, written as JSON and deflated on several threads.

package import Catalog
package import DICOMCore
import Dispatch
import Synchronization

struct MetadataBuild: Sendable {
    let retrieval: InstanceRetrieval
    /// What addresses of bulk data begin with, such as `/dicom-web`.
    let root: String

    /// Binary values up to this length stand in the metadata itself.
    static let longestInline = 256
    /// Instances of one piece: enough that their repetitions deflate well, few enough for all cores to have work.
    private static let piece = 40

    /// The address of an instance below which its bulk data is found.
    static func address(_ instance: StoredInstance, root: String) -> String {
        "\(root)/studies/\(instance.studyInstanceUID)/series/\(instance.seriesInstanceUID)/instances/"
            + "\(instance.sopInstanceUID)/bulk/"
    }

    /// - Parameter isAlone: on the calling thread and no other.
    /// - Returns: nil when no instance is left.
    func run(
        _ instances: [StoredInstance], series: String, fingerprint: String, isAlone: Bool = false
    ) -> SeriesMetadata? {
        let starts = Array(stride(from: 0, to: instances.count, by: Self.piece))
        let pieces = Mutex([Piece?](repeating: nil, count: starts.count))
        let work = { @Sendable (index: Int) in
            let start = starts[index]
            let piece = self.piece(instances[start..<min(start + Self.piece, instances.count)], isFirst: index == 0)
            pieces.withLock { $0[index] = piece }
        }
        if isAlone {
            starts.indices.forEach(work)
        } else {
            DispatchQueue.concurrentPerform(iterations: starts.count, execute: work)
        }
        var objects: [UInt8] = []
        var places: [(String, Range<Int>)] = []
        var deflated: [DeflatedBytes] = []
        for piece in pieces.withLock({ $0 }).compactMap(\.self) {
            var piece = piece
            // The first piece may be one whose instances have all gone.
            if objects.isEmpty, piece.objects.first == 0x2C { piece = piece.withoutComma() }
            if piece.objects.isEmpty { continue }
            places += piece.places.map { ($0.0, $0.1.lowerBound + objects.count..<$0.1.upperBound + objects.count) }
            objects += piece.objects
            deflated.append(piece.deflated)
        }
        guard !places.isEmpty else { return nil }
        return SeriesMetadata(
            seriesInstanceUID: series, fingerprint: fingerprint, objects: objects, instances: places,
            deflated: .joined(deflated))
    }

    private struct Piece {
        var objects: [UInt8]
        var places: [(String, Range<Int>)]
        var deflated: DeflatedBytes

        func withoutComma() -> Piece {
            let rest = objects.dropFirst()
            return Piece(
                objects: Array(rest), places: places.map { ($0.0, $0.1.lowerBound - 1..<$0.1.upperBound - 1) },
                deflated: DeflatedBytes(rest))
        }
    }

    private func piece(_ instances: ArraySlice<StoredInstance>, isFirst: Bool) -> Piece {
        var objects: [UInt8] = []
        objects.reserveCapacity(instances.count * 6000)
        var places: [(String, Range<Int>)] = []
        var guess = 16 << 10
        for instance in instances {
            guard let object = object(instance, guess: &guess) else { continue }
            if !isFirst || !places.isEmpty { objects.append(0x2C) }
            places.append((instance.sopInstanceUID, objects.count..<objects.count + object.count))
            objects += object
        }
        return Piece(objects: objects, places: places, deflated: DeflatedBytes(objects[...]))
    }

    /// The object of one instance; nil when the instance has left. One whose header is beyond reading is listed by its
    /// identifiers.
    private func object(_ instance: StoredInstance, guess: inout Int) -> [UInt8]? {
        let prefix = Self.address(instance, root: root)
        var writer = DICOMJSONWriter(.reference(prefix: prefix, above: Self.longestInline), reserving: 8192)
        do throws(RetrievalFailure) {
            let header = try retrieval.outgoingHeader(of: instance, guess: &guess)
            writer.write(header.dataSet, pixelData: header.pixelData)
        } catch .absent {
            return nil
        } catch {
            writer.beginObject()
            writer.write(.sopClassUID, .UI, [instance.sopClassUID])
            writer.write(.sopInstanceUID, .UI, [instance.sopInstanceUID])
            writer.write(.studyInstanceUID, .UI, [instance.studyInstanceUID])
            writer.write(.seriesInstanceUID, .UI, [instance.seriesInstanceUID])
            writer.endObject()
        }
        return writer.bytes
    }
}

extension InstanceRetrieval {
    /// Everything before the pixel data as it was received, and where that is.
    /// - Parameter guess: how many bytes to begin with; becomes what this header took, for the next one like it.
    package func wholeHeader(of instance: StoredInstance, guess: inout Int) throws(RetrievalFailure) -> Header {
        let transferSyntax = TransferSyntax(instance.transferSyntaxUID)
        let object = stored(instance)
        var count = max(4096, guess)
        while true {
            let bytes = try object.read(from: 0, count: Int(min(Int64(count), object.length)))
            let isAll = Int64(bytes.count) == object.length
            let header = try? HeaderReader.read(
                bytes, from: instance.dataSetOffset, transferSyntax: transferSyntax)
            if let header, header.pixelData != nil || isAll || count >= Self.longestHeader {
                if let end = header.pixelDataOffset, !transferSyntax.isDeflated {
                    guess = min(end + 1024, 1 << 20)
                }
                return header
            }
            guard !isAll, count < Self.longestHeader else { throw .unreadable(reason: "header") }
            count *= 8
        }
    }

    private static var longestHeader: Int { 64 << 20 }
}
