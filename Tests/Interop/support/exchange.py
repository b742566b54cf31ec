"""A station in Python: the protocol between two archives as docs/forwarding.md tells it, from its other side."""

import base64
import gzip
import hashlib
import json
import socket
import struct
import zlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import synthetic


def sha256(data):
    return hashlib.sha256(data).digest()


def coded(data, pieces=None):
    """An object in the form for the line: stored or deflated pieces, which any receiver takes."""
    out = b"PHL1" + struct.pack("<Q", len(data))
    for start in range(0, len(data), 1 << 20):
        piece = data[start:start + (1 << 20)]
        small = zlib.compressobj(6, zlib.DEFLATED, -15)
        small = small.compress(piece) + small.flush()
        kind, payload = (1, small) if len(small) < len(piece) else (0, piece)
        if pieces == "stored":
            kind, payload = 0, piece
        out += struct.pack("<BII", kind, len(piece), len(payload)) + payload
    return out + b"\xff" + sha256(data)


def manifest(objects):
    """Digest of {UID: octets of the digest}."""
    lines = "".join(f"{uid} {objects[uid].hex()}\n" for uid in sorted(objects, key=str.encode))
    return sha256(lines.encode())


def study(folder, instances=3, rows=64, **values):
    """(study UID, {UID: file}) of a study on disk."""
    made = synthetic.study(folder, instances=instances, rows=rows, **values)
    files = {str(dataset.SOPInstanceUID): path for dataset, path in zip(made.datasets, made.files)}
    return made.uid, {uid: path.read_bytes() for uid, path in files.items()}


def digests(objects):
    """{UID: octets of the digest} of {UID: file}."""
    return {uid: sha256(data) for uid, data in objects.items()}


class Station:
    """One that hands over studies to an archive."""

    def __init__(self, archive, account="station", role="station"):
        if f'"{account}"' not in archive.run("account", "list", "--json").stdout:
            archive.run("account", "add", account, "--role", role, "--no-password")
        self.archive = archive
        self.http = archive.http(account=account)
        self.root = f"{archive.url}/api/v1/exchange"

    def offer(self, study, objects, listed=False, correction=None, packed=False):
        body = {"manifest": manifest(objects).hex(), "instances": len(objects)}
        if correction is not None:
            body["correction"] = correction
        if listed:
            body["objects"] = {uid: digest[:16].hex() for uid, digest in objects.items()}
        fields = {"Content-Type": "application/json"}
        data = json.dumps(body).encode()
        if packed:
            fields["Content-Encoding"] = "gzip"
            data = gzip.compress(data)
        return self.http.post(f"{self.root}/studies/{study}/offer", data=data, headers=fields, timeout=20)

    def held(self, study, objects):
        """The UIDs that the centre says it holds."""
        answer = self.offer(study, objects, listed=True).json()
        bits = base64.b64decode(answer["held"]) if "held" in answer else b""
        uids = sorted(objects, key=str.encode)
        return {uid for index, uid in enumerate(uids) if answer["isComplete"] or bits[index // 8] & 0x80 >> index % 8}

    def fields(self, uid, data, form, offset=None, **more):
        fields = {"Phim-Instance": uid, "Phim-Digest": sha256(data).hex(), "Upload-Length": str(len(form))}
        if offset is not None:
            fields |= {"Upload-Offset": str(offset), "Upload-Complete": "?1",
                       "Content-Type": "application/octet-stream"}
        return fields | more

    def path(self, study, form):
        return f"{self.root}/studies/{study}/objects/{sha256(form).hex()}"

    def progress(self, study, uid, data, form):
        return self.http.head(self.path(study, form), headers=self.fields(uid, data, form), timeout=20)

    def send(self, study, uid, data, form=None, offset=0, **fields):
        form = form or coded(data)
        return self.http.patch(
            self.path(study, form), data=form[offset:], headers=self.fields(uid, data, form, offset, **fields), timeout=60)

    def send_and_cut(self, study, uid, data, form, until, offset=0):
        """Says that it sends all, sends a part, and is gone."""
        path = self.path(study, form).removeprefix(self.archive.url)
        fields = self.fields(uid, data, form, offset) | {
            "Authorization": self.http.headers["Authorization"], "Host": "x", "Content-Length": str(len(form) - offset)}
        head = f"PATCH {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        with socket.create_connection(("127.0.0.1", self.archive.http_port), timeout=20) as line:
            line.sendall(head.encode() + form[offset:until])
            line.shutdown(socket.SHUT_WR)
            line.settimeout(60)
            try:
                while line.recv(4096):
                    pass
            except OSError:
                pass

    def receipt(self, study, objects, transaction, listed=False, correction=None):
        body = {"transactionUID": transaction, "manifest": manifest(objects).hex(), "instances": len(objects)}
        if listed:
            body["objects"] = {uid: digest.hex() for uid, digest in objects.items()}
        if correction is not None:
            body["correction"] = correction
        return self.http.post(f"{self.root}/studies/{study}/receipt", json=body, timeout=60)

    def key(self):
        return base64.b64decode(self.http.get(f"{self.root}/key", timeout=20).json()["key"])


def claims(receipt, key):
    """What a receipt says, once its signature is verified."""
    head, body, signature = receipt.split(".")

    def octets(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    assert json.loads(octets(head))["alg"] == "EdDSA"
    Ed25519PublicKey.from_public_bytes(key).verify(octets(signature), f"{head}.{body}".encode())
    return json.loads(octets(body))
