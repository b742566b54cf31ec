// The one configuration file, phim.yaml: its sections, their defaults, and the rules for each value.

package import DICOMCore
import Foundation
package import Ingest
import Records
import Yams

/// A configuration that cannot be used; the text says where and what to write instead.
package struct ConfigurationError: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Everything that can be configured.
package struct Configuration: Decodable, Sendable, Equatable {
    package var dicom = DICOMSection()
    package var http = HTTPSection()
    package var storage = StorageSection()
    package var access = AccessSection()
    package var hospital = HospitalSection()
    package var hl7 = HL7Section()
    package var notices: [NoticeEntry] = []
    package var forwarding = ForwardingSection()
    package var peers: [PeerEntry] = []

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case dicom, http, storage, access, hospital, hl7, forwarding, notices, peers
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        dicom = try values.decodeIfPresent(DICOMSection.self, forKey: .dicom) ?? dicom
        http = try values.decodeIfPresent(HTTPSection.self, forKey: .http) ?? http
        storage = try values.decodeIfPresent(StorageSection.self, forKey: .storage) ?? storage
        access = try values.decodeIfPresent(AccessSection.self, forKey: .access) ?? access
        hospital = try values.decodeIfPresent(HospitalSection.self, forKey: .hospital) ?? hospital
        hl7 = try values.decodeIfPresent(HL7Section.self, forKey: .hl7) ?? hl7
        peers = try values.decodeIfPresent([PeerEntry].self, forKey: .peers) ?? peers
        notices = try values.decodeIfPresent([NoticeEntry].self, forKey: .notices) ?? notices
        forwarding = try values.decodeIfPresent(ForwardingSection.self, forKey: .forwarding) ?? forwarding
        var destinations: Set<String> = []
        for notice in notices where !destinations.insert(notice.name).inserted {
            throw ConfigurationError("notices: the name \(notice.name) is there twice")
        }
        var names: Set<String> = []
        for peer in peers where !names.insert(peer.name.lowercased()).inserted {
            throw ConfigurationError("peers: the name \(peer.name) is there twice")
        }
    }

    /// Reads a file; an empty file is a valid configuration.
    package static func load(_ path: String) throws(ConfigurationError) -> Configuration {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError("\(path): cannot be read as UTF-8 text")
        }
        return try parse(text, name: path)
    }

    package static func parse(_ text: String, name: String) throws(ConfigurationError) -> Configuration {
        do {
            if try Yams.compose(yaml: text) == nil { return Configuration() }
            return try YAMLDecoder().decode(Configuration.self, from: text)
        } catch let error as ConfigurationError {
            throw ConfigurationError("\(name): \(error.description)")
        } catch let error as DecodingError {
            throw ConfigurationError("\(name): \(Self.explain(error))")
        } catch {
            throw ConfigurationError("\(name): \(error)")
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        let (path, what): ([any CodingKey], String)
        switch error {
        case .typeMismatch(_, let at):
            (path, what) = (at.codingPath, "has a value of another kind: \(at.debugDescription)")
        case .valueNotFound(_, let at): (path, what) = (at.codingPath, "has no value")
        case .keyNotFound(let key, let at): (path, what) = (at.codingPath + [key], "is missing")
        case .dataCorrupted(let at):
            if let cause = at.underlyingError as? ConfigurationError { return cause.description }
            (path, what) = (at.codingPath, at.underlyingError.map { "\($0)" } ?? at.debugDescription)
        @unknown default: return "\(error)"
        }
        let place = path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        return place.isEmpty ? what : "\(place) \(what)"
    }
}

