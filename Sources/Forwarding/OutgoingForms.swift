// Objects in the form in which they leave: as they are stored and corrected, or changed as their shipment asks.

package import Catalog
import DICOMCore
package import Deidentification
import Metrics
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
    /// Whether these are the stored bytes.
    package let isAsStored: Bool
    private let reading: @Sendable (Int64, Int) throws(RetrievalFailure) -> [UInt8]

    package init(
        studyInstanceUID: String, sopClassUID: String, sopInstanceUID: String, transferSyntaxUID: String, length: Int64,
        dataSetOffset: Int64, isAsStored: Bool = false,
        reading: @escaping @Sendable (Int64, Int) throws(RetrievalFailure) -> [UInt8]
    ) {
        self.studyInstanceUID = studyInstanceUID
        self.sopClassUID = sopClassUID
        self.sopInstanceUID = sopInstanceUID
        self.transferSyntaxUID = transferSyntaxUID
        self.length = length
        self.dataSetOffset = dataSetOffset
        self.isAsStored = isAsStored
        self.reading = reading
    }

    /// Part of the Part 10 file. Blocks.
    package func read(from offset: Int64, count: Int) throws(RetrievalFailure) -> [UInt8] {
        try reading(offset, count)
    }
}

extension OutgoingObject {
    fileprivate init(_ object: PreparedObject, isAsStored: Bool = false) {
        self.init(
            studyInstanceUID: object.studyInstanceUID, sopClassUID: object.sopClassUID,
            sopInstanceUID: object.sopInstanceUID, transferSyntaxUID: object.transferSyntaxUID, length: object.length,
            dataSetOffset: object.dataSetOffset, isAsStored: isAsStored
        ) { offset, count throws(RetrievalFailure) in try object.read(from: offset, count: count) }
    }
}

