// What changes while something is under way: contracts, the form that is asked for, the way there.

import Encounters
import Forwarding
import Foundation
import Logging
import Records
import Synchronization
import Testing

@Suite("Changed while it is under way")
struct UnderWayTests {
    private var anonymous: ShipmentTransform {
        var transform = ShipmentTransform()
        transform.deidentification = "basic"
        return transform
    }

    /// Does something once, while the first object is on the line.
    private func during(_ far: FarEnd, _ body: @escaping @Sendable () throws -> Void) {
        far.before { _ in
            far.before(nil)
            #expect(throws: Never.self) { try body() }
        }
    }

    @Test("A contract that ends stops what is under way at the next object, and says so; a new one lets it go on")
    func contract() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.contractUntil = "20261130" }
        try station.route()
        try station.receive("1.1", 3)
        during(far) { try station.destination { $0.contractUntil = "20261121" } }
        #expect(try await station.drain(far).count == 1)
        #expect(try station.shipment("1.1")?.state == .refused)
        #expect(try station.outbox.explain(study: "1.1")[0].contains("ended on 20261121"))
        try station.destination { $0.contractUntil = "20271130" }
        try station.follow()
        #expect(try await station.drain(far).count == 2)
    }

    @Test("Another address and other credentials hold from the next object on: nothing more goes the former way")
    func elsewhere() async throws {
        let (station, far, other) = (try Station(), FarEnd(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 4)
        during(far) { try station.destination { $0.certificateFile = "renewed.pem" } }
        #expect(try await station.drain(far).count == 1)
        #expect(try station.shipment("1.1")?.state == .waiting)
        during(far) { try station.destination { ($0.certificateFile, $0.lanes) = ("renewed.pem", 5) } }
        // How many lanes there are makes no other way.
        #expect(try await station.drain(far).count == 3)
        try station.receive("1.2", 3)
        during(far) { try station.destination { $0.peer = "elsewhere" } }
        #expect(try await station.drain(far).count == 1)
        // What the former archive took counts for nothing at the one that takes its place; what was sent whole before is
        // asked for there.
        #expect(try await station.drain(other).count == 3)
        #expect(try station.shipment("1.1")?.state == .sent && station.shipment("1.2")?.state == .sent)
    }

    @Test("The last day of a contract ends while a study is under way")
    func midnight() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination { $0.contractUntil = "20261122" }
        try station.route()
        try station.receive("1.1", 3)
        during(far) { station.pass(86_400) }
        #expect(try await station.drain(far).count == 1)
        #expect(try station.shipment("1.1")?.state == .refused)
    }

    @Test("What may not leave keeps nothing waiting that may")
    func others() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        for number in 1...20 {
            try station.receive("1.\(number)")
            _ = try station.outbox.send(study: "1.\(number)", to: "centre", by: "doctor")
        }
        try station.receive("1.99", 5)
        _ = try station.outbox.send(study: "1.99", to: "centre", legalBasis: "referral", by: "doctor")
        try station.destination { $0.needsLegalBasis = true }
        while try station.shipment("1.99")?.state == .waiting { try await station.drain(far) }
        #expect(far.taken.count == 5 && far.taken.allSatisfy { $0.hasPrefix("1.99.") })
    }

    @Test(
        "De-identification that is asked for while an object is on the line: no study goes half with the name, half without"
    )
    func identified() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.receive("1.1", 3)
        _ = try station.outbox.send(study: "1.1", to: "centre", by: "doctor")
        during(far) { [anonymous] in
            _ = try station.outbox.send(study: "1.1", to: "centre", transform: anonymous, by: "doctor")
        }
        #expect(try await station.drain(far).count == 1)
        let shipment = try #require(try station.shipment("1.1"))
        #expect(shipment.state == .refused && shipment.sentInstances == 1)
        #expect(shipment.cause == "part of it was sent before de-identification was asked for")
        #expect(try await station.drain(far) == [])
    }

    @Test("Asked for by a rule, the same")
    func byRule() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 3)
        during(far) { [anonymous] in
            try station.route { $0.transform = anonymous }
            try station.encounters.change(by: "t") { try $0.records.markForwarding(study: "1.1") }
            try station.follow()
        }
        #expect(try await station.drain(far).count == 1)
        #expect(try station.shipment("1.1")?.state == .refused)
        // However often it is looked at.
        for _ in 0..<2 {
            try station.encounters.change(by: "t") { try $0.records.markForwarding(study: "1.1") }
            try station.follow()
            #expect(try await station.drain(far).isEmpty)
            #expect(try station.shipment("1.1")?.state == .refused)
        }
        // Another study leaves as the rule says now.
        try station.receive("1.2", 1)
        let forms = Mutex<[String]>([])
        far.before { parcel in forms.withLock { $0.append(parcel.shipment.transform.deidentification) } }
        try await station.drain(far)
        #expect(forms.withLock { $0 } == ["basic"])
    }

    @Test("With the name after all: it is sent whole")
    func named() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.receive("1.1", 3)
        _ = try station.outbox.send(study: "1.1", to: "centre", transform: anonymous, by: "doctor")
        var latin = ShipmentTransform()
        latin.characterSet = "ISO_IR 100"
        during(far) { [latin] in
            _ = try station.outbox.send(study: "1.1", to: "centre", transform: latin, by: "doctor")
        }
        let arrived = try await station.drain(far)
        #expect(arrived.count == 4 && Set(arrived.dropFirst()).count == 3)
        #expect(try station.shipment("1.1")?.state == .sent)
    }

    @Test("What a rule refuses, as part left before, is not sent by trying again, all of it again, or taking back")
    func again() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        for study in ["1.1", "1.2"] {
            try station.receive(study, 2)
            far.answer("\(study).1.2", .refused("A900H"))
        }
        #expect(try await station.drain(far).count == 2)
        let dropped = try #require(try station.shipment("1.2")).id
        try station.outbox.drop(dropped, reason: "", by: "technician")
        try station.route { [anonymous] in $0.transform = anonymous }
        try station.receive("1.1", 1, from: 3)
        let refused = try #require(try station.shipment("1.1"))
        #expect(refused.state == .refused && refused.cause.contains("before rule all asked for de-identification"))
        for id in [refused.id, dropped] {
            #expect(throws: ForwardingFailure.self) { try station.outbox.retry(id, by: "technician") }
            #expect(throws: ForwardingFailure.self) { try station.outbox.resend(id, by: "technician") }
        }
        for study in ["1.1", "1.2"] { far.answer("\(study).1.2", nil) }
        station.pass(3_600)
        #expect(try await station.drain(far) == [])
        #expect(try station.shipment("1.2")?.state == .dropped)
        // The rule wants it otherwise again.
        try station.route()
        try station.outbox.retry(refused.id, by: "technician")
        // What made trouble before goes last.
        #expect(try await station.drain(far) == ["1.1.1.3", "1.1.1.2"])
    }

    @Test("All of it again: of what was sent whole, too, the rules are asked")
    func resend() async throws {
        let (station, far) = (try Station(), FarEnd())
        try station.destination()
        try station.route()
        try station.receive("1.1", 2)
        #expect(try await station.drain(far).count == 2)
        let id = try #require(try station.shipment("1.1")).id
        try station.outbox.resend(id, by: "technician")
        #expect(try await station.drain(far).count == 2)
        try station.route { [anonymous] in $0.transform = anonymous }
        #expect(throws: ForwardingFailure.self) { try station.outbox.resend(id, by: "technician") }
        #expect(try station.shipment("1.1")?.state == .sent)
        #expect(try await station.drain(far) == [])
    }
}

