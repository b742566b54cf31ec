// One C-STORE sub-operation: stored bytes where the peer accepts their syntax, otherwise in another form; their header as it
// is true now.

import Catalog
import DICOMCore
import DICOMNetwork
import Forwarding
import Foundation
import Records
import Retrieval

/// What became of one sub-operation.
package enum SubOperationResult: Equatable, Sendable {
    case completed, warning
    case failed(String)

    init(_ result: StoreResult) {
        switch result {
        case .answered(let status, _):
            switch status.category {
            case .success: self = .completed
            case .warning: self = .warning
            case .pending, .cancel, .failure: self = .failed("peer answered \(status)")
            }
        case .notAccepted(let why): self = .failed(why)
        case .notReadable(let failure): self = .failed(failure.comment)
        }
    }
}

/// How one C-STORE ended, as long as its association lives.
enum StoreResult: Sendable {
    case answered(Status, comment: String?)
    /// The peer takes no objects of this kind.
    case notAccepted(String)
    /// This side cannot read or convert it.
    case notReadable(RetrievalFailure)
}

/// The operation on whose behalf instances are sent (PS3.7 Section 9.1.1.1: Move Originator).
package struct MoveOriginator: Sendable {
    let aeTitle: String
    let messageID: UInt16
}

/// Sends instances on an association that is open already.
struct InstanceSender {
    let association: Association
    /// Contexts in which the peer receives.
    let contexts: [NegotiatedContext]
    let forms: OutgoingForms
    var originator: MoveOriginator?
    /// C-GET: the operation that a C-CANCEL on this association may stop.
    var cancelling: UInt16?
    var transform = ShipmentTransform()
    /// How fast it may go; nil: as fast as the line goes.
    var pace: LinePace?

    /// Syntaxes that any object can be turned into, most wanted first.
    static let fallbackSyntaxes: [TransferSyntax] = [
        .explicitVRLittleEndian, .implicitVRLittleEndian, .explicitVRBigEndian,
    ]
    /// Octets between two looks at the pace, where there is a rate.
    private static let pacedPiece = 16 << 10

    /// - Parameters:
    ///   - octets: counts those of data sets that were sent, also when sending fails.
    ///   - isAsStored: whether the data set that was sent is the stored one, octet for octet.
    /// - Throws: when the association itself is lost; what concerns this instance alone is in the result.
    func send(
        _ instance: StoredInstance, cancelled: inout Bool, octets: inout Int64, isAsStored: inout Bool
    ) throws(NetworkError) -> StoreResult {
        let own = contexts.filter { $0.abstractSyntax == instance.sopClassUID }
        guard !own.isEmpty else { return .notAccepted("SOP class \(instance.sopClassUID) not accepted") }
        let object: OutgoingObject
        do throws(RetrievalFailure) {
            object = try forms.object(instance, transform) { syntax in own.contains { $0.transferSyntax == syntax } }
            // Read once before the first byte leaves: a failure halfway costs the association.
            _ = try object.read(from: object.dataSetOffset, count: 1)
        } catch {
            return .notReadable(error)
        }
        guard let context = own.first(where: { $0.transferSyntax == object.transferSyntaxUID }) else {
            return .notAccepted("transfer syntax \(object.transferSyntaxUID) not accepted")
        }
        // One of odd length gets an octet on its way.
        isAsStored = object.isAsStored && (object.length - object.dataSetOffset) & 1 == 0
        return try transmit(object, context, &cancelled, &octets)
    }

    func send(_ instance: StoredInstance, cancelled: inout Bool) throws(NetworkError) -> StoreResult {
        var octets: Int64 = 0
        var isAsStored = false
        return try send(instance, cancelled: &cancelled, octets: &octets, isAsStored: &isAsStored)
    }

    private func transmit(
        _ object: OutgoingObject, _ context: NegotiatedContext, _ cancelled: inout Bool, _ octets: inout Int64
    ) throws(NetworkError) -> StoreResult {
        let messageID = association.nextMessageID()
        let request = CommandSet.storeRequest(
            messageID: messageID, sopClassUID: object.sopClassUID, sopInstanceUID: object.sopInstanceUID,
            moveOriginator: originator.map { ($0.aeTitle, $0.messageID) })
        var offset = object.dataSetOffset
        let count = object.length - offset
        // Fragments are of even length (PS3.8 Section 9.3.5.1); an object that was received with an odd one gets a zero.
        let padding = count & 1
        var sent: Int64 = 0
        defer { octets += sent }
        do {
            try association.send(request, on: context.id, dataSetLength: Int(count + padding)) { most in
                let piece = paced(most)
                sent += Int64(piece)
                guard offset < object.length else { return [0] }
                var bytes = try object.read(from: offset, count: min(piece, Int(object.length - offset)))
                offset += Int64(bytes.count)
                if padding == 1, offset == object.length, bytes.count < piece { bytes.append(0) }
                return bytes
            }
        } catch let failure as NetworkError {
            throw failure
        } catch {
            throw .failed("reading the instance failed halfway")
        }
        let response = try association.response(to: messageID, cancelling: cancelling, cancelled: &cancelled)
        return .answered(response.command.status, comment: response.command.errorComment)
    }

    /// How many octets may go now; waits for them on the calling thread.
    private func paced(_ most: Int) -> Int {
        guard let pace else { return most }
        let piece = pace.isLimited ? min(most, Self.pacedPiece) : most
        var wait = pace.take(piece)
        // In slices, so that whoever ends the association need not wait for the rest of a long one.
        while wait > .zero, !association.hasIncoming {
            let slice = min(wait, .milliseconds(200))
            Thread.sleep(forTimeInterval: slice / .seconds(1))
            wait -= slice
        }
        return piece
    }
}
