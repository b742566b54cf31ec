// One C-STORE sub-operation: stored bytes where the peer accepts their syntax, otherwise decompressed; their header as it
// is true now.

import Catalog
import DICOMCore
import DICOMNetwork
import Retrieval

/// What became of one sub-operation.
package enum SubOperationResult: Equatable, Sendable {
    case completed, warning
    case failed(String)
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
    let retrieval: InstanceRetrieval
    let originator: MoveOriginator?
    /// C-GET: the operation that a C-CANCEL on this association may stop.
    let cancelling: UInt16?

    /// Syntaxes that any object can be turned into, most wanted first.
    static let fallbackSyntaxes: [TransferSyntax] = [
        .explicitVRLittleEndian, .implicitVRLittleEndian, .explicitVRBigEndian,
    ]

    /// - Throws: when the association itself is lost; what concerns this instance alone is in the result.
    func send(_ instance: StoredInstance, cancelled: inout Bool) throws(NetworkError) -> SubOperationResult {
        let own = contexts.filter { $0.abstractSyntax == instance.sopClassUID }
        guard !own.isEmpty else { return .failed("SOP class \(instance.sopClassUID) not accepted") }
        let source: DataSetSource
        do throws(RetrievalFailure) {
            source = try self.source(instance, own)
        } catch {
            return .failed(error.comment)
        }
        return try transmit(instance, source, &cancelled)
    }

    /// A data set to send and the context to send it in.
    private struct DataSetSource {
        let context: NegotiatedContext
        let offset: Int64
        let length: Int64
        let read: (Int64, Int) throws(RetrievalFailure) -> [UInt8]
    }

    private func source(
        _ instance: StoredInstance, _ own: [NegotiatedContext]
    ) throws(RetrievalFailure) -> DataSetSource {
        if let context = own.first(where: { $0.transferSyntax == instance.transferSyntaxUID }) {
            let object = try retrieval.outgoing(instance)
            // Read once before the first byte leaves: a failure halfway costs the association.
            _ = try object.read(from: Int64(instance.dataSetOffset), count: 1)
            return DataSetSource(context: context, offset: Int64(instance.dataSetOffset), length: object.length) {
                offset, count throws(RetrievalFailure) in try object.read(from: offset, count: count)
            }
        }
        for syntax in Self.fallbackSyntaxes {
            guard let context = own.first(where: { $0.transferSyntax == syntax.uid }) else { continue }
            let object = try retrieval.converted(instance, to: syntax.uid)
            return DataSetSource(context: context, offset: Int64(object.dataSetOffset), length: object.length) {
                offset, count throws(RetrievalFailure) in try object.read(from: offset, count: count)
            }
        }
        throw .notConvertible(from: instance.transferSyntaxUID, reason: "no uncompressed syntax accepted")
    }

    private func transmit(
        _ instance: StoredInstance, _ source: DataSetSource, _ cancelled: inout Bool
    ) throws(NetworkError) -> SubOperationResult {
        let messageID = association.nextMessageID()
        let request = CommandSet.storeRequest(
            messageID: messageID, sopClassUID: instance.sopClassUID, sopInstanceUID: instance.sopInstanceUID,
            moveOriginator: originator.map { ($0.aeTitle, $0.messageID) })
        var offset = source.offset
        // Fragments are of even length (PS3.8 Section 9.3.5.1); an object that was received with an odd one gets a zero.
        let padding = (source.length - source.offset) & 1
        do {
            try association.send(
                request, on: source.context.id, dataSetLength: Int(source.length - source.offset + padding)
            ) { most in
                guard offset < source.length else { return [0] }
                let bytes = try source.read(offset, most)
                offset += Int64(bytes.count)
                return bytes
            }
        } catch let failure as NetworkError {
            throw failure
        } catch {
            throw .failed("reading the instance failed halfway")
        }
        let response = try association.response(to: messageID, cancelling: cancelling, cancelled: &cancelled)
        let status = response.command.status
        switch status.category {
        case .success: return .completed
        case .warning: return .warning
        case .pending, .cancel, .failure: return .failed("peer answered \(status)")
        }
    }
}
