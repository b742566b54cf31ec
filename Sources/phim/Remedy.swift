// What to do so that a caller who was refused is let in the next time.

import DICOMCore
import DIMSEServer
import Records

/// Finds the remedy for a knock by the reason that the reception noted.
struct Remedy {
    let data: String
    let configurationFile: String
    /// Ours.
    let aeTitle: String
    let peers: [(peer: KnownPeer, origin: String)]

    /// A command where one helps, otherwise a sentence.
    func text(for knock: Knock) -> String {
        if knock.reason.contains("asked for AE title") {
            return "set the called AE title of the caller to \(aeTitle), or checkCalledAETitle: false in "
                + "\(configurationFile) and restart"
        }
        if knock.reason.contains("cannot be read") {
            return "nothing to change for this caller: it may try again once the archive's own fault is mended"
        }
        guard Peer.isAETitle(knock.callingAETitle) else { return "give the caller an AE title: it calls without one" }
        let address = Self.plain(knock.address)
        guard !address.contains(":") else {
            return "give \(address) a name in /etc/hosts or DNS, and add the peer by that name: phim peer add --help"
        }
        if knock.reason.contains("associations open") { return moreAssociations(knock) }
        if knock.reason.contains("is expected from"), let known = expected(knock) {
            guard isAdded(known) else {
                return "set host: \(address) for peer \(known.peer.name) in \(configurationFile) and restart"
            }
            return replacing(known.peer, host: address, maxAssociations: known.peer.maxAssociations)
        }
        return add(
            freeName(knock.callingAETitle), knock.callingAETitle, host: address,
            // A guess, as a caller does not tell where it listens.
            port: 104)
    }

    private func moreAssociations(_ knock: Knock) -> String {
        let general = "or raise dicom.maxAssociationsPerPeer in \(configurationFile) and restart"
        guard let known = titled(knock.callingAETitle).first else {
            return "let the caller open fewer associations at once, \(general)"
        }
        guard isAdded(known) else {
            return "raise maxAssociations of peer \(known.peer.name), \(general)"
        }
        // 64 is twice what a peer may open when nothing else is said.
        let more = max(64, 2 * (known.peer.maxAssociations ?? 0))
        return replacing(known.peer, host: known.peer.host, maxAssociations: more)
    }

    /// The peer that the reason names; where its words have changed, the one that has the title.
    private func expected(_ knock: Knock) -> (peer: KnownPeer, origin: String)? {
        let known = titled(knock.callingAETitle)
        return known.first { knock.reason.contains("peer \($0.peer.name) is expected from") } ?? known.first
    }

    private func titled(_ aeTitle: String) -> [(peer: KnownPeer, origin: String)] {
        peers.filter { $0.peer.aeTitle == aeTitle }
    }

    private func isAdded(_ known: (peer: KnownPeer, origin: String)) -> Bool { known.origin == "added" }

    private func replacing(_ peer: KnownPeer, host: String, maxAssociations: Int?) -> String {
        var command = add(peer.name, peer.aeTitle, host: host, port: peer.port)
        if let charset = peer.characterSet { command += " --charset \(charset.rawValue)" }
        if let maxAssociations { command += " --max-associations \(maxAssociations)" }
        if let priority = peer.priorityName { command += " --priority \(priority)" }
        return "phim peer remove \(Self.quoted(peer.name)) --data \(Self.quoted(data)) && \(command)"
    }

    private func add(_ name: String, _ aeTitle: String, host: String, port: Int) -> String {
        // A title that begins with a hyphen would be taken for an option.
        let title = aeTitle.hasPrefix("-") ? "--ae-title=" : "--ae-title "
        return "phim peer add \(Self.quoted(name)) \(title)\(Self.quoted(aeTitle)) --host \(host) --port \(port) "
            + "--data \(Self.quoted(data))"
    }

    /// A name after the AE title that no peer has yet.
    private func freeName(_ aeTitle: String) -> String {
        let words = aeTitle.lowercased().split { !$0.isLetter && !$0.isNumber }
        let name = words.isEmpty ? "peer" : words.joined(separator: "-")
        let taken = Set(peers.map { $0.peer.name.lowercased() })
        guard taken.contains(name) else { return name }
        // One more than there are peers: one of these numbers is free.
        return (2...taken.count + 2).map { "\(name)-\($0)" }.first { !taken.contains($0) } ?? name
    }

    /// IPv4 addresses without the prefix that an IPv6 socket gives them.
    private static func plain(_ address: String) -> String {
        address.hasPrefix("::ffff:") ? String(address.dropFirst(7)) : address
    }

    /// For the shell.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-/".contains($0)) }
        return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
