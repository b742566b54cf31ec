// The six resources of the search transaction and what each returns unasked (PS3.18 Sections 10.6.1.1 and 10.6.3.3).

package import Catalog
import DICOMCore

/// What is searched, below what.
package struct SearchTarget: Hashable, Sendable {
    let level: QueryLevel
    let study: String?
    let series: String?

    package init(_ level: QueryLevel, study: String? = nil, series: String? = nil) {
        self.level = level
        self.study = study
        self.series = series
    }

    /// Attributes that every match has: those of its level, and of the levels above that the path does not name.
    var returned: [Tag] {
        var tags = Self.always
        if level == .study || study == nil { tags += Self.studyAttributes }
        if level == .series || level == .image && series == nil { tags += Self.seriesAttributes }
        if level == .image { tags += Self.instanceAttributes }
        return tags
    }

    static let retrieveURL = Tag(0x0008, 0x1190)
    /// Says who a match is, whatever else was asked.
    private static let always: [Tag] = [.specificCharacterSet, retrieveURL, .studyInstanceUID, .timezoneOffsetFromUTC]

    /// PS3.18 Table 10.6.3-3, and the description that every study list shows.
    private static let studyAttributes: [Tag] = [
        Tag(0x0008, 0x0020), Tag(0x0008, 0x0030), Tag(0x0008, 0x0050), .instanceAvailability, .modalitiesInStudy,
        Tag(0x0008, 0x0090), Tag(0x0008, 0x1030), Tag(0x0010, 0x0010), Tag(0x0010, 0x0020), Tag(0x0010, 0x0030),
        Tag(0x0010, 0x0040), Tag(0x0020, 0x0010), Tag(0x0020, 0x1206), Tag(0x0020, 0x1208),
    ]

    /// PS3.18 Table 10.6.3-4.
    private static let seriesAttributes: [Tag] = [
        Tag(0x0008, 0x0060), Tag(0x0008, 0x103E), .seriesInstanceUID, Tag(0x0020, 0x0011), Tag(0x0020, 0x1209),
        Tag(0x0040, 0x0244), Tag(0x0040, 0x0245), .requestAttributesSequence,
    ]

    /// PS3.18 Table 10.6.3-5.
    private static let instanceAttributes: [Tag] = [
        Tag(0x0008, 0x0016), .sopInstanceUID, .instanceAvailability, .seriesInstanceUID, Tag(0x0020, 0x0013),
        Tag(0x0028, 0x0010), Tag(0x0028, 0x0011), Tag(0x0028, 0x0100), Tag(0x0028, 0x0008),
    ]

    /// Matches given at most when less was not asked for: a study is given whole.
    var mostMatches: Int { study == nil ? 1_000 : 10_000 }
    /// The same, when every match costs a look into a stored object.
    static let mostMatchesWithHeaders = 1_000
}
