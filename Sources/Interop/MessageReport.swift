// Messages as they are told: to terminals, to pages, to programs.

import Encounters
import HL7
package import Records

/// A message as it is listed. Without its text, which is about a patient.
package struct MessageReport: Encodable, Sendable {
    package let number: Int64
    package let at: String
    package let source: String
    package let type: String
    package let controlID: String
    package let characterSet: String
    /// AA, AE or AR (HL7 table 0008).
    package let code: String
    package let reason: String
    package let replayedAt: String?

    package init(_ message: MessageRecord) {
        number = message.id
        at = LocalTime.text(message.receivedAt)
        source = message.source
        type = message.type
        controlID = message.controlID
        characterSet = message.characterSet
        code = message.code
        reason = message.reason
        replayedAt = message.replayedAt.map(LocalTime.text)
    }

    /// The text as it was read, one segment a line.
    package static func lines(of message: MessageRecord) -> String {
        DecodedText(message: message.bytes).text.split(whereSeparator: \.isNewline).joined(separator: "\n")
    }
}

extension MessageIntake {
    /// Editors end lines as they like; segments end with a carriage return.
    package static func bytes(ofLines text: String) -> [UInt8] {
        Array(text.split(whereSeparator: \.isNewline).map { $0 + "\r" }.joined().utf8)
    }
}
