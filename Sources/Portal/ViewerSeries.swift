// Puts one series of the answer together from rows of the catalogue and facts of headers.

import Catalog
import DICOMCore
import Volumes

/// One instance with what its header says; nil when that cannot be read.
struct ViewerInstance: Sendable {
    let stored: StoredInstance
    let kind: ViewerKind
    let facts: ViewerFacts?

    /// At least one, and no more than the attribute can say (PS3.5 Section 6.2, IS).
    var frames: Int { min(max(1, stored.numberOfFrames), Int(Int32.max)) }
}

extension ViewerSeriesAnswer {
    /// - Parameters:
    ///   - values: of the catalogue, by tag.
    ///   - instances: by instance number.
    init(_ values: [Tag: String], instances found: [ViewerInstance], addresses: ViewerAddresses) {
        let uid = values[.seriesInstanceUID] ?? ""
        let kind = Self.kind(of: found)
        let slices = SliceOrder(found.map(Self.slice))
        let ordered = slices.order.map { found[$0] }
        let facts = ordered.compactMap(\.facts)
        let first = facts.first { $0.rows != nil }
        seriesInstanceUID = uid
        number = values[.seriesNumber].flatMap { Int($0) }
        modality = ViewerValues.text(values[.modality])
        self.kind = kind
        description = ViewerValues.text(values[.seriesDescription])
        bodyPart = ViewerValues.text(values[.bodyPartExamined]) ?? facts.lazy.compactMap(\.bodyPart).first
        laterality = ViewerValues.text(values[.laterality]) ?? facts.lazy.compactMap(\.laterality).first
        viewPosition = facts.lazy.compactMap(\.viewPosition).first
        protocolName = ViewerValues.text(values[.protocolName])
        date = ViewerValues.date(values[.seriesDate])
        time = ViewerValues.time(values[.seriesTime])
        frameOfReferenceUID =
            ViewerValues.text(values[.frameOfReferenceUID]) ?? facts.lazy.compactMap(\.frameOfReferenceUID).first
        rows = first?.rows
        columns = first?.columns
        bitsAllocated = first?.bitsAllocated
        bitsStored = first?.bitsStored
        isSigned = first?.isSigned
        samplesPerPixel = first?.samplesPerPixel
        photometricInterpretation = first?.photometricInterpretation
        isLossy = facts.contains(where: \.isLossy)
        hasBurnedInAnnotation = facts.contains(where: \.hasBurnedInAnnotation)
        transferSyntaxUIDs = Set(found.map(\.stored.transferSyntaxUID)).sorted()
        self.instances = found.count
        let frames = found.reduce(0) { $0 + $1.frames }
        let bytes = found.reduce(0) { $0 + $1.stored.place.length }
        self.frames = kind.hasFrames || kind == .video ? frames : 0
        self.bytes = bytes
        let geometry = Self.geometry(ordered, slices, first)
        self.geometry = geometry
        windows = WindowPreset.presets(
            of: facts.flatMap(\.windows), isHounsfield: facts.contains(where: \.isHounsfield), bodyPart: bodyPart)
        let series = addresses.series(uid)
        thumbnail = kind == .image ? series + "/thumbnail" : nil
        metadata = series + "/metadata"
        loading = Self.loading(kind, found, first, frames: frames, bytes: bytes, series: series)
        items = slices.order.map { index in
            ViewerInstanceAnswer(
                found[index], position: slices.isByPosition ? slices.positions[index] : nil, like: first,
                isMixed: geometry?.plane == "mixed",
                address: addresses.instance(uid, found[index].stored.sopInstanceUID))
        }
    }

    /// The commonest kind; images win a draw.
    private static func kind(of instances: [ViewerInstance]) -> ViewerKind {
        let counts = Dictionary(grouping: instances, by: \.kind).mapValues(\.count)
        let most = counts.max { ($0.value, $0.key == .image ? 1 : 0) < ($1.value, $1.key == .image ? 1 : 0) }
        return most?.key ?? .other
    }

    private static func slice(_ instance: ViewerInstance) -> SliceOrder.Slice {
        SliceOrder.Slice(
            orientation: instance.facts?.orientation, position: instance.facts?.position,
            phases: instance.facts?.phases ?? [], instanceNumber: instance.stored.instanceNumber)
    }

