// The query string of IHE Invoke Image Display (IHE RAD TF-2, Tables 4.106.4.1.2-1 and -2).

import DICOMCore
import Foundation
import Hummingbird
import Records
import Web

/// What images an EMR wants to be shown.
enum WantedImages: Sendable {
    case visit(number: String, issuer: String?)
    /// Of several patients only one is shown.
    case orders(accessionNumbers: [String], patient: (id: String, issuer: String?)?)
    case studies([String])
    case patient(id: String, issuer: String?, PatientNarrowing)
    /// What the link opens that the caller came by.
    case subject(LinkSubject)
}

/// What of a patient's studies is wanted.
struct PatientNarrowing: Sendable {
    /// `yyyymmdd`, both ends included.
    var from: String?
    var through: String?
    var modalities: Set<String> = []
    /// At most so many, the newest first.
    var mostRecent: Int?
}

struct ImageDisplayRequest {
    let wanted: WantedImages

    /// Parameters that this viewer cannot heed (quality, kind of viewer, key images) are passed over, as the profile has
    /// it.
    init(_ request: Request) throws(Problem) {
        var values: [String: String] = [:]
        for (key, value) in request.uri.queryParameters where !value.isEmpty { values[String(key)] = String(value) }
        let patient = values["patientID"].map(Self.identifier)
        switch values["requestType"]?.uppercased() {
        case "STUDY":
            if let list = values["studyUID"] {
                let uids = list.split(separator: ",").map(String.init)
                guard uids.count <= FoundImages.most, uids.allSatisfy({ UID.isValid($0) }) else {
                    throw Problem(.badRequest, "studyUID: UIDs separated by commas")
                }
                wanted = .studies(uids)
            } else if let list = values["accessionNumber"] {
                let numbers = list.split(separator: ",").map(String.init)
                guard (1...FoundImages.most).contains(numbers.count) else {
                    throw Problem(.badRequest, "accessionNumber: numbers separated by commas")
                }
                wanted = .orders(accessionNumbers: numbers, patient: patient)
            } else {
                throw Problem(.badRequest, "studyUID or accessionNumber is needed")
            }
        case "PATIENT":
            guard let patient else { throw Problem(.badRequest, "patientID is needed") }
            wanted = .patient(id: patient.id, issuer: patient.issuer, try Self.narrowing(values))
        default: throw Problem(.badRequest, "requestType is STUDY or PATIENT")
        }
    }

    /// `code` or `code^^^issuer`, as HL7 writes it (CX).
    private static func identifier(_ text: String) -> (id: String, issuer: String?) {
        let parts = text.split(separator: "^", omittingEmptySubsequences: false)
        let issuer = parts.count > 3 ? parts[3].split(separator: "&").first.map(String.init) : nil
        return (String(parts[0]), issuer.flatMap { $0.isEmpty ? nil : $0 })
    }

    private static func narrowing(_ values: [String: String]) throws(Problem) -> PatientNarrowing {
        var narrowing = PatientNarrowing()
        narrowing.from = try day(values["lowerDateTime"], "lowerDateTime")
        narrowing.through = try day(values["upperDateTime"], "upperDateTime")
        narrowing.modalities = Set((values["modalitiesInStudy"] ?? "").split(separator: ",").map(String.init))
        if let text = values["mostRecentResults"] {
            guard let number = Int(text), number >= 0 else {
                throw Problem(.badRequest, "mostRecentResults: a number")
            }
            // 0 is all of them.
            narrowing.mostRecent = number == 0 ? nil : number
        }
        return narrowing
    }

    /// The day of an XML date or date and time.
    private static func day(_ text: String?, _ field: String) throws(Problem) -> String? {
        guard let text else { return nil }
        let day = text.prefix(10).filter { $0 != "-" }
        guard day.count == 8, day.allSatisfy(\.isNumber) else {
            throw Problem(.badRequest, "\(field): a date, or a date and time")
        }
        return String(day)
    }
}