/// `dicom:` who we are on the network and whom we serve.
package struct DICOMSection: Decodable, Sendable, Equatable {
    package var aeTitle = "PHIM"
    package var host = "0.0.0.0"
    package var port = 11112
    package var trustLoopback = true
    package var checkCalledAETitle = false
    package var acceptUnknownSOPClasses = true
    package var characterSet = OutputCharacterSet.utf8
    package var maxAssociations = 100
    package var maxAssociationsPerPeer = 32
    /// Above `maxAssociations`, for peers of priority stat alone.
    package var reservedAssociations = 4
    package var maxPDU = 131_072
    /// Seconds.
    package var idleTimeout = 60
    package var negotiationTimeout = 10
    package var tls: DICOMTLSSection?

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case tls
        case aeTitle, host, port, trustLoopback, checkCalledAETitle, acceptUnknownSOPClasses, characterSet
        case maxAssociations, maxAssociationsPerPeer, reservedAssociations, maxPDU, idleTimeout, negotiationTimeout
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        aeTitle = try values.decodeIfPresent(String.self, forKey: .aeTitle) ?? aeTitle
        host = try values.decodeIfPresent(String.self, forKey: .host) ?? host
        port = try values.decodeIfPresent(Int.self, forKey: .port) ?? port
        trustLoopback = try values.decodeIfPresent(Bool.self, forKey: .trustLoopback) ?? trustLoopback
        checkCalledAETitle = try values.decodeIfPresent(Bool.self, forKey: .checkCalledAETitle) ?? checkCalledAETitle
        acceptUnknownSOPClasses =
            try values.decodeIfPresent(Bool.self, forKey: .acceptUnknownSOPClasses) ?? acceptUnknownSOPClasses
        if let name = try values.decodeIfPresent(String.self, forKey: .characterSet) {
            guard let known = OutputCharacterSet(rawValue: name) else {
                throw ConfigurationError("dicom.characterSet: \(name) is none of utf8, latin1, ascii")
            }
            characterSet = known
        }
        maxAssociations = try values.integer(.maxAssociations, 1...10_000, maxAssociations, "dicom")
        maxAssociationsPerPeer = try values.integer(
            .maxAssociationsPerPeer, 1...10_000, maxAssociationsPerPeer, "dicom")
        reservedAssociations = try values.integer(.reservedAssociations, 0...1000, reservedAssociations, "dicom")
        maxPDU = try values.integer(.maxPDU, 4096...131_072, maxPDU, "dicom")
        idleTimeout = try values.integer(.idleTimeout, 1...86_400, idleTimeout, "dicom")
        negotiationTimeout = try values.integer(.negotiationTimeout, 1...3600, negotiationTimeout, "dicom")
        port = try values.integer(.port, 0...65_535, port, "dicom")
        tls = try values.decodeIfPresent(DICOMTLSSection.self, forKey: .tls)
        try Self.check(aeTitle: aeTitle)
    }

    /// An application entity title (PS3.5 Table 6.2-1, VR AE).
    package static func check(aeTitle: String) throws(ConfigurationError) {
        guard Peer.isAETitle(aeTitle) else {
            throw ConfigurationError("AE title: 1 to 16 printable ASCII characters, no backslash")
        }
    }
}

/// `http:` where health, metrics and the web pages are served.
package struct HTTPSection: Decodable, Sendable, Equatable {
    package var host = "127.0.0.1"
    package var port = 8080
    package var tls: TLSSection?
    package var maxConnections = 512
    package var maxConnectionsPerAddress = 256
    /// Seconds.
    package var idleTimeout = 30
    /// Folder of the OHIF viewer; nil: wherever it usually lies.
    package var ohif: String?
    /// What native frames go out as to viewers that take whatever is stored; nil: as they are.
    package var compactFrames: CompactFrames?

    /// Where callers find this server, such as `https://pacs.example.org`; nil: as each request says.
    package var publicURL: String?
    /// Origins whose pages may call with a token; `*` for every one.
    package var allowedOrigins: [String] = []
    /// Whether our pages are isolated from other sites.
    package var isolatePages = false

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port, tls, maxConnections, maxConnectionsPerAddress, idleTimeout, ohif, compactFrames, allowedOrigins
        case isolatePages, publicURL
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        host = try values.decodeIfPresent(String.self, forKey: .host) ?? host
        port = try values.integer(.port, 0...65_535, port, "http")
        tls = try values.decodeIfPresent(TLSSection.self, forKey: .tls)
        maxConnections = try values.integer(.maxConnections, 1...100_000, maxConnections, "http")
        maxConnectionsPerAddress = try values.integer(
            .maxConnectionsPerAddress, 1...100_000, maxConnectionsPerAddress, "http")
        idleTimeout = try values.integer(.idleTimeout, 1...3600, idleTimeout, "http")
        ohif = try values.decodeIfPresent(String.self, forKey: .ohif)
        compactFrames = try values.decodeIfPresent(CompactFrames.self, forKey: .compactFrames)
        allowedOrigins = try values.decodeIfPresent([String].self, forKey: .allowedOrigins) ?? allowedOrigins
        isolatePages = try values.decodeIfPresent(Bool.self, forKey: .isolatePages) ?? isolatePages
        for origin in allowedOrigins where origin != "*" { try Self.check(origin, "http.allowedOrigins") }
        publicURL = try values.decodeIfPresent(String.self, forKey: .publicURL)
        if let publicURL { try Self.check(publicURL, "http.publicURL") }
    }

    /// An origin as browsers send it (RFC 6454 Section 6.1): scheme, host and port, nothing behind them.
    private static func check(_ origin: String, _ place: String) throws(ConfigurationError) {
        guard let url = URL(string: origin), let scheme = url.scheme, ["http", "https"].contains(scheme),
            url.host != nil, url.path.isEmpty, url.query == nil, url.fragment == nil, url.user == nil
        else { throw ConfigurationError("\(place): \(origin) is not like https://pacs.example.org") }
    }

    /// Whether only this machine can connect.
    package var isLocal: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}

