import Portal
import Testing

@Suite("Slices in the patient (PS3.3 Section C.7.6.2.1.1)")
struct ViewerGeometryTests {
    private static let axial = ImageOrientation([1, 0, 0, 0, 1, 0])

    private func slices(
        _ positions: [Double], phases: [[Double?]] = [], numbers: [Int?]? = nil
    ) -> [SliceOrder.Slice] {
        positions.enumerated().map { index, z in
            SliceOrder.Slice(
                orientation: Self.axial, position: PatientVector(x: 0, y: 0, z: z),
                phases: phases.isEmpty ? [nil] : phases[index], instanceNumber: numbers.map { $0[index] } ?? index + 1)
        }
    }

    @Test(
        "planes by the normal, within 20 degrees",
        arguments: [
            ([1.0, 0, 0, 0, 1, 0], ImageOrientation.Plane.axial),
            ([0, 1, 0, 0, 0, -1], .sagittal),
            ([1, 0, 0, 0, 0, -1], .coronal),
            // A gantry tilted by 15 degrees is still axial; by 30 it is not.
            ([1, 0, 0, 0, 0.9659, 0.2588], .axial),
            ([1, 0, 0, 0, 0.8660, 0.5], .oblique),
        ])
    func planes(values: [Double], plane: ImageOrientation.Plane) throws {
        #expect(try #require(ImageOrientation(values)).plane == plane)
    }

    @Test(
        "what is no pair of directions at a right angle has no plane",
        arguments: [
            [], [1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [1, 0, 0, .nan, 1, 0], [2, 0, 0, 0, 2, 0],
        ])
    func noPlane(values: [Double]) { #expect(ImageOrientation(values) == nil) }

    @Test("place decides, not the number") func byPosition() {
        let order = SliceOrder(slices([10, 0, 5], numbers: [1, 2, 3]))
        #expect(order.order == [1, 2, 0])
        #expect(order.isByPosition && order.isRegular && order.volumes == 1)
        #expect(order.spacing == 5)
    }

    @Test("a gap makes a series irregular, the usual distance stays") func gap() {
        let order = SliceOrder(slices([0, 5, 10, 15, 30]))
        #expect(order.spacing == 5)
        #expect(!order.isRegular)
    }

    @Test("repetitions of the places follow each other, told apart by the first property that does") func volumes() {
        // Two times of three places; the first property is the same everywhere.
        let positions: [Double] = [0, 5, 10, 0, 5, 10]
        let phases: [[Double?]] = [[7, 2], [7, 2], [7, 2], [7, 1], [7, 1], [7, 1]]
        let order = SliceOrder(slices(positions, phases: phases))
        #expect(order.order == [3, 4, 5, 0, 1, 2])
        #expect(order.volumes == 2 && order.isRegular && order.spacing == 5)
    }

    @Test("without anything that tells repetitions apart the number does") func untold() {
        let order = SliceOrder(slices([0, 0, 5, 5], numbers: [2, 1, 4, 3]))
        #expect(order.order == [1, 0, 3, 2])
        #expect(order.volumes == 2)
    }

    @Test("one image without a place, and the numbers decide") func withoutPlace() {
        let without = SliceOrder.Slice(orientation: nil, position: nil, phases: [], instanceNumber: 1)
        let order = SliceOrder(slices([5, 0], numbers: [3, 2]) + [without])
        #expect(order.order == [2, 1, 0])
        #expect(!order.isByPosition && order.spacing == nil && !order.isRegular)
    }

    @Test("images that are not parallel are not put along one normal") func mixed() {
        let other = SliceOrder.Slice(
            orientation: ImageOrientation([0, 1, 0, 0, 0, -1]), position: PatientVector(x: 3, y: 0, z: 0), phases: [],
            instanceNumber: 9)
        #expect(!SliceOrder(slices([0, 5]) + [other]).isByPosition)
    }

    @Test("no slice, one slice") func few() {
        #expect(SliceOrder([]).order.isEmpty)
        #expect(SliceOrder(slices([3])).order == [0])
    }
}
