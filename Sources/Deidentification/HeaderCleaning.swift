// One header, element by element: what Table E.1-1 says of it, and of what the table does not name only what is code,
// number, or known to be technical.

import DICOMCore

struct HeaderCleaning {
    private let dataSet: DataSet
    private let profile: DeidentificationProfile
    private let key: PseudonymKey
    private let identity: KnownIdentity
    /// Stands for the patient, as name and as ID.
    private let pseudonym: String
    private let daysBack: Int

    init(_ dataSet: DataSet, _ profile: DeidentificationProfile, _ key: PseudonymKey) {
        self.dataSet = dataSet
        self.profile = profile
        self.key = key
        identity = KnownIdentity(
            dataSet, keeping: profile.options.contains(.retainDevice) ? KeptAttributes.device : [])
        let patient = dataSet.string(.patientID).map { "\(dataSet.string(Tag(0x0010, 0x0021)) ?? "")|\($0)" }
        // Without an ID nobody can tell whose it is: each study is a patient of its own.
        let whose = patient ?? "study|\(dataSet.string(.studyInstanceUID) ?? "")"
        pseudonym = key.patient(whose)
        daysBack = key.days(whose)
    }

    func write(into writer: inout DataSetWriter) {
        clean(dataSet, into: &writer)
        writer.put(.patientID, .LO, [pseudonym])
        writer.put(.patientName, .PN, [pseudonym])
        writer.put(Tag(0x0012, 0x0062), .CS, ["YES"])
        writer.put(Tag(0x0012, 0x0063), .LO, ["PS3.15 Annex E 2026c"] + profile.options.map(\.rawValue).sorted())
        writer.put(
            Tag(0x0012, 0x0064),
            items: profile.codes.map { code in
                var item = writer.makeItem()
                item.put(Tag(0x0008, 0x0100), .SH, [code.value])
                item.put(Tag(0x0008, 0x0102), .SH, ["DCM"])
                item.put(Tag(0x0008, 0x0104), .LO, [code.meaning])
                return item
            })
        writer.put(Tag(0x0028, 0x0303), .CS, [shiftsDates ? "MODIFIED" : "REMOVED"])
    }

    private var shiftsDates: Bool { profile.options.contains(.retainDatesShifted) }

    private func clean(_ dataSet: DataSet, into writer: inout DataSetWriter) {
        for element in dataSet.elements where !Self.goes(element.tag) {
            // What the dictionary does not know may be anything.
            guard element.tag.keyword != nil else { continue }
            let known = DataDictionary.vr(of: element.tag)
            let vr = element.vr == .UN ? known : element.vr
            if isKept(element.tag) {
                if known == .SQ {
                    cleanItems(element, dataSet, into: &writer)
                } else {
                    // A day on which a device was looked after is often that of the examination.
                    writeDate(element, vr, dataSet, into: &writer) { keep(element, vr, known, dataSet, into: &$0) }
                }
                continue
            }
            switch ConfidentialityAction.of(element.tag) {
            case .remove?: writeDate(element, vr, dataSet, into: &writer) { _ in }
            case .empty?: writeDate(element, vr, dataSet, into: &writer) { $0.putEmpty(element.tag, known) }
            case .dummy?: writeDate(element, vr, dataSet, into: &writer) { dummy(element, known, dataSet, into: &$0) }
            case .replaceUID?: replaceUIDs(element, dataSet, into: &writer)
            case .clean?, nil: unnamed(element, vr, known, dataSet, into: &writer)
            }
        }
    }

    /// Group lengths, commands, directories, private attributes, curves, overlays, signatures and padding.
    private static func goes(_ tag: Tag) -> Bool {
        let page = tag.group >> 8
        return tag.element == 0 || tag.group < 0x0008 || tag.isPrivate || page == 0x50 || page == 0x60
            || tag.group >= 0xFF00 || tag == .specificCharacterSet
    }

    /// Whether an option of the profile keeps an attribute that the table would have changed.
    private func isKept(_ tag: Tag) -> Bool {
        profile.options.contains(.retainDevice) && KeptAttributes.device.contains(tag)
            || profile.options.contains(.retainPatientCharacteristics) && KeptAttributes.characteristics.contains(tag)
    }

    // MARK: What the table names

    /// Dates and times that the table names are moved with the patient's others where the profile says so; birth dates
    /// are not (PS3.15 Table E.1-1, column Retain Longitudinal Temporal Information with Modified Dates).
    private func writeDate(
        _ element: DataElement, _ vr: VR, _ dataSet: DataSet, into writer: inout DataSetWriter,
        otherwise: (inout DataSetWriter) -> Void
    ) {
        let isBirth = element.tag.group == 0x0010 && (0x0030...0x0035).contains(element.tag.element)
        guard shiftsDates, vr == .DA || vr == .DT || vr == .TM, !isBirth,
            let moved = moved(dataSet.values(of: element), vr)
        else { return otherwise(&writer) }
        writer.put(element.tag, vr, moved)
    }

