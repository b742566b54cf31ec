// Makes objects of a request's metadata and bulk data, and carries them into the archive.

import DICOMCore
import Foundation
import Hummingbird
import Ingest
import NIOCore
import Retrieval
import Web

extension StoreSession {
    /// One object for each data set of the metadata; without metadata one for each bulk part.
    func assemble(_ material: StoreMaterial) async throws -> [StoreOutcome] {
        guard !material.isEmpty else { return [] }
        let spool = try material.spool ?? spool()
        return try await lanes.assembling.run {
            var dataSets: [TextDataSet] = []
            for document in material.metadata {
                do throws(TextDataSetFailure) {
                    dataSets +=
                        document.isXML
                        ? [try TextDataSet.read(xml: document.bytes)] : try TextDataSet.read(Data(document.bytes))
                } catch {
                    let form = document.isXML ? "XML" : "JSON"
                    throw Problem(.badRequest, "The metadata are not DICOM \(form): \(error).")
                }
                guard dataSets.count <= Self.mostBulks else { throw Self.tooMuch }
            }
            var room = spool.length + Self.mostRepeated
            let wrapper = ObjectWrapper(spool: spool, bulks: material.bulks, defaults: defaults())
            if material.metadata.isEmpty {
                return material.bulks.enumerated().map { number, part in
                    store(spool, &room) { () throws(StoreFault) in try wrapper.object(part, number: number) }
                }
            }
            return dataSets.enumerated().map { number, dataSet in
                var outcome = store(spool, &room) { () throws(StoreFault) in
                    try wrapper.object(dataSet, number: number)
                }
                // An object that was never made is named by what its metadata call it.
                if outcome.sopInstanceUID == nil {
                    let named = [dataSet.string(.sopClassUID), dataSet.string(.sopInstanceUID)].map { uid in
                        uid.flatMap { UID.isValid($0) ? $0 : nil }
                    }
                    (outcome.sopClassUID, outcome.sopInstanceUID) = (named[0], named[1])
                }
                return outcome
            }
        }
    }

    /// Bytes that all objects of a request may have beyond those that came: several may share a value, but a few
    /// kilobytes must not become a full disk.
    private static let mostRepeated: Int64 = 1 << 30

    /// - Parameter room: bytes that the objects of the request may still have.
    private func store(
        _ spool: OwnFile, _ room: inout Int64, _ make: () throws(StoreFault) -> WrappedObject
    ) -> StoreOutcome {
        let object: WrappedObject
        do throws(StoreFault) { object = try make() } catch { return StoreOutcome(.failure(error)) }
        room -= Int64(object.opening.count + object.value.count + object.closing.count)
        guard room >= 0 else { return StoreOutcome(.failure(.ingest(.tooLarge))) }
        let upload = StoreUpload(ingest: ingest, rule: rule)
        do throws(IngestFailure) {
            try upload.append([ByteBuffer(bytes: object.opening)])
            var at = object.value.lowerBound
            while at < object.value.upperBound {
                let next = min(at + (1 << 20), object.value.upperBound)
                try upload.append([ByteBuffer(bytes: try spool.read(at..<next))])
                at = next
            }
        } catch {
            return StoreOutcome(.failure(.ingest(error)))
        }
        return upload.accept([ByteBuffer(bytes: object.closing)])
    }
}
