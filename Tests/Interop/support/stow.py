"""STOW-RS requests made by hand: bodies of any kind, right and wrong, over a plain socket or an HTTP client."""

import http.client
import json
import socket

BOUNDARY = "phim-test-0123456789abcdef"
TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
STORED, FAILED, OTHER = "00081199", "00081198", "0008119A"


def multipart(parts, content_type="application/dicom", boundary=BOUNDARY):
    """A body of parts: bytes, or (content type, bytes) or (headers, bytes)."""
    out = []
    for part in parts:
        headers, raw = part if isinstance(part, tuple) else (content_type, part)
        if isinstance(headers, str):
            headers = {"Content-Type": headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        out += [f"--{boundary}\r\n{lines}\r\n".encode(), raw, b"\r\n"]
    return b"".join([*out, f"--{boundary}--\r\n".encode()])


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def instances(self, sequence):
        """[(SOP Instance UID, reason or None)] of a sequence of the response; UID is None where it is not known."""
        found = []
        for item in self.json.get(sequence, {}).get("Value", []):
            reason = item.get("00081197", item.get("00081196", {})).get("Value", [None])[0]
            found.append((item.get("00081155", {}).get("Value", [None])[0], reason))
        return found


def connect(archive, timeout=60):
    return http.client.HTTPConnection("127.0.0.1", archive.http_port, timeout=timeout)


def post(archive, body, content_type=TYPE, path="/dicom-web/studies", headers=None, connection=None):
    """POSTs a body (bytes, or an iterable sent in chunks) with a token; one of `headers` goes before it."""
    line = connection or connect(archive)
    fields = {"Content-Type": content_type, **authorization(archive), **(headers or {})}
    chunked = not isinstance(body, (bytes, bytearray)) and "Content-Length" not in fields
    try:
        line.request("POST", path, body, fields, encode_chunked=chunked)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all of it was sent: the answer is there
    answer = Answer(line.getresponse())
    if connection is None:
        line.close()
    return answer


def authorization(archive, role=None):
    return {"Authorization": f"Bearer {archive.token(role)}"}


def head(archive, length, content_type=TYPE, path="/dicom-web/studies"):
    """The bytes of a request's head, for those who send its body by hand."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in authorization(archive).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def raw(archive):
    return socket.create_connection(("127.0.0.1", archive.http_port), 30)
