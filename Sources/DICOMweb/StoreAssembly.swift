// Makes objects of a request's metadata and bulk data, and carries them into the archive.

import DICOMCore
import Foundation
import Hummingbird
import Ingest
import NIOCore
import Web

extension StoreSession {
    /// One object for each data set of the metadata; without metadata one for each bulk part.
    func assemble(_ material: StoreMaterial) async throws -> [StoreOutcome] {
        guard !material.isEmpty else { return [] }
        let spool = try material.spool ?? spool()
        return try await lanes.accepting.run {
            var dataSets: [JSONDataSet] = []
            for document in material.metadata {
                do throws(DICOMJSONFailure) { dataSets += try JSONDataSet.read(Data(document)) } catch {
                    throw Problem(.badRequest, "The metadata are not DICOM JSON: \(error).")
                }
            }
            let wrapper = ObjectWrapper(spool: spool, bulks: material.bulks, defaults: defaults())
            if material.metadata.isEmpty {
                return material.bulks.enumerated().map { number, part in
                    store(spool) { () throws(StoreFault) in try wrapper.object(part, number: number) }
                }
            }
            return dataSets.enumerated().map { number, dataSet in
                var outcome = store(spool) { () throws(StoreFault) in try wrapper.object(dataSet, number: number) }
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

    private func store(_ spool: StoreSpool, _ make: () throws(StoreFault) -> WrappedObject) -> StoreOutcome {
        let object: WrappedObject
        do throws(StoreFault) { object = try make() } catch { return StoreOutcome(.failure(error)) }
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
