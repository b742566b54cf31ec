// Who did what to which study, when and from where: noted without waiting, written in groups, sealed in a chain.

import Dispatch
import Foundation
package import Logging
package import Records
import Synchronization

/// One thing that happened to patient data, or to the right to see it.
package struct AuditEvent: Sendable, Hashable {
    /// What was done; `read` covers every form of a study's contents.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case search, read, store, delete, share, signIn, signOut, refused, administer, export
        /// Patients, visits and orders: read; entered and changed; said to belong together.
        case readOrders, register, reconcile
        /// What is sent on to other archives: looked at. What is changed there is `administer`.
        case forward
        /// The oldest rows were cut because of their age.
        case cut

        /// Whether many alike in a short time become one row with a count.
        var isGathered: Bool {
            switch self {
            case .search, .read, .store, .refused, .export, .readOrders, .forward: true
            case .delete, .share, .signIn, .signOut, .administer, .cut, .register, .reconcile: false
            }
        }
    }

    package let kind: Kind
    package let account: String
    package let credential: Credential?
    package let address: String
    package let studyInstanceUID: String?
    /// More words, without names or values of a data set.
    package let detail: String

    package init(
        _ kind: Kind, account: String, credential: Credential?, address: String, studyInstanceUID: String? = nil,
        detail: String = ""
    ) {
        // Cut here: what waits to be counted or written must not be as long as a stranger makes it.
        self.kind = kind
        self.account = Self.printable(account, most: 100)
        self.credential = credential
        self.address = Self.printable(address, most: 64)
        self.studyInstanceUID = studyInstanceUID.map { Self.printable($0, most: 64) }
        self.detail = Self.printable(detail, most: 300)
    }

    /// What counts as alike: of refusals also why, of the rest only who and which study.
    fileprivate var gathered: AuditEvent {
        kind == .refused
            ? self
            : AuditEvent(
                kind, account: account, credential: credential, address: address, studyInstanceUID: studyInstanceUID)
    }

    fileprivate func entry(at: Int64, until: Int64? = nil, count: Int = 1) -> AuditEntry {
        AuditEntry(
            at: at, until: until ?? at, count: count, kind: kind.rawValue, account: account,
            credential: credential?.words ?? "", address: address, studyInstanceUID: studyInstanceUID, detail: detail)
    }

    /// What comes from outside is read on terminals: without control characters, and not longer than it may be.
    private static func printable(_ text: String, most: Int) -> String {
        guard text.utf8.count > most || text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return text }
        let characters = text.unicodeScalars.prefix(most).map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: return "?"
            default: return Character(scalar)
            }
        }
        return String(characters)
    }
}

