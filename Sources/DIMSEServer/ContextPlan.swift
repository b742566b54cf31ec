// Which presentation contexts are proposed for what is to be sent (PS3.8 Section 9.3.2.2).

import DICOMCore
import DICOMNetwork
import Forwarding

/// SOP classes and the transfer syntaxes that they are to be sent in.
///
/// Each stored syntax has a context by itself, so that the peer cannot choose another in its place; those that anything can
/// be turned into share one behind it. An association has room for 128 contexts (odd identifiers of one byte), so a
/// selection of many classes is split over several.
struct ContextPlan {
    static let room = 128
    private static let uncompressed = InstanceSender.fallbackSyntaxes.prefix(2).map(\.uid)

    private var order: [String] = []
    private var syntaxes: [String: [String]] = [:]
    private var forms: Set<ObjectForm> = []

    /// SOP classes so far.
    var count: Int { order.count }

    /// - Parameter wanted: transfer syntaxes to send it in besides its own.
    mutating func add(_ form: ObjectForm, wanting wanted: [String] = []) {
        guard forms.insert(form).inserted else { return }
        if syntaxes[form.sopClassUID] == nil { order.append(form.sopClassUID) }
        var own = syntaxes[form.sopClassUID] ?? []
        for syntax in [form.transferSyntaxUID] + wanted.filter({ !Self.uncompressed.contains($0) })
        where !own.contains(syntax) { own.append(syntax) }
        syntaxes[form.sopClassUID] = Array(own.suffix(Self.room - 1))
    }

    /// Contexts of one association: those of a class, then those of the classes after it as far as there is room.
    func contexts(from sopClassUID: String) -> [ProposedContext] {
        let start = order.firstIndex(of: sopClassUID) ?? 0
        var contexts: [ProposedContext] = []
        for sopClass in order[start...] + order[..<start] {
            let proposals = proposals(of: sopClass)
            if contexts.count + proposals.count > Self.room { break }
            for proposal in proposals {
                contexts.append(
                    ProposedContext(
                        id: UInt8(contexts.count * 2 + 1), abstractSyntax: sopClass, transferSyntaxes: proposal))
            }
        }
        return contexts
    }

    /// Whether contexts that were proposed hold all that is wanted of a class.
    func isCovered(_ sopClassUID: String, by contexts: [ProposedContext]) -> Bool {
        let proposed = contexts.filter { $0.abstractSyntax == sopClassUID }
        return proposals(of: sopClassUID).allSatisfy { wanted in
            proposed.contains { $0.transferSyntaxes == wanted }
        }
    }

    private func proposals(of sopClassUID: String) -> [[String]] {
        let own = syntaxes[sopClassUID] ?? []
        let rest = Self.uncompressed.filter { !own.contains($0) }
        return own.map { [$0] } + (rest.isEmpty ? [] : [rest])
    }
}
