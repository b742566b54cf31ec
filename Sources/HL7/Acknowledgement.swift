// What a receiver answers: MSA and ERR (HL7 v2.5.1 Sections 2.9.2, 2.15.5 and 2.15.8).

/// HL7 Table 0357, message error condition codes.
package enum ErrorCode: Int, Sendable, CaseIterable {
    case segmentSequence = 100
    case requiredFieldMissing = 101
    case dataType = 102
    case tableValueNotFound = 103
    case unsupportedMessageType = 200
    case unsupportedEventCode = 201
    case unsupportedProcessingID = 202
    case unsupportedVersionID = 203
    case unknownKeyIdentifier = 204
    case duplicateKeyIdentifier = 205
    case recordLocked = 206
    case internalError = 207

    package var text: String {
        switch self {
        case .segmentSequence: "Segment sequence error"
        case .requiredFieldMissing: "Required field missing"
        case .dataType: "Data type error"
        case .tableValueNotFound: "Table value not found"
        case .unsupportedMessageType: "Unsupported message type"
        case .unsupportedEventCode: "Unsupported event code"
        case .unsupportedProcessingID: "Unsupported processing id"
        case .unsupportedVersionID: "Unsupported version id"
        case .unknownKeyIdentifier: "Unknown key identifier"
        case .duplicateKeyIdentifier: "Duplicate key identifier"
        case .recordLocked: "Application record locked"
        case .internalError: "Application internal error"
        }
    }
}

/// How a message was received.
package struct Acknowledgement: Hashable, Sendable {
    package enum Decision: Sendable {
        /// AA: taken and applied.
        case accept
        /// AE: understood, and not applied because of what is in it.
        case error
        /// AR: not taken for what it is, or not now; sending it again may help.
        case reject
    }

    /// What goes into one ERR segment.
    package struct Issue: Hashable, Sendable {
        package var location: Location?
        package var code: ErrorCode
        /// A sentence without patient data.
        package var text: String
        package var isWarning: Bool

        package init(_ code: ErrorCode, at location: Location? = nil, _ text: String, isWarning: Bool = false) {
            self.location = location
            self.code = code
            self.text = text
            self.isWarning = isWarning
        }
    }

    package var decision: Decision
    /// Whether the message is on stable storage, applied or not: what CA says in enhanced mode.
    package var isStored: Bool
    /// MSA-3, a sentence; without it that of the first issue.
    package var text: String?
    package var issues: [Issue]

    package init(_ decision: Decision, isStored: Bool, text: String? = nil, issues: [Issue] = []) {
        self.decision = decision
        self.isStored = isStored
        self.text = text
        self.issues = issues
    }

    /// A message that cannot be read.
    package init(_ failure: HL7Failure, isStored: Bool = false) {
        self.init(
            .reject, isStored: isStored,
            issues: [Issue(failure.code, at: failure.location, failure.description)])
    }
}

extension Acknowledgement {
    /// Which messages MSH-15 and MSH-16 ask for (HL7 Table 0155).
    private enum Condition: String {
        case always = "AL"
        case never = "NE"
        case error = "ER"
        case success = "SU"

        /// What is not in the table is taken as the safe one.
        init(_ text: String?) { self = text.map { Self(rawValue: $0.uppercased()) ?? .always } ?? .never }

        func holds(isGood: Bool) -> Bool {
            switch self {
            case .always: true
            case .never: false
            case .error: !isGood
            case .success: isGood
            }
        }
    }

    /// The answers to a message: one in original mode; in enhanced mode, which MSH-15 or MSH-16 turns on, none to two.
    ///
    /// - Parameters:
    ///   - time: MSH-7.
    ///   - controlID: makes a new MSH-10.
    package func replies(to message: Message, time: TimeStamp, controlID: () -> String) -> [Message] {
        let (accept, application) = (message.header.text(15), message.header.text(16))
        func reply(_ code: String) -> Message {
            self.reply(code, to: message, time: time, controlID: controlID())
        }
        let applicationCode = decision == .accept ? "AA" : decision == .error ? "AE" : "AR"
        guard accept != nil || application != nil else { return [reply(applicationCode)] }
        var replies: [Message] = []
        if Condition(accept).holds(isGood: isStored) {
            replies.append(reply(isStored ? "CA" : decision == .reject ? "CR" : "CE"))
        }
        // Who was told that the message was not taken hears nothing more of it.
        if isStored || replies.isEmpty, Condition(application).holds(isGood: decision == .accept) {
            replies.append(reply(applicationCode))
        }
        return replies
    }

