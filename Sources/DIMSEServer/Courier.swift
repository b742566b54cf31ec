// Carries instances to another system on associations of our own: C-MOVE sub-operations and `phim send`.

package import Catalog
import DICOMNetwork
import Forwarding
package import Retrieval

/// Sends to one destination; belongs to one thread.
package final class Courier {
    private let destination: KnownPeer
    private let forms: OutgoingForms
    private let originator: MoveOriginator?
    private let line: PeerLine
    private var plan = ContextPlan()
    /// Why the destination is given up: it is not called again for every instance.
    private var surrender: String?
    private var failedCalls = 0

    private static let callsBeforeSurrender = 3

    package init(
        destination: KnownPeer, dialing: PeerDialing, retrieval: InstanceRetrieval, originator: MoveOriginator? = nil
    ) {
        self.destination = destination
        self.originator = originator
        forms = OutgoingForms(retrieval: retrieval)
        line = PeerLine(destination, dialing)
    }

    /// Decides which contexts to propose.
    package func plan(_ instances: [StoredInstance]) {
        for instance in instances {
            plan.add(ObjectForm(sopClassUID: instance.sopClassUID, transferSyntaxUID: instance.transferSyntaxUID))
        }
    }

    /// Sends one instance of the plan. Nothing that happens to the association is thrown: it is this instance's failure.
    package func send(_ instance: StoredInstance) -> SubOperationResult {
        if let surrender { return .failed(surrender) }
        do throws(NetworkError) {
            let association = try line.association(for: instance.sopClassUID, of: plan)
            let sender = InstanceSender(
                association: association, contexts: Array(association.contexts.values), forms: forms,
                originator: originator)
            var cancelled = false
            let result = try sender.send(instance, cancelled: &cancelled)
            failedCalls = 0
            return SubOperationResult(result)
        } catch {
            line.drop()
            failedCalls += 1
            let why = "\(destination.name): \(error.words)"
            if failedCalls >= Self.callsBeforeSurrender || error.isFinal { surrender = why }
            return .failed(why)
        }
    }

    /// Releases what is open.
    package func close() { line.release() }
}
