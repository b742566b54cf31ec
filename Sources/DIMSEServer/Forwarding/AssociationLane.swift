// A lane over associations: objects one after the other, on a thread of its own.

import Catalog
import DICOMNetwork
import Dispatch
import Encounters
import Forwarding
import Foundation
import Records
import Synchronization

/// Hands what it is given to its thread, and waits without blocking anybody.
final class AssociationLane: Lane {
    private enum Job: Sendable {
        case send(Parcel, Reply<ParcelOutcome>)
        case rest(Reply<Void>)
        case end
    }

    /// What the thread is given; as one task uses a lane, it holds one job at most.
    private final class Jobs: Sendable {
        private let waiting = Mutex<[Job]>([])
        private let signal = DispatchSemaphore(value: 0)

        func put(_ job: Job) {
            waiting.withLock { $0.append(job) }
            signal.signal()
        }

        func next() -> Job {
            signal.wait()
            return waiting.withLock { $0.removeFirst() }
        }
    }

    private let jobs = Jobs()

    private let desk: CarrierDesk

    /// - Parameter begin: makes what the thread works with, on the thread.
    init(_ desk: CarrierDesk, _ begin: @escaping @Sendable () -> LaneWork) {
        self.desk = desk
        let jobs = jobs
        let thread = Thread {
            let work = begin()
            while true {
                switch jobs.next() {
                case .send(let parcel, let done): done.give(work.send(parcel))
                case .rest(let done):
                    work.rest()
                    done.give(())
                case .end: return work.rest()
                }
            }
        }
        thread.name = "forwarding"
        thread.start()
    }

    deinit { jobs.put(.end) }

    func send(_ parcel: Parcel) async -> ParcelOutcome {
        await desk.answer(orElse: ParcelOutcome(.failed("stopping"), lineOctets: 0)) { jobs.put(.send(parcel, $0)) }
    }

    func rest() async {
        await desk.answer(orElse: ()) { jobs.put(.rest($0)) }
    }
}

/// What the thread of a lane does.
final class LaneWork {
    private let line: PeerLine
    private let forms: OutgoingForms
    private let pace: LinePace
    private let desk: CarrierDesk
    private var plan = ContextPlan()

    /// SOP classes that are remembered for the next association.
    private static let mostClasses = 128

    init(line: PeerLine, forms: OutgoingForms, pace: LinePace, desk: CarrierDesk) {
        self.line = line
        self.forms = forms
        self.pace = pace
        self.desk = desk
    }

    func send(_ parcel: Parcel) -> ParcelOutcome {
        let (instance, shipment) = (parcel.instance, parcel.shipment)
        remember(parcel)
        var octets: Int64 = 0
        var (isOpen, isAsStored) = (false, false)
        do throws(NetworkError) {
            let association = try line.association(for: instance.sopClassUID, of: plan)
            isOpen = true
            let result = try desk.during(association) { () throws(NetworkError) in
                let sender = InstanceSender(
                    association: association, contexts: Array(association.contexts.values), forms: forms,
                    transform: shipment.transform, pace: pace)
                var cancelled = false
                return try sender.send(instance, cancelled: &cancelled, octets: &octets, isAsStored: &isAsStored)
            }
            // Who warns may have changed elements (PS3.4 Table B.2-1, B000H), or left some out (B006H).
            var isExact = false
            if case .answered(let status, _) = result { isExact = isAsStored && status.isSuccess }
            return ParcelOutcome(desk.outcome(result), lineOctets: octets, isExact: isExact)
        } catch {
            line.drop()
            return ParcelOutcome(desk.outcome(error, wasOpen: isOpen), lineOctets: octets)
        }
    }

    func rest() {
        guard let association = line.association else { return }
        // Whoever is to end does not wait for the peer's farewell.
        if desk.isEnding { return line.drop() }
        try? desk.during(association) { () throws(NetworkError) in line.release() }
    }

    /// What an association is negotiated for: the kinds of this study, and those of the ones before.
    private func remember(_ parcel: Parcel) {
        if plan.count > Self.mostClasses { plan = ContextPlan() }
        let own = ObjectForm(
            sopClassUID: parcel.instance.sopClassUID, transferSyntaxUID: parcel.instance.transferSyntaxUID)
        for form in [own] + parcel.forms.subtracting([own]).sorted(by: { $0.order < $1.order }) {
            plan.add(form, wanting: forms.syntaxes(for: form, parcel.shipment.transform))
        }
    }
}

extension ObjectForm {
    fileprivate var order: String { sopClassUID + " " + transferSyntaxUID }
}
