"""A DICOMweb server that stores what it is sent in memory, and answers as badly as it is told to."""

import email.parser
import email.policy
import http.server
import io
import json
import threading

import pydicom

STORED = "stored"


def response(stored=(), failed=()):
    def item(uid, reason=None):
        found = {"00081155": {"vr": "UI", "Value": [str(uid)]}}
        if reason is not None:
            found["00081197"] = {"vr": "US", "Value": [reason]}
        return found
    body = {}
    if stored:
        body["00081199"] = {"vr": "SQ", "Value": [item(uid) for uid in stored]}
    if failed:
        body["00081198"] = {"vr": "SQ", "Value": [item(uid, reason) for uid, reason in failed]}
    return json.dumps(body).encode()


class StowReceiver:
    """`answers`: one for each request, the last one stays; STORED, (status, body), or a function of the UID."""

    def __init__(self, *answers, authorization=None):
        self.answers = list(answers) or [STORED]
        self.authorization = authorization
        self.files = {}  # by SOP Instance UID: the bytes
        self.requests = []
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.post(self)

            def do_GET(self):
                outer.search(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/dicom-web"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def send(call, status, body=b"", content_type="application/dicom+json"):
        call.send_response(status)
        call.send_header("Content-Type", content_type)
        call.send_header("Content-Length", str(len(body)))
        call.end_headers()
        call.wfile.write(body)

    def post(self, call):
        raw = call.rfile.read(int(call.headers["Content-Length"]))
        head = f"Content-Type: {call.headers['Content-Type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + raw)
        part, = message.iter_parts()
        content = part.get_payload(decode=True)
        uid = str(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)
        with self._lock:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.requests.append((call.path, call.headers.get("Authorization"), len(raw)))
        if self.authorization and call.headers.get("Authorization") != self.authorization:
            return self.send(call, 401)
        if callable(answer):
            answer = answer(uid)
        if answer == STORED:
            with self._lock:
                self.files[uid] = content
            return self.send(call, 200, response(stored=[uid]))
        return self.send(call, *answer)

    def search(self, call):
        found = [{"00080018": {"vr": "UI", "Value": [uid]}, "0020000E": {"vr": "UI", "Value": ["1.2.3"]}}
                 for uid in self.files if uid in call.path]
        self.send(call, 200, json.dumps(found).encode())

    def data_sets(self):
        return [pydicom.dcmread(io.BytesIO(content)) for content in self.files.values()]
