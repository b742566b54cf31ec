// Studies fetched from a peer: C-FIND to compare, C-GET or C-MOVE of what is missing (PS3.4 Sections C.4.1 to C.4.3).

import DICOMCore
import DICOMNetwork
package import Forwarding
package import Ingest
package import Logging

/// A peer as a source of studies.
package struct PeerSource: ImageSource {
    private let peer: KnownPeer
    private let dialing: PeerDialing
    private let logger: Logger
    private let mostObjects: Int

    /// UIDs named in one request.
    private static let mostNames = 64

    package var name: String { peer.name }

    /// - Parameter mostObjects: answers of which the list of one study may consist.
    package init(peer: KnownPeer, dialing: PeerDialing, logger: Logger, mostObjects: Int = 200_000) {
        self.mostObjects = mostObjects
        self.peer = peer
        self.dialing = dialing
        self.logger = logger
    }

    // MARK: Asking

    package func studies(_ question: RemoteQuestion, limit: Int) throws(PullFailure) -> [RemoteStudy] {
        var keys: [Tag: String] = [:]
        for tag in Self.studyKeys { keys[tag] = "" }
        switch question {
        case .study(let uid): keys[.studyInstanceUID] = uid
        case .accession(let number): keys[.accessionNumber] = number
        case .patient(let id, let issuer):
            keys[.patientID] = id
            keys[.issuerOfPatientID] = issuer
        }
        return try asking { query throws(PullFailure) in
            var studies: [RemoteStudy] = []
            var known: Set<String> = []
            try query.find("STUDY", keys) { answer in
                if let study = RemoteStudy(answer), known.insert(study.studyInstanceUID).inserted {
                    studies.append(study)
                }
                return studies.count < limit
            }
            return studies
        }
    }

    package func listing(ofStudy uid: String) throws(PullFailure) -> RemoteListing {
        try asking { query throws(PullFailure) in
            var gathering = ListingGathering(most: mostObjects)
            try query.find(
                "SERIES", [.studyInstanceUID: uid, .seriesInstanceUID: "", .modality: "", .bodyPartExamined: ""]
            ) { gathering.takeSeries($0) }
            for series in gathering.series where !gathering.isFull {
                try query.find(
                    "IMAGE",
                    [.studyInstanceUID: uid, .seriesInstanceUID: series, .sopInstanceUID: "", .sopClassUID: ""]
                ) { gathering.takeInstance($0, of: series) }
            }
            guard !gathering.isFull else {
                throw .refused("\(peer.name) answers with more than \(mostObjects) objects of a study")
            }
            return gathering.listing
        }
    }

    private static let studyKeys: [Tag] = [
        .studyInstanceUID, .studyDate, .studyDescription, .accessionNumber, .modalitiesInStudy, .patientID,
        .issuerOfPatientID, .patientBirthDate, .numberOfStudyRelatedInstances,
    ]

    /// Queries over one association.
    private func asking<Value>(_ body: (PeerQuery) throws(PullFailure) -> Value) throws(PullFailure) -> Value {
        let context = ProposedContext(
            id: 1, abstractSyntax: PeerQuery.studyRootFind,
            transferSyntaxes: ServiceTable.messageTransferSyntaxes.map(\.uid))
        let association = try open([context])
        defer { association.abort() }
        guard let accepted = association.contexts[context.id] else {
            throw .refused("\(peer.name) answers no queries (C-FIND, Study Root)")
        }
        let value = try body(PeerQuery(peer: peer.name, association: association, context: accepted))
        try? association.release()
        return value
    }

    private func open(_ contexts: [ProposedContext]) throws(PullFailure) -> Association {
        do throws(NetworkError) {
            return try dialing.call(peer, contexts: contexts, timeouts: CarrierDesk.timeouts)
        } catch {
            throw .unreached("\(peer.name): \(error.words)")
        }
    }

    // MARK: Fetching

    package func fetch(
        _ missing: [RemoteInstance], ofStudy uid: String, of listing: RemoteListing, into ingest: IngestPipeline
    ) throws(PullFailure) -> String {
        var reason = ""
        for round in FetchRound.rounds(missing, of: listing) {
            let said = try fetch(round, ofStudy: uid, into: ingest)
            if reason.isEmpty { reason = said }
        }
        return reason
    }

    private func fetch(
        _ round: FetchRound, ofStudy uid: String, into ingest: IngestPipeline
    ) throws(PullFailure) -> String {
        let association = try open(round.contexts)
        defer { association.abort() }
        var retrieval = PeerRetrieval(
            peer: peer.name, ownAETitle: dialing.callingAETitle, association: association, studyInstanceUID: uid,
            store: StoreSCP(
                ingest: ingest, callerPriority: .bulk, trail: nil, logger: logger,
                expected: ExpectedObjects(
                    source: peer.aeTitle, studyInstanceUID: uid,
                    sopInstanceUIDs: Set(round.requests.flatMap(\.sopInstanceUIDs)))))
        for request in round.requests {
            guard request.wholeSeries else {
                for start in stride(from: 0, to: request.sopInstanceUIDs.count, by: Self.mostNames) {
                    let names = request.sopInstanceUIDs[start...].prefix(Self.mostNames)
                    try retrieval.images(Array(names), ofSeries: request.seriesInstanceUID, of: request.sopClassUIDs)
                }
                continue
            }
            try retrieval.series(request.seriesInstanceUID, of: request.sopClassUIDs)
        }
        try? association.release()
        return retrieval.reason
    }
}

