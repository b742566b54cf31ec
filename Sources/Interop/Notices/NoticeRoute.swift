// How a destination is reached, and in which form it is told.

package import NIOSSL

/// Where and how one destination is told.
package struct NoticeRoute: Sendable {
    package enum Line: Sendable {
        /// With TLS the certificate is checked for the host.
        case mllp(host: String, port: Int, tls: TLSConfiguration?, form: Form)
        /// - secret: key of the signature.
        case webhook(url: String, secret: [UInt8], tls: TLSConfiguration)
    }

    /// What an HL7 destination is sent.
    package enum Form: String, CaseIterable, Sendable {
        /// ORU^R01.
        case result = "ORU"
        /// ORM^O01 with ORC-1 SC.
        case orderStatus = "ORM"
    }

    /// What a webhook is told of the patient.
    package enum PatientScope: String, CaseIterable, Sendable {
        case full
        case identifiers
        case none
    }

    /// The destination's name.
    package let name: String
    package let line: Line
    /// Pictures that go along at most.
    package var keyImages = 0
    package var patient = PatientScope.full
    /// MSH-5 and MSH-6.
    package var receivingApplication = ""
    package var receivingFacility = ""

    package init(name: String, line: Line) {
        self.name = name
        self.line = line
    }
}

/// Who tells, and where its addresses begin.
package struct NoticeSender: Sendable {
    /// MSH-4: the hospital's code.
    package let facility: String
    /// Such as `https://pacs.example.org`; nil: notices have no addresses.
    package let publicURL: String?

    package init(facility: String, publicURL: String?) {
        self.facility = facility
        self.publicURL = publicURL
    }

    func viewer(study uid: String) -> String? { publicURL.map { "\($0)/ohif/viewer?StudyInstanceUIDs=\(uid)" } }

    func wado(study uid: String) -> String? { publicURL.map { "\($0)/dicom-web/studies/\(uid)" } }
}

/// A picture that goes along.
package struct KeyImage: Hashable, Sendable {
    package let seriesInstanceUID: String
    package let sopInstanceUID: String
    /// From 1.
    package let frame: Int
    /// Somebody marked it; otherwise it is from the middle of its series.
    package let isMarked: Bool
    package let jpeg: [UInt8]

    package init(seriesInstanceUID: String, sopInstanceUID: String, frame: Int, isMarked: Bool, jpeg: [UInt8]) {
        self.seriesInstanceUID = seriesInstanceUID
        self.sopInstanceUID = sopInstanceUID
        self.frame = frame
        self.isMarked = isMarked
        self.jpeg = jpeg
    }
}

/// The pictures of one notice.
package struct KeyImageSet: Hashable, Sendable {
    package var images: [KeyImage] = []
    /// Why there are fewer than there could be; one sentence.
    package var remark: String?

    package init(images: [KeyImage] = [], remark: String? = nil) {
        self.images = images
        self.remark = remark
    }
}
