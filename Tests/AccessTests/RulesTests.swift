// The table of rights, written out once more by hand: a change to it must be meant.

import Access
import Testing

@Suite("Rules")
struct RulesTests {
    /// Role, action, may it.
    static let expected: [(Role, Action, Bool)] = [
        (.administrator, .search, true), (.administrator, .read, true), (.administrator, .store, true),
        (.administrator, .delete, true), (.administrator, .share, true), (.administrator, .administer, true),
        (.administrator, .readAudit, true),
        (.radiologist, .search, true), (.radiologist, .read, true), (.radiologist, .store, true),
        (.radiologist, .delete, false), (.radiologist, .share, true), (.radiologist, .administer, false),
        (.radiologist, .readAudit, false),
        (.technician, .search, true), (.technician, .read, true), (.technician, .store, true),
        (.technician, .delete, false), (.technician, .share, false), (.technician, .administer, false),
        (.technician, .readAudit, false),
        (.referringPhysician, .search, true), (.referringPhysician, .read, true), (.referringPhysician, .store, false),
        (.referringPhysician, .delete, false), (.referringPhysician, .share, false),
        (.referringPhysician, .administer, false), (.referringPhysician, .readAudit, false),
        (.integration, .search, true), (.integration, .read, true), (.integration, .store, true),
        (.integration, .delete, false), (.integration, .share, false), (.integration, .administer, false),
        (.integration, .readAudit, false),
        (.administrator, .readOrders, true), (.administrator, .register, true), (.administrator, .reconcile, true),
        (.administrator, .invite, true),
        (.radiologist, .readOrders, true), (.radiologist, .register, true), (.radiologist, .reconcile, true),
        (.radiologist, .invite, true),
        (.technician, .readOrders, true), (.technician, .register, true), (.technician, .reconcile, true),
        (.technician, .invite, false),
        (.referringPhysician, .readOrders, true), (.referringPhysician, .register, false),
        (.referringPhysician, .reconcile, false),
        (.referringPhysician, .invite, false),
        (.integration, .readOrders, true), (.integration, .register, true), (.integration, .reconcile, false),
        (.integration, .invite, true),
        (.clerk, .readOrders, true), (.clerk, .register, true), (.clerk, .reconcile, false),
        (.clerk, .invite, false),
        (.clerk, .search, false), (.clerk, .read, false), (.clerk, .store, false), (.clerk, .delete, false),
        (.clerk, .share, false), (.clerk, .administer, false), (.clerk, .readAudit, false),
        (.administrator, .exchange, true), (.administrator, .forward, true), (.radiologist, .exchange, false),
        (.radiologist, .forward, true), (.technician, .exchange, false), (.technician, .forward, true),
        (.referringPhysician, .exchange, false), (.referringPhysician, .forward, false),
        (.integration, .exchange, false), (.integration, .forward, false), (.clerk, .exchange, false),
        (.clerk, .forward, false), (.station, .search, false), (.station, .read, false), (.station, .store, false),
        (.station, .delete, false), (.station, .share, false), (.station, .administer, false),
        (.station, .readAudit, false), (.station, .readOrders, false), (.station, .register, false),
        (.station, .reconcile, false), (.station, .invite, false), (.station, .exchange, true),
        (.station, .forward, false),
    ]

    private func caller(
        _ roles: Set<Role>, _ credential: Credential = .session(1), _ scope: StudyScope = .all, mustChange: Bool = false
    ) -> Caller {
        Caller(
            account: "a", roles: roles, credential: credential, scope: scope, address: "",
            mustChangePassword: mustChange)
    }

    private func denial(_ caller: Caller, _ action: Action, _ study: String? = nil) -> AccessDenied? {
        do throws(AccessDenied) {
            try Rules.check(caller, may: action, study: study)
            return nil
        } catch { return error }
    }

    @Test("the table is whole") func whole() {
        #expect(Self.expected.count == Role.allCases.count * Action.allCases.count)
        #expect(Set(Self.expected.map { "\($0.0) \($0.1)" }).count == Self.expected.count)
    }

    @Test("each role may what is written here, and no more", arguments: expected)
    func rights(role: Role, action: Action, isAllowed: Bool) {
        #expect(denial(caller([role]), action) == (isAllowed ? nil : .role(action)))
        #expect(denial(caller([role], .token(1)), action) == (isAllowed ? nil : .role(action)))
    }

    @Test("without a role nothing is allowed", arguments: Action.allCases)
    func nobody(action: Action) { #expect(denial(caller([]), action) == .role(action)) }

    @Test("a link searches and reads its study, whatever roles stand beside it", arguments: Action.allCases)
    func link(action: Action) {
        let guest = caller([.administrator], .link(1), .only(["1.2"]))
        let isAllowed = [.search, .read, .readOrders].contains(action)
        #expect(denial(guest, action, "1.2") == (isAllowed ? nil : .role(action)))
        if isAllowed { #expect(denial(guest, action, "1.3") == .scope) }
    }

    @Test("roles add up") func union() {
        let both = caller([.technician, .referringPhysician])
        #expect(both.rights == [.search, .read, .store, .readOrders, .register, .reconcile, .forward])
        #expect(Rules.scope(of: [.technician, .referringPhysician], granted: []) == .all)
        #expect(Rules.scope(of: [.referringPhysician], granted: ["1.2"]) == .only(["1.2"]))
        #expect(Rules.scope(of: [], granted: []) == .only([]))
    }

    @Test("a password that must be changed stops everything", arguments: Action.allCases)
    func passwordChange(action: Action) {
        #expect(denial(caller([.administrator], mustChange: true), action) == .passwordChange)
    }

    static let covering: [(Role, Set<Role>)] = [
        (.administrator, Set(Role.allCases)),
        (.radiologist, [.radiologist, .technician, .referringPhysician, .integration, .clerk]),
        (.technician, [.technician, .referringPhysician, .clerk]),
        (.referringPhysician, [.referringPhysician]),
        (.integration, [.integration, .referringPhysician, .clerk]),
        (.clerk, [.clerk]), (.station, [.station]),
    ]

    @Test("one may act in a role of no more right than one's own", arguments: covering)
    func covers(role: Role, others: Set<Role>) {
        #expect(Set(Role.allCases.filter { Rules.covers([role], $0) }) == others)
    }
}
