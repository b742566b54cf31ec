// Studies, from the catalogue and the links that hold.

import Catalog
import DICOMCore
import Foundation
import Records

/// Where a study belongs, as far as somebody knows.
struct StudyPlace: Sendable {
    /// The row that the person is seen as.
    let patient: Int64
    let encounter: Int64?
    let procedure: ProcedureRecord?
}

extension ImagingStudy {
    /// - Parameters:
    ///   - values: the study's row in the catalogue.
    ///   - series: the rows of its series.
    ///   - place: nil for a study that nobody has linked: its subject is who the images name.
    ///   - site: whose patient codes and accession numbers are meant where images name no issuer.
    init(_ values: [Tag: String], series rows: [[Tag: String]], place: StudyPlace?, site: String) {
        func value(_ tag: Tag) -> String { values[tag] ?? "" }
        let uid = value(.studyInstanceUID)
        let zone = FHIRDate.zone(value(.timezoneOffsetFromUTC))
        let own = IssuedNumber(issuer: site, value: value(.accessionNumber))
        id = uid
        var numbers = [Identifier.study(uid)]
        if let accession = place?.procedure?.accession, let number = Identifier(accession, .accession, type: "ACSN") {
            numbers.append(number)
        }
        // What the images say, where it is another one.
        if own.value != place?.procedure?.accession.value, let number = Identifier(own, .accession, type: "ACSN") {
            numbers.append(number)
        }
        identifier = numbers
        status = "available"
        modality =
            value(.modalitiesInStudy).split(separator: "\\")
            .map { Coding(system: Coding.dicom, code: String($0)) }.unlessEmpty
        subject =
            place.map { Reference(reference: "Patient/\($0.patient)") } ?? Self.named(values, site: site)
        encounter = (place?.encounter).map { Reference(reference: "Encounter/\($0)") }
        basedOn = (place?.procedure).map { [Reference(reference: "ServiceRequest/\($0.id)")] }
        started = FHIRDate.dateTime(day: value(.studyDate), time: value(.studyTime), zone: zone)
        referrer = HumanName(personName: value(.referringPhysicianName))?.text.map {
            Reference(type: "Practitioner", display: $0)
        }
        endpoint = [Reference(reference: "Endpoint/\(Endpoint.retrieve)")]
        numberOfSeries = Int(value(.numberOfStudyRelatedSeries))
        numberOfInstances = Int(value(.numberOfStudyRelatedInstances))
        procedureCode = (place?.procedure).flatMap { CodeableConcept($0.details.code) }.map { [$0] }
        description = value(.studyDescription).unlessEmpty
        self.series = rows.map { Series($0, zone: zone) }.unlessEmpty
        meta = Meta(versionId: FHIRFormat.version(self))
    }

    /// Whom the images name.
    private static func named(_ values: [Tag: String], site: String) -> Reference {
        let issuer = (values[.issuerOfPatientID] ?? "").unlessEmpty ?? site
        let code = Identifier(IssuedNumber(issuer: issuer, value: values[.patientID] ?? ""), .patient, type: "MR")
        let name = HumanName(personName: values[.patientName] ?? "")?.text
        return Reference(type: "Patient", identifier: code, display: name ?? (code == nil ? "unknown" : nil))
    }
}

extension ImagingStudy.Series {
    init(_ values: [Tag: String], zone: String) {
        func value(_ tag: Tag) -> String { values[tag] ?? "" }
        uid = value(.seriesInstanceUID)
        number = Int(value(.seriesNumber)).flatMap { $0 >= 0 ? $0 : nil }
        modality = value(.modality).unlessEmpty.map { Coding(system: Coding.dicom, code: $0) } ?? .unknown
        description = value(.seriesDescription).unlessEmpty
        numberOfInstances = Int(value(.numberOfSeriesRelatedInstances))
        endpoint = [Reference(reference: "Endpoint/\(Endpoint.retrieve)")]
        bodySite = value(.bodyPartExamined).unlessEmpty.map { Coding(display: $0) }
        laterality = value(.laterality).unlessEmpty.map { Coding(display: $0) }
        started = FHIRDate.dateTime(day: value(.seriesDate), time: value(.seriesTime), zone: zone)
    }
}

extension ImagingStudy.Instance {
    init(_ stored: StoredInstance) {
        uid = stored.sopInstanceUID
        sopClass = Coding(system: "urn:ietf:rfc:3986", code: "urn:oid:" + stored.sopClassUID)
        number = stored.instanceNumber.flatMap { $0 >= 0 ? $0 : nil }
    }
}

extension Endpoint {
    /// The id of the one that gives images.
    static let retrieve = "wado-rs"
    static let query = "qido-rs"

    /// Where images are found and fetched: DICOMweb of this archive.
    /// - Parameter address: the base of DICOMweb; `/studies/{uid}` behind it is a study.
    static func all(address: String) -> [Endpoint] {
        let types = [
            (
                retrieve, "dicom-wado-rs", "DICOM WADO-RS",
                ["application/dicom", "application/dicom+json", "image/jpeg"]
            ),
            (query, "dicom-qido-rs", "DICOM QIDO-RS", ["application/dicom+json"]),
        ]
        return types.map { id, code, words, media in
            var endpoint = Endpoint(
                id: id, status: "active",
                connectionType: Coding(
                    system: "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", code: code),
                name: words,
                payloadType: [CodeableConcept(text: "DICOM")], payloadMimeType: media, address: address)
            endpoint.meta = Meta(versionId: FHIRFormat.version(endpoint))
            return endpoint
        }
    }
}

extension FHIRDate {
    /// A dateTime of a DICOM date and time; the day alone where there is no time.
    static func dateTime(day: String, time: String, zone: String) -> String? {
        guard day.count == 8 else { return nil }
        let digits = String(time.prefix { $0.isASCII && $0.isNumber }.prefix(6))
        guard digits.count >= 2, let text = FHIRDate.dateTime(day + digits, zone: zone), FHIRDate(text) != nil else {
            return FHIRDate(date(day) ?? "") == nil ? nil : date(day)
        }
        return text
    }

    /// `+07:00` from Timezone Offset From UTC (0008,0201); the hospital's own where there is none.
    static func zone(_ offset: String) -> String {
        guard offset.wholeMatch(of: /[+-][0-9]{4}/) != nil else { return "+07:00" }
        return offset.prefix(3) + ":" + offset.suffix(2)
    }
}
