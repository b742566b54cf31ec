// Rendered resources and thumbnails: pictures, video and documents that need no DICOM (PS3.18 Sections 10.4.1.1.3, 8.7.4).

import Catalog
import DICOMCore
import DICOMImaging
import Hummingbird
import NIOCore
import Retrieval
import Web

struct RenderedAnswer: Sendable {
    let call: RetrieveCall
    let parameters: RenderedParameters
    let isThumbnail: Bool

    init(_ call: RetrieveCall, isThumbnail: Bool) throws(Problem) {
        self.call = call
        self.isThumbnail = isThumbnail
        parameters = try RenderedParameters(call.request.uri.queryParameters, isThumbnail: isThumbnail)
    }

    init(_ call: RetrieveCall, _ parameters: RenderedParameters) {
        self.call = call
        self.parameters = parameters
        isThumbnail = false
    }

    /// Encapsulated PDF (PS3.4 Section B.5).
    private static let encapsulatedPDF = "1.2.840.10008.5.1.4.1.1.104.1"

    /// - Parameter frames: the frame numbers of the path, nil for a resource that has none.
    func response(frames: [Int]? = nil) async throws -> Response {
        guard call.instance != nil else {
            return isThumbnail ? try await representative() : try await allImages()
        }
        let instance = try await call.oneInstance()
        if frames == nil, !isThumbnail {
            if CodecTable.isVideo(instance.transferSyntaxUID) { return try await video(instance) }
            if instance.sopClassUID == Self.encapsulatedPDF { return try await document(instance) }
        }
        let isMoving = frames == nil && instance.numberOfFrames > 1
        let category: ResourceCategory = isThumbnail ? .thumbnail : isMoving ? .renderedFrames : .renderedImage
        var negotiation = Negotiation(category)
        negotiation.isOne = (frames?.count ?? 1) == 1
        guard let chosen = negotiation.choose(call.accepted) else { throw Problem.notAcceptable(category) }
        let pictures = (frames ?? [0]).map { Picture(instance: instance, frame: $0 == 0 ? nil : $0) }
        return try await answer(pictures, chosen)
    }

    /// One picture to be made; no frame is the first, or the one in the middle for a thumbnail.
    private struct Picture: Sendable {
        let instance: StoredInstance
        let frame: Int?
    }

    private func answer(_ pictures: [Picture], _ chosen: Representation) async throws -> Response {
        var request = parameters.request
        switch chosen.mediaType {
        case "image/png":
            let wantsAll = call.accepted.contains { $0.mediaType == "image/png" && $0.bits == 16 }
            request.format = wantsAll ? .png16 : .png
        case "image/gif": request.format = .gif
        default: request.format = .jpeg
        }
        let what = pictures.map { Digest.hexadecimal($0.instance) + "/\($0.frame ?? 0)" }.joined(separator: ",")
        let how = "\(request) \(parameters.annotation.sorted()) \(chosen.mediaType) \(chosen.packaging) \(isThumbnail)"
        let tag = EntityTag("r-" + Digest.hexadecimal(what + how, count: 12))
        if let answer = call.conditional(tag) { return answer }
        if chosen.packaging == .single, let picture = pictures.first {
            let (answer, request) = (self, request)
            let image = try await call.run(on: call.services.imaging) { () throws(RetrievalFailure) in
                try answer.make(picture, request)
            }
            return call.ranged(ByteSource(ByteBuffer(bytes: image.bytes)), contentType: image.mediaType, tag: tag)
        }
        let (answer, asked) = (self, request)
        let parts = pictures.map { picture in
            MultipartPart(
                contentType: chosen.mediaType, length: nil,
                body: .made {
                    let image = try answer.make(picture, asked)
                    return (ByteSource(ByteBuffer(bytes: image.bytes)), image.mediaType)
                })
        }
        return MultipartAnswer(type: chosen.mediaType, seed: tag.opaque, parts: parts)
            .response(fields: AnswerHeaders.fields("", tag), call: call)
    }

    private func make(_ picture: Picture, _ request: RenderingRequest) throws(RetrievalFailure) -> RenderedImage {
        let (retrieval, instance) = (call.services.retrieval, picture.instance)
        var (request, frame) = (request, picture.frame)
        if !parameters.annotation.isEmpty {
            request.annotation = RenderedParameters.lines(
                parameters.annotation, try retrieval.header(of: instance))
        }
        if frame == nil, isThumbnail { frame = max(1, try retrieval.frames(of: instance).count / 2) }
        return try retrieval.rendered(frame, of: instance, request)
    }

