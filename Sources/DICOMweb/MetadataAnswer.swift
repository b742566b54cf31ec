// Metadata of studies, series and instances: JSON from what is kept, XML from the headers (PS3.18 Section 10.4.1.1.2).

import Catalog
import DICOMCore
import Hummingbird
import NIOCore
import Retrieval
import Web

struct MetadataAnswer: Sendable {
    private let call: RetrieveCall

    init(_ call: RetrieveCall) { self.call = call }

    /// Studies of more instances are sent series by series, so that memory stays flat.
    private static let mostAtOnce = 20_000

    func response() async throws -> Response {
        var negotiation = Negotiation(.metadata)
        negotiation.isOne = call.instance != nil
        guard let chosen = negotiation.choose(call.accepted) else { throw Problem.notAcceptable(.metadata) }
        if chosen.mediaType == "application/dicom+xml" { return try await xml(chosen.packaging) }
        guard !call.wantsOriginal else {
            throw Problem(.badRequest, "Original values come as objects, or as application/dicom+xml.")
        }

        let (source, study, series) = (call.services.metadata, call.study, call.series)
        let states = try await call.run { () throws(RetrievalFailure) in
            try source.states(study: study, series: series)
        }
        guard !states.isEmpty else { throw Problem.absent }
        let isGzip = ContentCoding.acceptsGzip(call.request.headers)
        let validator = SeriesMetadata.validator(
            states.map(\.fingerprint) + (call.instance.map { [$0] } ?? []), root: source.root)
        let tag = EntityTag("m-\(validator)\(isGzip ? "-gzip" : "")")
        var fields = AnswerHeaders.fields(chosen.mediaType, tag)
        if isGzip { fields[.contentEncoding] = "gzip" }
        if call.instance != nil { return try await ofInstance(fields, tag, isGzip: isGzip) }
        if let answer = call.conditional(tag) { return answer }
        if states.reduce(0, { $0 + $1.instances }) > Self.mostAtOnce {
            fields[.contentEncoding] = nil
            fields[.eTag] = nil
            return seriesBySeries(states, fields)
        }
        let bytes = try await call.run { () throws(RetrievalFailure) in
            let found = try source.metadata(study: study, series: series)
            return ByteBuffer(bytes: isGzip ? SeriesMetadata.gzip(found) : SeriesMetadata.array(found))
        }
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: bytes))
    }

    private func ofInstance(_ fields: HTTPFields, _ tag: EntityTag, isGzip: Bool) async throws -> Response {
        let (source, study, series) = (call.services.metadata, call.study, call.series)
        let instance = call.instance ?? ""
        let bytes: ByteBuffer = try await call.run { () throws(RetrievalFailure) in
            guard let object = try source.metadata(study: study, series: series).first?.object(of: instance) else {
                throw .absent
            }
            let array = [0x5B] + object + [0x5D]
            return ByteBuffer(bytes: isGzip ? GzipWriter.file(array[...]) : array)
        }
        return call.conditional(tag) ?? Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: bytes))
    }

    private func seriesBySeries(_ states: [SeriesState], _ fields: HTTPFields) -> Response {
        let (source, study, work) = (call.services.metadata, call.study, call.services.work)
        return Response(
            status: .ok, headers: fields,
            body: ResponseBody { writer in
                try await writer.write(ByteBuffer(string: "["))
                var isFirst = true
                for state in states {
                    let opening = isFirst ? "" : ","
                    let buffer = try await work.run {
                        let found = try? source.metadata(study: study, series: state.seriesInstanceUID)
                        var buffer = ByteBuffer()
                        // A series that has left meanwhile is passed over.
                        for one in found ?? [] {
                            buffer.writeString(opening)
                            buffer.writeBytes(one.objects)
                        }
                        return buffer
                    }
                    if buffer.readableBytes > 0 {
                        try await writer.write(buffer)
                        isFirst = false
                    }
                }
                try await writer.write(ByteBuffer(string: "]"))
                try await writer.finish(nil)
            })
    }

    // MARK: XML

    private func xml(_ packaging: Packaging) async throws -> Response {
        let instances = try await call.instances()
        let digests = instances.map { Digest.hexadecimal($0) }.joined(separator: "\n")
        let tag = EntityTag("x-" + Digest.hexadecimal(call.services.metadata.root + digests, count: 12))
        if let answer = call.conditional(tag) { return answer }
        let services = call.services
        if packaging == .single, let instance = instances.first {
            let bytes = try await call.run { () throws(RetrievalFailure) in try Self.document(instance, services) }
            return Response(
                status: .ok, headers: AnswerHeaders.fields("application/dicom+xml", tag),
                body: ResponseBody(byteBuffer: bytes))
        }
        let parts = instances.map { instance in
            MultipartPart(
                contentType: "application/dicom+xml", length: nil,
                body: .made { (ByteSource(try Self.document(instance, services)), "application/dicom+xml") })
        }
        return MultipartAnswer(type: "application/dicom+xml", seed: tag.opaque, parts: parts)
            .response(fields: AnswerHeaders.fields("", tag), call: call)
    }

    private static func document(
        _ instance: StoredInstance, _ services: DICOMwebServices
    ) throws(RetrievalFailure) -> ByteBuffer {
        var guess = 64 << 10
        let header = try services.retrieval.outgoingHeader(of: instance, guess: &guess)
        let policy = services.metadata.bulkDataPolicy(of: instance)
        return ByteBuffer(
            bytes: DICOMXMLWriter.document(header.dataSet, pixelData: header.pixelData, policy: policy))
    }
}
