// Compressed objects that were made for a destination, kept for its next attempt and for the next destination.

import Catalog
import Records
import Retrieval
import Synchronization

/// The forms that were made last, up to a number of bytes on disk. They have no names there: they go with the process.
final class FormCache: Sendable {
    /// Which form of which object.
    struct Form: Hashable, Sendable {
        let digest: [UInt8]
        let correction: StudyCorrection?
        let transform: ShipmentTransform
        let transferSyntaxUID: String
    }

    /// What is known of a form: the object, or that there is none worth sending.
    struct Known: Sendable {
        let object: PreparedObject?
    }

    fileprivate struct Slot {
        let known: Known
        var used: UInt64
    }

    fileprivate struct State {
        var slots: [Form: Slot] = [:]
        var clock: UInt64 = 0
        var octets: Int64 = 0
    }

    /// Each kept object holds a file open.
    fileprivate static let mostObjects = 256
    /// What is known to have no smaller form costs little.
    fileprivate static let mostSlots = 4_096

    private let limit: Int64
    private let state = Mutex(State())

    init(limit: Int64) { self.limit = limit }

    subscript(_ form: Form) -> Known? {
        state.withLock { state in
            state.clock += 1
            state.slots[form]?.used = state.clock
            return state.slots[form]?.known
        }
    }

    func keep(_ object: PreparedObject?, for form: Form) {
        guard (object?.length ?? 0) <= limit / 4 else { return }
        state.withLock { state in
            state.clock += 1
            let before = state.slots.updateValue(
                Slot(known: Known(object: object), used: state.clock), forKey: form)
            state.octets += (object?.length ?? 0) - (before?.known.object?.length ?? 0)
            state.trim(limit: limit)
        }
    }
}

extension FormCache.State {
    /// Drops what was used least lately, a quarter at once, so that this is rare.
    fileprivate mutating func trim(limit: Int64) {
        let objects = slots.values.count { $0.known.object != nil }
        guard octets > limit || objects > FormCache.mostObjects || slots.count > FormCache.mostSlots else { return }
        var left = objects
        for (form, slot) in slots.sorted(by: { $0.value.used < $1.value.used }) {
            if octets <= limit / 4 * 3, left <= FormCache.mostObjects / 4 * 3,
                slots.count <= FormCache.mostSlots / 4 * 3
            {
                return
            }
            slots[form] = nil
            octets -= slot.known.object?.length ?? 0
            if slot.known.object != nil { left -= 1 }
        }
    }
}