/// The trail of one archive.
///
/// The first event of its kind by one credential on one study is written at once, in the next group commit; those that
/// follow within a minute are counted, and become one row when the minute is over. A trail that cannot be written keeps
/// what it is told in memory; when that is full it accepts no more, and the edges withhold patient data.
package final class AuditTrail: Sendable {
    /// What the trail may hold.
    package struct Limits: Sendable {
        /// Rows that wait to be written, before the trail stops accepting.
        package var backlog = 10_000
        /// Microseconds in which events alike become one row.
        package var window: Int64 = 60_000_000
        /// Kinds of events counted at a time; more are written one by one.
        package var windows = 20_000

        package init() {}
    }

    private struct Window {
        let closesAt: Int64
        var count = 0
        var first: Int64 = 0
        var last: Int64 = 0
    }

    private struct State {
        var waiting: [AuditEntry] = []
        /// Taken by the writer and not yet on the disk.
        var underway = 0
        var windows: [AuditEvent: Window] = [:]
        var isWriting = false
        var isSweeping = false
        var isFailing = false
        var lost = 0
    }

    private let records: RecordStore
    /// Where the last row is noted a second time.
    private let anchor: String?
    private let limits: Limits
    private let logger: Logger
    private let state = Mutex(State())
    private let writer = DispatchQueue(label: "phim-audit")

    package init(records: RecordStore, anchor: String?, limits: Limits = Limits(), logger: Logger) {
        self.records = records
        self.anchor = anchor
        self.limits = limits
        self.logger = logger
    }

    /// Whether events still find a place. When not, nobody may see or change patient data.
    package var isAccepting: Bool { state.withLock { $0.waiting.count + $0.underway < limits.backlog } }

    /// Whether the last attempt to write has failed.
    package var isFailing: Bool { state.withLock { $0.isFailing } }

    /// Takes an event without blocking; it is durable soon after.
    package func note(_ event: AuditEvent) {
        let at = records.now()
        let (writes, sweeps) = state.withLock { state -> (Bool, Bool) in
            if event.kind.isGathered {
                let key = event.gathered
                if let window = state.windows[key] {
                    if at < window.closesAt {
                        if window.count == 0 { state.windows[key]?.first = at }
                        state.windows[key]?.count += 1
                        state.windows[key]?.last = at
                        return (false, false)
                    }
                    Self.close(key, &state)
                }
                if state.windows.count < limits.windows {
                    state.windows[key] = Window(closesAt: at + limits.window)
                }
            }
            append(event.entry(at: at), to: &state)
            let sweeps = !state.isSweeping && !state.windows.isEmpty
            if sweeps { state.isSweeping = true }
            return (Self.begins(&state), sweeps)
        }
        if writes { writer.async { [self] in write() } }
        if sweeps { scheduleSweep() }
    }

    /// Writes an event before returning; what it is about may be done only then. Blocks.
    package func record(_ event: AuditEvent) throws(AccessFailure) {
        let entry = event.entry(at: records.now())
        let head = try AccessFailure.wrap { try records.appendAudit([entry]) }
        keep(head)
    }

    /// Writes all that waits and all that was counted so far; false when that fails. Blocks.
    @discardableResult
    package func flush() -> Bool {
        state.withLock { state in
            for key in state.windows.keys { Self.close(key, &state) }
        }
        return writer.sync { write() }
    }

    /// Writes what was counted in windows that are over.
    package func sweep() {
        let now = records.now()
        let (writes, isDone) = state.withLock { state -> (Bool, Bool) in
            for (key, window) in state.windows where now >= window.closesAt { Self.close(key, &state) }
            state.isSweeping = !state.windows.isEmpty
            return (Self.begins(&state), state.windows.isEmpty)
        }
        if writes { writer.async { [self] in write() } }
        if !isDone { scheduleSweep() }
    }

    private func scheduleSweep() {
        writer.asyncAfter(deadline: .now() + .microseconds(Int(limits.window / 4))) { [weak self] in self?.sweep() }
    }

    private func append(_ entry: AuditEntry, to state: inout State) {
        guard state.waiting.count < 2 * limits.backlog else {
            state.lost += 1
            return
        }
        state.waiting.append(entry)
    }

    /// Turns what a window counted into a row.
    private static func close(_ key: AuditEvent, _ state: inout State) {
        guard let window = state.windows.removeValue(forKey: key), window.count > 0 else { return }
        state.waiting.append(key.entry(at: window.first, until: window.last, count: window.count))
    }

    /// Whether the writer has to be called.
    private static func begins(_ state: inout State) -> Bool {
        guard !state.isWriting, !state.waiting.isEmpty else { return false }
        state.isWriting = true
        return true
    }

    /// On the writer's queue: one transaction for all that waits.
    @discardableResult
    private func write() -> Bool {
        var entries = state.withLock { state -> [AuditEntry] in
            defer { state.waiting = [] }
            state.underway = state.waiting.count
            state.isWriting = false
            return state.waiting
        }
        guard !entries.isEmpty else { return true }
        let lost = state.withLock { $0.lost }
        if lost > 0 {
            entries.append(
                AuditEvent(.administer, account: "", credential: nil, address: "", detail: "events not kept: \(lost)")
                    .entry(at: records.now()))
        }
        do throws(RecordsError) {
            keep(try records.appendAudit(entries))
        } catch {
            failed(entries: lost > 0 ? entries.dropLast() : entries, error)
            return false
        }
        let wasFailing = state.withLock { state -> Bool in
            state.lost -= lost
            state.underway = 0
            defer { state.isFailing = false }
            return state.isFailing
        }
        if wasFailing { logger.notice("the audit trail is written again") }
        return true
    }

    private func failed(entries: [AuditEntry], _ error: RecordsError) {
        let (isFirst, waiting) = state.withLock { state -> (Bool, Int) in
            state.waiting.insert(contentsOf: entries, at: 0)
            state.underway = 0
            state.isWriting = true  // the next attempt is made below
            defer { state.isFailing = true }
            return (!state.isFailing, state.waiting.count)
        }
        if isFirst || waiting >= limits.backlog {
            logger.error(
                "the audit trail cannot be written",
                metadata: [
                    "why": "\(error)", "waiting": "\(waiting)",
                    "patientData": waiting >= limits.backlog ? "withheld" : "served while memory lasts",
                ])
        }
        writer.asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in _ = self?.write() }
    }

    /// Notes the last row beside the records. Two processes may do so in any order: a head that is behind the trail is
    /// still in it.
    private func keep(_ head: AuditHead) {
        guard let anchor else { return }
        do {
            try Data((head.description + "\n").utf8).write(to: URL(fileURLWithPath: anchor), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: anchor)
        } catch {
            logger.error("cannot note the head of the audit trail")
        }
    }
}

extension AuditTrail {
    /// Computes the chain anew and holds it against what was noted beside it, and elsewhere.
    package func verify(heads: [AuditHead] = []) throws(AccessFailure) -> AuditVerification {
        var heads = heads
        // Before the trail is read: it may grow meanwhile.
        if let anchor, let text = try? String(contentsOfFile: anchor, encoding: .utf8), let head = AuditHead(text) {
            heads.append(head)
        }
        return try AccessFailure.wrap { try records.verifyAudit(heads: heads) }
    }

    /// Cuts the rows that are older than so many months. Blocks, but others write in between.
    /// - Returns: how many steps it took; each left a row that seals what it cut.
    @discardableResult
    package func cut(keepingMonths months: Int) throws(AccessFailure) -> Int {
        let now = Date(timeIntervalSince1970: Double(records.now()) / 1e6)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        guard let oldest = calendar.date(byAdding: .month, value: -months, to: now) else { return 0 }
        let time = Int64(oldest.timeIntervalSince1970 * 1e6)
        var steps = 0
        while let head = try AccessFailure.wrap({ try records.cutAudit(before: time) }) {
            keep(head)
            steps += 1
        }
        return steps
    }

    package func find(_ search: AuditSearch) throws(AccessFailure) -> [AuditRow] {
        try AccessFailure.wrap { try records.auditRows(search) }
    }
}
