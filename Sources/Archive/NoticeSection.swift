// `notices:` of the configuration file: who is told that images are there.

import Encounters
import Foundation
package import Interop
import NIOSSL

/// One entry of `notices:`.
package struct NoticeEntry: Decodable, Sendable, Equatable {
    package let name: String
    /// `mllp://HOST:PORT`, `mllps://HOST:PORT` or `https://…`.
    package let address: String
    package var message = NoticeRoute.Form.result
    /// MSH-5 and MSH-6, as `HIS^24001`.
    package var receiver = ""
    package var modalities: [String] = []
    package var facility = ""
    package var linkedOnly = true
    package var keyImages = 0
    package var patient = NoticeRoute.PatientScope.full
    /// A file in PEM with the authorities that are believed; nil: those of the system.
    package var ca: String?
    /// A file with the key of a webhook's signature.
    package var secretFile: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, address, message, receiver, modalities, facility, linkedOnly, keyImages, patient, ca, secretFile
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        guard name.wholeMatch(of: /[A-Za-z0-9._-]{1,32}/) != nil else {
            throw ConfigurationError("notices: name \"\(name)\": 1 to 32 letters, digits, dots or dashes")
        }
        let place = "notices: \(name)"
        address = try values.decode(String.self, forKey: .address)
        message = try Self.word(values, .message, message, place)
        receiver = try values.decodeIfPresent(String.self, forKey: .receiver) ?? receiver
        modalities = try values.decodeIfPresent([String].self, forKey: .modalities) ?? modalities
        facility = try values.decodeIfPresent(String.self, forKey: .facility) ?? facility
        linkedOnly = try values.decodeIfPresent(Bool.self, forKey: .linkedOnly) ?? linkedOnly
        keyImages = try values.integer(.keyImages, 0...16, keyImages, place)
        patient = try Self.word(values, .patient, patient, place)
        ca = try values.decodeIfPresent(String.self, forKey: .ca)
        secretFile = try values.decodeIfPresent(String.self, forKey: .secretFile)
        let target = try NoticeAddress(address, place)
        guard !target.isWebhook || secretFile != nil else {
            throw ConfigurationError("\(place): a webhook needs a secretFile, by which the receiver knows who calls")
        }
        guard target.isWebhook || secretFile == nil else {
            throw ConfigurationError("\(place): secretFile is for webhooks")
        }
    }

    private static func word<Word: RawRepresentable & CaseIterable>(
        _ values: KeyedDecodingContainer<CodingKeys>, _ key: CodingKeys, _ standard: Word, _ place: String
    ) throws -> Word where Word.RawValue == String {
        guard let text = try values.decodeIfPresent(String.self, forKey: key) else { return standard }
        guard let word = Word(rawValue: text) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationError("\(place): \(key.stringValue) \(text) is none of \(known)")
        }
        return word
    }

    /// Of which studies it wants to hear.
    var destination: NoticeDestination {
        var destination = NoticeDestination(name: name)
        destination.modalities = Set(modalities)
        destination.facility = facility
        destination.isLinkedOnly = linkedOnly
        return destination
    }

    /// How it is reached; reads the files it names. Blocks.
    func route(in folder: String) throws(ConfigurationError) -> NoticeRoute {
        func path(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let ca {
            guard let authorities = try? NIOSSLCertificate.fromPEMFile(path(ca)), !authorities.isEmpty else {
                throw ConfigurationError("notices: \(name): \(path(ca)) cannot be read as certificates in PEM")
            }
            tls.trustRoots = .certificates(authorities)
        }
        let target = try NoticeAddress(address, "notices: \(name)")
        var route: NoticeRoute
        if target.isWebhook {
            let secret = secretFile.flatMap { try? String(contentsOfFile: path($0), encoding: .utf8) } ?? ""
            let key = Array(secret.trimmingCharacters(in: .whitespacesAndNewlines).utf8)
            guard key.count >= 16 else {
                throw ConfigurationError(
                    "notices: \(name): the secretFile cannot be read, or holds fewer than 16 characters")
            }
            route = NoticeRoute(name: name, line: .webhook(url: address, secret: key, tls: tls))
        } else {
            let encryption = target.isEncrypted ? tls : nil
            route = NoticeRoute(
                name: name, line: .mllp(host: target.host, port: target.port, tls: encryption, form: message))
        }
        route.keyImages = keyImages
        route.patient = patient
        let parts = receiver.split(separator: "^", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        route.receivingApplication = parts.first ?? ""
        route.receivingFacility = parts.count > 1 ? parts[1] : ""
        return route
    }
}

/// What an address says.
struct NoticeAddress {
    let host: String
    let port: Int
    let isWebhook: Bool
    let isEncrypted: Bool

    init(_ text: String, _ place: String) throws(ConfigurationError) {
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(), let name = url.host,
            !name.isEmpty, url.user == nil, url.fragment == nil
        else { throw Self.wrong(place) }
        // Addresses of IP version 6 stand in brackets.
        host = name.trimmingCharacters(in: ["[", "]"])
        isWebhook = scheme == "https" || scheme == "http"
        isEncrypted = scheme == "https" || scheme == "mllps"
        guard isWebhook || scheme == "mllp" || isEncrypted else { throw Self.wrong(place) }
        guard isWebhook || url.port != nil && url.path.isEmpty && url.query == nil else { throw Self.wrong(place) }
        port = url.port ?? (isEncrypted ? 443 : 80)
        guard (1...65_535).contains(port) else { throw Self.wrong(place) }
        let isLocal = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        guard scheme != "http" || isLocal else {
            throw ConfigurationError("\(place): a webhook needs https; http only of this machine itself")
        }
    }

    private static func wrong(_ place: String) -> ConfigurationError {
        ConfigurationError("\(place): address is mllp://HOST:PORT, mllps://HOST:PORT or https://HOST/PATH")
    }
}

extension SettlingRules {
    init(_ configuration: Configuration) {
        self.init()
        quiet = Int64(configuration.hospital.settleSeconds) * 1_000_000
        patience = max(quiet * 30, 60_000_000)
        completesProcedures = configuration.hospital.completeSettled
        destinations = configuration.notices.map(\.destination)
    }
}
