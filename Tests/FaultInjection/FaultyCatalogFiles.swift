// Faults under SQLite: the Nth call that reaches the files of one catalogue fails.

import CFaultySQLite

/// How a chosen call fails.
package enum CatalogFault: Sendable, CaseIterable {
    /// Writes do half of their work, then the disk is full.
    case noSpace
    case inputOutput
    /// Only syncs fail.
    case failedSync

    fileprivate var code: Int32 {
        switch self {
        case .noSpace: Int32(FAULTY_SQLITE_FULL)
        case .inputOutput: Int32(FAULTY_SQLITE_IO)
        case .failedSync: Int32(FAULTY_SQLITE_SYNC)
        }
    }
}

/// The files of all catalogues below one folder. One folder of the process at a time can have faults.
package struct FaultyCatalogFiles: Sendable {
    private let folder: String
    private static let installed = faulty_sqlite_install()

    /// To be made before the catalogue is opened: files opened earlier have no faults.
    package init(folder: String) {
        precondition(Self.installed == 0, "SQLite does not take the file layer")
        self.folder = folder
    }

    /// Counts anew and fails the calls whose numbers from here on are in `range`.
    package func arm(_ fault: CatalogFault, calls range: Range<Int>) {
        let last = Int32(clamping: range.upperBound)
        unsafe faulty_sqlite_arm(fault.code, Int32(clamping: range.lowerBound), last, folder)
    }

    /// From here on everything works.
    package func heal() { unsafe faulty_sqlite_arm(0, 0, 0, folder) }

    /// Calls counted since `arm`.
    package var calls: Int { Int(faulty_sqlite_calls()) }

    /// How many of them were made to fail.
    package var hits: Int { Int(faulty_sqlite_hits()) }
}
