// One object after the other to a centre: coded for the line, and resumed where it was cut.

import AsyncHTTPClient
import Catalog
import Encounters
import Forwarding
import Ingest
import LineCoding
import NIOHTTP1
import Records
import Retrieval
import Synchronization
import Web

struct ExchangeLane: Lane {
    let line: ExchangeLine
    let doors: ExchangeDoors
    let begun: BegunObjects
    /// Objects that the centre takes without frames coded only, by their own digests.
    let plain: BegunObjects
    let speed: LineSpeed

    /// Larger objects are asked about before they are sent; of smaller ones not more can be lost than asking costs. Where the
    /// study was offered the centre has said what it has the beginning of: only for the largest it is worth a second look.
    private static let asked: (offered: Int64, unoffered: Int64) = (16 << 20, 256 << 10)
    /// Before a cut object goes on.
    private static let breath = Duration.milliseconds(500)
    /// Cuts in a row in which nothing more arrived.
    private static let patience = 2
    /// How often a centre is asked again that has too much to do.
    private static let askings = 30

    func rest() async {}

    func send(_ parcel: Parcel) async -> ParcelOutcome {
        let sent = SentOctets()
        let outcome: DeliveryOutcome
        do {
            let doors = doors
            let digest = Hexadecimal.text(parcel.instance.digest)
            let form = speed.next()
            let started = ContinuousClock.now
            let isPlain = plain.contains(digest)
            let effort = isPlain ? CodingEffort.deflated : form == .plain ? .stored : .small
            var object = try await doors.work.run { try Self.coded(parcel, effort, doors) }
            let prepared = ContinuousClock.now
            var delivered = await deliver(object, sent)
            if delivered.isPlainWanted, !isPlain {
                plain.note([digest])
                begun.remove(object.name)
                object = try await doors.work.run { try Self.coded(parcel, .deflated, doors) }
                delivered = await deliver(object, sent)
            }
            outcome = delivered.outcome
            if case .taken = outcome {
                begun.remove(object.name)
                doors.coder.forget(object.coded)
                if !plain.remove(digest) {
                    speed.note(
                        form, object.coded, sent.count, preparing: prepared - started, sending: .now - prepared)
                }
            }
        } catch {
            outcome = Self.outcome(error)
        }
        return ParcelOutcome(
            outcome, lineOctets: sent.count, isExact: parcel.shipment.transform.keepsObjects)
    }

    private static func outcome(_ error: any Error) -> DeliveryOutcome {
        switch error {
        case LineCodingFailure.outOfSpace, LineCodingFailure.busy, LineCodingFailure.lost:
            .failed((error as? LineCodingFailure)?.sentence ?? "")
        case let failure as LineCodingFailure: .refused("not sent: \(failure.sentence)")
        case let failure as RetrievalFailure: .refused("not sent: \(LineCodingFailure(failure).sentence)")
        default: .failed("it cannot be prepared now")
        }
    }

    // MARK: Its form

    private struct Prepared: Sendable {
        let coded: CodedObject
        let study: String
        let uid: String
        let priority: IngestPriority
        /// Whether the centre was asked what it has of the study.
        let isOffered: Bool

        /// Its name on the line.
        var name: String { Hexadecimal.text(coded.digest) }
    }

    private static func coded(_ parcel: Parcel, _ effort: CodingEffort, _ doors: ExchangeDoors) throws -> Prepared {
        let instance = parcel.instance
        let priority: IngestPriority =
            switch parcel.shipment.priority {
            case .stat: .stat
            case .normal: .routine
            case .bulk: .bulk
            }
        if parcel.shipment.transform.keepsObjects {
            let object = doors.retrieval.stored(instance)
            let source = LineSource(
                sopClassUID: instance.sopClassUID, transferSyntaxUID: instance.transferSyntaxUID,
                length: object.length, dataSetOffset: instance.dataSetOffset, digest: instance.digest
            ) { offset, count throws(LineCodingFailure) in
                do throws(RetrievalFailure) { return try object.read(from: offset, count: count) } catch {
                    throw LineCodingFailure(error)
                }
            }
            return Prepared(
                coded: try doors.coder.coded(source, effort), study: instance.studyInstanceUID,
                uid: instance.sopInstanceUID, priority: priority, isOffered: true)
        }
        let object = try doors.forms.object(instance, parcel.shipment.transform) { $0 == instance.transferSyntaxUID }
        let source = LineSource(
            sopClassUID: object.sopClassUID, transferSyntaxUID: object.transferSyntaxUID, length: object.length,
            dataSetOffset: Int(object.dataSetOffset), digest: nil
        ) { offset, count throws(LineCodingFailure) in
            do throws(RetrievalFailure) { return try object.read(from: offset, count: count) } catch {
                throw LineCodingFailure(error)
            }
        }
        return Prepared(
            coded: try doors.coder.coded(source, effort), study: object.studyInstanceUID,
            uid: object.sopInstanceUID, priority: priority, isOffered: false)
    }

    // MARK: Its way

    private struct Delivered {
        let outcome: DeliveryOutcome
        var isPlainWanted = false

        init(_ outcome: DeliveryOutcome, isPlainWanted: Bool = false) {
            self.outcome = outcome
            self.isPlainWanted = isPlainWanted
        }
    }

