// Matches of a search as DICOM JSON, or as one document of XML each (PS3.18 Section 10.6.3.3).

import Catalog
import DICOMCore
import Foundation
import Retrieval

/// Attribute by attribute in order of tags: what both forms of an answer can write.
private protocol AttributeWriter {
    mutating func write(_ tag: Tag, _ vr: VR, _ values: [String])
    mutating func write(_ element: DataElement, of dataSet: DataSet)
}

extension DICOMJSONWriter: AttributeWriter {}
extension DICOMXMLWriter: AttributeWriter {}

/// Finds what a search asks for and writes it down.
struct SearchAnswer {
    private let request: SearchRequest
    /// The address of the service, such as `http://host:8080/dicom-web`.
    private let base: String
    private let steps: [Step]
    private let wantsHeader: Bool

    /// Where a value of a match comes from.
    private enum Source {
        case column(Attribute)
        case availability, retrieveURL, characterSet
        /// Items made again from the columns that hold their values.
        case items([Attribute])
        /// A stored object below the match.
        case header
    }

    private struct Step {
        let tag: Tag
        let vr: VR
        let source: Source
        /// Whether the attribute is written, empty, where there is no value.
        let isAlways: Bool
    }

    /// Numbers of all studies, series and instances of a patient.
    private static let patientTotals: Set<Tag> = [Tag(0x0020, 0x1200), Tag(0x0020, 0x1202), Tag(0x0020, 0x1204)]

    /// - Parameter seesAll: false for callers who see some studies only: how many others a patient has is not theirs.
    init(_ request: SearchRequest, base: String, seesAll: Bool) {
        self.request = request
        self.base = base
        let level = request.target.level
        let unasked = Set(request.target.returned)
        var wanted = unasked.union(request.included)
        if request.includesAll {
            wanted.formUnion(Attribute.table.filter { $0.level <= level }.map { $0.sequence ?? $0.tag })
        }
        if !seesAll { wanted.subtract(Self.patientTotals) }
        steps = wanted.sorted().compactMap { tag in
            Self.source(tag, level).map { source in
                let isAlways = unasked.contains(tag) && !Self.neverEmpty.contains(tag)
                return Step(tag: tag, vr: DataDictionary.vr(of: tag), source: source, isAlways: isAlways)
            }
        }
        wantsHeader =
            request.includesAll && level == .image
            || steps.contains { if case .header = $0.source { true } else { false } }
    }

    /// Viewers take these for lists that have something in them.
    private static let neverEmpty: Set<Tag> = [
        .modalitiesInStudy, .timezoneOffsetFromUTC, .requestAttributesSequence, Tag(0x0028, 0x0008),
    ]

    /// Nil for what a match of this level cannot have one value of: attributes of the levels below.
    private static func source(_ tag: Tag, _ level: QueryLevel) -> Source? {
        switch tag {
        case .specificCharacterSet: return .characterSet
        case .instanceAvailability: return .availability
        case SearchTarget.retrieveURL: return .retrieveURL
        default: break
        }
        let items = Attribute.items(of: tag)
        if let first = items.first, level == .series, first.level == .series { return .items(items) }
        guard let attribute = Attribute.of(tag) else { return tag.element == 0 ? nil : .header }
        return attribute.level <= level ? .column(attribute) : nil
    }

    /// The query that finds the matches.
    var query: Query {
        let level = request.target.level
        var keys: [Tag] = [.studyInstanceUID, .seriesInstanceUID, .sopInstanceUID]
        for step in steps {
            switch step.source {
            case .column, .items: keys.append(step.tag)
            case .availability, .retrieveURL, .characterSet, .header: break
            }
        }
        var query = Query(
            level: level, filters: request.filters, returnKeys: keys, limit: limit, offset: request.offset)
        query.itemFilters = request.itemFilters
        query.order = request.order
        query.combinesDateAndTime = true
        query.wantsRepresentative = wantsHeader
        return query
    }

    /// As many matches as the caller wants and the server gives.
    var limit: Int { min(request.limit ?? .max, serverLimit) }

    private var serverLimit: Int {
        wantsHeader ? SearchTarget.mostMatchesWithHeaders : request.target.mostMatches
    }

    // MARK: - Forms

