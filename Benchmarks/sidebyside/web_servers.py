"""The web servers: each with the same studies in it, idle and ready before it is measured."""

import json
from pathlib import Path

from support.archive import Archive

from . import processes, servers

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Phim(servers.Phim):
    name, label = "phim", "Phim"

    def start(self, folder=None):
        self.archive = Archive(folder or self.folder / "archive")
        self.archive.start()
        self.process, self.port = self.archive.process, self.archive.dicom_port
        self.http_port = self.archive.http_port
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.headers = {"Authorization": f"Bearer {self.archive.token()}"}


class Orthanc(servers.TunedOrthanc):
    name, label = "orthanc", "Orthanc with its DICOMweb plugin"
    headers = {}
    settings = servers.TunedOrthanc.settings | {
        "Plugins": [str(DICOMWEB_PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "WadoRoot": "/wado"},
    }

    def start(self):
        super().start()
        self.http_port = int(self.url.rpartition(":")[2])


class Memory(servers.Server):
    """The HTTP library that Phim is built on, answering from memory."""

    name, label = "memory", "the same HTTP library, from memory"
    headers = {}

    def __init__(self, folder, size):
        super().__init__(folder)
        self.size = size

    def start(self):
        self.process = processes.start([servers.ENGINE, "memory", "--bytes", self.size], self.environment, self.log)
        self.http_port = json.loads(self.process.stdout.readline())["httpPort"]
        self.url = f"http://127.0.0.1:{self.http_port}"


COMPARED = (Phim, Orthanc)


def missing():
    """Programs that are needed and not there."""
    needed = (servers.BINARY, servers.ENGINE, servers.ORTHANC, DICOMWEB_PLUGIN, "/usr/bin/wrk", "/usr/bin/dcmsend")
    return [str(path) for path in needed if not Path(path).exists()]
