// Fields, their repetitions and components (HL7 v2.5.1 Section 2.5.3). What is empty at the end is never kept.

/// A component: its subcomponents.
package struct Component: Hashable, Sendable, ExpressibleByStringLiteral {
    package private(set) var subcomponents: [Value]

    package init(_ subcomponents: [Value]) { self.subcomponents = subcomponents.trimmed { $0.isAbsent } }

    package init(_ text: String) { self.init([Value(text)]) }

    package init(stringLiteral text: String) { self.init(text) }

    package var isAbsent: Bool { subcomponents.isEmpty }

    /// The first subcomponent.
    package var value: Value { self[1] }

    /// A subcomponent, from 1.
    package subscript(_ number: Int) -> Value {
        get { subcomponents.at(number) ?? .absent }
        set {
            subcomponents.put(newValue, at: number, filling: .absent)
            subcomponents = subcomponents.trimmed { $0.isAbsent }
        }
    }
}

/// One repetition of a field: its components.
package struct Repetition: Hashable, Sendable, ExpressibleByStringLiteral {
    package private(set) var components: [Component]

    package init(_ components: [Component]) { self.components = components.trimmed { $0.isAbsent } }

    package init(_ text: String) { self.init([Component(text)]) }

    package init(stringLiteral text: String) { self.init(text) }

    package var isAbsent: Bool { components.isEmpty }

    /// Whether the whole of it is `""`.
    package var isNull: Bool { components.count == 1 && self[1].subcomponents == [.null] }

    /// A component, from 1.
    package subscript(_ number: Int) -> Component {
        get { components.at(number) ?? Component([]) }
        set {
            components.put(newValue, at: number, filling: Component([]))
            components = components.trimmed { $0.isAbsent }
        }
    }

    /// The text of a component's first subcomponent, nil when absent or null.
    package func text(_ component: Int) -> String? { self[component].value.text }
}

/// A field: its repetitions.
package struct Field: Hashable, Sendable, ExpressibleByStringLiteral {
    package private(set) var repetitions: [Repetition]

    package init(_ repetitions: [Repetition]) { self.repetitions = repetitions.trimmed { $0.isAbsent } }

    package init(_ text: String) { self.init([Repetition(text)]) }

    /// One repetition of these components.
    package init(components: [Component]) { self.init([Repetition(components)]) }

    package init(stringLiteral text: String) { self.init(text) }

    package static let absent = Field([])
    package static let null = Field([Repetition([Component([.null])])])

    package var isAbsent: Bool { repetitions.isEmpty }

    /// Whether the field is `""`: the receiver deletes what it has.
    package var isNull: Bool { repetitions.count == 1 && repetitions[0].isNull }

    /// The first repetition.
    package var first: Repetition { repetitions.first ?? Repetition([]) }

    /// The first value of the first component, nil when absent or null.
    package var text: String? { first.text(1) }

    /// A repetition, from 1.
    package subscript(repetition number: Int) -> Repetition {
        get { repetitions.at(number) ?? Repetition([]) }
        set {
            repetitions.put(newValue, at: number, filling: Repetition([]))
            repetitions = repetitions.trimmed { $0.isAbsent }
        }
    }

    /// A component of the first repetition, from 1.
    package subscript(_ component: Int) -> Component {
        get { first[component] }
        set {
            var repetition = first
            repetition[component] = newValue
            self[repetition: 1] = repetition
        }
    }
}

extension Array {
    /// The element of a number from 1, nil beyond the end.
    func at(_ number: Int) -> Element? { number >= 1 && number <= count ? self[number - 1] : nil }

    mutating func put(_ element: Element, at number: Int, filling: @autoclosure () -> Element) {
        precondition(number >= 1, "places in a message are counted from 1")
        while count < number { append(filling()) }
        self[number - 1] = element
    }

    func trimmed(_ isEmpty: (Element) -> Bool) -> [Element] {
        guard let last, isEmpty(last) else { return self }
        return Array(self[..<((lastIndex { !isEmpty($0) } ?? -1) + 1)])
    }
}
