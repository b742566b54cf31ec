// Values that metadata leaves out: by their address, or all of an instance (PS3.18 Sections 10.4.1.1.5 and 8.7.3.3).

import Catalog
import DICOMCore
import Hummingbird
import NIOCore
import Retrieval
import Web

struct BulkDataAnswer: Sendable {
    private let call: RetrieveCall

    init(_ call: RetrieveCall) { self.call = call }

    /// One value.
    func value(at parts: [Substring]) async throws -> Response {
        guard let path = BulkDataPath(parts) else { throw Problem.absent }
        let instance = try await call.oneInstance()
        let services = call.services
        let value = try await call.run(on: services.imaging) { () throws(RetrievalFailure) in
            try Self.value(at: path, of: instance, services)
        }
        var negotiation = Negotiation(.bulkData)
        negotiation.ownMediaType = value.ownMediaType
        guard let chosen = negotiation.choose(call.accepted) else { throw Problem.notAcceptable(.bulkData) }
        let tag = EntityTag(
            "b-"
                + Digest.hexadecimal(
                    Digest.hexadecimal(instance) + parts.joined(separator: "/") + chosen.mediaType
                        + "\(chosen.packaging)", count: 12))
        if chosen.packaging == .single {
            return call.ranged(value.source, contentType: chosen.mediaType, tag: tag)
        }
        return multipart(value.source, chosen.mediaType, tag)
    }

    /// The value in one part. A range is one of the value, as clients of this resource mean it.
    private func multipart(_ source: ByteSource, _ mediaType: String, _ tag: EntityTag) -> Response {
        if let answer = call.conditional(tag) { return answer }
        var fields = AnswerHeaders.fields("", tag)
        var part = MultipartPart(source, contentType: mediaType)
        var status = HTTPResponse.Status.ok
        switch ByteRanges(call.request.headers[.range], length: source.length) {
        case .unsatisfiable:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(source.length)"])
        case .parts(let ranges) where ranges.count == 1:
            let range = "bytes \(ranges[0].lowerBound)-\(ranges[0].upperBound - 1)/\(source.length)"
            part = MultipartPart(
                contentType: mediaType, fields: ["Content-Range: \(range)"], length: Int64(ranges[0].count),
                body: .range(source, ranges[0]))
            status = .partialContent
            fields[.eTag] = nil
        case .parts, .whole: break
        }
        return MultipartAnswer(type: mediaType, seed: tag.opaque, parts: [part])
            .response(status: status, fields: fields, call: call)
    }

    /// Every value of the instances in the path that metadata gives by its address.
    func all() async throws -> Response {
        let instances = try await call.instances()
        var negotiation = Negotiation(.bulkData)
        negotiation.isOne = false
        guard let chosen = negotiation.choose(call.accepted) else { throw Problem.notAcceptable(.bulkData) }
        var parts: [MultipartPart] = []
        let services = call.services
        for instance in instances {
            let paths = try await call.run { () throws(RetrievalFailure) in try Self.paths(of: instance, services) }
            let address = services.metadata.bulkDataAddress(of: instance)
            parts += paths.map { path in
                MultipartPart(
                    contentType: chosen.mediaType, fields: ["Content-Location: \(address)\(path.description)"],
                    length: nil,
                    body: .made {
                        (try Self.value(at: path, of: instance, services).source, chosen.mediaType)
                    })
            }
        }
        guard !parts.isEmpty else { throw Problem(.notFound, "There is no bulk data here.") }
        let seed = instances.map { Digest.hexadecimal($0) }.joined()
        return MultipartAnswer(type: chosen.mediaType, seed: seed, parts: parts)
            .response(fields: AnswerHeaders.fields("", nil), call: call)
    }

    private struct Value: Sendable {
        let source: ByteSource
        let ownMediaType: String?
    }

    private static func paths(
        of instance: StoredInstance, _ services: DICOMwebServices
    ) throws(RetrievalFailure) -> [BulkDataPath] {
        var guess = 64 << 10
        let header = try services.retrieval.outgoingHeader(of: instance, guess: &guess)
        let pixels = header.pixelData.map { [BulkDataPath($0.tag)] } ?? []
        return header.dataSet.bulkDataPaths(services.metadata.bulkDataPolicy(of: instance)) + pixels
    }

    private static func value(
        at path: BulkDataPath, of instance: StoredInstance, _ services: DICOMwebServices
    ) throws(RetrievalFailure) -> Value {
        var guess = 64 << 10
        let header = try services.retrieval.wholeHeader(of: instance, guess: &guess)
        if path.steps.isEmpty, let pixels = header.pixelData, pixels.tag == path.tag {
            return Value(source: try pixelData(pixels, header, instance, services), ownMediaType: nil)
        }
        let dataSet = try shown(header, at: path, of: instance, services)
        guard let (element, holder) = dataSet.element(at: path), element.vr != .SQ else { throw .absent }
        var type: String?
        if path.tag == Tag(0x0042, 0x0011) {
            type = holder.string(Tag(0x0042, 0x0012)).map { $0.lowercased() }.flatMap(Self.knownType)
        }
        return Value(
            source: ByteSource(ByteBuffer(bytes: holder.littleEndian(element))), ownMediaType: type)
    }

    /// The data set that a value is taken from: of a corrected study the one that goes out, and of that only what metadata
    /// gives by its address; what stood there before is the original's.
    private static func shown(
        _ header: Header, at path: BulkDataPath, of instance: StoredInstance, _ services: DICOMwebServices
    ) throws(RetrievalFailure) -> DataSet {
        guard instance.correction != nil else { return header.dataSet }
        var guess = 64 << 10
        let dataSet = try services.retrieval.outgoingHeader(of: instance, guess: &guess).dataSet
        let paths = dataSet.bulkDataPaths(services.metadata.bulkDataPolicy(of: instance))
        guard paths.contains(path) else { throw .absent }
        return dataSet
    }

    /// A media type from a data set goes into a header field: only those of the standard do (PS3.3 Section A.45).
    private static func knownType(_ text: String) -> String? {
        [
            "application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl", "application/json", "image/jpeg",
            "image/png", "video/mp4",
        ].first { $0 == text }
    }

    /// The pixels of the object, one frame after the other: as they lie there, in little endian.
    private static func pixelData(
        _ pixels: PixelData, _ header: Header, _ instance: StoredInstance, _ services: DICOMwebServices
    ) throws(RetrievalFailure) -> ByteSource {
        let syntax = TransferSyntax(instance.transferSyntaxUID)
        let object = services.retrieval.stored(instance)
        if syntax.isDeflated || syntax.isBigEndian {
            let plain = TransferSyntax.explicitVRLittleEndian
            let converted = try services.retrieval.converted(instance, to: plain.uid)
            return ByteSource(converted, try converted.pixelData())
        }
        let start = Int64(pixels.valueOffset)
        let end = min(pixels.length.map { start + Int64($0) } ?? object.length, object.length)
        return ByteSource(object, start..<max(start, end))
    }
}