@Suite("The way to a destination", .timeLimit(.minutes(1)))
struct WayTests {
    /// Where a peer is, as somebody said last; nil: there is none.
    private final class Registry: Sendable {
        private let host: Mutex<String?>
        init(_ host: String?) { self.host = Mutex(host) }
        var current: String? { host.withLock { $0 } }
        func move(to new: String?) { host.withLock { $0 = new } }
    }

    private func until(_ holds: () throws -> Bool) async throws {
        while try !holds() { try await Task.sleep(for: .milliseconds(20)) }
    }

    @Test("A peer that moves is called where it is now; one that is removed is sent nothing, and it is said why")
    func moved() async throws {
        let station = try Station()
        let (old, new) = (FarEnd(), FarEnd())
        let registry = Registry("old")
        try station.destination()
        try station.route()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let forwarder = Forwarder(
            outbox: station.outbox,
            doors: ForwardingDoors(
                isOpen: { true },
                carrier: { _, _ throws(ForwardingFailure) in
                    guard let host = registry.current else {
                        throw .invalid(field: "centre", reason: "there is no peer centre")
                    }
                    return host == "old" ? old : new
                },
                stamp: { _ in WayStamp(peer: registry.current ?? "") }, sent: { _ in }), logger: logger)
        let running = Task { try await forwarder.run() }
        try station.receive("1.1", 2)
        try await until { old.taken.count == 2 }
        registry.move(to: nil)
        try await until { try station.book.destination("centre").reason.contains("there is no peer centre") }
        try station.receive("1.2", 2)
        #expect(try station.outbox.explain(study: "1.2")[0].contains("there is no peer centre"))
        registry.move(to: "new")
        try await until { new.taken.count == 2 }
        #expect(old.taken.count == 2)
        running.cancel()
        try await running.value
    }

