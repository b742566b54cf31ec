// A notice as JSON, for webhooks.

package import Encounters
package import Foundation
package import Records

/// Writes notices as JSON with sorted keys: the same notice is the same text every time.
package struct NoticeDocument: Sendable {
    let sender: NoticeSender
    let patient: NoticeRoute.PatientScope

    package init(sender: NoticeSender, patient: NoticeRoute.PatientScope) {
        self.sender = sender
        self.patient = patient
    }

    package func bytes(_ record: NoticeRecord, _ notice: StudyNotice, _ pictures: KeyImageSet) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(document(record, notice, pictures))
    }

    private func document(_ record: NoticeRecord, _ notice: StudyNotice, _ pictures: KeyImageSet) -> Document {
        let uid = notice.study.uid
        let isThere = notice.status != .withdrawn
        return Document(
            id: record.messageID, event: record.kind, status: notice.status.rawValue, revision: record.revision,
            reason: notice.reason,
            time: Date(timeIntervalSince1970: Double(record.createdAt / 1_000_000)).formatted(.iso8601),
            study: Study(notice.study), patient: patient == .none ? nil : Person(notice.patient, patient),
            visit: notice.visit.map(Visit.init), order: notice.order.map(Order.init),
            links: isThere ? Links(viewer: sender.viewer(study: uid), wadoRS: sender.wado(study: uid)) : nil,
            keyImages: pictures.images.map(Picture.init), remark: pictures.remark)
    }

    private struct Document: Encodable {
        let id: String
        let event: String
        let status: String
        let revision: Int
        let reason: String
        let time: String
        let study: Study
        let patient: Person?
        let visit: Visit?
        let order: Order?
        let links: Links?
        let keyImages: [Picture]
        let remark: String?
    }

    private struct Study: Encodable {
        let studyInstanceUID: String
        let accessionNumber: String
        let modalities: [String]
        let description: String
        let startedAt: String
        let numberOfSeries: Int
        let numberOfInstances: Int

        init(_ study: StudyNotice.Study) {
            studyInstanceUID = study.uid
            accessionNumber = study.accessionNumber
            modalities = study.modalities
            description = study.description
            startedAt = study.startedAt
            numberOfSeries = study.series
            numberOfInstances = study.instances
        }
    }

    private struct Identifier: Encodable {
        let type: String
        let issuer: String
        let value: String
    }

    private struct Person: Encodable {
        let identifiers: [Identifier]
        let name: String?
        let birthDate: String?
        let sex: String?

        init(_ person: StudyNotice.Person, _ scope: NoticeRoute.PatientScope) {
            identifiers = person.identifiers.map { Identifier(type: $0.type, issuer: $0.issuer, value: $0.value) }
            name = scope == .full ? person.name : nil
            birthDate = scope == .full ? person.birthDate : nil
            sex = scope == .full ? person.sex : nil
        }
    }

    private struct Visit: Encodable {
        let number: String
        let issuer: String
        let facility: String
        let department: String

        init(_ visit: StudyNotice.Visit) {
            number = visit.number
            issuer = visit.issuer
            facility = visit.facility
            department = visit.department
        }
    }

    private struct Order: Encodable {
        let placerNumber: String
        let placerIssuer: String
        let accessionNumber: String
        let code: String
        let meaning: String
        let state: String

        init(_ order: StudyNotice.Order) {
            placerNumber = order.placer.value
            placerIssuer = order.placer.issuer
            accessionNumber = order.accession.value
            code = order.code.value
            meaning = order.code.meaning
            state = order.state
        }
    }

    private struct Links: Encodable {
        let viewer: String?
        let wadoRS: String?
    }

    private struct Picture: Encodable {
        let seriesInstanceUID: String
        let sopInstanceUID: String
        let frame: Int
        let isMarked: Bool
        let contentType = "image/jpeg"
        let data: String

        init(_ image: KeyImage) {
            seriesInstanceUID = image.seriesInstanceUID
            sopInstanceUID = image.sopInstanceUID
            frame = image.frame
            isMarked = image.isMarked
            data = Data(image.jpeg).base64EncodedString()
        }
    }
}
