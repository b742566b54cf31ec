// Frames of an instance: straight from the volume where they are accepted as they lie, else transcoded
// (PS3.18 Sections 10.4.1.1.6 and 8.7.3.3).

import Catalog
import DICOMCore
import DICOMImaging
import Hummingbird
import NIOCore
import Retrieval
import Web

struct FramesAnswer: Sendable {
    private let call: RetrieveCall

    init(_ call: RetrieveCall) { self.call = call }

    /// Frames of one request; a viewer asks for one at a time.
    private static let most = 4096

    /// The frame numbers of a path such as `1,2,7`.
    static func numbers(_ text: String) throws(Problem) -> [Int] {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        guard words.count <= most else { throw Problem(.badRequest, "At most \(most) frames at once.") }
        var numbers: [Int] = []
        for word in words {
            guard word.utf8.count <= 9, word.utf8.allSatisfy({ ($0 &- 0x30) < 10 }), let number = Int(word), number > 0
            else { throw Problem(.badRequest, "The frame list is numbers from 1, separated by commas.") }
            numbers.append(number)
        }
        return numbers
    }

    /// Everything that blocks is done on one thread in one go: this is the request that viewers send most.
    func response() async throws -> Response {
        let call = call
        let numbers = try Self.numbers(call.context.parameters.get("frames") ?? "")
        let step = try await call.services.work.run {
            let instance = try call.findInstance()
            do throws(RetrievalFailure) {
                return try Self.answer(call, instance, numbers)
            } catch { throw Problem.logged(error, call.services) }
        }
        switch step {
        case .answer(let response): return response
        case .imaging(let body): return try await call.run(on: call.services.imaging, body)
        }
    }

    /// An answer, or what a codec has to do for it.
    private enum Step: Sendable {
        case answer(Response)
        case imaging(@Sendable () throws(RetrievalFailure) -> Response)
    }

    private static func answer(
        _ call: RetrieveCall, _ instance: StoredInstance, _ numbers: [Int]
    ) throws(RetrievalFailure) -> Step {
        let retrieval = call.services.retrieval
        let table: FrameTable
        do throws(RetrievalFailure) { table = try retrieval.frames(of: instance) } catch .notConvertible {
            return .answer(call.refusal(Problem(.notFound, "This instance has no frames.")))
        }
        guard numbers.allSatisfy({ $0 <= table.count }) else {
            return .answer(call.refusal(Problem(.notFound, "This instance has \(table.count) frames.")))
        }
        let stored = try retrieval.pixelSyntax(of: instance)
        var negotiation = Negotiation(.frames)
        negotiation.stored = stored.uid
        negotiation.isOne = numbers.count == 1
        negotiation.codecs = .frames
        negotiation.compact = call.services.compactFrames
        guard let chosen = negotiation.choose(call.accepted), let syntax = chosen.transferSyntax else {
            return .answer(call.refusal(.notAcceptable(.frames)))
        }
        let list = numbers.map { String($0) }.joined(separator: ",")
        let tag = EntityTag(
            "f-"
                + Digest.hexadecimal(
                    "\(Digest.hexadecimal(instance.digest)) \(list) \(syntax) \(chosen.mediaType) \(chosen.packaging)",
                    count: 12))
        if let answer = call.conditional(tag) { return .answer(answer) }
        let type = "\(chosen.mediaType); transfer-syntax=\(syntax)"
        let isDirect = syntax == stored.uid && table.isDirect
        var sources: [ByteSource] = []
        for number in numbers {
            if isDirect, let ranges = table.wholeRanges(of: number) {
                sources.append(ByteSource(retrieval.stored(instance), ranges))
            } else if numbers.count == 1 {
                return .imaging { () throws(RetrievalFailure) in
                    let frame = try retrieval.frame(number, of: instance, as: TransferSyntax(syntax))
                    return try whole(call, [ByteSource(ByteBuffer(bytes: frame))], type, chosen, tag)
                }
            } else {
                return .answer(made(call, instance, numbers, type, chosen, tag))
            }
        }
        return .answer(try whole(call, sources, type, chosen, tag))
    }

    /// Frames whose length is known.
    private static func whole(
        _ call: RetrieveCall, _ sources: [ByteSource], _ type: String, _ chosen: Representation, _ tag: EntityTag
    ) throws(RetrievalFailure) -> Response {
        if chosen.packaging == .single, let source = sources.first {
            return call.ranged(source, contentType: type, tag: tag)
        }
        let answer = MultipartAnswer(
            type: chosen.mediaType, seed: tag.opaque, parts: sources.map { MultipartPart($0, contentType: type) })
        var fields = AnswerHeaders.fields(answer.contentType, tag)
        if let buffer = try answer.buffer() {
            return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: buffer))
        }
        fields[.contentType] = nil
        return answer.response(fields: fields, call: call)
    }

    /// Several frames that are made one after the other while the answer is sent.
    private static func made(
        _ call: RetrieveCall, _ instance: StoredInstance, _ numbers: [Int], _ type: String, _ chosen: Representation,
        _ tag: EntityTag
    ) -> Response {
        let (services, syntax) = (call.services, TransferSyntax(chosen.transferSyntax ?? ""))
        let parts = numbers.map { number in
            MultipartPart(
                contentType: type, length: nil,
                body: .made {
                    let frame = try services.retrieval.frame(number, of: instance, as: syntax)
                    return (ByteSource(ByteBuffer(bytes: frame)), type)
                })
        }
        return MultipartAnswer(type: chosen.mediaType, seed: tag.opaque, parts: parts)
            .response(fields: AnswerHeaders.fields("", tag), call: call)
    }
}

extension FrameTable {
    /// Where a frame lies when it is whole bytes; nil where frames share bytes.
    fileprivate func wholeRanges(of frame: Int) -> [Range<Int64>]? {
        guard let ranges = ranges(of: frame) else { return nil }
        if isEncapsulated { return ranges }
        // Bits of the next frame stand in the last byte when a frame does not end at one.
        let next = frame < count ? bitOffset(of: frame + 1) : count > 1 ? bitOffset(of: 2) : 0
        return bitOffset(of: frame) == 0 && next == 0 ? ranges : nil
    }
}

extension FrameCodecs {
    /// For objects: without loss only, because an object that lost something is another object (PS3.3 Section C.7.6.1.1.5).
    static let objects = FrameCodecs(
        decodable: Set(CodecTable.entries.filter(\.decodes).map(\.transferSyntax.uid)),
        encodable: Set(CodecTable.entries.filter { $0.encodes && $0.isLossless }.map(\.transferSyntax.uid)))

    /// For frames: also JPEG with loss, for whoever names it.
    static let frames = FrameCodecs(
        decodable: objects.decodable, encodable: Set(CodecTable.entries.filter(\.encodes).map(\.transferSyntax.uid)))
}
