// Puts a study together for viewers: rows of the catalogue, and one header for each series.

import Catalog
import DICOMCore
import Foundation
import Retrieval
import Volumes

/// Reads what the viewer API answers. Blocks.
struct ViewerReading: Sendable {
    let catalog: CatalogStore
    let retrieval: InstanceRetrieval

    /// - Returns: nil when there is no such study.
    func study(_ uid: String) throws -> ViewerStudy? {
        let filter: [Tag: MatchingKey] = [Attribute.studyInstanceUID.tag: .single(uid)]
        guard let values = try catalog.find(Query(level: .study, filters: filter)).first?.values else { return nil }
        let rows = try catalog.find(Query(level: .series, filters: filter))
        let shapes = try imageShapes(filter)
        let stored = Dictionary(
            grouping: try catalog.instances(Scope(studyUIDs: [uid])), by: \.seriesInstanceUID)
        let series = rows.map { row in
            let seriesUID = row.values[Attribute.seriesInstanceUID.tag] ?? ""
            return makeSeries(uid, seriesUID, row.values, stored[seriesUID] ?? [], shapes)
        }
        let root = Self.url(study: uid)
        let value = Texts(values)
        return ViewerStudy(
            studyInstanceUID: uid,
            patient: .init(
                id: value[0x0010_0020], name: value[0x0010_0010],
                displayName: ViewerValues.displayName(value[0x0010_0010]),
                birthDate: ViewerValues.date(value[0x0010_0030]), sex: value[0x0010_0040]),
            patientAge: value[0x0010_1010], date: ViewerValues.date(value[0x0008_0020]),
            time: ViewerValues.time(value[0x0008_0030]), description: value[0x0008_1030],
            accessionNumber: value[0x0008_0050],
            referringPhysician: ViewerValues.displayName(value[0x0008_0090]),
            modalities: ViewerValues.list(value[0x0008_0061]),
            instances: series.reduce(0) { $0 + $1.instances.count }, frames: series.reduce(0) { $0 + $1.frames },
            bytes: series.reduce(0) { $0 + $1.bytes }, viewer: Self.viewer(study: uid), metadata: root + "/metadata",
            thumbnail: series.lazy.compactMap(\.thumbnail).first, priors: "/api/v1/studies/\(uid)/priors",
            events: "/api/v1/events?study=\(uid)", series: series, loading: ViewerLoading(series))
    }

    private struct Shape {
        let rows: Int?
        let columns: Int?
    }

    private func imageShapes(_ filter: [Tag: MatchingKey]) throws -> [String: Shape] {
        let (rows, columns) = (Tag(0x0028, 0x0010), Tag(0x0028, 0x0011))
        let query = Query(level: .image, filters: filter, returnKeys: [Attribute.sopInstanceUID.tag, rows, columns])
        return try catalog.find(query).reduce(into: [:]) { shapes, match in
            let value = Texts(match.values)
            shapes[match.values[Attribute.sopInstanceUID.tag] ?? ""] = Shape(
                rows: ViewerValues.number(value[rows.rawValue]),
                columns: ViewerValues.number(value[columns.rawValue]))
        }
    }

    private func makeSeries(
        _ study: String, _ uid: String, _ values: [Tag: String], _ stored: [StoredInstance], _ shapes: [String: Shape]
    ) -> ViewerSeries {
        let value = Texts(values)
        let modality = value[0x0008_0060]
        let root = Self.url(study: study) + "/series/\(uid)"
        let images = stored.filter { (shapes[$0.sopInstanceUID]?.rows ?? 0) > 0 }
        // The middle of a stack shows what it is.
        let middle = images.isEmpty ? nil : images[images.count / 2]
        let image = middle.flatMap { try? retrieval.header(of: $0) }.map {
            ViewerImage(header: $0, modality: modality)
        }
        let instances = stored.map { instance in
            let shape = shapes[instance.sopInstanceUID]
            let url = root + "/instances/\(instance.sopInstanceUID)"
            let isImage = (shape?.rows ?? 0) > 0
            return ViewerInstance(
                sopInstanceUID: instance.sopInstanceUID, sopClassUID: instance.sopClassUID,
                number: instance.instanceNumber, transferSyntaxUID: instance.transferSyntaxUID, rows: shape?.rows,
                columns: shape?.columns, frames: instance.numberOfFrames, bytes: instance.place.length, url: url,
                frameURL: isImage ? url + "/frames/{frame}" : nil,
                renderedURL: isImage ? url + "/frames/{frame}/rendered" : nil)
        }
        return ViewerSeries(
            seriesInstanceUID: uid, number: ViewerValues.number(value[0x0020_0011]), modality: modality,
            description: value[0x0008_103E], bodyPart: value[0x0018_0015], laterality: value[0x0020_0060],
            protocolName: value[0x0018_1030], date: ViewerValues.date(value[0x0008_0021]),
            time: ViewerValues.time(value[0x0008_0031]), frameOfReferenceUID: value[0x0020_0052],
            frames: stored.reduce(0) { $0 + $1.numberOfFrames },
            bytes: stored.reduce(0) { $0 + $1.place.length }, metadata: root + "/metadata",
            thumbnail: middle.map { root + "/instances/\($0.sopInstanceUID)/thumbnail" }, image: image,
            instances: instances)
    }

