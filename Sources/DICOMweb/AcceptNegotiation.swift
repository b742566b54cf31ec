// From what a caller accepts to what it gets: a pure function over the table (PS3.18 Section 8.7.5).

import DICOMCore

/// What an answer is made of.
package struct Representation: Sendable, Hashable {
    /// Media type of the answer, or of its parts.
    package let mediaType: String
    package let packaging: Packaging
    /// The transfer syntax of what is sent; nil where there is none.
    package let transferSyntax: String?

    init(_ mediaType: String, _ packaging: Packaging, _ transferSyntax: String? = nil) {
        self.mediaType = mediaType
        self.packaging = packaging
        self.transferSyntax = transferSyntax
    }
}

/// What the codecs here can do.
package struct FrameCodecs: Sendable {
    /// Transfer syntaxes that can be read to uncompressed pixels.
    package let decodable: Set<String>
    /// Those that can be written without loss.
    package let encodable: Set<String>

    package init(decodable: Set<String>, encodable: Set<String>) {
        self.decodable = decodable
        self.encodable = encodable
    }
}

/// What is asked, beside what is accepted.
package struct Negotiation: Sendable {
    package let category: ResourceCategory
    /// The transfer syntax of the stored object.
    package var stored: String = TransferSyntax.explicitVRLittleEndian.uid
    /// Whether there is one thing to send; several need `multipart/related` or a zip file.
    package var isOne = true
    package var codecs = FrameCodecs(decodable: [], encodable: [])
    /// What native frames are sent as where the caller takes anything, for thin lines; nil sends them as they are.
    package var compact: String?
    /// The media type that a value of an attribute has by itself, such as that of an encapsulated document.
    package var ownMediaType: String?
    /// What the answer is made of already, because of other parts: only this media type and packaging count.
    var outer: Representation?

    static let explicitLittle = TransferSyntax.explicitVRLittleEndian.uid

    package init(_ category: ResourceCategory) { self.category = category }

    /// The best of what is accepted, nil when nothing is (406). Of alternatives of the same quality one that needs no
    /// transcoding wins, then the first.
    package func choose(_ accepted: [MediaRange]) -> Representation? {
        let refused = accepted.filter { $0.quality == 0 && $0.transferSyntax == nil && !$0.mediaType.hasSuffix("*") }
        var best: (quality: Int, cost: Int, representation: Representation)?
        for range in accepted where range.quality > 0 {
            for row in rows where !refused.contains(where: { $0.includes(row.mediaType) && $0.isMultipart != true }) {
                guard let (representation, cost) = answer(range, row) else { continue }
                if let best, (best.quality, -best.cost) >= (range.quality, -cost) { continue }
                best = (range.quality, cost, representation)
            }
        }
        return best?.representation
    }

    private var rows: [MediaRow] {
        var rows = MediaRow.table.filter { $0.category == category }
        if let outer { rows.removeAll { $0.mediaType != outer.mediaType } }
        if let ownMediaType { rows.insert(MediaRow(category, ownMediaType, [.single, .multipart]), at: 0) }
        return rows
    }

    /// What a line of the table gives under one alternative, and what it costs.
    private func answer(_ range: MediaRange, _ row: MediaRow) -> (Representation, cost: Int)? {
        var range = range
        range.mediaType = MediaRow.oldNames[range.mediaType] ?? range.mediaType
        guard range.includes(row.mediaType), range.charset.map({ ["utf-8", "utf8", "*"].contains($0) }) ?? true,
            let packaging = packaging(range, row), outer.map({ $0.packaging == packaging }) ?? true
        else { return nil }
        switch category {
        case .objects:
            guard let (syntax, cost) = objectSyntax(range.transferSyntax) else { return nil }
            return (Representation(row.mediaType, packaging, syntax), cost)
        case .frames:
            guard let (syntax, cost) = frameSyntax(range, row) else { return nil }
            return (Representation(row.mediaType, packaging, syntax), cost)
        default: return (Representation(row.mediaType, packaging), 0)
        }
    }

    private func packaging(_ range: MediaRange, _ row: MediaRow) -> Packaging? {
        switch range.isMultipart {
        case true: return row.packaging.contains(.multipart) ? .multipart : nil
        case false:
            // XML of one instance may stand alone; of several it needs parts, as everything but a zip file does.
            if row.category == .metadata, row.packaging == [.multipart] { return isOne ? .single : .multipart }
            if row.mediaType == "application/zip" || row.category == .metadata { return .single }
            return isOne && row.packaging.contains(.single) ? .single : nil
        default:
            switch row.category {
            // What every client expects of these resources when it says nothing (PS3.18 Section 10.4.4).
            case .objects, .frames: return row.packaging.contains(.multipart) ? .multipart : .single
            case .metadata: return row.packaging.contains(.single) ? .single : .multipart
            default: return isOne ? .single : .multipart
            }
        }
    }

    // MARK: Transfer syntaxes

    /// Explicit VR Little Endian is what a caller that says nothing gets (PS3.18 Section 8.7.3.2). An object that no
    /// codec here can bring into that form goes as it is stored: its bytes are better than none.
    private func objectSyntax(_ wanted: String?) -> (String, cost: Int)? {
        guard let wanted else {
            if stored == Self.explicitLittle { return (stored, 0) }
            return codecs.decodable.contains(stored) ? (Self.explicitLittle, 1) : (stored, 0)
        }
        if wanted == "*" || wanted == stored { return (stored, 0) }
        guard codecs.decodable.contains(stored), Self.uncompressed.contains(wanted) || codecs.encodable.contains(wanted)
        else { return nil }
        return (wanted, Self.uncompressed.contains(wanted) ? 1 : 2)
    }

    private static let uncompressed: Set<String> = [
        TransferSyntax.explicitVRLittleEndian.uid, TransferSyntax.implicitVRLittleEndian.uid,
    ]

    private var isNative: Bool { !TransferSyntax(stored).isEncapsulated }

    private func frameSyntax(_ range: MediaRange, _ row: MediaRow) -> (String, cost: Int)? {
        let wanted = range.transferSyntax
        if row.mediaType == "application/octet-stream" {
            switch wanted {
            case "*":
                if isNative, let compact, codecs.encodable.contains(compact) { return (compact, 0) }
                return (isNative ? Self.explicitLittle : stored, 0)
            case nil, Self.explicitLittle, TransferSyntax.implicitVRLittleEndian.uid:
                if isNative { return (Self.explicitLittle, 0) }
                guard codecs.decodable.contains(stored) else { return nil }
                // The default of a caller that leaves the choice, who may not know any other (PS3.18 Section 8.7.5).
                return (Self.explicitLittle, wanted == nil && range.mediaType == "*/*" ? 0 : 1)
            case let wanted?: return exactly(wanted)
            }
        }
        // A range such as image/* with a transfer syntax is about that syntax only.
        if let wanted, wanted != "*" { return row.transferSyntaxes.contains(wanted) ? exactly(wanted) : nil }
        if row.transferSyntaxes.contains(stored) { return (stored, 0) }
        guard let usual = row.transferSyntaxes.first, !range.mediaType.hasPrefix("*") else { return nil }
        return exactly(usual)
    }

    private func exactly(_ wanted: String) -> (String, cost: Int)? {
        if wanted == stored { return (stored, 0) }
        let canRead = isNative || codecs.decodable.contains(stored)
        return canRead && codecs.encodable.contains(wanted) ? (wanted, 2) : nil
    }
}
