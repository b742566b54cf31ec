// C-GET of what is missing, or C-MOVE to ourselves where a peer has no C-GET (PS3.4 Sections C.4.2 and C.4.3).

import DICOMCore
import DICOMNetwork
import Forwarding
import Ingest

/// What is fetched over one association.
struct FetchRound {
    /// Objects of one series.
    struct Request {
        let seriesInstanceUID: String
        let sopInstanceUIDs: [String]
        let sopClassUIDs: Set<String>
        /// Whether nothing of the series is here.
        let wholeSeries: Bool
    }

    static let get: UInt8 = 1
    static let move: UInt8 = 3
    private static let ownContexts = 2
    /// A context for each, so that the peer may send what it has: those that archives hold.
    private static let syntaxes: [String] = [
        "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81",
        "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202",
        "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102",
        "1.2.840.10008.1.2.4.103", "1.2.840.10008.1.2.1.99",
    ]
    static let mostClasses = (ContextPlan.room - ownContexts) / syntaxes.count

    private(set) var requests: [Request] = []
    private var sopClassUIDs: [String] = []

    /// Series by series, as many over one association as its contexts allow.
    static func rounds(_ missing: [RemoteInstance], of listing: RemoteListing) -> [FetchRound] {
        let all = Dictionary(grouping: listing.instances, by: \.seriesInstanceUID).mapValues(\.count)
        var rounds: [FetchRound] = []
        for (series, instances) in Dictionary(grouping: missing, by: \.seriesInstanceUID).sorted(by: { $0.key < $1.key }
        ) {
            var classes = Set(instances.map(\.sopClassUID))
            if classes.remove("") != nil { classes.formUnion(likely(listing.modalities[series] ?? "")) }
            let request = Request(
                seriesInstanceUID: series, sopInstanceUIDs: instances.map(\.sopInstanceUID), sopClassUIDs: classes,
                wholeSeries: instances.count == all[series])
            if let last = rounds.indices.last, rounds[last].add(request) { continue }
            var round = FetchRound()
            _ = round.add(request)
            rounds.append(round)
        }
        return rounds
    }

    /// SOP classes of a modality's images, for an archive that does not name them.
    private static func likely(_ modality: String) -> [String] {
        let branch = "1.2.840.10008.5.1.4.1.1."
        let own: [String] =
            switch modality {
            case "CT": ["2", "2.1"]
            case "MR": ["4", "4.1"]
            case "CR": ["1"]
            case "DX": ["1.1", "1.1.1"]
            case "MG": ["1.2", "1.2.1", "13.1.3"]
            case "US": ["6.1", "3.1"]
            case "XA", "RF": ["12.1", "12.2"]
            case "NM": ["20"]
            case "PT": ["128", "130"]
            case "ES", "GM", "XC", "OP": ["77.1.1", "77.1.2", "77.1.4", "77.1.5.1"]
            case "SR": ["88.11", "88.22", "88.33", "88.67"]
            case "KO": ["88.59"]
            case "PR": ["11.1", "11.2"]
            case "DOC": ["104.1"]
            case "ECG": ["9.1.1", "9.1.2"]
            default: ["1", "1.1", "2", "4"]
            }
        return (own + ["7", "7.2", "7.4"]).map { branch + $0 }
    }

    /// False when there is no room; a round of one request takes what it can.
    private mutating func add(_ request: Request) -> Bool {
        let more = request.sopClassUIDs.filter { !sopClassUIDs.contains($0) }.sorted()
        guard requests.isEmpty || sopClassUIDs.count + more.count <= Self.mostClasses else { return false }
        sopClassUIDs += more.prefix(Self.mostClasses - sopClassUIDs.count)
        requests.append(request)
        return true
    }

    /// We are SCP of storage on an association that we request (PS3.7 Annex D.3.3.4).
    var contexts: [ProposedContext] {
        let messages = ServiceTable.messageTransferSyntaxes.map(\.uid)
        var contexts = [
            ProposedContext(
                id: Self.get, abstractSyntax: "1.2.840.10008.5.1.4.1.2.2.3", transferSyntaxes: messages),
            ProposedContext(
                id: Self.move, abstractSyntax: "1.2.840.10008.5.1.4.1.2.2.2", transferSyntaxes: messages),
        ]
        for sopClass in sopClassUIDs {
            for syntax in Self.syntaxes {
                contexts.append(
                    ProposedContext(
                        id: UInt8(contexts.count * 2 + 1), abstractSyntax: sopClass, transferSyntaxes: [syntax],
                        scuRole: false, scpRole: true))
            }
        }
        return contexts
    }
}