/// What a peer answers of one study: each object once, and not without end.
struct ListingGathering {
    private(set) var listing = RemoteListing()
    private(set) var series: [String] = []
    private(set) var isFull = false
    private var known: Set<String> = []
    private var answers = 0
    private let most: Int

    /// - Parameter most: answers that are listened to.
    init(most: Int) { self.most = most }

    /// - Returns: whether more is wanted.
    mutating func takeSeries(_ answer: DataSet) -> Bool {
        if let uid = answer.string(.seriesInstanceUID), UID.isValid(uid), known.insert(uid).inserted {
            series.append(uid)
            listing.modalities[uid] = answer.string(.modality)
        }
        if let part = answer.string(.bodyPartExamined), !part.isEmpty { listing.bodyParts.insert(part) }
        return count()
    }

    /// - Returns: whether more is wanted.
    mutating func takeInstance(_ answer: DataSet, of series: String) -> Bool {
        if let uid = answer.string(.sopInstanceUID), UID.isValid(uid), known.insert(uid).inserted {
            let sopClass = answer.string(.sopClassUID) ?? ""
            listing.instances.append(
                RemoteInstance(
                    seriesInstanceUID: series, sopInstanceUID: uid, sopClassUID: UID.isValid(sopClass) ? sopClass : ""))
        }
        return count()
    }

    private mutating func count() -> Bool {
        answers += 1
        if answers > most { isFull = true }
        return !isFull
    }
}

extension RemoteStudy {
    /// Nil without a Study Instance UID.
    fileprivate init?(_ answer: DataSet) {
        guard let uid = answer.string(.studyInstanceUID), UID.isValid(uid) else { return nil }
        self.init(studyInstanceUID: uid)
        func text(_ tag: Tag) -> String { answer.string(tag) ?? "" }
        date = text(.studyDate)
        modalities = answer.strings(.modalitiesInStudy).filter { !$0.isEmpty }
        description = text(.studyDescription)
        accessionNumber = text(.accessionNumber)
        patientID = text(.patientID)
        issuerOfPatientID = text(.issuerOfPatientID)
        patientBirthDate = text(.patientBirthDate)
        instances = Int(text(.numberOfStudyRelatedInstances))
    }
}

/// C-FIND over one association.
struct PeerQuery {
    static let studyRootFind = "1.2.840.10008.5.1.4.1.2.2.1"
    /// Of one question, whatever they say: a peer may repeat itself for ever.
    private static let mostAnswers = 250_000
    private static let largestAnswer = 1 << 20

    let peer: String
    let association: Association
    let context: NegotiatedContext

    /// - Parameter visit: false ends the query.
    func find(
        _ level: String, _ keys: [Tag: String], visit: (DataSet) -> Bool
    ) throws(PullFailure) {
        let syntax = TransferSyntax(context.transferSyntax)
        var writer = DataSetWriter(transferSyntax: syntax, characterSet: .utf8)
        writer.put(.queryRetrieveLevel, level)
        for (tag, value) in keys.sorted(by: { $0.key < $1.key }) {
            if value.isEmpty { writer.putEmpty(tag) } else { writer.put(tag, value) }
        }
        let status: Status
        var answers = 0
        do {
            status = try association.find(
                on: context.id, identifier: writer.finish(), limit: Self.largestAnswer
            ) { bytes in
                answers += 1
                guard answers <= Self.mostAnswers else { return false }
                guard let answer = try? HeaderReader.read(bytes, transferSyntax: syntax) else { return true }
                return visit(answer.dataSet)
            }
        } catch {
            throw .failed("\(peer): \((error as? NetworkError)?.words ?? "the query broke off")")
        }
        guard !status.isFailure else { throw .refused("\(peer) answered \(status) to a query") }
    }
}
