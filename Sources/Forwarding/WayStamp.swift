// What the way to a destination depends on beside its settings: where a peer is, and what is in files.

import Foundation

/// By what another file of the same name is known, links followed; equal while it is the same.
package struct FileStamp: Hashable, Sendable {
    private let changedAt: Date?
    private let octets: UInt64?
    /// Of the file system (inode).
    private let number: UInt64?

    /// Blocks. Of a file that is not there everything is nil.
    package init(_ path: String) {
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let facts = try? FileManager.default.attributesOfItem(atPath: target)
        changedAt = facts?[.modificationDate] as? Date
        octets = (facts?[.size] as? NSNumber)?.uint64Value
        number = (facts?[.systemFileNumber] as? NSNumber)?.uint64Value
    }
}

/// Equal while the way is the same: another one is a way of its own.
package struct WayStamp: Hashable, Sendable {
    /// Where a peer is, under which title, and whether it is called by TLS; empty: there is none.
    private let peer: String

    package init(peer: String = "") { self.peer = peer }
}
