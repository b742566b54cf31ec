// Whether two Part 10 files hold the same object under different file headers.

import DICOMCore
import Volumes

/// A file may come once over the network and once from a disc: same data set, another header before it. Digests are of
/// whole files, so where they differ but the sizes are close, the data sets themselves are compared.
enum DataSetComparison {
    /// File headers differ by less than this.
    private static let headerSlack: Int64 = 4096
    /// Larger objects are told apart by their digests alone.
    private static let largest: Int64 = 256 << 20

    static func mayBeEqual(_ left: Int64, _ right: Int64) -> Bool {
        abs(left - right) < headerSlack && max(left, right) <= largest
    }

    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard let one = try? Part10.parse(left), let other = try? Part10.parse(right) else { return false }
        return one.transferSyntax == other.transferSyntax
            && left[one.dataSetOffset...].elementsEqual(right[other.dataSetOffset...])
    }

    static func areEqual(_ left: Place, _ right: Place, in volumes: VolumeStore) -> Bool {
        guard mayBeEqual(left.length, right.length), let one = try? volumes.read(left, count: Int(left.length)),
            let other = try? volumes.read(right, count: Int(right.length))
        else { return false }
        return areEqual(one, other)
    }
}
