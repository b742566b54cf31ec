// What stays beyond Table E.1-1: texts and bytes that say how an image was made. All other text goes, also of attributes
// that the table does not name: people write names into every field that takes one.

package import DICOMCore

package enum KeptAttributes {
    private static func tags(_ numbers: [UInt32]) -> Set<Tag> { Set(numbers.map(Tag.init(rawValue:))) }

    /// Texts of equipment, technique and codes (VRs LO, SH, ST, LT, UC, UT); kept where no word of them is part of a name or
    /// an identifier of the same object.
    package static let texts = tags([
        0x0008_0070, 0x0008_0100, 0x0008_0102, 0x0008_0103, 0x0008_0104, 0x0008_0119, 0x0008_0120, 0x0008_0122,
        0x0008_0222, 0x0008_1090, 0x0008_2120, 0x0008_2127, 0x0008_2132, 0x0018_0024, 0x0018_0031, 0x0018_0085,
        0x0018_1016, 0x0018_1018, 0x0018_1019, 0x0018_1020, 0x0018_1022, 0x0018_1023, 0x0018_1040, 0x0018_1061,
        0x0018_1064, 0x0018_1070, 0x0018_1085, 0x0018_1160, 0x0018_1161, 0x0018_1180, 0x0018_11A4, 0x0018_11B0,
        0x0018_11B1, 0x0018_1210, 0x0018_1250, 0x0018_1251, 0x0018_1260, 0x0018_1261, 0x0018_1401, 0x0018_1801,
        0x0018_5000, 0x0018_5010, 0x0018_5020, 0x0018_702A, 0x0018_702B, 0x0018_7040, 0x0018_7041, 0x0018_9005,
        0x0018_9041, 0x0018_9046, 0x0018_9047, 0x0018_9050, 0x0018_9252, 0x0018_925B, 0x0018_925E, 0x0018_9320,
        0x0018_9524, 0x0018_9525, 0x0018_9526, 0x0020_1040, 0x0020_9056, 0x0020_9421, 0x0028_1054, 0x0028_1055,
        0x0028_3003, 0x0028_3004, 0x0040_9210, 0x0054_0018, 0x0054_1101, 0x0054_1103, 0x0054_1104, 0x0054_1105,
        0x0062_0005, 0x0062_0009,
    ])

    /// Bytes that are tables, colours, offsets or samples.
    package static let bytes = tags([
        0x0018_0061, 0x0028_1201, 0x0028_1202, 0x0028_1203, 0x0028_1204, 0x0028_1221, 0x0028_1222, 0x0028_1223,
        0x0028_2000, 0x0028_3006, 0x0066_0016, 0x0066_0021, 0x0066_0023, 0x0066_0040, 0x0066_0041, 0x0066_0042,
        0x5400_1010, 0x5400_110A, 0x5400_1112, 0x5600_0010, 0x5600_0020, 0x7FE0_0001, 0x7FE0_0002, 0x7FE0_0003,
    ])

    /// UIDs that name a kind of thing, not a thing.
    static let uids = tags([
        0x0008_0016, 0x0008_001A, 0x0008_001B, 0x0008_010C, 0x0008_0117, 0x0008_0118, 0x0008_1150, 0x0008_115A,
        0x0008_3002, 0x0400_0010, 0x0040_DB00,
    ])

    /// PS3.15 Table E.1-1, column Retain Device Identity.
    static let device = tags([
        0x0008_1010, 0x0016_004D, 0x0018_1000, 0x0018_1002, 0x0018_1004, 0x0018_1005, 0x0018_1007, 0x0018_1008,
        0x0018_1009, 0x0018_100A, 0x0018_100B, 0x0018_1010, 0x0018_1011, 0x0018_1012, 0x0018_1200, 0x0018_1201,
        0x0018_1202, 0x0018_1203, 0x0018_700A, 0x0018_700C, 0x0018_700E, 0x0040_0241, 0x0050_0020, 0x300A_00B2,
        0x3008_0105, 0x3010_002D,
    ])

    /// PS3.15 Table E.1-1, column Retain Patient Characteristics, as far as they are codes and numbers.
    static let characteristics = tags([
        0x0010_0040, 0x0010_1010, 0x0010_1020, 0x0010_1021, 0x0010_1022, 0x0010_1023, 0x0010_1024, 0x0010_1030,
        0x0010_21A0, 0x0010_21C0, 0x0010_2160, 0x0010_2203, 0x0010_9431, 0x0018_9073,
    ])

    /// Codes without which an image is not read, whatever the patient is called.
    static let essential = tags([0x0008_0008, 0x0008_0060, 0x0020_0020, 0x0020_0060, 0x0020_0062, 0x2050_0020])
}
