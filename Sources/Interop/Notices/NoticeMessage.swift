// A notice as a message of HL7 v2: ORU^R01, or ORM^O01 with the order's status (HL7 v2.5.1 Chapters 4 and 7).

package import Encounters
import Foundation
package import HL7
package import Records

/// Writes notices as messages. The same notice is the same message every time.
package struct NoticeMessage: Sendable {
    let sender: NoticeSender
    let route: NoticeRoute
    let form: NoticeRoute.Form

    package init(sender: NoticeSender, route: NoticeRoute, form: NoticeRoute.Form) {
        self.sender = sender
        self.route = route
        self.form = form
    }

    package func message(_ record: NoticeRecord, _ notice: StudyNotice, _ pictures: KeyImageSet) -> Message {
        var segments = [header(record), patient(notice.patient), visit(notice.visit)]
        segments += [common(record, notice), request(record, notice)]
        segments += [notice.reason, pictures.remark].compactMap { $0 }.enumerated().map { index, text in
            Segment("NTE", [Field("\(index + 1)"), "L", Field(text)])
        }
        segments += observations(notice, pictures)
        return Message(segments)
    }

    private func header(_ record: NoticeRecord) -> Segment {
        var header = Segment("MSH")
        header[3] = "PHIM"
        header[4] = Field(sender.facility)
        header[5] = Field(route.receivingApplication)
        header[6] = Field(route.receivingFacility)
        header[7] = Field(Self.time(record.createdAt))
        header[9] =
            form == .result
            ? Field(components: ["ORU", "R01", "ORU_R01"]) : Field(components: ["ORM", "O01", "ORM_O01"])
        header[10] = Field(record.messageID)
        header[11] = "P"
        header[12] = "2.5.1"
        header[18] = "UNICODE UTF-8"
        return header
    }

    /// Local time with its zone.
    private static func time(_ instant: Int64) -> String {
        let minutes = LocalTime.minutesEast
        let zone = abs(minutes) / 60 * 100 + abs(minutes) % 60
        return LocalTime.text(instant) + (minutes < 0 ? "-" : "+") + String("000\(zone)".suffix(4))
    }

    private static func authority(_ issuer: String) -> HierarchicDesignator? {
        issuer.isEmpty ? nil : HierarchicDesignator(namespace: issuer)
    }

    private func patient(_ person: StudyNotice.Person) -> Segment {
        var segment = Segment("PID", ["1"])
        segment[3] = Field(
            person.identifiers.map { identifier in
                ExtendedCompositeID(
                    id: identifier.value, assigningAuthority: Self.authority(identifier.issuer),
                    identifierType: identifier.type
                ).repetition
            })
        segment[5] = Field([Self.name(person.name).repetition])
        segment[7] = Field(person.birthDate)
        segment[8] = Field(person.sex)
        return segment
    }

    /// A name in PN form (PS3.5 Section 6.2.1.1) as XPN: the first of its ways of writing.
    private static func name(_ text: String) -> ExtendedPersonName {
        let group = text.split(separator: "=", omittingEmptySubsequences: false).first ?? ""
        let parts = group.split(separator: "^", omittingEmptySubsequences: false).map { $0.isEmpty ? nil : String($0) }
        func part(_ index: Int) -> String? { index < parts.count ? parts[index] : nil }
        var name = ExtendedPersonName(family: part(0), given: part(1), middle: part(2))
        name.prefix = part(3)
        name.suffix = part(4)
        name.type = "L"
        return name
    }

    private static func physician(_ name: String) -> Field {
        name.isEmpty
            ? .absent : Field([ExtendedCompositeIDName(id: nil, name: ExtendedPersonName(family: name)).repetition])
    }

    private func visit(_ visit: StudyNotice.Visit?) -> Segment {
        var segment = Segment("PV1", ["1"])
        // HL7 table 0004: N, not applicable, where no visit is known.
        segment[2] = Field(visit.map { $0.patientClass.isEmpty ? "U" : $0.patientClass } ?? "N")
        guard let visit else { return segment }
        segment[3] = Field(components: [visit.department, visit.room, visit.bed, visit.facility].map { Component($0) })
        segment[7] = Self.physician(visit.attendingPhysician)
        segment[8] = Self.physician(visit.referringPhysician)
        segment[19] = Field([
            ExtendedCompositeID(
                id: visit.number, assigningAuthority: Self.authority(visit.issuer), identifierType: "VN"
            ).repetition
        ])
        return segment
    }

    private static func entity(_ number: IssuedNumber) -> Field {
        number.value.isEmpty
            ? .absent : Field([EntityIdentifier(id: number.value, authority: authority(number.issuer)).repetition])
    }

    /// ORC-3 and OBR-3: the number that the filler gave, otherwise the accession number, otherwise the study's UID.
    private func filler(_ notice: StudyNotice) -> Field {
        if let order = notice.order {
            if !order.fillerNumber.isEmpty { return Field(order.fillerNumber) }
            return Self.entity(order.accession)
        }
        return Field(notice.study.accessionNumber.isEmpty ? notice.study.uid : notice.study.accessionNumber)
    }

    private func common(_ record: NoticeRecord, _ notice: StudyNotice) -> Segment {
        // RE: observations to follow. SC: the status changed.
        var segment = Segment("ORC", [form == .result ? "RE" : "SC"])
        segment[2] = notice.order.map { Self.entity($0.placer) } ?? .absent
        segment[3] = filler(notice)
        // HL7 table 0038.
        let state = notice.order.map { ProcedureState(word: $0.state) }
        segment[5] = Field(state == .cancelled ? "CA" : state.map { $0.isOpen } ?? false ? "IP" : "CM")
        segment[9] = Field(Self.time(record.createdAt))
        segment[12] = Self.physician(notice.order?.requestingPhysician ?? "")
        return segment
    }

    private func request(_ record: NoticeRecord, _ notice: StudyNotice) -> Segment {
        var segment = Segment("OBR", ["1"])
        let order = notice.order
        segment[2] = order.map { Self.entity($0.placer) } ?? .absent
        segment[3] = filler(notice)
        let code = order?.code ?? Coded()
        let text = code.meaning.isEmpty ? notice.study.description : code.meaning
        segment[4] = Field([CodedElement(code: code.value, text: text, system: code.scheme).repetition])
        segment[7] = Field(notice.study.startedAt)
        segment[16] = Self.physician(order?.requestingPhysician ?? "")
        segment[18] = Field(order?.accession.value ?? notice.study.accessionNumber)
        segment[22] = Field(Self.time(record.createdAt))
        segment[24] = Field(order.map { $0.modality } ?? notice.study.modalities.first ?? "")
        segment[25] = Field(Self.resultStatus(notice))
        return segment
    }

    /// OBR-25 (HL7 table 0123): R, results stored, not yet verified; without them I, or X where the order was cancelled.
    private static func resultStatus(_ notice: StudyNotice) -> String {
        guard notice.status == .withdrawn else { return "R" }
        return notice.order?.state == ProcedureState.cancelled.rawValue ? "X" : "I"
    }

    // MARK: Observations

    /// Our own codes for what no table has.
    private static let scheme = "99PHIM"

    private func observations(_ notice: StudyNotice, _ pictures: KeyImageSet) -> [Segment] {
        // HL7 table 0085: W, the observation was of another patient or order; R, entered and not verified.
        let status = notice.status == .withdrawn ? "W" : "R"
        var found: [Segment] = []
        func add(_ type: String, _ code: [Component], _ subID: String, _ value: Field) {
            var segment = Segment("OBX", [Field("\(found.count + 1)"), Field(type), Field(components: code)])
            segment[4] = Field(subID)
            segment[5] = value
            segment[11] = Field(status)
            found.append(segment)
        }
        let study = notice.study
        add("ST", ["110180", "Study Instance UID", "DCM"], "", Field(study.uid))
        if notice.status == .withdrawn { return found }
        add("NM", ["SERIES", "Number of series", Component(Self.scheme)], "", Field("\(study.series)"))
        add("NM", ["INSTANCES", "Number of instances", Component(Self.scheme)], "", Field("\(study.instances)"))
        if let address = sender.viewer(study: study.uid) {
            add(
                "RP", ["VIEWER", "Images", Component(Self.scheme)], "",
                Field(components: [Component(address), "PHIM", "IM", "HTML"]))
        }
        for (index, picture) in pictures.images.enumerated() {
            add(
                "ED", ["KEYIMAGE", "Key image", Component(Self.scheme)], "\(index + 1)",
                Field(components: ["", "IM", "JPEG", "Base64", Component(Data(picture.jpeg).base64EncodedString())]))
        }
        return found
    }
}
