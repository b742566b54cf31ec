"""Orthanc as a peer. Version 1.10 listens on every address, so it runs in a network namespace of its own if it can."""

import json
import os
import secrets
import subprocess
import sys
import time
import uuid

from support import dcmtk

BINARY = "/usr/sbin/Orthanc"
DICOMWEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
REST = """
import base64, sys, urllib.request
method, url, login = sys.argv[1:4]
body = sys.stdin.buffer.read() or None
head = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode(), "Expect": ""}
with urllib.request.urlopen(urllib.request.Request(url, body, head, method=method), timeout=60) as answer:
    sys.stdout.buffer.write(answer.read())
"""


class Namespace:
    """A network namespace with a loopback of its own; without root, none: everything stays on this host's."""

    def __init__(self):
        self.name = f"phim-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.prefix = []

    def __enter__(self):
        if os.geteuid() == 0:
            made = subprocess.run(["ip", "netns", "add", self.name], capture_output=True)
            if made.returncode == 0:
                inside = ["ip", "netns", "exec", self.name]
                raised = subprocess.run([*inside, "ip", "link", "set", "lo", "up"], capture_output=True)
                if raised.returncode == 0:
                    self.prefix = inside
                else:  # in a container that may make namespaces but not enter them
                    subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)
        return self

    def __exit__(self, *_):
        if self.prefix:
            subprocess.run(["ip", "netns", "delete", self.name], check=True)


class Orthanc:
    """One Orthanc with its own folder, ports and password; stopped by its process id."""

    def __init__(self, folder, prefix, peers, dicomweb=False):
        self.prefix, self.aet = list(prefix), "ORTHANC"
        self.dicom_port, self.http_port = dcmtk.free_port(), dcmtk.free_port()
        self.login = f"tester:{secrets.token_hex(8)}"
        folder.mkdir(parents=True)
        configuration = {
            "Name": "peer", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
            "DicomAet": self.aet, "DicomPort": self.dicom_port, "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True, "UnknownSopClassAccepted": True, "HttpPort": self.http_port,
            "RemoteAccessAllowed": True, "AuthenticationEnabled": True,
            "RegisteredUsers": dict([self.login.split(":")]), "DicomModalities": peers, "Plugins": [DICOMWEB] if dicomweb else [],
            "SynchronousCMove": True,
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))
        self.log = open(folder / "orthanc.log", "wb")
        self.process = subprocess.Popen([*self.prefix, BINARY, str(folder / "orthanc.json")],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait_ready()

    def wait_ready(self, seconds=120):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "Orthanc exited; see orthanc.log"
            try:
                self.rest("GET", "/system")
                return
            except subprocess.CalledProcessError:
                time.sleep(0.1)
        raise AssertionError("Orthanc did not start")

    def rest(self, method, path, body=None):
        """One REST call made inside the namespace."""
        raw = b"" if body is None else json.dumps(body).encode()
        answer = self.call(method, path, raw)
        return json.loads(answer) if answer.strip() else None

    def file(self, instance):
        """The bytes of an instance by Orthanc's own number of it."""
        return self.call("GET", f"/instances/{instance}/file")

    def call(self, method, path, raw=b""):
        url = f"http://127.0.0.1:{self.http_port}{path}"
        command = [*self.prefix, sys.executable, "-c", REST, method, url, self.login]
        return subprocess.run(command, input=raw, capture_output=True, check=True, timeout=90).stdout

    def find(self, level, **query):
        return self.rest("POST", "/tools/find", {"Level": level, "Query": query})

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
