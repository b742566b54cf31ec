"""A small raw DICOM upper layer: sends any bytes at all, fast, and shows what came back untouched."""

import socket
import struct
from dataclasses import dataclass

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"

C_STORE, C_GET, C_FIND, C_MOVE, C_ECHO, C_CANCEL = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0FFF
RESPONSE = 0x8000

# Command elements by keyword: (group 0000 element, kind).
COMMAND = {
    "AffectedSOPClassUID": (0x0002, "UI"), "CommandField": (0x0100, "US"), "MessageID": (0x0110, "US"),
    "MessageIDBeingRespondedTo": (0x0120, "US"), "MoveDestination": (0x0600, "AE"), "Priority": (0x0700, "US"),
    "CommandDataSetType": (0x0800, "US"), "Status": (0x0900, "US"), "OffendingElement": (0x0901, "AT"),
    "ErrorComment": (0x0902, "LO"), "AffectedSOPInstanceUID": (0x1000, "UI"),
    "NumberOfRemainingSuboperations": (0x1020, "US"), "NumberOfCompletedSuboperations": (0x1021, "US"),
    "NumberOfFailedSuboperations": (0x1022, "US"), "NumberOfWarningSuboperations": (0x1023, "US"),
}
BY_ELEMENT = {element: (name, kind) for name, (element, kind) in COMMAND.items()}


class Closed(Exception):
    """The peer closed, aborted or rejected."""

    def __init__(self, why, pdu=None):
        super().__init__(why)
        self.pdu = pdu


def padded(value, kind):
    raw = value if isinstance(value, bytes) else str(value).encode()
    return raw + (b"\0" if kind == "UI" else b" ") * (len(raw) % 2)


def encode_command(**values):
    body = b""
    for name in sorted(values, key=lambda name: COMMAND[name][0]):
        element, kind = COMMAND[name]
        raw = struct.pack("<H", values[name]) if kind == "US" else padded(values[name], kind)
        body += struct.pack("<HHI", 0, element, len(raw)) + raw
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def decode_command(raw):
    values, at = {}, 0
    while at + 8 <= len(raw):
        _, element, length = struct.unpack_from("<HHI", raw, at)
        value = raw[at + 8 : at + 8 + length]
        if element in BY_ELEMENT:
            name, kind = BY_ELEMENT[element]
            values[name] = struct.unpack("<H", value)[0] if kind == "US" else value.rstrip(b"\0 ").decode("latin-1")
        at += 8 + length
    return values


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def associate_request(contexts, calling="WIRE", called="PHIM", max_pdu=131072, roles=(), extended=()):
    """`contexts`: (id, abstract syntax, [transfer syntaxes]); `roles`: (SOP class, scu, scp)."""
    body = struct.pack(">HH16s16s32x", 1, 0, called.encode().ljust(16), calling.encode().ljust(16))
    body += item(0x10, b"1.2.840.10008.3.1.1.1")
    for identifier, abstract, syntaxes in contexts:
        sub = item(0x30, abstract.encode()) + b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
        body += item(0x20, struct.pack(">BBBB", identifier, 0, 0, 0) + sub)
    user = item(0x51, struct.pack(">I", max_pdu)) + item(0x52, b"1.2.826.0.1.3680043.10.1.1")
    for uid, scu, scp in roles:
        user += item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes([scu, scp]))
    for uid, information in extended:
        user += item(0x56, struct.pack(">H", len(uid)) + uid.encode() + information)
    body += item(0x50, user)
    return struct.pack(">BBI", 1, 0, len(body)) + body


@dataclass
class Message:
    context: int
    command: dict
    data: bytes | None

    @property
    def status(self):
        return self.command.get("Status")

    @property
    def comment(self):
        return self.command.get("ErrorComment", "")