    // MARK: Studies and series

    /// Instances that are looked at for one that has a picture.
    private static let mostTried = 12

    /// The thumbnail of a study or series: of the instance in the middle, or of the nearest that has a picture.
    private func representative() async throws -> Response {
        let instances = try await call.instances()
        guard let chosen = Negotiation(.thumbnail).choose(call.accepted) else {
            throw Problem.notAcceptable(.thumbnail)
        }
        let middle = instances.count / 2
        let order = instances.indices.sorted { abs($0 - middle) < abs($1 - middle) }
        let retrieval = call.services.retrieval
        let tried = order.prefix(Self.mostTried).map { instances[$0] }
        let found = try await call.run(on: call.services.imaging) { () throws(RetrievalFailure) in
            tried.first { (try? retrieval.frames(of: $0)) != nil && !CodecTable.isVideo($0.transferSyntaxUID) }
        }
        guard let found else { throw Problem(.notFound, "There is no picture here.") }
        return try await answer([Picture(instance: found, frame: nil)], chosen)
    }

    /// Every image of a study or series, in parts.
    private func allImages() async throws -> Response {
        let instances = try await call.instances()
        let retrieval = call.services.retrieval
        let images = try await call.run(on: call.services.imaging) { () throws(RetrievalFailure) in
            instances.filter { !CodecTable.isVideo($0.transferSyntaxUID) && (try? retrieval.frames(of: $0)) != nil }
        }
        guard !images.isEmpty else { throw Problem(.notFound, "There is no picture here.") }
        var negotiation = Negotiation(.renderedImage)
        negotiation.isOne = images.count == 1
        guard let chosen = negotiation.choose(call.accepted) else { throw Problem.notAcceptable(.renderedImage) }
        return try await answer(images.map { Picture(instance: $0, frame: nil) }, chosen)
    }

    // MARK: What is no picture

    /// The stream as it is stored, where a browser can play it: MPEG-4 in a file of its own kind.
    private func video(_ instance: StoredInstance) async throws -> Response {
        guard let chosen = Negotiation(.renderedVideo).choose(call.accepted) else {
            throw Problem.notAcceptable(.renderedVideo)
        }
        let retrieval = call.services.retrieval
        let source = try await call.run { () throws(RetrievalFailure) -> ByteSource? in
            guard let ranges = try retrieval.frames(of: instance).ranges(of: 1) else { throw .absent }
            let source = ByteSource(retrieval.stored(instance), ranges)
            var start = ByteBuffer()
            if source.length >= 12 { try source.append(0..<12, &start) }
            // ISO/IEC 14496-12 Section 4.3: a file begins with its type.
            return start.getString(at: 4, length: 4) == "ftyp" ? source : nil
        }
        guard let source else {
            throw Problem(
                .notAcceptable,
                "This video is stored as a bare stream that browsers do not play. "
                    + "Its bytes come from frames/1 with transfer-syntax=*.")
        }
        let tag = EntityTag("v-" + Digest.hexadecimal(instance.digest))
        return finish(source, chosen, tag)
    }

    /// The document inside an Encapsulated PDF (PS3.3 Section C.24.2).
    private func document(_ instance: StoredInstance) async throws -> Response {
        guard let chosen = Negotiation(.renderedDocument).choose(call.accepted) else {
            throw Problem.notAcceptable(.renderedDocument)
        }
        let retrieval = call.services.retrieval
        let source = try await call.run { () throws(RetrievalFailure) in
            var guess = 1 << 20
            let dataSet = try retrieval.wholeHeader(of: instance, guess: &guess).dataSet
            guard let element = dataSet[Tag(0x0042, 0x0011)] else { throw .unreadable(reason: "no document") }
            let bytes = dataSet.rawValue(element)
            // The length of the document, without the byte that pads the value.
            let length = dataSet.int(Tag(0x0042, 0x0015)).map { max(0, min($0, bytes.count)) } ?? bytes.count
            return ByteSource(ByteBuffer(bytes: bytes.prefix(length)))
        }
        return finish(source, chosen, EntityTag("d-" + Digest.hexadecimal(instance.digest)))
    }

    private func finish(_ source: ByteSource, _ chosen: Representation, _ tag: EntityTag) -> Response {
        if chosen.packaging == .single { return call.ranged(source, contentType: chosen.mediaType, tag: tag) }
        let part = MultipartPart(source, contentType: chosen.mediaType)
        return MultipartAnswer(type: chosen.mediaType, seed: tag.opaque, parts: [part])
            .response(fields: AnswerHeaders.fields("", nil), call: call)
    }
}