    private func deliver(_ object: Prepared, _ sent: SentOctets) async -> Delivered {
        let least = object.isOffered ? Self.asked.offered : Self.asked.unoffered
        let isAsked = object.coded.length > least || begun.contains(object.name)
        var arrived = Arrived.from(0)
        var fruitless = 0
        if isAsked {
            arrived = await progress(object, sent)
        }
        while true {
            let offset: Int64
            switch arrived {
            case .all: return Delivered(.taken("held"))
            case .unknown(let outcome): return Delivered(outcome)
            case .from(let octet): offset = octet
            }
            begun.note([object.name])
            switch await put(object, from: offset, sent) {
            case .ended(let outcome): return Delivered(outcome)
            case .undecodable(let outcome): return Delivered(outcome, isPlainWanted: true)
            case .elsewhere(let octet) where octet != offset && fruitless < Self.patience:
                fruitless += 1
                arrived = .from(octet)
            case .elsewhere: return Delivered(.failed("the centre loses what it is sent"))
            case .cut(let outcome, let breath):
                // Nothing is known of what has arrived: ask, and go on from there.
                if Task.isCancelled { return Delivered(outcome) }
                try? await Task.sleep(for: breath)
                arrived = await progress(object, sent)
                if case .from(let octet) = arrived {
                    fruitless = octet > offset ? 0 : fruitless + 1
                    if fruitless >= Self.patience { return Delivered(outcome) }
                }
            }
        }
    }

    /// How far an object is.
    private enum Arrived {
        case from(Int64)
        case all
        case unknown(DeliveryOutcome)
    }

    private func progress(_ object: Prepared, _ sent: SentOctets) async -> Arrived {
        do throws(ExchangeLineFailure) {
            var answer = try await ask(object, sent)
            // It may be that the object is being taken in.
            var askings = 1
            while let wait = answer.wait, askings < Self.askings, !Task.isCancelled {
                try? await Task.sleep(for: wait)
                answer = try await ask(object, sent)
                askings += 1
            }
            guard answer.status == 204 else { return .unknown(answer.outcome) }
            if answer.isComplete { return .all }
            guard let offset = answer.offset, (0...object.coded.length).contains(offset) else {
                return .unknown(.failed("the centre does not say how far the object is"))
            }
            return .from(offset)
        } catch { return .unknown(error.outcome) }
    }

    private func ask(_ object: Prepared, _ sent: SentOctets) async throws(ExchangeLineFailure) -> CentreAnswer {
        sent.add(ExchangeLine.overhead)
        return try await line.ask(.HEAD, Self.path(object), headers: Self.headers(object))
    }

    private enum Put {
        case ended(DeliveryOutcome)
        /// The centre makes nothing of this form, and would take the plain one.
        case undecodable(DeliveryOutcome)
        /// The centre wants it from another octet on.
        case elsewhere(Int64)
        /// It may go on after a while.
        case cut(DeliveryOutcome, Duration)
    }

    private func put(_ object: Prepared, from offset: Int64, _ sent: SentOctets) async -> Put {
        var headers = Self.headers(object)
        headers.add(name: "Upload-Offset", value: "\(offset)")
        headers.add(name: "Upload-Complete", value: "?1")
        headers.add(name: "Content-Type", value: "application/octet-stream")
        sent.add(ExchangeLine.overhead)
        let body = PacedBody(object: object.coded, offset: offset, pace: line.pace, work: doors.work, sent: sent)
        do throws(ExchangeLineFailure) {
            let answer = try await line.ask(
                .PATCH, Self.path(object), headers: headers, body: .stream(body, length: .known(body.length)),
                watching: UploadWatch(sent: sent, end: sent.count + body.length, octets: object.coded.originalLength))
            switch answer.status {
            case 200: return .ended(.taken("stored"))
            case 409:
                guard let octet = answer.offset else { return .cut(answer.outcome, Self.breath) }
                return .elsewhere(octet)
            // It came too slowly for a while, as when the line was dead; what came is there.
            case 408, 204: return .cut(answer.outcome, Self.breath)
            case 503: return .cut(answer.outcome, answer.wait ?? Self.breath)
            case 422 where answer.isPlainWanted: return .undecodable(answer.outcome)
            default: return .ended(answer.outcome)
            }
        } catch {
            // A line that takes everything and gives nothing back is not asked once more.
            if error.isSilent { return .ended(error.outcome) }
            if case .unreached = error.outcome { return .ended(error.outcome) }
            return .cut(error.outcome, Self.breath)
        }
    }

    private static func path(_ object: Prepared) -> String { "/studies/\(object.study)/objects/\(object.name)" }

    private static func headers(_ object: Prepared) -> HTTPHeaders {
        [
            "Phim-Instance": object.uid, "Phim-Digest": Hexadecimal.text(object.coded.originalDigest),
            "Phim-Priority": object.priority.rawValue, "Upload-Length": "\(object.coded.length)",
        ]
    }
}

/// What all lanes of a line have seen of it.
final class LineSpeed: Sendable {
    private let effort = Mutex(LineEffort())
    /// Smaller objects say more of waiting than of the line.
    private static let least: Int64 = 32 << 10

    func next() -> LineEffort.Form { effort.withLock { $0.next() } }

    func note(
        _ form: LineEffort.Form, _ object: CodedObject, _ lineOctets: Int64, preparing: Duration, sending: Duration
    ) {
        guard object.originalLength >= Self.least else { return }
        effort.withLock {
            $0.note(
                form, octets: object.originalLength, lineOctets: lineOctets, preparing: preparing / .seconds(1),
                sending: sending / .seconds(1))
        }
    }
}
