// The way to one value inside a data set: tag, item number, tag and so on, as addresses of bulk data have it.

/// A path such as `00480105/1/00282000`; items are counted from 1.
package struct BulkDataPath: Hashable, Sendable {
    /// The sequences on the way and the item of each.
    package let steps: [Step]
    /// The attribute at the end.
    package let tag: Tag

    /// One sequence and which of its items.
    package struct Step: Hashable, Sendable {
        package let tag: Tag
        package let item: Int
    }

    /// The path of the parts between slashes; nil when they are none. Deeper than any data set is read is no path.
    package init?(_ parts: [Substring]) {
        guard parts.count & 1 == 1, parts.count < 2 * ReadLimits.standard.depth else { return nil }
        var steps: [Step] = []
        for index in stride(from: 0, to: parts.count - 1, by: 2) {
            guard let tag = Self.tag(parts[index]), let item = Int(parts[index + 1]), item > 0 else { return nil }
            steps.append(Step(tag: tag, item: item))
        }
        guard let last = parts.last.flatMap(Self.tag) else { return nil }
        self.steps = steps
        tag = last
    }

    private static func tag(_ text: Substring) -> Tag? {
        guard text.utf8.count == 8, text.utf8.allSatisfy({ ($0 &- 0x30) < 10 || (($0 | 0x20) &- 0x61) < 6 }) else {
            return nil
        }
        return UInt32(text, radix: 16).map(Tag.init(rawValue:))
    }
}

extension DataSet {
    /// The element at the end of a path and the data set or item that holds it.
    package func element(at path: BulkDataPath) -> (DataElement, DataSet)? {
        var dataSet = self
        for step in path.steps {
            let items = dataSet.items(step.tag)
            guard step.item <= items.count else { return nil }
            dataSet = items[step.item - 1]
        }
        return dataSet[path.tag].map { ($0, dataSet) }
    }
}

extension BulkDataPath: CustomStringConvertible {
    /// The path of an attribute of the data set itself.
    package init(_ tag: Tag) {
        steps = []
        self.tag = tag
    }

    fileprivate func prefixed(by step: Step) -> BulkDataPath { BulkDataPath(steps: [step] + steps, tag: tag) }

    private init(steps: [Step], tag: Tag) {
        self.steps = steps
        self.tag = tag
    }

    package var description: String {
        steps.map { "\($0.tag.hexadecimal)/\($0.item)/" }.joined() + tag.hexadecimal
    }
}

extension DataSet {
    /// Where the values are that JSON or XML leaves to an address under a policy.
    package func bulkDataPaths(_ policy: BulkDataPolicy) -> [BulkDataPath] {
        var paths: [BulkDataPath] = []
        for element in elements {
            if case .address = policy.treatment(of: element) {
                paths.append(BulkDataPath(element.tag))
            } else if element.vr == .SQ {
                for (index, item) in items(of: element).enumerated() {
                    let step = BulkDataPath.Step(tag: element.tag, item: index + 1)
                    paths += item.bulkDataPaths(policy).map { $0.prefixed(by: step) }
                }
            }
        }
        return paths
    }
}