/// Makes the forms: corrections of the study first, then the header that the shipment asks for, then compression. Calls
/// block.
package struct OutgoingForms: Sendable {
    /// What is not worth a codec.
    private static let leastCompressed: Int64 = 8 << 10
    private static let uncompressed = [
        TransferSyntax.explicitVRLittleEndian, .implicitVRLittleEndian, .explicitVRBigEndian,
    ]

    private let retrieval: InstanceRetrieval
    private let key: PseudonymKey?
    private let cache: FormCache
    private let counts = FormCounts()

    /// - Parameters:
    ///   - key: the secret behind pseudonyms; without one nothing is de-identified.
    ///   - keeping: bytes of compressed objects that are kept on disk for another attempt.
    package init(retrieval: InstanceRetrieval, key: PseudonymKey? = nil, keeping: Int64 = 512 << 20) {
        self.retrieval = retrieval
        self.key = key
        cache = FormCache(limit: keeping)
    }

    /// Why a transform cannot be done, one sentence; nil where it can.
    package static func objection(to transform: ShipmentTransform) -> String? {
        do throws(DeidentificationFailure) {
            if !transform.deidentification.isEmpty { _ = try DeidentificationProfile(transform.deidentification) }
        } catch { return error.sentence }
        guard transform.characterSet.isEmpty || OutputCharacterSet(term: transform.characterSet) != nil else {
            return "\"\(transform.characterSet)\" is no character set to write in: ISO_IR 192, ISO_IR 100 or ISO_IR 6"
        }
        return nil
    }

    /// Transfer syntaxes that an object may leave in, the most wanted first: what is asked of a destination.
    package func syntaxes(for form: ObjectForm, _ transform: ShipmentTransform) -> [String] {
        var wanted = compressions(of: form, transform, isColour: ImageClass.isColour(form.sopClassUID)).map(\.uid)
        wanted.append(form.transferSyntaxUID)
        for syntax in [TransferSyntax.explicitVRLittleEndian, .implicitVRLittleEndian]
        where !wanted.contains(syntax.uid) {
            wanted.append(syntax.uid)
        }
        return wanted
    }

    /// The object in the most wanted form that is accepted.
    /// - Parameter accepts: whether the destination takes the object's class in a transfer syntax.
    package func object(
        _ instance: StoredInstance, _ transform: ShipmentTransform, accepts: (String) -> Bool
    ) throws(RetrievalFailure) -> OutgoingObject {
        let object = try rewritten(instance, transform)
        if let small = compressed(object, instance, transform, accepts) { return OutgoingObject(small) }
        if accepts(object.transferSyntaxUID) {
            let isAsStored =
                instance.correction == nil && transform.deidentification.isEmpty && transform.characterSet.isEmpty
                && object.transferSyntaxUID == instance.transferSyntaxUID
            return OutgoingObject(object, isAsStored: isAsStored)
        }
        for syntax in Self.uncompressed where accepts(syntax.uid) {
            return OutgoingObject(try retrieval.converted(object, to: syntax.uid))
        }
        throw .notConvertible(from: instance.transferSyntaxUID, reason: "no uncompressed syntax accepted")
    }

    // MARK: Another header

    private func rewritten(
        _ instance: StoredInstance, _ transform: ShipmentTransform
    ) throws(RetrievalFailure) -> PreparedObject {
        if let objection = Self.objection(to: transform) {
            throw .notConvertible(from: instance.transferSyntaxUID, reason: objection)
        }
        let characterSet = OutputCharacterSet(term: transform.characterSet)
        if !transform.deidentification.isEmpty {
            return try retrieval.prepared(instance) { dataSet, syntax throws(RetrievalFailure) in
                do throws(DeidentificationFailure) {
                    return WrittenHeader(
                        try deidentifier(transform).header(
                            dataSet, transferSyntax: syntax, characterSet: characterSet ?? .utf8))
                } catch { throw .notConvertible(from: instance.transferSyntaxUID, reason: error.sentence) }
            }
        }
        guard let characterSet else { return try retrieval.prepared(instance) }
        return try retrieval.prepared(instance) { dataSet, syntax in
            WrittenHeader(
                bytes: dataSet.transcoded(to: characterSet, syntax), studyInstanceUID: instance.studyInstanceUID,
                sopClassUID: instance.sopClassUID, sopInstanceUID: instance.sopInstanceUID)
        }
    }

    private func deidentifier(_ transform: ShipmentTransform) throws(DeidentificationFailure) -> Deidentifier {
        let profile = try DeidentificationProfile(transform.deidentification)
        guard let key else { throw .unsuitable(reason: "the archive has no key for pseudonyms") }
        return Deidentifier(profile, key: key)
    }

    // MARK: Smaller

    /// Syntaxes without loss for what is stored uncompressed, the smallest first: in colour wavelets are smaller than
    /// prediction, in grey and with a palette it is the other way round.
    private func compressions(of form: ObjectForm, _ transform: ShipmentTransform, isColour: Bool) -> [TransferSyntax] {
        let stored = TransferSyntax(form.transferSyntaxUID)
        guard transform.compresses, Self.uncompressed.contains(stored), ImageClass.hasPixels(form.sopClassUID) else {
            return []
        }
        return isColour
            ? [.jpeg2000Lossless, .htj2kLossless, .jpegLSLossless]
            : [.jpegLSLossless, .jpeg2000Lossless, .htj2kLossless]
    }

    /// The object compressed and read back, sample by sample; nil where it leaves as it is: it is not smaller, no codec
    /// takes it, or what was read back is not what went in.
    private func compressed(
        _ object: PreparedObject, _ instance: StoredInstance, _ transform: ShipmentTransform,
        _ accepts: (String) -> Bool
    ) -> PreparedObject? {
        guard transform.compresses, object.length >= Self.leastCompressed else { return nil }
        let stored = ObjectForm(sopClassUID: object.sopClassUID, transferSyntaxUID: object.transferSyntaxUID)
        let wanted = compressions(of: stored, transform, isColour: (object.samplesPerPixel ?? 1) > 1)
        guard let syntax = wanted.first(where: { accepts($0.uid) }) else { return nil }
        let form = FormCache.Form(
            digest: instance.digest, correction: instance.correction, transform: transform,
            transferSyntaxUID: syntax.uid)
        if let known = cache[form] { return known.object }
        do throws(RetrievalFailure) {
            let small = try retrieval.converted(object, to: syntax.uid)
            guard small.length < object.length else {
                cache.keep(nil, for: form)
                return nil
            }
            guard try retrieval.haveSamePixels(object, small) else {
                counts.mismatched.increment()
                cache.keep(nil, for: form)
                return nil
            }
            counts.compressed.increment()
            counts.saved.increment(by: object.length - small.length)
            cache.keep(small, for: form)
            return small
        } catch {
            // Full scratch or busy codecs are of the moment; what no codec takes stays so.
            if case .notConvertible = error { cache.keep(nil, for: form) }
            return nil
        }
    }
}

extension WrittenHeader {
    fileprivate init(_ header: DeidentifiedHeader) {
        self.init(
            bytes: header.bytes, studyInstanceUID: header.studyInstanceUID, sopClassUID: header.sopClassUID,
            sopInstanceUID: header.sopInstanceUID)
    }
}

extension OutputCharacterSet {
    /// A defined term of Specific Character Set that can be written; nil for another.
    package init?(term: String) {
        switch term.uppercased().filter({ $0.isLetter || $0.isNumber }) {
        case "ISOIR192", "UTF8": self = .utf8
        case "ISOIR100": self = .latin1
        case "ISOIR6", "ISO2022IR6": self = .ascii
        default: return nil
        }
    }
}

extension DataSet {
    /// Every element with its texts in another character set, in sequences too. What has no such letter loses its marks, and
    /// becomes `?` where it has no letter at all.
    fileprivate func transcoded(to characterSet: OutputCharacterSet, _ syntax: TransferSyntax) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: syntax, characterSet: characterSet)
        for element in elements where element.tag.element != 0 && element.tag != .specificCharacterSet {
            writer.put(element, from: self)
        }
        if characterSet != .ascii { writer.put(.specificCharacterSet, .CS, bytes: []) }
        return writer.finish()
    }
}

/// What went out smaller.
private struct FormCounts: Sendable {
    let compressed = Counter(label: "phim_forwarding_compressed_total")
    let saved = Counter(label: "phim_forwarding_compression_saved_bytes_total")
    let mismatched = Counter(label: "phim_forwarding_compression_mismatches_total")
}
