// Data types that name things: HD, EI, CX, CE and CWE (HL7 v2.5.1 Chapter 2.A).

/// HD, who gives out identifiers: a name of the place, or a universal ID and its type (Section 2.A.33).
package struct HierarchicDesignator: Hashable, Sendable {
    package var namespace: String?
    package var universalID: String?
    /// `ISO`, `DNS`, `UUID`, …
    package var universalIDType: String?

    package init(namespace: String?, universalID: String? = nil, universalIDType: String? = nil) {
        self.namespace = namespace
        self.universalID = universalID
        self.universalIDType = universalIDType
    }

    /// From the subcomponents of a component, nil when there is nothing.
    package init?(_ component: Component) {
        guard component.subcomponents.contains(where: { $0.text != nil }) else { return nil }
        self.init(
            namespace: component[1].text, universalID: component[2].text, universalIDType: component[3].text)
    }

    /// From the components of a field, as in MSH-3.
    package init?(_ repetition: Repetition) {
        self.init(Component((1...3).map { repetition[$0].value }))
    }

    package var component: Component { Component([namespace, universalID, universalIDType].map { Value($0 ?? "") }) }

    package var repetition: Repetition { Repetition(component.subcomponents.map { Component([$0]) }) }
}

/// EI, an identifier of an order or the like (Section 2.A.28).
package struct EntityIdentifier: Hashable, Sendable {
    package var id: String
    package var authority: HierarchicDesignator?

    package init(id: String, authority: HierarchicDesignator? = nil) {
        self.id = id
        self.authority = authority
    }

    /// Nil without an identifier.
    package init?(_ repetition: Repetition) {
        guard let id = repetition.text(1) else { return nil }
        self.init(id: id, authority: HierarchicDesignator(Component((2...4).map { repetition[$0].value })))
    }

    package var repetition: Repetition {
        Repetition([Component(id)] + (authority?.component.subcomponents ?? []).map { Component([$0]) })
    }
}

/// CX, an identifier of a person or visit (Section 2.A.14).
package struct ExtendedCompositeID: Hashable, Sendable {
    package var id: String
    package var checkDigit: String?
    /// `M10`, `M11`, `ISO`, `NPI`.
    package var checkDigitScheme: String?
    package var assigningAuthority: HierarchicDesignator?
    /// HL7 Table 0203: `MR`, `NI`, `HC`, `VN`, …
    package var identifierType: String?
    package var assigningFacility: HierarchicDesignator?
    package var effective: TimeStamp?
    package var expiration: TimeStamp?

    package init(id: String, assigningAuthority: HierarchicDesignator? = nil, identifierType: String? = nil) {
        self.id = id
        self.assigningAuthority = assigningAuthority
        self.identifierType = identifierType
    }

    /// Nil without an identifier. Dates that are none are left out.
    package init?(_ repetition: Repetition) {
        guard let id = repetition.text(1) else { return nil }
        self.init(
            id: id, assigningAuthority: HierarchicDesignator(repetition[4]), identifierType: repetition.text(5))
        checkDigit = repetition.text(2)
        checkDigitScheme = repetition.text(3)
        assigningFacility = HierarchicDesignator(repetition[6])
        effective = repetition.text(7).flatMap(TimeStamp.init(parsing:))
        expiration = repetition.text(8).flatMap(TimeStamp.init(parsing:))
    }

    package var repetition: Repetition {
        Repetition([
            Component(id), Component(checkDigit ?? ""), Component(checkDigitScheme ?? ""),
            assigningAuthority?.component ?? "", Component(identifierType ?? ""), assigningFacility?.component ?? "",
            Component(effective?.description ?? ""), Component(expiration?.description ?? ""),
        ])
    }
}

/// CE or CWE, a code and what it means (Sections 2.A.8 and 2.A.13).
package struct CodedElement: Hashable, Sendable {
    package var code: String?
    package var text: String?
    package var system: String?
    package var alternateCode: String?
    package var alternateText: String?
    package var alternateSystem: String?
    /// CWE.9, what somebody wrote where there is no code.
    package var originalText: String?

    package init(code: String?, text: String? = nil, system: String? = nil) {
        self.code = code
        self.text = text
        self.system = system
    }

    /// Nil when it says nothing.
    package init?(_ repetition: Repetition) {
        self.init(code: repetition.text(1), text: repetition.text(2), system: repetition.text(3))
        alternateCode = repetition.text(4)
        alternateText = repetition.text(5)
        alternateSystem = repetition.text(6)
        originalText = repetition.text(9)
        guard [code, text, alternateCode, alternateText, originalText].contains(where: { $0 != nil }) else {
            return nil
        }
    }

    package var repetition: Repetition {
        Repetition(
            [code, text, system, alternateCode, alternateText, alternateSystem, nil, nil, originalText].map {
                Component($0 ?? "")
            })
    }
}
