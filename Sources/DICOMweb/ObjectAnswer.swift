// Studies, series and instances as DICOM objects: in parts, as one file, or as a zip file (PS3.18 Section 10.4.1.1.1).

import Catalog
import DICOMCore
import Hummingbird
import Logging
import Retrieval
import Web

struct ObjectAnswer: Sendable {
    private let call: RetrieveCall

    init(_ call: RetrieveCall) { self.call = call }

    /// An instance and the transfer syntax in which it goes out.
    struct Outgoing: Sendable {
        let instance: StoredInstance
        let transferSyntax: String

        /// Of a corrected study: with the header that it goes out with.
        var corrected: StoredObject?

        var isStored: Bool { instance.transferSyntaxUID == transferSyntax }
    }

    func response() async throws -> Response {
        let instances = try await call.instances()
        let (outer, negotiated) = try negotiated(instances)
        let outgoing = try await corrected(negotiated)
        let tag = EntityTag(
            "o-"
                + Digest.hexadecimal(
                    outgoing.map { Digest.hexadecimal($0.instance) + $0.transferSyntax }.joined(separator: "\n")
                        + outer.mediaType, count: 12))
        if let answer = call.conditional(tag) { return answer }
        if outer.mediaType == "application/zip" { return zip(outgoing, tag) }
        if outer.packaging == .single, let one = outgoing.first { return try await single(one, tag) }
        let answer = MultipartAnswer(type: "application/dicom", seed: tag.opaque, parts: outgoing.map(part))
        var fields = AnswerHeaders.fields("", tag)
        let missing = instances.count - outgoing.count
        if missing > 0, let warning = HTTPFields.Element.Name("Warning") {
            let uncorrected = negotiated.count - outgoing.count
            let reasons = [
                (missing - uncorrected, "have no form that is accepted"), (uncorrected, "cannot be corrected"),
            ]
            let text = reasons.filter { $0.0 > 0 }.map { "\($0.0) instances \($0.1)" }.joined(separator: ", ")
            fields[warning] = "299 phim \"\(text)\""
        }
        return answer.response(status: missing > 0 ? .partialContent : .ok, fields: fields, call: call)
    }

    /// How each instance goes out; those that have no acceptable form are left out (PS3.18 Table 10.4.3-1, 206).
    private func negotiated(
        _ instances: [StoredInstance]
    ) throws(Problem) -> (outer: Representation, [Outgoing]) {
        var negotiation = Negotiation(.objects)
        negotiation.isOne = instances.count == 1
        negotiation.codecs = .objects
        var known: [String: Representation?] = [:]
        var outgoing: [Outgoing] = []
        for instance in instances {
            let stored = instance.transferSyntaxUID
            if known[stored] == nil {
                negotiation.stored = stored
                let chosen = negotiation.choose(call.accepted)
                negotiation.outer = negotiation.outer ?? chosen
                known[stored] = .some(chosen)
            }
            guard let chosen = known[stored] ?? nil else { continue }
            outgoing.append(Outgoing(instance: instance, transferSyntax: chosen.transferSyntax ?? stored))
        }
        guard let outer = negotiation.outer else { throw .notAcceptable(.objects) }
        return (outer, outgoing)
    }

    /// Corrects the headers of a corrected study before the answer begins, for then it can still be said that an object
    /// cannot go out. Beyond `mostAtOnce` objects that is found out on the way, and the answer breaks off. Of the headers as
    /// many are kept as `mostOctets` hold; the others are made again when their turn comes.
    private func corrected(_ outgoing: [Outgoing]) async throws -> [Outgoing] {
        guard outgoing.count <= Self.mostAtOnce, outgoing.contains(where: { $0.instance.correction != nil }) else {
            return outgoing
        }
        let (retrieval, logger) = (call.services.retrieval, call.services.logger)
        let corrected = try await call.run(on: call.services.imaging) { () throws(RetrievalFailure) in
            var failure: RetrievalFailure?
            var found: [Outgoing] = []
            var held = 0
            for var one in outgoing {
                do throws(RetrievalFailure) {
                    if one.isStored {
                        let object = try retrieval.outgoing(one.instance)
                        if held + object.octetsHeld <= Self.mostOctets {
                            one.corrected = object
                            held += object.octetsHeld
                        }
                    }
                    found.append(one)
                } catch {
                    logger.error("an object does not go out", metadata: ["failure": "\(error)"])
                    failure = error
                }
            }
            if let failure, found.isEmpty { throw failure }
            return found
        }
        return corrected
    }

    private static let mostAtOnce = 4_000
    private static let mostOctets = 32 << 20

    private static func type(_ transferSyntax: String) -> String {
        "application/dicom; transfer-syntax=\(transferSyntax)"
    }

    private func single(_ outgoing: Outgoing, _ tag: EntityTag) async throws -> Response {
        let (retrieval, instance, syntax) = (call.services.retrieval, outgoing.instance, outgoing.transferSyntax)
        let source: ByteSource
        if outgoing.isStored, let ready = outgoing.corrected {
            source = ByteSource(ready)
        } else if outgoing.isStored, instance.correction == nil {
            source = ByteSource(retrieval.stored(instance))
        } else {
            source = try await call.run(on: call.services.imaging) { () throws(RetrievalFailure) in
                if outgoing.isStored { return ByteSource(try retrieval.outgoing(instance)) }
                return ByteSource(try retrieval.converted(instance, to: syntax))
            }
        }
        return call.ranged(
            source, contentType: Self.type(syntax), tag: tag, name: "\(instance.sopInstanceUID).dcm")
    }

    private func part(_ outgoing: Outgoing) -> MultipartPart {
        let (services, instance, syntax) = (call.services, outgoing.instance, outgoing.transferSyntax)
        if outgoing.isStored, let object = outgoing.corrected {
            return MultipartPart(ByteSource(object), contentType: Self.type(syntax))
        }
        if outgoing.isStored, instance.correction == nil {
            return MultipartPart(ByteSource(services.retrieval.stored(instance)), contentType: Self.type(syntax))
        }
        return MultipartPart(
            contentType: Self.type(syntax), length: nil,
            body: .made {
                do throws(RetrievalFailure) {
                    if outgoing.isStored {
                        return (ByteSource(try services.retrieval.outgoing(instance)), Self.type(syntax))
                    }
                    return (ByteSource(try services.retrieval.converted(instance, to: syntax)), Self.type(syntax))
                } catch {
                    // The answer is on its way: the object as it is stored is better than a study without it.
                    services.logger.warning("an instance goes out as it is stored", metadata: ["failure": "\(error)"])
                    let stored = instance.transferSyntaxUID
                    return (ByteSource(try services.retrieval.outgoing(instance)), Self.type(stored))
                }
            })
    }

    private func zip(_ outgoing: [Outgoing], _ tag: EntityTag) -> Response {
        let parts = outgoing.map { outgoing in
            let instance = outgoing.instance
            return ZipAnswer.Entry(
                name: "\(instance.studyInstanceUID)/\(instance.seriesInstanceUID)/\(instance.sopInstanceUID).dcm",
                receivedAt: instance.receivedAt, part: part(outgoing))
        }
        return ZipAnswer(entries: parts).response(
            fields: AnswerHeaders.fields("application/zip", tag), name: "\(call.instance ?? call.series ?? call.study)",
            call: call)
    }
}