    /// Values moved by the patient's days; nil unless all of them can be.
    private func moved(_ values: [String], _ vr: VR) -> [String]? {
        let moved = values.map { value -> String? in
            if value.isEmpty { return "" }
            switch vr {
            case .DA: return ShiftedDates.date(value, back: daysBack)
            case .DT: return ShiftedDates.dateTime(value, back: daysBack)
            default: return ShiftedDates.isTime(value) ? value : nil
            }
        }
        return moved.contains(nil) ? nil : moved.compactMap(\.self)
    }

    /// A value that says nothing, of the dictionary's VR; sequences have none and are left out, but for annotations, whose
    /// texts are dummies in their turn.
    private func dummy(_ element: DataElement, _ vr: VR, _ dataSet: DataSet, into writer: inout DataSetWriter) {
        switch vr {
        case .SQ:
            if element.tag == Tag(0x0070, 0x0001) { cleanItems(element, dataSet, into: &writer) }
        case .DA: writer.put(element.tag, vr, ["19000101"])
        case .TM: writer.put(element.tag, vr, ["000000"])
        case .DT: writer.put(element.tag, vr, ["19000101000000"])
        case .AS: writer.put(element.tag, vr, ["000Y"])
        case .DS, .IS: writer.put(element.tag, vr, ["0"])
        case .UI: replaceUIDs(element, dataSet, into: &writer)
        case .UR: writer.put(element.tag, vr, ["urn:removed"])
        case .OB, .UN: writer.put(element.tag, vr, bytes: [0, 0])
        default: writer.put(element.tag, vr, ["REMOVED"])
        }
    }

    private func replaceUIDs(_ element: DataElement, _ dataSet: DataSet, into writer: inout DataSetWriter) {
        let values = dataSet.values(of: element).map { value in
            guard UID.isValid(value) else { return "" }
            // Well-known frames of reference and the like are of the standard (PS3.6 Annex A).
            if value.hasPrefix("1.2.840.10008.") || profile.options.contains(.retainUIDs) { return value }
            return key.uid(for: value)
        }
        writer.put(element.tag, .UI, values)
    }

    private func cleanItems(_ element: DataElement, _ dataSet: DataSet, into writer: inout DataSetWriter) {
        let items = dataSet.items(of: element).map { source in
            var item = writer.makeItem()
            clean(source, into: &item)
            return item
        }
        writer.put(element.tag, items: items)
    }

    // MARK: What it does not name

    private func unnamed(
        _ element: DataElement, _ vr: VR, _ known: VR, _ dataSet: DataSet, into writer: inout DataSetWriter
    ) {
        switch known {
        case .SQ: cleanItems(element, dataSet, into: &writer)
        case .UI:
            if KeptAttributes.uids.contains(element.tag) {
                keep(element, .UI, known, dataSet, into: &writer)
            } else {
                replaceUIDs(element, dataSet, into: &writer)
            }
        case .DA, .DT, .TM:
            writeDate(element, known, dataSet, into: &writer) { $0.putEmpty(element.tag, known) }
        case .OB, .OW, .OD, .OF, .OL, .OV, .UN:
            guard KeptAttributes.bytes.contains(element.tag), !vr.isString, vr != .SQ else { return }
            writer.put(element, from: dataSet)
        case .LO, .SH, .UC, .ST, .LT, .UT, .PN, .AE, .UR:
            guard KeptAttributes.texts.contains(element.tag) else { return writer.putEmpty(element.tag, known) }
            keep(element, known, known, dataSet, into: &writer)
        default: keep(element, vr, known, dataSet, into: &writer)
        }
    }

    /// Keeps what is of its VR and names nobody; empties the rest.
    private func keep(
        _ element: DataElement, _ vr: VR, _ known: VR, _ dataSet: DataSet, into writer: inout DataSetWriter
    ) {
        if known.unitSize > 0 {
            // Numbers, of any width that a number has.
            guard vr.unitSize > 0, vr != .UN else { return }
            writer.put(element, from: dataSet)
            return
        }
        guard known.isString, vr.isString else { return writer.putEmpty(element.tag, known) }
        let values = dataSet.values(of: element).map { value in
            if known.hasNarrowGrammar, !value.isEmpty, !ValueGrammar.isValid(value, known) { return "" }
            if known == .DA || known == .DT || known == .TM, !ShiftedDates.isTime(value) { return "" }
            let mayEcho =
                known == .CS && (element.tag.group == 0x0028 || KeptAttributes.essential.contains(element.tag))
            let isNumber = known == .DS || known == .IS || known == .UI || known == .AS
            return mayEcho || isNumber || !identity.isEchoed(in: value) ? value : ""
        }
        writer.put(element.tag, known, values)
    }
}

extension VR {
    /// Whether values have a form by which a name among them is seen (PS3.5 Table 6.2-1).
    fileprivate var hasNarrowGrammar: Bool {
        switch self {
        case .CS, .DS, .IS, .AS, .UI: true
        default: false
        }
    }
}
