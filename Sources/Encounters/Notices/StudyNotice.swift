// What is told of a study whose images are there: frozen when it is decided, so that every attempt says the same.

package import Records

/// What notices tell of. Each kind has a body of its own; the outbox and the delivery are the same for all.
package enum NoticeKind: String, CaseIterable, Sendable {
    /// The images of a study are here; the body is a `StudyNotice`.
    case studyAvailable = "study-available"
}

/// A study's images are there, are more or fewer than was told, or are not this order's after all.
package struct StudyNotice: Codable, Hashable, Sendable {
    package enum Status: String, Codable, CaseIterable, Sendable {
        case available
        /// Replaces what was told before of this study.
        case revised
        /// What was told before was wrong, or is true no more: it names the order that it was told of.
        case withdrawn
    }

    /// Where the study belongs; numbers of the records.
    package struct Target: Codable, Hashable, Sendable {
        package var procedure: Int64?
        package var encounter: Int64?
        package var patient: Int64
    }

    package struct Study: Codable, Hashable, Sendable {
        package var uid = ""
        package var accessionNumber = ""
        package var modalities: [String] = []
        package var description = ""
        /// `yyyymmddHHMMSS`, local, as far as it is known.
        package var startedAt = ""
        package var series = 0
        package var instances = 0

        package init() {}
    }

    /// From the records where the study is linked, otherwise as the images say.
    package struct Person: Codable, Hashable, Sendable {
        package var identifiers: [PatientIdentifier] = []
        /// PN form.
        package var name = ""
        package var birthDate = ""
        package var sex = ""

        package init() {}
    }

    package struct Visit: Codable, Hashable, Sendable {
        package var issuer = ""
        package var number = ""
        /// HL7 table 0004.
        package var patientClass = ""
        package var facility = ""
        package var department = ""
        package var room = ""
        package var bed = ""
        package var attendingPhysician = ""
        package var referringPhysician = ""

        package init() {}
    }

    package struct Order: Codable, Hashable, Sendable {
        package var placer = IssuedNumber(issuer: "", value: "")
        package var accession = IssuedNumber(issuer: "", value: "")
        package var fillerNumber = ""
        package var code = Coded()
        package var modality = ""
        package var state = ""
        package var requestingPhysician = ""
        package var orderedAt = ""

        package init() {}
    }

    package var status = Status.available
    /// Why it is told, one sentence without patient data.
    package var reason = ""
    package var target: Target?
    package var study = Study()
    package var patient = Person()
    package var visit: Visit?
    package var order: Order?

    package init() {}
}