    @Test("A file behind a link is another one once the link leads elsewhere")
    func files() throws {
        let folder = NSTemporaryDirectory() + "phim-stamp-" + UUID().uuidString
        let files = FileManager.default
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? files.removeItem(atPath: folder) }
        for name in ["one", "two"] { try Data(name.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
        let link = "\(folder)/token"
        #expect(FileStamp(link) == FileStamp(link))
        let none = FileStamp(link)
        try files.createSymbolicLink(atPath: link, withDestinationPath: "one")
        let first = FileStamp(link)
        #expect(first != none && first == FileStamp("\(folder)/one"))
        try files.removeItem(atPath: link)
        try files.createSymbolicLink(atPath: link, withDestinationPath: "two")
        #expect(FileStamp(link) != first)
        // The link stays, what it leads to is written anew.
        let second = FileStamp(link)
        try Data("three".utf8).write(to: URL(fileURLWithPath: "\(folder)/two"))
        #expect(FileStamp(link) != second)
    }
}

@Suite("A clock that was wrong, and a new day")
struct WaitTests {
    @Test("A wait that a wrong clock wrote does not outlive it: of a study that the rules are to look at, of a proof")
    func clockOfOthers() async throws {
        let (station, far) = (try Station(), FarEnd())
        let year: Int64 = 366 * 86_400_000_000
        try station.destination { $0.commits = true }
        try station.receive("1.1")
        try station.route()
        try station.encounters.change(by: "t") { desk in
            try desk.records.markForwarding(study: "1.1")
            try desk.records.postponeForwarding(study: "1.1", by: year)
        }
        try station.follow()
        #expect(try station.shipment("1.1") == nil)
        try station.outbox.begin()
        try station.follow()
        #expect(try await station.drain(far).count == 1)
        let id = try #require(try station.shipment("1.1")).id
        func postpone(until dueAt: Int64) throws {
            try station.encounters.change(by: "t") {
                try $0.records.postponeShipment(id, until: dueAt, answer: "", isRefused: false)
            }
        }
        try postpone(until: station.encounters.records.now() + year)
        #expect(try station.outbox.unproven("centre", limit: 4).isEmpty)
        try station.outbox.begin()
        #expect(try station.outbox.unproven("centre", limit: 4).count == 1)
        // What is never to be proven is not asked again.
        try postpone(until: RecordTransaction.never)
        try station.outbox.begin()
        #expect(try station.outbox.unproven("centre", limit: 4).isEmpty)
        // A new mark counts at once, whatever the one before waits for.
        try station.encounters.change(by: "t") { desk in
            try desk.records.markForwarding(study: "1.2")
            try desk.records.postponeForwarding(study: "1.2", by: year)
            try desk.records.markForwarding(study: "1.2")
        }
        station.pass(1)
        #expect(try station.encounters.look { try $0.markedForwarding(limit: 9) }.map(\.study) == ["1.2"])
    }

    @Test("What may not leave is looked at again on another day only")
    func refusedOnceADay() async throws {
        let station = try Station()
        try station.destination { $0.needsLegalBasis = true }
        try station.route()
        try station.receive("1.1")
        #expect(try station.shipment("1.1")?.state == .refused)
        func marked() throws -> Int { try station.encounters.look { try $0.markedForwarding(limit: 9) }.count }
        let today = try station.outbox.refresh(after: "20261122")
        #expect(try today == "20261122" && marked() == 0)
        station.pass(86_400)
        #expect(try station.outbox.refresh(after: today) == "20261123")
        #expect(try marked() == 1)
    }
}