/// Retrieves over one association.
struct PeerRetrieval {
    let peer: String
    let ownAETitle: String
    let association: Association
    let studyInstanceUID: String
    let store: StoreSCP
    /// Why something did not come, the first time.
    private(set) var reason = ""
    /// Objects that came and were not what was asked for.
    private var strays = 0
    /// So many are read away before the peer is left.
    private static let mostStrays = 100

    init(peer: String, ownAETitle: String, association: Association, studyInstanceUID: String, store: StoreSCP) {
        self.peer = peer
        self.ownAETitle = ownAETitle
        self.association = association
        self.studyInstanceUID = studyInstanceUID
        self.store = store
    }

    mutating func series(_ uid: String, of sopClassUIDs: Set<String>) throws(PullFailure) {
        try retrieve("SERIES", [.seriesInstanceUID: [uid]], sopClassUIDs)
    }

    /// What does not come of a list is asked for one after the other: some peers take no lists of UIDs, or short ones only.
    mutating func images(
        _ uids: [String], ofSeries series: String, of sopClassUIDs: Set<String>
    ) throws(PullFailure) {
        let before = reason
        let keys: [Tag: [String]] = [.seriesInstanceUID: [series], .sopInstanceUID: uids]
        try retrieve("IMAGE", keys, sopClassUIDs)
        guard uids.count > 1 else { return }
        let missing = uids.filter { !store.ingest.holds(sopInstanceUID: $0) }
        reason = before
        for uid in missing {
            try retrieve("IMAGE", [.seriesInstanceUID: [series], .sopInstanceUID: [uid]], sopClassUIDs)
        }
    }

    private mutating func retrieve(
        _ level: String, _ keys: [Tag: [String]], _ sopClassUIDs: Set<String>
    ) throws(PullFailure) {
        let receives = Set(association.contexts.values.filter(\.requestorIsSCP).map(\.abstractSyntax))
        let gets = !sopClassUIDs.isEmpty && sopClassUIDs.isSubset(of: receives)
        if gets, let context = association.contexts[FetchRound.get] {
            return try get(identifier(level, keys, context), context)
        }
        if let context = association.contexts[FetchRound.move] {
            return try move(identifier(level, keys, context), context)
        }
        throw .refused("\(peer) sends these objects neither by C-GET nor by C-MOVE")
    }

    private func identifier(_ level: String, _ keys: [Tag: [String]], _ context: NegotiatedContext) -> [UInt8] {
        var writer = DataSetWriter(transferSyntax: TransferSyntax(context.transferSyntax), characterSet: .ascii)
        writer.put(.queryRetrieveLevel, level)
        writer.put(.studyInstanceUID, studyInstanceUID)
        for (tag, values) in keys.sorted(by: { $0.key < $1.key }) { writer.put(tag, values) }
        return writer.finish()
    }

    private mutating func get(_ identifier: [UInt8], _ context: NegotiatedContext) throws(PullFailure) {
        var refusal = ""
        var strays = strays
        let (store, association) = (store, association)
        do {
            let last = try association.get(on: context.id, identifier: identifier) { message in
                let outcome = try store.receive(message, association)
                guard outcome.status.isFailure else { return outcome.status }
                if refusal.isEmpty { refusal = outcome.comment ?? "\(outcome.status)" }
                if outcome.status == .dataSetDoesNotMatchSOPClass { strays += 1 }
                guard strays <= Self.mostStrays else {
                    throw NetworkError.failed("it sends something else than it was asked for")
                }
                return outcome.status
            }
            note(refusal.isEmpty ? last.status : .success, last.errorComment)
        } catch {
            throw .failed("\(peer): \((error as? NetworkError)?.words ?? "C-GET broke off")")
        }
        self.strays = strays
        if reason.isEmpty { reason = refusal }
    }

    private mutating func move(_ identifier: [UInt8], _ context: NegotiatedContext) throws(PullFailure) {
        let last: CommandSet
        do throws(NetworkError) {
            last = try association.move(on: context.id, to: ownAETitle, identifier: identifier)
        } catch {
            throw .failed("\(peer): \(error.words)")
        }
        if last.status == .moveDestinationUnknown {
            throw .refused("\(peer) has no C-GET and does not know \(ownAETitle) as a destination of C-MOVE")
        }
        note(last.status, last.errorComment)
    }

    private mutating func note(_ status: Status, _ comment: String?) {
        guard !status.isSuccess, reason.isEmpty else { return }
        reason = "\(peer) answered \(status)" + (comment.map { ": \($0)" } ?? "")
    }
}
