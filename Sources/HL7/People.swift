// Data types of people and where they are: XPN, XCN, PL (HL7 v2.5.1 Chapter 2.A).

/// XPN, a name (Section 2.A.88). Vietnamese systems often send the whole of it as the family name.
package struct ExtendedPersonName: Hashable, Sendable {
    package var family: String?
    package var given: String?
    /// Second and further given names.
    package var middle: String?
    package var suffix: String?
    package var prefix: String?
    package var degree: String?
    /// HL7 Table 0200: `L` legal, `D` display, `M` maiden, `A` alias.
    package var type: String?

    package init(family: String?, given: String? = nil, middle: String? = nil) {
        self.family = family
        self.given = given
        self.middle = middle
    }

    /// Nil when there is no name.
    package init?(_ repetition: Repetition) {
        self.init(family: repetition.text(1), given: repetition.text(2), middle: repetition.text(3))
        suffix = repetition.text(4)
        prefix = repetition.text(5)
        degree = repetition.text(6)
        type = repetition.text(7)
        guard [family, given, middle].contains(where: { $0 != nil }) else { return nil }
    }

    package var repetition: Repetition {
        Repetition([family, given, middle, suffix, prefix, degree, type].map { Component($0 ?? "") })
    }
}

/// XCN, a person with an identifier: a doctor (Section 2.A.86).
package struct ExtendedCompositeIDName: Hashable, Sendable {
    package var id: String?
    package var name: ExtendedPersonName?
    package var assigningAuthority: HierarchicDesignator?
    /// HL7 Table 0203.
    package var identifierType: String?

    package init(id: String?, name: ExtendedPersonName? = nil, assigningAuthority: HierarchicDesignator? = nil) {
        self.id = id
        self.name = name
        self.assigningAuthority = assigningAuthority
    }

    /// Nil when there is neither identifier nor name.
    package init?(_ repetition: Repetition) {
        // Components 2 to 7 are those of a name without its type, which is component 10.
        let parts = (2...7).map { repetition[$0] } + [repetition[10]]
        self.init(
            id: repetition.text(1), name: ExtendedPersonName(Repetition(parts)),
            assigningAuthority: HierarchicDesignator(repetition[9]))
        identifierType = repetition.text(13)
        guard id != nil || name != nil else { return nil }
    }

    package var repetition: Repetition {
        var components: [Component] = [Component(id ?? "")]
        let name = name?.repetition ?? ""
        components += (1...6).map { name[$0] }
        components += ["", assigningAuthority?.component ?? "", name[7], "", "", Component(identifierType ?? "")]
        return Repetition(components)
    }
}

/// PL, a place in a hospital (Section 2.A.53).
package struct PersonLocation: Hashable, Sendable {
    package var pointOfCare: String?
    package var room: String?
    package var bed: String?
    package var facility: HierarchicDesignator?
    package var status: String?
    /// HL7 Table 0305: `C` clinic, `D` department, `N` nursing unit, …
    package var type: String?
    package var building: String?
    package var floor: String?
    package var locationDescription: String?

    package init(pointOfCare: String?, room: String? = nil, bed: String? = nil, facility: HierarchicDesignator? = nil) {
        self.pointOfCare = pointOfCare
        self.room = room
        self.bed = bed
        self.facility = facility
    }

    /// Nil when it says nothing.
    package init?(_ repetition: Repetition) {
        guard !repetition.isAbsent, !repetition.isNull else { return nil }
        self.init(
            pointOfCare: repetition.text(1), room: repetition.text(2), bed: repetition.text(3),
            facility: HierarchicDesignator(repetition[4]))
        status = repetition.text(5)
        type = repetition.text(6)
        building = repetition.text(7)
        floor = repetition.text(8)
        locationDescription = repetition.text(9)
    }

    package var repetition: Repetition {
        Repetition(
            [Component(pointOfCare ?? ""), Component(room ?? ""), Component(bed ?? ""), facility?.component ?? ""]
                + [status, type, building, floor, locationDescription].map { Component($0 ?? "") })
    }
}
