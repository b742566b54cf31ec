// A hospital with as many open orders as wanted: each of another patient with a visit.

import Encounters
import Records

enum MadeUpHospital {
    static let issuer = "24001"

    static let stations = [
        ("CT", "CT1"), ("CT", "CT2"), ("MR", "MR1"), ("DX", "DX1"), ("DX", "DX2"), ("DX", "DX3"), ("US", "US1"),
        ("US", "US2"), ("US", ""), ("MG", "MG1"),
    ]
    /// Orders lie this many days apart from first to last.
    private static let days = 60

    /// Enters orders 0 to `orders`, five hundred to a transaction.
    static func fill(_ encounters: Encounters, orders: Int) throws {
        for start in stride(from: 0, to: orders, by: 500) {
            _ = try encounters.change(by: "bench") { desk in
                for number in start..<min(start + 500, orders) { try enter(number, desk) }
            }
        }
    }

    private static func enter(_ number: Int, _ desk: Desk) throws {
        let identifiers = [
            try PatientIdentifier(type: "MR", issuer: issuer, value: "BN\(number)"),
            try PatientIdentifier(type: "NI", issuer: "", value: "0\(10_000_000_000 + number)"),
        ]
        let patient = try desk.patients.register(
            PatientFacts(identifiers: identifiers, asOf: 1) {
                $0.name = name(number)
                $0.birthDate = birthDate(number)
                $0.sex = number % 2 == 0 ? "M" : "F"
            })
        let visit = try desk.encounters.visit(
            EncounterFacts(issuer: issuer, number: "24001\(number)", asOf: 1) { $0.department = "K01" },
            patient: patient)
        let (modality, station) = stations[number % stations.count]
        let facts = OrderFacts(placer: IssuedNumber(issuer: "HIS", value: "\(number)"), asOf: 1) { details in
            details.modality = modality
            details.stationAETitle = station
            details.scheduledAt = time(number)
            details.code = Coded(value: "CD\(number % 400)", scheme: "VN-DVKT", meaning: "Chụp \(number % 400)")
            details.performingPhysician = "KTV \(number % 40)"
        }
        _ = try desk.orders.apply(.new, facts, patient: patient, encounter: visit)
    }

    /// Scheduled time of an order.
    static func time(_ number: Int) -> String {
        // Days, stations and names go their own ways.
        let mixed = Int((UInt64(number) &* 0x9E37_79B9_7F4A_7C15) >> 40)
        let (day, minute) = (mixed % days, mixed / days % 600)
        func two(_ value: Int) -> String { String("0\(value)".suffix(2)) }
        return "2026\(two(10 + day / 30))\(two(1 + day % 30))\(two(7 + minute / 60))\(two(minute % 60))00"
    }

    private static let families = [
        "NGUYỄN", "NGUYỄN", "NGUYỄN", "NGUYỄN", "TRẦN", "TRẦN", "LÊ", "LÊ", "PHẠM", "HOÀNG", "VŨ", "ĐẶNG",
    ]
    private static let middles = ["VĂN", "THỊ", "ĐỨC", "MINH", "NGỌC", "HỮU", "THANH", "XUÂN"]
    private static let given = [
        "AN", "BÌNH", "CƯỜNG", "DŨNG", "ĐỨC", "HÀ", "HẢI", "HOA", "HÙNG", "HƯƠNG", "KHÁNH", "LAN", "LONG", "MAI", "NAM",
        "NGA", "PHÚC", "QUÂN", "SƠN", "TÂM", "THẢO", "TUẤN", "VÂN", "YẾN",
    ]

    /// Name of an order's patient.
    static func name(_ number: Int) -> String {
        // One of ten thousand has a name that nobody else has.
        if number % 10_000 == 77 { return "KHỔNG VĂN THẠCH \(number / 10_000)" }
        let mixed = Int((UInt64(number) &* 0xD6E8_FEB8_6659_FD93) >> 40)
        return [families[mixed % 12], middles[mixed / 12 % 8], given[mixed / 96 % 24]].joined(separator: " ")
    }

    static func birthDate(_ number: Int) -> String { "\(1_930 + number % 90)0\(1 + number % 9)15" }
}
