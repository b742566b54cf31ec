// Matching of person names: folded, in any order of words, with wild cards (PS3.4 Section C.2.2.2.1).

/// A key for Person Name. The standard leaves case, marks and the order of components to the archive; here a name is the
/// set of its words.
package struct PersonNamePattern: Hashable, Sendable {
    /// The folded key.
    package let folded: String
    private let groups: [Group]

    private struct Group: Hashable, Sendable {
        let text: String
        let words: [String]
        let hasWildcard: Bool
    }

    /// More words than a name has; beyond it only the whole pattern is compared.
    private static let mostWords = 24

    /// Folds a key as it was asked.
    package init(_ query: String) {
        folded = Fold.fold(query)
        groups = folded.split(separator: "=").map { group in
            Group(
                text: String(group), words: group.split(separator: " ").map(String.init),
                hasWildcard: Wildcard.isPattern(String(group)))
        }
    }

    /// Whether every name matches (universal matching, PS3.4 Section C.2.2.2.3).
    package var isUniversal: Bool { groups.allSatisfy { $0.text.allSatisfy { $0 == "*" } } }

    /// Pieces of text without wild cards that every matching folded name contains.
    package var searchWords: [String] {
        groups.flatMap(\.words).flatMap { word in
            word.split { $0 == "*" || $0 == "?" }.map(String.init)
        }
    }

    /// Whether a folded name matches: each group of the key must match one of the name's component groups, as a whole or
    /// word by word.
    package func matches(folded name: String) -> Bool {
        if isUniversal { return true }
        let candidates = name.split(separator: "=").map { group in
            (text: String(group), words: group.split(separator: " ").map(String.init))
        }
        return groups.allSatisfy { group in
            candidates.contains { candidate in
                Wildcard.matches(pattern: group.text, value: candidate.text)
                    || PersonNamePattern.matchesWords(group, candidate.words)
            }
        }
    }

    /// Every word of the key takes a word of the name for itself; without wild card no word of the name is left over.
    private static func matchesWords(_ group: Group, _ words: [String]) -> Bool {
        // A lone `*` also stands for no word at all.
        let wanted = group.words.filter { $0.contains { $0 != "*" } }
        guard wanted.count <= words.count, words.count <= mostWords else { return false }
        guard group.hasWildcard else { return wanted.sorted() == words.sorted() }
        var takenBy = [Int?](repeating: nil, count: words.count)

        // Augmenting paths: a word already taken is given up when its taker finds another.
        func place(_ key: Int, _ visited: inout [Bool]) -> Bool {
            for index in words.indices
            where !visited[index] && Wildcard.matches(pattern: wanted[key], value: words[index]) {
                visited[index] = true
                if let taker = takenBy[index], !place(taker, &visited) { continue }
                takenBy[index] = key
                return true
            }
            return false
        }
        return wanted.indices.allSatisfy { key in
            var visited = [Bool](repeating: false, count: words.count)
            return place(key, &visited)
        }
    }
}