    static func url(study: String) -> String { "/dicom-web/studies/\(study)" }

    static func viewer(study: String) -> String { "/ohif/viewer?StudyInstanceUIDs=\(study)" }
}

/// Values of a match by tag, empty ones as nil.
struct Texts {
    private let values: [Tag: String]

    init(_ values: [Tag: String]) { self.values = values }

    subscript(_ tag: UInt32) -> String? {
        values[Tag(rawValue: tag)].flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension ViewerReading {
    /// Other studies of the study's patient, newest first, as far as the caller may see them.
    /// - Parameter sees: whether a study is in the caller's scope.
    /// - Returns: nil when there is no such study.
    func priors(of uid: String, sees: (String) -> Bool) throws -> ViewerPriors? {
        let filter: [Tag: MatchingKey] = [Attribute.studyInstanceUID.tag: .single(uid)]
        guard let values = try catalog.find(Query(level: .study, filters: filter)).first?.values else { return nil }
        let value = Texts(values)
        // Without an identifier nobody knows whose studies they are: a name is not enough.
        guard let patientID = value[0x0010_0020] else { return ViewerPriors(studyInstanceUID: uid, priors: []) }
        var same: [Tag: MatchingKey] = [Attribute.patientID.tag: .single(patientID)]
        if let issuer = value[0x0010_0021] { same[Attribute.issuerOfPatientID.tag] = .single(issuer) }
        let own = try parts(of: uid)
        let today = ViewerValues.day(ViewerValues.date(value[0x0008_0020]))
        let found = try catalog.find(Query(level: .study, filters: same, limit: 500)).map { Texts($0.values) }
        let priors = try found.compactMap { other -> ViewerPrior? in
            guard let otherUID = other[0x0020_000D], otherUID != uid, sees(otherUID) else { return nil }
            // An identifier counts within its issuer only.
            guard other[0x0010_0021] == value[0x0010_0021], other[0x0010_0020] == patientID else { return nil }
            let date = ViewerValues.date(other[0x0008_0020])
            let theirs = try parts(of: otherUID)
            let modalities = ViewerValues.list(other[0x0008_0061])
            return ViewerPrior(
                studyInstanceUID: otherUID, date: date, time: ViewerValues.time(other[0x0008_0030]),
                description: other[0x0008_1030], accessionNumber: other[0x0008_0050], modalities: modalities,
                bodyParts: theirs.bodyParts.sorted(), instances: ViewerValues.number(other[0x0020_1208]) ?? 0,
                daysBefore: today.flatMap { today in ViewerValues.day(date).map { today - $0 } },
                isComparable: !own.modalities.isDisjoint(with: theirs.modalities)
                    && !own.bodyParts.isDisjoint(with: theirs.bodyParts),
                study: "/api/v1/studies/\(otherUID)", viewer: Self.viewer(study: otherUID),
                thumbnail: Self.url(study: otherUID) + "/thumbnail")
        }
        return ViewerPriors(
            studyInstanceUID: uid,
            priors: priors.sorted { (($0.date ?? ""), ($0.time ?? "")) > (($1.date ?? ""), ($1.time ?? "")) })
    }

    private func parts(of study: String) throws -> (modalities: Set<String>, bodyParts: Set<String>) {
        let (modality, bodyPart) = (Tag(0x0008, 0x0060), Tag(0x0018, 0x0015))
        let query = Query(
            level: .series, filters: [Attribute.studyInstanceUID.tag: .single(study)], returnKeys: [modality, bodyPart])
        let rows = try catalog.find(query).map { Texts($0.values) }
        return (
            Set(rows.compactMap { $0[modality.rawValue] }),
            Set(rows.compactMap { $0[bodyPart.rawValue]?.uppercased() })
        )
    }
}
