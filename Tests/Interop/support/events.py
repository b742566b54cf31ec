"""A listener to server-sent events on a plain socket: it reads when it is told to, or not at all."""

import json
import socket
import time
from dataclasses import dataclass


@dataclass
class Event:
    name: str
    id: int | None
    data: dict


class Listener:
    def __init__(self, archive, query, token=None, headers=(), receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", archive.http_port))
        lines = [f"GET /api/v1/events{query} HTTP/1.1", "Host: localhost", "Accept: text/event-stream", *headers]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.raw = b""
        while b"\r\n\r\n" not in self.raw:
            self._more()
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        self.status = int(head.split(b" ")[1])
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])}
        self.text, self.ended, self.comments = "", False, 0

    def _more(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        self.raw += piece

    def _chunk(self):
        """One chunk of the body (RFC 9112 Section 7.1) joins the text."""
        while b"\r\n" not in self.raw:
            self._more()
        size, rest = self.raw.split(b"\r\n", 1)
        length = int(size, 16)
        while len(rest) < length + 2:
            self._more()
            size, rest = self.raw.split(b"\r\n", 1)
        self.text += rest[:length].decode()
        self.raw = rest[length + 2:]
        self.ended = length == 0

    def next(self, seconds=60):
        """The next event, None at the end of the stream."""
        self.socket.settimeout(seconds)
        while True:
            while "\n\n" in self.text:
                block, self.text = self.text.split("\n\n", 1)
                fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
                if "event" in fields:
                    number = fields.get("id")
                    return Event(fields["event"], int(number) if number else None, json.loads(fields["data"]))
                self.comments += block.startswith(":")
            if self.ended:
                return None
            self._chunk()

    def until(self, name, seconds=60):
        """The next event of a name; what comes before it is passed over."""
        deadline = time.monotonic() + seconds
        while (event := self.next(max(deadline - time.monotonic(), 0.1))) is not None:
            if event.name == name:
                return event
        raise AssertionError(f"the stream ended without {name}")

    def close(self):
        self.socket.close()
