// Dates and times as keys (PS3.4 Section C.2.2.2.5).

import DICOMCore
import Testing

@Suite("Dates and times")
struct DateTimeTests {
    @Test(
        "Date keys (PS3.4 Section C.2.2.2.5.1)",
        arguments: [
            ("20240131", "20240131", "20240131"), ("20240101-20240131", "20240101", "20240131"),
            ("20240101-", "20240101", nil),
            ("-20240131", nil, "20240131"), ("2024.01.31", "20240131", "20240131"),
            (" 20240101 - 20240131 ", "20240101", "20240131"), ("2024.01.01-2024.01.31", "20240101", "20240131"),
            ("2023-2024", "20230101", "20241231"), ("202402-", "20240201", nil),
        ] as [(String, String?, String?)])
    func dates(_ key: String, _ lower: String?, _ upper: String?) throws {
        let range = try #require(DateRange(key))
        #expect(range.lower == lower)
        #expect(range.upper == upper)
    }

    @Test(
        "What is no date key is refused",
        arguments: [
            "", " ", "-", "20241301", "20240132", "2024010", "yesterday", "20240101-x", "20240101-20240102-20240103",
        ])
    func noDates(_ key: String) { #expect(DateRange(key) == nil) }

    @Test(
        "A date lies in a range with both its ends",
        arguments: [
            ("20240101-20240131", "20240101", true), ("20240101-20240131", "20240131", true),
            ("20240101-20240131", "20240201", false), ("-20240131", "19000101", true), ("20240101-", "20231231", false),
            ("20240131", "2024.01.31", true), ("20240131", "", false), ("20240131", "junk", false),
        ])
    func dateContains(_ key: String, _ value: String, _ isIn: Bool) throws {
        #expect(try #require(DateRange(key)).contains(value) == isIn)
    }

    @Test(
        "Time keys cover what they do not say",
        arguments: [
            ("10", "100000.000000", "105959.999999"), ("1030", "103000.000000", "103059.999999"),
            ("103015.5", "103015.500000", "103015.599999"), ("1030-1100", "103000.000000", "110059.999999"),
            ("10:30:00-", "103000.000000", nil), ("-235959", nil, "235959.999999"),
            ("000000-235959", "000000.000000", "235959.999999"),
        ] as [(String, String?, String?)])
    func times(_ key: String, _ lower: String?, _ upper: String?) throws {
        let range = try #require(TimeRange(key))
        #expect(range.lower == lower)
        #expect(range.upper == upper)
    }

    @Test(
        "What is no time key is refused", arguments: ["", "-", "1", "2500", "1060", "10.5", "103000.1234567", "noon"])
    func noTimes(_ key: String) { #expect(TimeRange(key) == nil) }

    @Test(
        "A time lies in a range",
        arguments: [("1030-1100", "104500.25", true), ("1030-1100", "1100", true), ("1030-1100", "1101", false)])
    func timeContains(_ key: String, _ value: String, _ isIn: Bool) throws {
        #expect(try #require(TimeRange(key)).contains(value) == isIn)
    }

    @Test(
        "Date-time keys are compared in UTC (PS3.4 Section C.2.2.2.5.1)",
        arguments: [
            ("20240131", "20240131000000.000000", "20240131235959.999999"),
            ("20240131101530+0700", "20240131031530.000000", "20240131031530.999999"),
            ("20240101010000+0700", "20231231180000.000000", "20231231180000.999999"),
            ("20240228230000-0500", "20240229040000.000000", "20240229040000.999999"),
            ("20240101-20240201", "20240101000000.000000", "20240201235959.999999"),
            ("20240131101530-0500-20240131101531-0500", "20240131151530.000000", "20240131151531.999999"),
            ("-2024", nil, "20241231235959.999999"), ("2024-", "20240101000000.000000", nil),
        ] as [(String, String?, String?)])
    func dateTimes(_ key: String, _ lower: String?, _ upper: String?) throws {
        let range = try #require(DateTimeRange(key))
        #expect(range.lower == lower)
        #expect(range.upper == upper)
    }

    @Test("Study date and time match as one instant (PS3.4 Section C.2.2.2.5.4)")
    func combined() throws {
        let date = try #require(DateRange("20240101-20240103"))
        let time = try #require(TimeRange("2200-0600"))
        let range = DateTimeRange(date: date, time: time)
        #expect(range.contains("20240102120000"))
        #expect(!range.contains("20240101120000"))
        #expect(!range.contains("20240103070000"))
        #expect(range.contains("20240103060000"))
    }
}