/// `http.compactFrames:` a coding without loss for thin lines.
package enum CompactFrames: String, Decodable, Sendable {
    case htj2k

    /// The transfer syntax that frames are encoded in.
    package var transferSyntaxUID: String {
        switch self {
        case .htj2k: TransferSyntax.htj2kLosslessRPCL.uid
        }
    }
}

/// `http.tls:` files in PEM; a relative path starts at the data directory.
package struct TLSSection: Decodable, Sendable, Equatable {
    package var certificate: String
    package var key: String

    private enum CodingKeys: String, CodingKey, CaseIterable { case certificate, key }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        certificate = try values.decode(String.self, forKey: .certificate)
        key = try values.decode(String.self, forKey: .key)
    }
}

/// `storage:` sizes in bytes.
package struct StorageSection: Decodable, Sendable, Equatable {
    package var volumeSize = ByteSize(1 << 30)
    package var streamThreshold = ByteSize(64 << 20)
    package var reserve = ByteSize(64 << 20)
    /// For objects that are on their way in; nil: a share of the machine's memory.
    package var arrivalMemory: ByteSize?

    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case volumeSize, streamThreshold, reserve, arrivalMemory
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        volumeSize = try values.decodeIfPresent(ByteSize.self, forKey: .volumeSize) ?? volumeSize
        streamThreshold = try values.decodeIfPresent(ByteSize.self, forKey: .streamThreshold) ?? streamThreshold
        reserve = try values.decodeIfPresent(ByteSize.self, forKey: .reserve) ?? reserve
        arrivalMemory = try values.decodeIfPresent(ByteSize.self, forKey: .arrivalMemory)
        guard volumeSize.bytes >= 1 << 20 else { throw ConfigurationError("storage.volumeSize: at least 1MiB") }
        guard streamThreshold.bytes >= 64 << 10, streamThreshold.bytes <= volumeSize.bytes / 2 else {
            throw ConfigurationError("storage.streamThreshold: from 64KiB to half of storage.volumeSize")
        }
        guard streamThreshold.bytes <= 1 << 30 else {
            throw ConfigurationError("storage.streamThreshold: at most 1GiB, it is held in memory")
        }
        guard arrivalMemory.map({ (16 << 20...64 << 30).contains($0.bytes) }) ?? true else {
            throw ConfigurationError("storage.arrivalMemory: from 16MiB to 64GiB")
        }
    }
}

/// One entry of `peers:`.
package struct PeerEntry: Decodable, Sendable, Equatable {
    package let name: String
    package let aeTitle: String
    package let host: String
    package let port: Int
    package let characterSet: OutputCharacterSet?
    package let maxAssociations: Int?
    package let priority: IngestPriority?
    package let tls: Bool

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, aeTitle, host, port, charset, maxAssociations, priority, tls
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let charset = try values.decodeIfPresent(String.self, forKey: .charset)
        characterSet = try charset.map { name in
            guard let known = OutputCharacterSet(rawValue: name) else {
                throw ConfigurationError("peers: charset \(name) is none of utf8, latin1, ascii")
            }
            return known
        }
        let urgency = try values.decodeIfPresent(String.self, forKey: .priority)
        priority = try urgency.map { name in
            guard let known = IngestPriority(rawValue: name) else {
                throw ConfigurationError("peers: priority \(name) is none of stat, routine, bulk")
            }
            return known
        }
        tls = try values.decodeIfPresent(Bool.self, forKey: .tls) ?? false
        let peer = try Self.peer(values)
        name = peer.name
        aeTitle = peer.aeTitle
        host = peer.host
        port = peer.port
        maxAssociations = peer.maxAssociations
    }

    /// One rule for both kinds of peers.
    private static func peer(_ values: KeyedDecodingContainer<CodingKeys>) throws -> Peer {
        let name = try values.decode(String.self, forKey: .name)
        let aeTitle = try values.decode(String.self, forKey: .aeTitle)
        let host = try values.decode(String.self, forKey: .host)
        let port = try values.decode(Int.self, forKey: .port)
        let maxAssociations = try values.decodeIfPresent(Int.self, forKey: .maxAssociations)
        do throws(RecordsError) {
            return try Peer(name: name, aeTitle: aeTitle, host: host, port: port, maxAssociations: maxAssociations)
        } catch {
            guard case .invalid(let field, let reason) = error else { throw error }
            throw ConfigurationError("peers: \(field) of \"\(name)\": \(reason)")
        }
    }
}
