// From one header another without the patient: every element is decided on, and written anew (PS3.15 Annex E).

package import DICOMCore

/// A header without the patient.
package struct DeidentifiedHeader: Sendable {
    /// The data set up to its pixel data.
    package let bytes: [UInt8]
    package let studyInstanceUID: String
    package let sopClassUID: String
    package let sopInstanceUID: String
}

/// De-identifies headers under one profile with one key. Pure.
package struct Deidentifier: Sendable {
    private let profile: DeidentificationProfile
    private let key: PseudonymKey

    package init(_ profile: DeidentificationProfile, key: PseudonymKey) {
        self.profile = profile
        self.key = key
    }

    /// The UID that an object, a series or a study has afterwards.
    package func uid(for uid: String) -> String {
        profile.options.contains(.retainUIDs) ? uid : key.uid(for: uid)
    }

    /// The header of an object, with UIDs, names and dates replaced alike in every object of a patient.
    /// - Parameter transferSyntax: what the result is encoded in; uncompressed or not does not matter.
    package func header(
        _ dataSet: DataSet, transferSyntax: TransferSyntax, characterSet: OutputCharacterSet = .utf8
    ) throws(DeidentificationFailure) -> DeidentifiedHeader {
        if let why = Suitability.objection(dataSet, acceptsPixels: profile.options.contains(.acceptPixels)) {
            throw .unsuitable(reason: why)
        }
        guard let sopClass = dataSet.string(.sopClassUID), let instance = dataSet.string(.sopInstanceUID),
            let study = dataSet.string(.studyInstanceUID)
        else { throw .unsuitable(reason: "the object does not say which it is") }
        var writer = DataSetWriter(transferSyntax: transferSyntax, characterSet: characterSet)
        HeaderCleaning(dataSet, profile, key).write(into: &writer)
        return DeidentifiedHeader(
            bytes: writer.finish(), studyInstanceUID: uid(for: study), sopClassUID: sopClass,
            sopInstanceUID: uid(for: instance))
    }
}