class Wire:
    """One association over a plain socket. Not thread-safe."""

    def __init__(self, port, contexts, host="127.0.0.1", timeout=120, **options):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.message_id = 0
        self.socket.sendall(associate_request(contexts, **options))
        kind, body = self.read_pdu()
        if kind != 2:
            raise Closed(f"association answered by PDU {kind}: {body.hex()}", (kind, body))
        self.accepted, self.peer_max_pdu = self.parse_accept(body)

    @staticmethod
    def parse_accept(body):
        accepted, max_pdu, at = {}, 16384, 68
        while at + 4 <= len(body):
            kind, _, length = struct.unpack_from(">BBH", body, at)
            value = body[at + 4 : at + 4 + length]
            if kind == 0x21 and value[2] == 0:
                accepted[value[0]] = value[8:].decode().rstrip("\0")
            elif kind == 0x50 and value[0] == 0x51:
                max_pdu = struct.unpack_from(">I", value, 4)[0] or 131072
            at += 4 + length
        return accepted, min(max_pdu, 131072)

    # Bytes in.

    def read_exactly(self, count):
        while len(self.buffer) < count:
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise Closed("connection closed")
            self.buffer += piece
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def read_pdu(self):
        kind, _, length = struct.unpack(">BBI", self.read_exactly(6))
        return kind, self.read_exactly(length)

    def read_message(self):
        command, data, context = b"", [], None
        decoded = None
        while True:
            kind, body = self.read_pdu()
            if kind != 4:
                raise Closed(f"PDU {kind} instead of a message: {body.hex()}", (kind, body))
            at = 0
            while at < len(body):
                length, context, control = struct.unpack_from(">IBB", body, at)
                fragment = body[at + 6 : at + 4 + length]
                at += 4 + length
                if control & 1:
                    command += fragment
                    if control & 2:
                        decoded = decode_command(command)
                        if decoded.get("CommandDataSetType") == 0x0101:
                            return Message(context, decoded, None)
                else:
                    data.append(fragment)
                    if control & 2:
                        return Message(context, decoded, b"".join(data))

    # Bytes out.

    def pdvs(self, context, raw, is_command, last=True):
        """P-DATA-TF PDUs for one piece of a message; `last` closes it."""
        room, out = self.peer_max_pdu - 6, []
        pieces = [raw[at : at + room] for at in range(0, len(raw), room)] or [b""]
        for number, piece in enumerate(pieces):
            control = int(is_command) | (2 if last and number == len(pieces) - 1 else 0)
            out.append(struct.pack(">BBIIBB", 4, 0, len(piece) + 6, len(piece) + 2, context, control))
            out.append(piece)
        return b"".join(out)

    def message(self, context, data=None, **command):
        """The bytes of one whole message."""
        command.setdefault("CommandDataSetType", 0x0101 if data is None else 0x0001)
        out = self.pdvs(context, encode_command(**command), True)
        return out if data is None else out + self.pdvs(context, data, False)

    def next_id(self):
        self.message_id = self.message_id % 65535 + 1
        return self.message_id

    # Verbs.

    def echo(self, context=1):
        self.socket.sendall(self.message(
            context, CommandField=C_ECHO, MessageID=self.next_id(), AffectedSOPClassUID=VERIFICATION))
        return self.read_message()

    def store_bytes(self, context, sop_class, sop_instance, data):
        return self.message(
            context, data, CommandField=C_STORE, MessageID=self.next_id(), Priority=0,
            AffectedSOPClassUID=sop_class, AffectedSOPInstanceUID=sop_instance)

    def store(self, context, sop_class, sop_instance, data):
        self.socket.sendall(self.store_bytes(context, sop_class, sop_instance, data))
        return self.read_message()

    def query_bytes(self, context, verb, model, identifier, **more):
        return self.message(
            context, identifier, CommandField=verb, MessageID=self.next_id(), Priority=0,
            AffectedSOPClassUID=model, **more)

    def cancel_bytes(self, context, message_id):
        return self.message(context, CommandField=C_CANCEL, MessageIDBeingRespondedTo=message_id)

    def responses(self, on_store=None):
        """All responses of one query or retrieval; C-STORE sub-operations go to `on_store`."""
        answers = []
        while True:
            message = self.read_message()
            if message.command["CommandField"] == C_STORE:
                status = on_store(message) if on_store else 0
                self.socket.sendall(self.message(
                    message.context, CommandField=C_STORE | RESPONSE, Status=status or 0,
                    MessageIDBeingRespondedTo=message.command["MessageID"],
                    AffectedSOPClassUID=message.command["AffectedSOPClassUID"],
                    AffectedSOPInstanceUID=message.command["AffectedSOPInstanceUID"]))
                continue
            answers.append(message)
            if message.status not in (0xFF00, 0xFF01):
                return answers

    def release(self):
        self.socket.sendall(struct.pack(">BBII", 5, 0, 4, 0))
        kind, _ = self.read_pdu()
        self.socket.close()
        assert kind == 6, f"release answered by PDU {kind}"

    def abort(self):
        self.socket.sendall(struct.pack(">BBII", 7, 0, 4, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
