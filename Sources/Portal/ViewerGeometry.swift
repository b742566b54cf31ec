// Where slices lie in the patient: plane, order along the normal, spacing (PS3.3 Section C.7.6.2.1.1).

/// A vector of the patient's coordinate system: x to the left, y to the back, z to the head.
package struct PatientVector: Hashable, Sendable {
    package let x: Double
    package let y: Double
    package let z: Double

    /// Ten kilometres: what is further away is damage.
    private static let farthest = 1e7

    /// Three finite numbers, within reason.
    package init?(_ values: ArraySlice<Double>) {
        guard values.count == 3, values.allSatisfy({ abs($0) <= Self.farthest }) else { return nil }
        let first = values.startIndex
        self.init(x: values[first], y: values[first + 1], z: values[first + 2])
    }

    package init(x: Double, y: Double, z: Double) {
        self.x = x
        self.y = y
        self.z = z
    }

    func dot(_ other: PatientVector) -> Double { x * other.x + y * other.y + z * other.z }

    func cross(_ other: PatientVector) -> PatientVector {
        PatientVector(
            x: y * other.z - z * other.y, y: z * other.x - x * other.z, z: x * other.y - y * other.x)
    }

    var length: Double { dot(self).squareRoot() }
}

/// How an image lies: the directions of its rows and of its columns.
package struct ImageOrientation: Hashable, Sendable {
    /// The plane that is nearest.
    package enum Plane: String, Sendable, Encodable { case axial, sagittal, coronal, oblique }

    let row: PatientVector
    let column: PatientVector
    let normal: PatientVector

    /// From Image Orientation (Patient); nil when it is not two directions at a right angle.
    package init?(_ values: [Double]) {
        guard values.count == 6, let row = PatientVector(values[0..<3]), let column = PatientVector(values[3..<6])
        else { return nil }
        let normal = row.cross(column)
        guard abs(row.length - 1) < 0.05, abs(column.length - 1) < 0.05, abs(normal.length - 1) < 0.05 else {
            return nil
        }
        self.row = row
        self.column = column
        self.normal = normal
    }

    var values: [Double] { [row.x, row.y, row.z, column.x, column.y, column.z] }

    /// Within 20 degrees of a plane of the body it carries its name.
    package var plane: Plane {
        let near = 0.94
        if abs(normal.z) >= near { return .axial }
        if abs(normal.x) >= near { return .sagittal }
        if abs(normal.y) >= near { return .coronal }
        return .oblique
    }

    /// Whether two images are parallel, to about half a degree.
    func isParallel(to other: ImageOrientation) -> Bool {
        normal.dot(other.normal) > 0.9999 && row.dot(other.row) > 0.9999
    }

    /// Millimetres along the normal.
    func position(of origin: PatientVector) -> Double { normal.dot(origin) }
}

/// The slices of one series in order.
package struct SliceOrder: Equatable, Sendable {
    /// What one slice says of its place.
    package struct Slice: Equatable, Sendable {
        let orientation: ImageOrientation?
        let position: PatientVector?
        /// What tells repetitions of one place apart: times, echoes, b-values; nil where it is not said.
        let phases: [Double?]
        let instanceNumber: Int?

        package init(
            orientation: ImageOrientation?, position: PatientVector?, phases: [Double?], instanceNumber: Int?
        ) {
            self.orientation = orientation
            self.position = position
            self.phases = phases
            self.instanceNumber = instanceNumber
        }
    }

    /// Positions of the slices given, from the first to be shown to the last.
    package let order: [Int]
    /// Whether place decided; otherwise the instance numbers did.
    package let isByPosition: Bool
    /// Millimetres along the normal, by slice given; empty when place did not decide.
    package let positions: [Double]
    /// Millimetres between neighbours; nil for fewer than two places.
    package let spacing: Double?
    /// Whether all neighbours are that far apart, to a hundredth of a millimetre or a fiftieth of the distance.
    package let isRegular: Bool
    /// How often every place occurs.
    package let volumes: Int

    private static let samePlace = 0.01

    package init(_ slices: [Slice]) {
        let byNumber = slices.indices.sorted {
            (slices[$0].instanceNumber ?? .max, $0) < (slices[$1].instanceNumber ?? .max, $1)
        }
        guard slices.count > 1, let first = slices[0].orientation,
            slices.allSatisfy({ $0.position != nil && $0.orientation.map(first.isParallel) == true })
        else {
            self.init(order: byNumber, isByPosition: false, positions: [], spacing: nil, isRegular: false, volumes: 1)
            return
        }
        let positions = slices.map { first.position(of: $0.position ?? PatientVector(x: 0, y: 0, z: 0)) }
        let phase = Self.phase(of: slices, positions)
        let order = byNumber.enumerated().sorted { left, right in
            let (a, b) = (left.element, right.element)
            if phase[a] != phase[b] { return phase[a] < phase[b] }
            if abs(positions[a] - positions[b]) > Self.samePlace { return positions[a] < positions[b] }
            return left.offset < right.offset
        }.map(\.element)
        let places = Self.distinct(positions)
        let gaps = zip(places, places.dropFirst()).map { $1 - $0 }.sorted()
        let spacing = gaps.isEmpty ? nil : gaps[gaps.count / 2]
        let tolerance = max(0.01, (spacing ?? 0) / 50)
        let isWhole = !places.isEmpty && slices.count % places.count == 0
        self.init(
            order: order, isByPosition: true, positions: positions, spacing: spacing,
            isRegular: isWhole && gaps.allSatisfy { abs($0 - (spacing ?? 0)) <= tolerance },
            volumes: places.isEmpty ? 1 : max(1, slices.count / places.count))
    }

    private init(
        order: [Int], isByPosition: Bool, positions: [Double], spacing: Double?, isRegular: Bool, volumes: Int
    ) {
        self.order = order
        self.isByPosition = isByPosition
        self.positions = positions
        self.spacing = spacing
        self.isRegular = isRegular
        self.volumes = volumes
    }

    /// For each slice the value that its repetition of the places has: the first property under which no place occurs
    /// twice; zero everywhere when places occur once only, or when nothing tells repetitions apart.
    private static func phase(of slices: [Slice], _ positions: [Double]) -> [Double] {
        let none = [Double](repeating: 0, count: slices.count)
        if distinct(positions).count == slices.count { return none }
        for property in 0..<(slices[0].phases.count) {
            let values = slices.map { property < $0.phases.count ? $0.phases[property] : nil }
            guard !values.contains(nil) else { continue }
            let phases = values.map { $0 ?? 0 }
            let groups = Dictionary(grouping: slices.indices, by: { phases[$0] })
            if groups.count > 1, groups.values.allSatisfy({ distinct($0.map { positions[$0] }).count == $0.count }) {
                return phases
            }
        }
        return none
    }

    /// Different places in ascending order.
    private static func distinct(_ positions: [Double]) -> [Double] {
        positions.sorted().reduce(into: []) { places, position in
            if places.last.map({ position - $0 > samePlace }) ?? true { places.append(position) }
        }
    }
}