    private static func geometry(
        _ ordered: [ViewerInstance], _ slices: SliceOrder, _ first: ViewerFacts?
    ) -> Geometry? {
        let orientations = ordered.compactMap { $0.facts?.orientation }
        guard let first, let orientation = orientations.first else {
            guard let first, !first.pixelSpacing.isEmpty else { return nil }
            return Geometry(
                plane: "unknown", orientation: nil, order: "instanceNumber", pixelSpacing: first.pixelSpacing,
                pixelSpacingReference: first.spacingReference, sliceSpacing: nil, isRegular: false,
                sliceThickness: first.sliceThickness, volumes: 1)
        }
        let isParallel = orientations.allSatisfy(orientation.isParallel)
        // A single enhanced object has its slices inside.
        let within = ordered.count == 1 ? SliceOrder(frames: first) : nil
        return Geometry(
            plane: isParallel ? orientation.plane.rawValue : "mixed",
            orientation: isParallel ? orientation.values : nil,
            order: slices.isByPosition ? "position" : "instanceNumber",
            pixelSpacing: first.pixelSpacing.isEmpty ? nil : first.pixelSpacing,
            pixelSpacingReference: first.spacingReference, sliceSpacing: (within ?? slices).spacing,
            isRegular: (within ?? slices).isRegular, sliceThickness: first.sliceThickness,
            volumes: (within ?? slices).volumes)
    }

    private static func loading(
        _ kind: ViewerKind, _ found: [ViewerInstance], _ first: ViewerFacts?, frames: Int, bytes: Int64, series: String
    ) -> ViewerLoading? {
        guard kind == .image, let first, let rows = first.rows, let columns = first.columns,
            (1...65_535).contains(rows), (1...65_535).contains(columns)
        else { return nil }
        let samples = min(max(first.samplesPerPixel, 1), 4)
        return ViewerLoading(
            items: found.count,
            frames: ViewerLoading.Frames(
                rows: rows, columns: columns, samplesPerPixel: samples,
                bitsAllocated: min(max(first.bitsAllocated ?? 16, 1), 64), count: frames),
            storedBytes: bytes, stored: Set(found.map(\.stored.transferSyntaxUID)), series: series)
    }
}

extension SliceOrder {
    /// The frames of one enhanced object; nil when they have no places.
    init?(frames facts: ViewerFacts) {
        guard let orientation = facts.orientation, facts.framePositions.count > 1 else { return nil }
        let normal = orientation.normal
        self.init(
            facts.framePositions.enumerated().map { number, position in
                Slice(
                    orientation: orientation,
                    position: PatientVector(x: normal.x * position, y: normal.y * position, z: normal.z * position),
                    phases: [], instanceNumber: number)
            })
    }
}

extension ViewerInstanceAnswer {
    init(_ instance: ViewerInstance, position: Double?, like series: ViewerFacts?, isMixed: Bool, address: String) {
        let (stored, facts) = (instance.stored, instance.facts)
        sopInstanceUID = stored.sopInstanceUID
        sopClassUID = stored.sopClassUID
        number = stored.instanceNumber
        frames = instance.frames
        bytes = stored.place.length
        transferSyntaxUID = stored.transferSyntaxUID
        object = address
        frame = instance.kind.hasFrames || instance.kind == .video ? address + "/frames/{frame}" : nil
        self.position = position.map(Self.rounded)
        framePositions = facts.flatMap { $0.framePositions.isEmpty ? nil : $0.framePositions.map(Self.rounded) }
        frameTime = facts?.frameTime
        window = facts?.windows.first.map { [$0.center, $0.width] }
        plane = isMixed ? facts?.orientation?.plane : nil
        laterality = facts?.laterality == series?.laterality ? nil : facts?.laterality
        viewPosition = facts?.viewPosition == series?.viewPosition ? nil : facts?.viewPosition
        rows = facts?.rows == series?.rows ? nil : facts?.rows
        columns = facts?.columns == series?.columns ? nil : facts?.columns
        document = facts?.document
        isReadable = facts != nil
    }

    /// Micrometres are enough.
    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
