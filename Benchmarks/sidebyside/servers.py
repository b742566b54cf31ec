"""The receivers: each started fresh in an empty folder, idle and ready before it is measured."""

import json
import os
import re
import urllib.request
from pathlib import Path

from support.archive import BINARY, Archive

from . import processes

ROOT = Path(__file__).resolve().parents[2]
ENGINE = Path(os.environ.get("PHIM_BENCH_BINARY", ROOT / ".build" / "release" / "phim-bench"))
ORTHANC = "/usr/sbin/Orthanc"
ORTHANC_SETTINGS = Path("/etc/orthanc/orthanc.json")
ORTHANC_THREADS = 64
PLAIN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp"}
NODELAY = PLAIN | {"TCP_NODELAY": "1"}


class Server:
    """What is common; `environment` is that of the server and of its senders."""

    name = label = durability = ""
    environment = PLAIN
    is_synced = True  # whether every answer waits for stable storage
    is_slow = False  # waits about 40 ms for each object, so that it gets fewer of them
    process = None

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.log = open(self.folder / "log", "wb")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process:
            processes.stop(self.process)
        self.process = None
        self.log.close()


class Phim(Server):
    name, label = "phim", "Phim, senders as installed"
    durability = "synced (fdatasync, one for all that wait) and enrolled"

    def __init__(self, folder, options=()):
        super().__init__(folder)
        self.options = options

    def start(self):
        self.archive = Archive(self.folder / "archive")
        self.archive.start(*self.options)
        self.process, self.port, self.hl7_port = self.archive.process, self.archive.dicom_port, self.archive.hl7_port

    def stored(self):
        return self.archive.json("status")["instances"]

    def stop(self):
        if self.process:
            self.archive.stop()
        self.process = None
        self.log.close()


class Orthanc(Server):
    name, label = "orthanc", "Orthanc, both as installed"
    durability = "file synced (one fdatasync each); its name and the SQLite index not"
    is_slow = True
    settings = {}

    def start(self):
        http = processes.free_port()
        self.port, self.url = processes.free_port(), f"http://127.0.0.1:{http}"
        place = str(self.folder / "db")
        settings = _without_comments(ORTHANC_SETTINGS.read_text()) | {
            "DicomPort": self.port, "HttpPort": http, "StorageDirectory": place, "IndexDirectory": place,
        } | self.settings
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(settings))
        self.process = processes.start([ORTHANC, path], self.environment, self.log)
        processes.wait_until(lambda: self._get("/system"), "Orthanc", self.process)
        processes.wait_until(lambda: processes.listens(self.port), "Orthanc", self.process)

    def _get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return json.load(answer)
        except OSError:
            return None

    def stored(self):
        return self._get("/statistics")["CountInstances"]


class TunedOrthanc(Orthanc):
    name, label = "orthanc-tuned", f"Orthanc, TCP_NODELAY=1 on both, {ORTHANC_THREADS} threads"
    environment, is_slow = NODELAY, False
    settings = {"DicomThreadsCount": ORTHANC_THREADS}


class StoreSCP(Server):
    name, label = "storescp", "storescp, both as installed"
    durability = "none: written to the page cache, no index"
    is_synced, is_slow = False, True

    def start(self):
        self.port, self.place = processes.free_port(), self.folder / "files"
        self.place.mkdir()
        command = ["/usr/bin/storescp", "--bit-preserving", "--fork", "-od", self.place, self.port]
        self.process = processes.start(command, self.environment, self.log)
        processes.wait_until(lambda: processes.listens(self.port), "storescp", self.process)

    def stored(self):
        return sum(1 for _ in self.place.iterdir())


class TunedStoreSCP(StoreSCP):
    name, label = "storescp-tuned", "storescp, TCP_NODELAY=1 on both"
    environment, is_slow = NODELAY, False


class BareLoop(Server):
    name, label = "bare", "bare loop, senders as installed"
    durability = "none for 7 of 8: one fdatasync for every eighth, no hash, no parsing, no index"
    is_synced = False

    def start(self):
        command = [ENGINE, "receive", "--file", self.folder / "objects"]
        self.process = processes.start(command, self.environment, self.log)
        self.port = json.loads(self.process.stdout.readline())["dicomPort"]

    def stored(self):
        """Known at the end only, so this ends it."""
        process, self.process = self.process, None
        return json.loads(processes.stop(process).splitlines()[-1])["objects"]


ALL = [Phim, Orthanc, TunedOrthanc, StoreSCP, TunedStoreSCP, BareLoop]
BY_NAME = {server.name: server for server in ALL}


def missing():
    """Programs that are needed and not there."""
    return [str(path) for path in (BINARY, ENGINE, ORTHANC, ORTHANC_SETTINGS, "/usr/bin/storescp", "/usr/bin/dcmsend")
            if not Path(path).exists()]


def _without_comments(text):
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return json.loads(token.sub(lambda match: match[0] if match[0].startswith('"') else " ", text))
