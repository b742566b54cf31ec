// Command sets: bytes and back, and what bytes are not taken.
import DICOMNetwork
import Testing

@Suite("Command sets (PS3.7 Section 6.3.1)")
struct CommandSetTests {
    // (0000,0000) UL 56  (0000,0002) UI 1.2.840.10008.1.1  (0000,0100) US 0030H  (0000,0110) US 7  (0000,0800) US 0101H
    static let echo: [UInt8] =
        [0, 0, 0, 0, 4, 0, 0, 0, 56, 0, 0, 0]
        + [0, 0, 2, 0, 18, 0, 0, 0] + Array("1.2.840.10008.1.1\0".utf8)
        + [0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0]
        + [0, 0, 0x10, 1, 2, 0, 0, 0, 7, 0]
        + [0, 0, 0, 8, 2, 0, 0, 0, 1, 1]

    @Test("C-ECHO-RQ is encoded as the standard has it: ascending, even, group length first")
    func echoBytes() throws {
        #expect(CommandSet.echoRequest(messageID: 7).encoded() == Self.echo)
        let read = try CommandSet(decoding: Self.echo)
        #expect(read.field == .cEchoRequest)
        #expect(read.messageID == 7)
        #expect(read.affectedSOPClassUID == "1.2.840.10008.1.1")
        #expect(!read.hasDataSet)
    }

    @Test("every field survives the way there and back")
    func roundTrip() throws {
        var command = CommandSet.storeRequest(
            messageID: 65_535, sopClassUID: "1.2.3", sopInstanceUID: "1.2.3.4", priority: .low,
            moveOriginator: ("ORIGIN", 9))
        command.hasDataSet = true
        command.remainingSubOperations = 1
        command.completedSubOperations = 2
        command.failedSubOperations = 3
        command.warningSubOperations = 65_535
        command.moveDestination = "DEST"
        command.requestedSOPClassUID = "1.2.5"
        command.requestedSOPInstanceUID = "1.2.6"
        command.eventTypeID = 1
        command.actionTypeID = 2
        command.status = .outOfResources
        command.errorComment = "no room"
        let read = try CommandSet(decoding: command.encoded())
        #expect(read.priority == .low)
        #expect(read.moveOriginatorAETitle == "ORIGIN")
        #expect(read.moveOriginatorMessageID == 9)
        #expect(read.moveDestination == "DEST")
        #expect(read.affectedSOPInstanceUID == "1.2.3.4")
        #expect(read.requestedSOPInstanceUID == "1.2.6")
        #expect([read.remainingSubOperations, read.completedSubOperations] == [1, 2])
        #expect([read.failedSubOperations, read.warningSubOperations] == [3, 65_535])
        #expect(read.status == .outOfResources)
        #expect(read.errorComment == "no room")
        #expect(read.hasDataSet)
        #expect(read.encoded() == command.encoded())
    }

    @Test("a response takes over message id, SOP class and instance (PS3.7 Section 9.3.1.2)")
    func response() {
        let request = CommandSet.storeRequest(messageID: 12, sopClassUID: "1.2", sopInstanceUID: "1.3")
        let response = CommandSet(
            answering: request, status: .cannotUnderstand, comment: String(repeating: "é\\x", count: 80))
        #expect(response.field == .cStoreResponse)
        #expect(response.messageIDBeingRespondedTo == 12)
        #expect(response.affectedSOPClassUID == "1.2")
        #expect(response.affectedSOPInstanceUID == "1.3")
        #expect(!response.hasDataSet)
        #expect(response.errorComment == String(repeating: "x", count: 64))
    }

    @Test("padding by NUL or space, or none, reads the same", arguments: ["1.2.3\0", "1.2.3 ", "1.2.3", " 1.2.3\0\0"])
    func padding(value: String) throws {
        var command = CommandSet(.cStoreRequest)
        command[bytes: .affectedSOPClassUID] = Array(value.utf8)
        #expect(try CommandSet(decoding: command.encoded()).affectedSOPClassUID == "1.2.3")
    }

    @Test("order and group length are not insisted on")
    func tolerance() throws {
        let disordered = Array(Self.echo[12...].suffix(10)) + Array(Self.echo[12...].dropLast(10))
        let read = try CommandSet(decoding: [0, 0, 0, 0, 4, 0, 0, 0, 99, 0, 0, 0] + disordered)
        #expect(read == (try CommandSet(decoding: Self.echo)))
    }

    @Test("the first of two elements counts")
    func repeated() throws {
        let read = try CommandSet(decoding: Self.echo + [0, 0, 0x10, 1, 2, 0, 0, 0, 8, 0])
        #expect(read.messageID == 7)
    }

    @Test(
        "what is no command set is refused",
        arguments: [
            [], Array(echo.dropLast()), [0, 0, 0, 1], [8, 0, 0x18, 0, 0, 0, 0, 0],
            [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0], Array(echo.dropLast(10)),
            Array(echo[0..<38]) + Array(echo[48...]), [UInt8](repeating: 0, count: CommandSet.sizeLimit + 8),
            Array([[UInt8]](repeating: [0, 0, 1, 2, 0, 0, 0, 0], count: 1_000).joined()),
        ])
    func refused(bytes: [UInt8]) {
        #expect(throws: CommandSet.DecodingFailure.self) { try CommandSet(decoding: bytes) }
    }

    @Test("any change of any byte is refused or read, never a crash")
    func everyByteChanged() {
        for at in Self.echo.indices {
            for value in [UInt8(0), 1, 0x7F, 0x80, 0xFF] {
                var bytes = Self.echo
                bytes[at] = value
                if let read = try? CommandSet(decoding: bytes) {
                    _ = (read.field, read.affectedSOPClassUID, read.status)
                }
            }
        }
    }

    @Test(
        "statuses fall into the standard's categories (PS3.7 Annex C)",
        arguments: [
            (UInt16(0x0000), Status.Category.success), (0xFF00, .pending), (0xFF01, .pending), (0xFE00, .cancel),
            (0xB000, .warning), (0xB007, .warning), (0x0107, .warning), (0x0116, .warning), (0xA700, .failure),
            (0xA801, .failure), (0xC000, .failure), (0x0122, .failure), (0x1234, .failure),
        ])
    func categories(code: UInt16, category: Status.Category) {
        #expect(Status(rawValue: code).category == category)
    }

    @Test("a status is written as the standard writes it")
    func statusText() {
        #expect("\(Status.moveDestinationUnknown)" == "A801H move destination unknown")
        #expect("\(Status.success)" == "0000H success")
    }

    @Test("each request has its response", arguments: CommandField.allCases)
    func responses(field: CommandField) {
        let expected =
            field.isResponse || field == .cCancelRequest ? nil : CommandField(rawValue: field.rawValue | 0x8000)
        #expect(field.response == expected)
        #expect(field.isResponse || field == .cCancelRequest || expected != nil)
    }
}
