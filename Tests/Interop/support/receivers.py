"""Systems that are told of studies: python-hl7 behind a socket, and a small HTTP server, both as good or bad as asked."""

import base64
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import subprocess
import threading
import time

import hl7

# What a receiver does with a message.
ACCEPT, HANG_UP, HOLD = "accept", "hang up", "hold"
SECRET = "mot-bi-mat-du-dai-cho-chu-ky"


def certificate(folder, stem="receiver"):
    """A self-signed certificate for 127.0.0.1, as (certificate, key)."""
    pair = folder / f"{stem}.pem", folder / f"{stem}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", pair[0], "-keyout", pair[1]],
        check=True, capture_output=True)
    return pair


class _Receiver:
    """`answer` is one answer for all, or a list of which the last one stays."""

    def __init__(self, answer=ACCEPT):
        self.answers = answer if isinstance(answer, list) else [answer]
        self._lock = threading.Lock()
        self._released = threading.Event()

    def next_answer(self):
        with self._lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def release(self):
        """Whoever is held gets its answer, and everybody after."""
        self.answers = [ACCEPT]
        self._released.set()

    def wait(self, count=1, seconds=120):
        """The first `count` things that came, once they have."""
        deadline = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} came"
            time.sleep(0.05)
        return self.got[:count]


class HL7Receiver(_Receiver):
    """Takes messages over MLLP; `got` has them as bytes, in order. Other answers are (MSA-1, MSA-3)."""

    def __init__(self, answer=ACCEPT, port=0, pair=None):
        super().__init__(answer)
        self.got = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            self.listener = context.wrap_socket(self.listener, server_side=True)

    def __enter__(self):
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._released.set()
        # A thread in accept() keeps a socket open that is only closed.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _listen(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except ssl.SSLError:
                continue
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        held = b""
        with connection:
            while True:
                try:
                    piece = connection.recv(1 << 16)
                except OSError:
                    return
                if not piece:
                    return
                held += piece
                while b"\x1c\r" in held:
                    frame, held = held.split(b"\x1c\r", 1)
                    if not self._answer(connection, frame.lstrip(b"\x0b")):
                        return

    def _answer(self, connection, raw):
        message = hl7.parse(raw.decode("utf-8"))
        answer = self.next_answer()
        self.got.append(raw)
        if answer == HANG_UP:
            return False
        if answer == HOLD:
            self._released.wait(600)
        code, text = ("AA", "") if answer in (ACCEPT, HOLD) else answer
        control = str(message.segment("MSH")[10])
        reply = f"MSH|^~\\&|HIS|24001|PHIM|24001|20261121||ACK|R{control}|P|2.5.1\rMSA|{code}|{control}|{text}\r"
        try:
            connection.sendall(b"\x0b" + reply.encode() + b"\x1c\r")
        except OSError:
            return False
        return True

    @property
    def messages(self):
        return [hl7.parse(raw.decode("utf-8")) for raw in self.got]


class WebhookReceiver(_Receiver):
    """Takes posts; `got` has (headers, body). Other answers are (status, headers)."""

    def __init__(self, answer=ACCEPT, pair=None, port=0):
        super().__init__(answer)
        self.got = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.next_answer()
                receiver.got.append((dict(self.headers), body))
                if answer == HANG_UP:
                    self.close_connection = True
                    return
                if answer == HOLD:
                    receiver._released.wait(600)
                status, headers = (204, {}) if answer in (ACCEPT, HOLD) else answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.scheme = "http"
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._released.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self):
        return f"{self.scheme}://127.0.0.1:{self.port}/images"

    @property
    def documents(self):
        return [json.loads(body) for _, body in self.got]

    @staticmethod
    def is_signed(headers, body, secret=SECRET):
        parts = dict(part.split("=", 1) for part in headers["Phim-Signature"].split(","))
        right = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(right, parts["v1"])


def pictures(message):
    """The JPEG files in a message's OBX segments."""
    return [base64.b64decode(str(row[5][0][4])) for row in message.segments("OBX") if str(row[2]) == "ED"]
