// Which role may do what: the one table, and the decision made from it.

package import Records

/// Why a caller may not.
package enum AccessDenied: Error, Sendable, Hashable {
    /// No role of the caller has this right.
    case role(Action)
    /// The study is outside the caller's scope. Edges answer as if it were not there, so that UIDs cannot be tried out.
    case scope
    /// The password was set by somebody else and must be changed first.
    case passwordChange
}

/// The rules of access.
package enum Rules {
    /// Rights by role.
    package static let table: [Role: Set<Action>] = [
        .administrator: Set(Action.allCases),
        .radiologist: [.search, .read, .store, .share, .readOrders, .register, .reconcile, .invite, .forward],
        .technician: [.search, .read, .store, .readOrders, .register, .reconcile, .forward],
        .referringPhysician: [.search, .read, .readOrders],
        .integration: [.search, .read, .store, .readOrders, .register, .invite],
        .clerk: [.readOrders, .register],
        .station: [.exchange],
    ]

    /// Roles that see every study; the others see what was granted.
    package static let seeingAll: Set<Role> = [
        .administrator, .radiologist, .technician, .integration, .clerk, .station,
    ]

    /// What the holder of a link may do with what it opens.
    package static let linkRights: Set<Action> = [.search, .read, .readOrders]

    /// The right that a link stands on: it is worth nothing once who made it has it no more.
    package static func right(toOpen subject: LinkSubject) -> Action {
        switch subject {
        case .study: .share
        case .encounter, .procedure: .invite
        }
    }

    package static func rights(of roles: Set<Role>) -> Set<Action> {
        roles.reduce(into: []) { $0.formUnion(table[$1] ?? []) }
    }

    package static func scope(of roles: Set<Role>, granted: Set<String>) -> StudyScope {
        roles.isDisjoint(with: seeingAll) ? .only(granted) : .all
    }

    /// Whether one who has these roles may act in another, as a token of less power does.
    package static func covers(_ roles: Set<Role>, _ other: Role) -> Bool {
        let seesEnough = !seeingAll.contains(other) || !roles.isDisjoint(with: seeingAll)
        return seesEnough && rights(of: [other]).isSubset(of: rights(of: roles))
    }

    /// Decides on an action, of one study where one is named.
    package static func check(
        _ caller: Caller, may action: Action, study studyInstanceUID: String? = nil
    ) throws(AccessDenied) {
        guard !caller.mustChangePassword else { throw .passwordChange }
        guard caller.rights.contains(action) else { throw .role(action) }
        if let studyInstanceUID, !caller.scope.contains(studyInstanceUID) { throw .scope }
    }
}