    /// The answer to bytes that are no message: AR, by as much of the header as can be read.
    package static func rejection(
        of bytes: [UInt8], _ failure: HL7Failure, time: TimeStamp, controlID: String
    ) -> Message {
        let line = bytes.drop { $0 <= 0x20 || $0 >= 0x80 }.prefix { $0 != 0x0D && $0 != 0x0A }.prefix(4096)
        let header = try? Message(parsing: DecodedText(Array(line), declared: nil).text)
        return Acknowledgement(failure).reply("AR", to: header ?? Message([]), time: time, controlID: controlID)
    }

    private func reply(_ code: String, to message: Message, time: TimeStamp, controlID: String) -> Message {
        let sent = message.header
        var header = Segment("MSH")
        header[3] = sent[5]
        header[4] = sent[6]
        header[5] = sent[3]
        header[6] = sent[4]
        header[7] = Field(time.description)
        let version = HL7Version(message.version)
        header[9] = "ACK"
        if version >= HL7Version(2, 3), !message.trigger.isEmpty { header[9][2] = Component(message.trigger) }
        if version >= HL7Version(2, 5) { header[9][3] = "ACK" }
        header[10] = Field(controlID)
        header[11] = sent[11].isAbsent ? "P" : sent[11]
        header[12] = sent[12].isAbsent ? "2.5.1" : sent[12]
        header[18] = sent[18]
        var verdict = Segment("MSA", [Field(code)])
        verdict[2] = sent[10]
        let isPositive = code == "AA" || code == "CA"
        // A positive answer may carry warnings; an accept acknowledgement says nothing of the content.
        if let sentence = text ?? issues.first?.text, code != "CA" { verdict[3] = Field(sentence) }
        var reply = Message(separators: message.separators, [header, verdict])
        if version >= HL7Version(2, 5), code != "CA" {
            for issue in issues where !isPositive || issue.isWarning { reply.append(issue.segment) }
        }
        if reply.bytes.contains(where: { $0 >= 0x80 }) { reply["MSH", 18] = "UNICODE UTF-8" }
        return reply
    }
}

extension Acknowledgement.Issue {
    /// ERR of version 2.5 and later.
    var segment: Segment {
        var segment = Segment("ERR")
        if let location {
            // ERL counts fields, repetitions, components and subcomponents from 1 (HL7 v2.5.1 Section 2.A.28).
            var parts = [location.segment, String(location.occurrence)]
            if let field = location.field { parts += [String(field), String(location.repetition)] }
            if let component = location.component { parts.append(String(component)) }
            if let subcomponent = location.subcomponent { parts.append(String(subcomponent)) }
            segment[2] = Field(components: parts.map { Component($0) })
        }
        segment[3] = Field(components: [Component(String(code.rawValue)), Component(code.text), "HL70357"])
        segment[4] = isWarning ? "W" : "E"
        segment[8] = Field(text)
        return segment
    }
}

/// A version of the standard, for comparison: `2.3.1` is later than `2.3`.
package struct HL7Version: Comparable, Sendable {
    let numbers: [Int]

    package init(_ numbers: Int...) { self.numbers = numbers }

    /// What is not a version is 2.5.1.
    package init(_ text: String) {
        let parts = text.split(separator: ".").prefix(4).map { Int($0) }
        numbers = parts.isEmpty || parts.contains(nil) ? [2, 5, 1] : parts.compactMap { $0 }
    }

    package static func < (left: Self, right: Self) -> Bool { left.numbers.lexicographicallyPrecedes(right.numbers) }
}

/// An acknowledgement as it was received.
package struct ReceivedAcknowledgement: Hashable, Sendable {
    /// MSA-1: AA, AE, AR, CA, CE, CR.
    package let code: String
    /// MSA-2, the control ID of the message that is answered.
    package let controlID: String
    /// MSA-3, else the user message of the first ERR.
    package let text: String?

    /// Nil when the message is no acknowledgement.
    package init?(_ message: Message) {
        guard let verdict = message.segment("MSA"), let code = verdict.text(1)?.uppercased(),
            ["AA", "AE", "AR", "CA", "CE", "CR"].contains(code)
        else { return nil }
        self.code = code
        controlID = verdict.text(2) ?? ""
        text = verdict.text(3) ?? message.segment("ERR").flatMap { $0.text(8) ?? $0.text(3, 2) }
    }

    /// AA or CA.
    package var isPositive: Bool { code == "AA" || code == "CA" }
}