    func json(_ matches: [Match], headers: (StoredInstance) -> DataSet?) -> [UInt8] {
        var writer = DICOMJSONWriter(Self.policy, reserving: matches.count * 1_024)
        writer.bytes.append(UInt8(ascii: "["))
        for match in matches {
            writer.beginObject()
            write(match, headers, to: &writer)
            writer.endObject()
        }
        writer.bytes.append(UInt8(ascii: "]"))
        return writer.bytes
    }

    /// One part per match (PS3.18 Section 8.7.3.4), and the boundary between them.
    func xml(_ matches: [Match], headers: (StoredInstance) -> DataSet?) -> (bytes: [UInt8], boundary: String) {
        let boundary = "phim-" + UUID().uuidString
        var bytes: [UInt8] = []
        for match in matches {
            bytes += "--\(boundary)\r\nContent-Type: application/dicom+xml\r\n\r\n".utf8
            var writer = DICOMXMLWriter(Self.policy)
            writer.begin()
            write(match, headers, to: &writer)
            writer.end()
            bytes += writer.bytes
            bytes += "\r\n".utf8
        }
        bytes += "--\(boundary)--\r\n".utf8
        return (bytes, boundary)
    }

    /// Nobody looks for pixels in a list.
    private static let policy = BulkDataPolicy.omit(above: 4_096)

    // MARK: - One match

    private func write(
        _ match: Match, _ headers: (StoredInstance) -> DataSet?, to writer: inout some AttributeWriter
    ) {
        let header = wantsHeader ? match.representative.flatMap(headers) : nil
        var others = (request.includesAll && request.target.level == .image ? header?.elements ?? [] : [])[...]
        for step in steps {
            while let next = others.first, next.tag <= step.tag {
                others.removeFirst()
                if next.tag < step.tag, let header { write(next, header, to: &writer) }
            }
            write(step, match, header, to: &writer)
        }
        if let header { for element in others { write(element, header, to: &writer) } }
    }

    private func write(_ element: DataElement, _ header: DataSet, to writer: inout some AttributeWriter) {
        // Meta information, group lengths and the second of two of the same tag are no attributes of a list.
        guard element.tag.group > 2, element.tag.element != 0, header[element.tag] == element else { return }
        writer.write(element, of: header)
    }

    private func write(
        _ step: Step, _ match: Match, _ header: DataSet?, to writer: inout some AttributeWriter
    ) {
        switch step.source {
        case .characterSet: writer.write(step.tag, step.vr, ["ISO_IR 192"])
        case .availability: writer.write(step.tag, step.vr, ["ONLINE"])
        case .retrieveURL: writer.write(step.tag, step.vr, [retrieveURL(match)])
        case .column(let attribute):
            let value = match.values[attribute.tag] ?? ""
            if value.isEmpty, !step.isAlways { return }
            writer.write(
                step.tag, step.vr, attribute.isMultiple ? value.components(separatedBy: "\\") : [value])
        case .items(let attributes):
            guard let dataSet = Self.items(step.tag, attributes, match), let element = dataSet[step.tag] else { return }
            writer.write(element, of: dataSet)
        case .header:
            guard let header, let element = header[step.tag] else { return }
            writer.write(element, of: header)
        }
    }

    /// The address that the match is retrieved from: of the study, the series or the instance.
    private func retrieveURL(_ match: Match) -> String {
        var url = base + "/studies/" + (match.values[.studyInstanceUID] ?? "")
        if let series = match.values[.seriesInstanceUID] { url += "/series/" + series }
        if let instance = match.values[.sopInstanceUID] { url += "/instances/" + instance }
        return url
    }

    private static func items(_ sequence: Tag, _ attributes: [Attribute], _ match: Match) -> DataSet? {
        let columns = attributes.map { (match.values[$0.tag] ?? "").components(separatedBy: "\\") }
        guard columns.contains(where: { $0 != [""] }) else { return nil }
        var writer = DataSetWriter(transferSyntax: .explicitVRLittleEndian, characterSet: .utf8)
        let count = columns.map(\.count).max() ?? 0
        writer.put(
            sequence,
            items: (0..<count).map { index in
                var item = writer.makeItem()
                for (attribute, values) in zip(attributes, columns) where index < values.count && !values[index].isEmpty
                {
                    item.put(attribute.tag, DataDictionary.vr(of: attribute.tag), [values[index]])
                }
                return item
            })
        let bytes = writer.finish()
        return try? HeaderReader.read(bytes, transferSyntax: .explicitVRLittleEndian).dataSet
    }
}
