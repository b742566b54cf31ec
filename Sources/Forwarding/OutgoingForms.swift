// Objects in the form in which they leave: as they are stored and corrected, or changed as their shipment asks.

package import Catalog
import DICOMCore
package import Records
package import Retrieval

/// An object ready to leave: identifiers and bytes agree.
package struct OutgoingObject: Sendable {
    package let studyInstanceUID: String
    package let sopClassUID: String
    package let sopInstanceUID: String
    package let transferSyntaxUID: String
    /// Length of the Part 10 file.
    package let length: Int64
    /// Where the data set begins in it.
    package let dataSetOffset: Int64
    private let reading: @Sendable (Int64, Int) throws(RetrievalFailure) -> [UInt8]

    package init(
        studyInstanceUID: String, sopClassUID: String, sopInstanceUID: String, transferSyntaxUID: String, length: Int64,
        dataSetOffset: Int64, reading: @escaping @Sendable (Int64, Int) throws(RetrievalFailure) -> [UInt8]
    ) {
        self.studyInstanceUID = studyInstanceUID
        self.sopClassUID = sopClassUID
        self.sopInstanceUID = sopInstanceUID
        self.transferSyntaxUID = transferSyntaxUID
        self.length = length
        self.dataSetOffset = dataSetOffset
        self.reading = reading
    }

    /// Part of the Part 10 file. Blocks.
    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        try reading(offset, count)
    }
}

/// Makes the forms. Calls block.
package struct OutgoingForms: Sendable {
    private let retrieval: InstanceRetrieval

    package init(retrieval: InstanceRetrieval) { self.retrieval = retrieval }

    /// Transfer syntaxes that an object may leave in, the most wanted first: what is asked of a destination.
    package func syntaxes(for form: ObjectForm, _ transform: ShipmentTransform) -> [String] {
        var wanted = [form.transferSyntaxUID]
        for syntax in [TransferSyntax.explicitVRLittleEndian, .implicitVRLittleEndian] where !wanted.contains(syntax.uid) {
            wanted.append(syntax.uid)
        }
        return wanted
    }

    /// The object in the most wanted form that is accepted.
    /// - Parameter accepts: whether the destination takes the object's class in a transfer syntax.
    package func object(
        _ instance: StoredInstance, _ transform: ShipmentTransform, accepts: (String) -> Bool
    ) throws(RetrievalFailure) -> OutgoingObject {
        if accepts(instance.transferSyntaxUID) {
            let object = try retrieval.outgoing(instance)
            return OutgoingObject(
                studyInstanceUID: instance.studyInstanceUID, sopClassUID: instance.sopClassUID,
                sopInstanceUID: instance.sopInstanceUID, transferSyntaxUID: instance.transferSyntaxUID,
                length: object.length, dataSetOffset: Int64(instance.dataSetOffset)
            ) { offset, count throws(RetrievalFailure) in try object.read(from: offset, count: count) }
        }
        for syntax in [TransferSyntax.explicitVRLittleEndian, .implicitVRLittleEndian, .explicitVRBigEndian]
        where accepts(syntax.uid) {
            let object = try retrieval.converted(instance, to: syntax.uid)
            return OutgoingObject(
                studyInstanceUID: instance.studyInstanceUID, sopClassUID: instance.sopClassUID,
                sopInstanceUID: instance.sopInstanceUID, transferSyntaxUID: syntax.uid, length: object.length,
                dataSetOffset: Int64(object.dataSetOffset)
            ) { offset, count throws(RetrievalFailure) in try object.read(from: offset, count: count) }
        }
        throw .notConvertible(from: instance.transferSyntaxUID, reason: "no uncompressed syntax accepted")
    }
}
