// The identifier of a worklist query, as what the records are searched by (PS3.4 Section K.6.1.2.2, Table K.6-1).

package import DICOMCore
package import Records

/// What a modality asks of its worklist.
package struct WorklistQuery: Sendable {
    /// What is wrong with an identifier.
    package enum Fault: Error, Equatable {
        case unreadable
        case badValue(Tag)

        package var comment: String {
            switch self {
            case .unreadable: "Identifier cannot be read"
            case .badValue(let tag): "\(tag.keyword ?? tag.description) is no date, time or range of them"
            }
        }
    }

    /// The keys as they were asked.
    package let identifier: DataSet
    package private(set) var filter = WorklistFilter()
    /// The one station that was asked for by its title.
    package private(set) var station: String?
    /// Whether a value was given for a key that is not matched.
    package private(set) var ignoresKeys = false
    private var name: PersonNamePattern?
    private var performer: PersonNamePattern?

    package init(_ bytes: [UInt8], transferSyntax: String) throws(Fault) {
        guard let header = try? HeaderReader.read(bytes, transferSyntax: TransferSyntax(transferSyntax)) else {
            throw .unreadable
        }
        try self.init(header.dataSet)
    }

    package init(_ identifier: DataSet) throws(Fault) {
        self.identifier = identifier
        name = Self.pattern(identifier, .patientName)
        filter.nameWords = name?.searchWords ?? []
        filter.patientID = Self.value(identifier, .patientID)
        filter.accessionNumber = Self.value(identifier, .accessionNumber)
        filter.requestedProcedureID = Self.value(identifier, .requestedProcedureID)
        filter.studyInstanceUIDs = Self.values(identifier, .studyInstanceUID)
        let step = identifier.items(.scheduledProcedureStepSequence).first ?? .empty
        filter.stationAETitles = Self.values(step, .scheduledStationAETitle)
        if filter.stationAETitles.count == 1, !Wildcard.isPattern(filter.stationAETitles[0]) {
            station = filter.stationAETitles[0]
        }
        filter.modalities = Self.values(step, .modality)
        filter.scheduledProcedureStepID = Self.value(step, .scheduledProcedureStepID)
        filter.states = Self.values(step, .scheduledProcedureStepStatus).flatMap(WorklistItem.states)
        performer = Self.pattern(step, .scheduledPerformingPhysicianName)
        try setTime(step)
        ignoresKeys = Self.hasOthers(identifier, Self.matched) || Self.hasOthers(step, Self.matchedInStep)
    }

    /// Narrows the worklist to one station where none was asked for.
    package mutating func narrow(to station: String) {
        if filter.stationAETitles.isEmpty { filter.stationAETitles = [station] }
    }

    /// Whether a folded name is asked for.
    package func isNamed(_ folded: String) -> Bool { name?.matches(folded: folded) ?? true }

    /// The filter, once it is known who the performers are: names in the records, as they were ordered.
    package func filter(performers: () throws -> [String]) rethrows -> WorklistFilter {
        guard let performer else { return filter }
        var filter = filter
        filter.performingPhysicians = try performers().filter { performer.matches(folded: Fold.fold($0)) }
        return filter
    }

    // MARK: Reading keys

    package static let matched: [Tag] = [
        .patientName, .patientID, .accessionNumber, .requestedProcedureID, .studyInstanceUID,
    ]
    package static let matchedInStep: [Tag] = [
        .scheduledStationAETitle, .scheduledProcedureStepStartDate, .scheduledProcedureStepStartTime, .modality,
        .scheduledPerformingPhysicianName, .scheduledProcedureStepID, .scheduledProcedureStepStatus,
    ]

    /// Values that narrow something: `*` alone is universal matching (PS3.4 Section C.2.2.2.3).
    private static func values(_ dataSet: DataSet, _ tag: Tag) -> [String] {
        let values = dataSet.strings(tag).filter { !$0.isEmpty }
        return values.contains { $0.allSatisfy { $0 == "*" } } ? [] : values
    }

    private static func value(_ dataSet: DataSet, _ tag: Tag) -> String? { values(dataSet, tag).first }

    private static func pattern(_ dataSet: DataSet, _ tag: Tag) -> PersonNamePattern? {
        let pattern = value(dataSet, tag).map(PersonNamePattern.init)
        return pattern.flatMap { $0.isUniversal ? nil : $0 }
    }

    /// Two ranges, of days and of times, are one span from the first day's time to the last day's (Table K.6-1); a single
    /// day or time is matched by itself.
    private mutating func setTime(_ step: DataSet) throws(Fault) {
        let (date, time) = (
            Self.value(step, .scheduledProcedureStepStartDate), Self.value(step, .scheduledProcedureStepStartTime)
        )
        let days = date.flatMap { DateRange($0) }
        if date != nil, days == nil { throw .badValue(.scheduledProcedureStepStartDate) }
        let times = time.flatMap { TimeRange($0) }
        if time != nil, times == nil { throw .badValue(.scheduledProcedureStepStartTime) }
        let isSpan = date?.contains("-") == true && time?.contains("-") == true
        let (first, last) = (times?.lower?.prefix(6), times?.upper?.prefix(6))
        filter.from = days?.lower.map { $0 + (isSpan ? first ?? "000000" : "000000") }
        filter.through = days?.upper.map { $0 + (isSpan ? last ?? "235959" : "235959") }
        guard !isSpan else { return }
        filter.timeFrom = first.map(String.init)
        filter.timeThrough = last.map(String.init)
    }

    private static func hasOthers(_ dataSet: DataSet, _ matched: [Tag]) -> Bool {
        dataSet.elements.contains { element in
            if element.tag == .specificCharacterSet || element.tag.element == 0 || matched.contains(element.tag) {
                return false
            }
            guard element.vr == .SQ else { return element.length > 0 }
            if element.tag == .scheduledProcedureStepSequence { return false }
            return dataSet.items(of: element).contains { hasOthers($0, []) }
        }
    }
}
