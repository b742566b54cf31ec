// Which role may do what: the one table, and the decision made from it.

/// Why a caller may not.
package enum AccessDenied: Error, Sendable, Hashable {
    /// No role of the caller has this right.
    case role(Action)
    /// The study is outside the caller's scope. Edges answer as if it were not there, so that UIDs cannot be tried out.
    case scope
}

/// The rules of access.
package enum Rules {
    /// Rights by role.
    package static let table: [Role: Set<Action>] = [
        .administrator: Set(Action.allCases),
        .radiologist: [.search, .read, .store, .share],
        .technician: [.search, .read, .store],
        .referringPhysician: [.search, .read],
        .integration: [.search, .read, .store],
    ]

    /// Decides on an action, of one study where one is named.
    package static func check(
        _ caller: Caller, may action: Action, study studyInstanceUID: String? = nil
    ) throws(AccessDenied) {
        if case .link = caller.credential {
            guard action == .search || action == .read else { throw .role(action) }
        } else {
            guard caller.roles.contains(where: { table[$0]?.contains(action) == true }) else { throw .role(action) }
        }
        if let studyInstanceUID, !caller.scope.contains(studyInstanceUID) { throw .scope }
    }
}
