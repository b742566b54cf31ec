// What an object gets that comes without metadata, or with few: patient and study from the study, the rest by its kind.

import DICOMCore

extension ObjectWrapper {
    /// Attributes of the patient and general study modules that are taken over from the study (PS3.3 Sections C.7.1.1 and
    /// C.7.2.1).
    private static let shared: [Tag] = [
        .patientName, .patientID, .issuerOfPatientID, .patientBirthDate, .patientSex, .studyInstanceUID, .studyID,
        .studyDate, .studyTime, .accessionNumber, .referringPhysicianName, .studyDescription,
    ]
    /// Of these, what every object must have, if empty (type 2).
    private static let required: [Tag] = [
        .patientName, .patientID, .patientBirthDate, .patientSex, .studyID, .studyDate, .studyTime,
        .accessionNumber, .referringPhysicianName, .seriesNumber,
    ]

    /// Puts what metadata may replace afterwards.
    func putDefaults(into writer: inout DataSetWriter, type: String?, number: Int) {
        for tag in Self.required { writer.putEmpty(tag) }
        if let study = defaults.study {
            for tag in Self.shared {
                if let element = study[tag] { writer.put(element, from: study) }
            }
        }
        if let study = defaults.studyInstanceUID { writer.put(.studyInstanceUID, study) }
        writer.put(.seriesInstanceUID, defaults.seriesInstanceUID)
        writer.put(.instanceNumber, "\(number + 1)")
        writer.put(.contentDate, defaults.date)
        writer.put(.contentTime, defaults.time)
        if let text = defaults.seriesDescription { writer.put(.seriesDescription, text) }
        switch type {
        case "application/pdf":
            writer.put(.modality, defaults.modality ?? "DOC")
            writer.put(.conversionType, "WSD")
            writer.put(.burnedInAnnotation, "YES")
            writer.put(.documentTitle, defaults.documentTitle ?? "")
            writer.put(.acquisitionDateTime, "")
            writer.put(.conceptNameCodeSequence, items: [])
        case "image/jpeg", "video/mp4":
            writer.put(.modality, defaults.modality ?? "XC")
            writer.put(.imageType, ["ORIGINAL", "PRIMARY"])
            writer.put(.manufacturer, "")
            writer.put(.acquisitionDateTime, defaults.date + defaults.time)
            writer.put(.acquisitionContextSequence, items: [])
        default: if let modality = defaults.modality { writer.put(.modality, modality) }
        }
    }
}

extension Tag {
    fileprivate static let conversionType = Tag(0x0008, 0x0064)
    fileprivate static let acquisitionContextSequence = Tag(0x0040, 0x0555)
}
