// The DICOM conformance statement, written from the tables that negotiate, match and convert (PS3.2).

import Catalog
import DICOMCore
import DICOMImaging
import DICOMNetwork
import Retrieval

/// Prints `docs/conformance-statement.md`; a test compares the two.
package enum ConformanceStatement {
    package static var markdown: String {
        [
            introduction, network, services, storage, transferSyntaxes, query, retrieval, worklist, performedSteps,
            commitment,
            statuses, security,
        ]
        .joined(separator: "\n\n") + "\n"
    }

    private static let introduction = """
        # DICOM conformance statement

        Written by `phim conformance-statement` from the tables that the server itself uses. Edition: DICOM 2024.

        Phim is a storage SCP, a query/retrieve SCP, a modality worklist SCP, a performed procedure step SCP, a storage commitment SCP; for C-MOVE, C-GET, `phim send` and forwarding a storage SCU and, towards destinations that are asked for it, a storage commitment SCU; for `phim fetch` and priors of orders a query/retrieve SCU.
        """

    private static var network: String {
        """
        ## Network

        | | |
        |---|---|
        | Implementation Class UID | `\(Part10.implementationClassUID)` |
        | Implementation Version Name | `\(Part10.implementationVersionName)` |
        | Application context | `1.2.840.10008.3.1.1.1` |
        | Maximum PDU received | 131072 bytes, configurable down to 4096 |
        | Associations at once | 100, per peer 32; both configurable |
        | Presentation contexts per association | 128; as SCU more are split over several associations |
        | Asynchronous operations | none (window of one) |
        | Role selection | accepted as proposed; as SCU of C-GET, the SCP role is proposed for storage |
        | User identity | not asked for, ignored when sent |
        | Called AE title | any, unless `dicom.checkCalledAETitle` |
        | Calling AE title | loopback, or a peer whose host is the caller's address |

        For storage, the first transfer syntax proposed in a context is accepted, but Implicit VR Little Endian and \
        Explicit VR Big Endian only when nothing else is proposed there.
        """
    }

    private static var services: String {
        let rows = ServiceTable.services.map {
            "| \($0.name) | `\($0.uid)` | SCP\($0.service.isAlsoAsked ? ", SCU" : "") |"
        }
        let syntaxes = ServiceTable.messageTransferSyntaxes.map { "\($0.name ?? $0.uid)" }.joined(separator: ", ")
        return """
            ## Services

            | SOP class | UID | role |
            |---|---|---|
            \(rows.joined(separator: "\n"))

            Transfer syntaxes of these, most wanted first: \(syntaxes).
            """
    }

    private static var storage: String {
        let rows = SOPClass.storage.map { "| \($0.name) | `\($0.uid)` |" }
        return """
            ## Storage

            SCP and SCU of every class below. With `dicom.acceptUnknownSOPClasses`, the default, also of private classes and \
            of classes of later editions. Level 2 (full); the data set is kept byte for byte, no element is coerced. An \
            object needs a SOP Class UID and a SOP Instance UID, and nothing else: a missing Patient ID, Study or Series \
            Instance UID, an illegal value or an unknown character set is marked, not refused.

            | SOP class | UID |
            |---|---|
            \(rows.joined(separator: "\n"))
            """
    }

    private static var transferSyntaxes: String {
        let rows = TransferSyntax.all.map { syntax in
            let converts = CodecTable.decodes(syntax.uid)
            return "| \(syntax.name ?? "") | `\(syntax.uid)` | yes | \(converts ? "yes" : "no") |"
        }
        let fallbacks = InstanceSender.fallbackSyntaxes.map { $0.name ?? $0.uid }.joined(separator: ", ")
        return """
            ## Transfer syntaxes

            Every transfer syntax is stored as sent, private ones included. On retrieval the stored bytes are sent where \
            the receiver accepts their syntax; otherwise those marked are converted to the first of \(fallbacks) that it \
            accepts, and others fail as one sub-operation.

            | transfer syntax | UID | stored | converted on retrieval |
            |---|---|---|---|
            \(rows.joined(separator: "\n"))
            """
    }

    private static var query: String {
        let rows = Attribute.table.map {
            "| \($0.level.term) | \($0.keyword) | `\($0.tag)` | \(matching($0))\($0.level.uniqueKey == $0.tag ? ", unique key" : "") |"
        }
        return """
            ## Query

            Levels PATIENT (Patient Root only), STUDY, SERIES and IMAGE. Extended negotiation: relational queries, combined \
            date-time matching and fuzzy person names are agreed to when proposed, timezone adjustment is not. Unless \
            relational queries were negotiated, SERIES queries must name one study and IMAGE queries one study and one \
            series, or the unique key of their own level; Patient ID is never demanded.

            Person names match without marks, case and punctuation and in any order of words: `nguyen van duc` matches \
            `Nguyễn^Văn Đức`. Without a wildcard every word of the name must be given; with one the pattern may also match \
            the name as a whole.

            Keys below are matched and returned. Any other key is returned from the header of one instance below the \
            match; a value given for it is not matched, and the pending status is then FF01H. Retrieve AE Title and \
            Instance Availability are filled in. Answers are in the character set configured for the peer: UTF-8 \
            (ISO_IR 192), Latin 1 (ISO_IR 100) or ASCII; characters that do not fit lose their marks.

            | level | attribute | tag | matching |
            |---|---|---|---|
            \(rows.joined(separator: "\n"))
            """
    }

    private static func matching(_ attribute: Attribute) -> String {
        let kind =
            switch attribute.kind {
            case .code, .text: "single value, wildcard"
            case .personName: "person name, wildcard"
            case .uid: "single value, list of UID"
            case .date, .time, .dateTime: "single value, range"
            case .integer: "single value"
            }
        return attribute.isMultiple ? kind + ", any of several values" : kind
    }

    private static let retrieval = """
        ## Retrieval

        C-MOVE and C-GET take the unique key of their level, single or as a list; keys of the levels above narrow the \
        selection. A pending response precedes every sub-operation. C-CANCEL is honoured between sub-operations, and in \
        C-FIND between matches. A move destination is a peer's AE title.

        ## Coercion

        Nothing is coerced on the way in. On the way out objects of a study that was corrected have other values of Patient \
        ID, Issuer of Patient ID, Patient's Name, Patient's Birth Date, Patient's Sex, Accession Number, and where a person \
        wrote them Study ID, Study Date, Study Time, Study Description and Referring Physician's Name; of an object that \
        named another patient the rest of the Patient Module that names people is emptied. Original Attributes Sequence \
        (0400,0561) has the values before, with the reason COERCE or CORRECT. Specific Character Set becomes ISO_IR 192, with \
        all texts, where the corrected value needs it. Queries match and return the corrected values. An object whose header \
        cannot be rewritten fails as one sub-operation.
        """

    private static var statuses: String {
        let rows: [(Status, String, String)] = [
            (.success, "all", "done; for C-STORE: durable and enrolled"),
            (.pending, "C-FIND, C-MOVE, C-GET", "a match, or progress"),
            (.pendingWarning, "C-FIND", "a match; some keys were not matched"),
            (.cancel, "C-FIND, C-MOVE, C-GET", "stopped by C-CANCEL"),
            (.outOfResources, "all", "disk full, or too busy; try again"),
            (.dataSetDoesNotMatchSOPClass, "C-STORE", "command and data set name different objects"),
            (.cannotUnderstand, "C-STORE", "the data set cannot be read as far as its identifiers"),
            (.invalidSOPInstance, "C-STORE", "a UID is absent or not a UID"),
            (.sopClassNotSupported, "C-STORE", "unknown class and policy does not take it"),
            (.identifierDoesNotMatch, "C-FIND, C-MOVE, C-GET", "level or unique key missing or not in the model"),
            (.refusedSubOperations, "C-MOVE, C-GET", "no sub-operation succeeded; Error Comment says why"),
            (.moveDestinationUnknown, "C-MOVE", "the destination is no peer"),
            (.subOperationsFailed, "C-MOVE, C-GET", "some sub-operations failed; their UIDs are listed"),
            (.unableToProcess, "C-FIND, C-MOVE, C-GET", "the catalogue failed"),
            (.duplicateSOPInstance, "N-CREATE", "this performed step is known"),
            (.noSuchSOPInstance, "N-SET, N-GET, N-ACTION", "no such performed step; not the instance of the class"),
            (.noSuchActionType, "N-ACTION", "only Request Storage Commitment is known"),
            (
                .invalidArgumentValue, "N-ACTION",
                "no Transaction UID, or that of a request of ours, or no references; Error Comment says which"
            ),
            (.invalidArgumentValue, "N-EVENT-REPORT", "this peer was not asked for this transaction"),
            (.noSuchEventType, "N-EVENT-REPORT", "neither 1 nor 2"),
            (.missingAttribute, "N-CREATE", "an attribute of type 1 is absent; Attribute Identifier List says which"),
            (.missingAttributeValue, "N-CREATE", "an attribute of type 1 is empty; likewise"),
            (.invalidAttributeValue, "N-CREATE, N-SET", "a status that is none, or not lawful here"),
            (.processingFailure, "N-SET", "the step is final (Error ID A710H)"),
            (.resourceLimitation, "N-CREATE, N-SET", "data set too large, or the records are busy; try again"),
            (.unrecognizedOperation, "all", "a command that does not belong to its context"),
        ]
        func code(_ status: Status) -> String {
            let digits = String(status.rawValue, radix: 16, uppercase: true)
            return String(repeating: "0", count: 4 - digits.count) + digits + "H"
        }
        return """
            ## Statuses

            | status | of | meaning |
            |---|---|---|
            \(rows.map { "| \(code($0.0)) | \($0.1) | \($0.2) |" }.joined(separator: "\n"))
            """
    }

    private static let security = """
        ## Character sets and security

        Every character set of PS3.3 Section C.12.1.1.2 is understood in stored objects and in identifiers, ISO 2022 code \
        extensions included.

        TLS as an option, for callers on a port of their own and towards each peer that wants it: the BCP 195 profile of \
        PS3.15 Annex B.12, TLS 1.2 and 1.3, with ECDHE and AES-GCM only. Callers show a certificate unless \
        `dicom.tls.requireClientCertificate` is false. Of a certificate the time and the way to a trusted authority are \
        checked, of one that we call also the name of the host, unless that certificate is itself among the trusted; lists \
        of revoked certificates are not asked for. Who calls is told by AE title and address, with TLS as without.
        """
}
