"""The installed DCMTK tools, always by full path: a Python environment has tools of the same names."""

import contextlib
import itertools
import os
import re
import socket
import subprocess
import time
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/tmp")}
# Below the ports that the kernel gives to outgoing connections, and of each worker of the suite its own: what is free now
# stays so until its server listens.
_FIRST_PORT = 12_000 + 4_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4)
_ports = itertools.count(os.getpid())


def run(tool, *arguments, expect=0, timeout=120, prefix=()):
    command = [*prefix, f"/usr/bin/{tool}", *map(str, arguments)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT,
        timeout=timeout, text=True, errors="replace",
    )
    if expect is not None:
        assert done.returncode == expect, f"{' '.join(command)} exited {done.returncode}\n{done.stdout[-4000:]}"
    return done


def peer(archive, calling="DCMTK", called="PHIM"):
    return ["-aet", calling, "-aec", called, "127.0.0.1", archive.dicom_port]


def find(archive, folder, level, *keys, model="-S", calling="DCMTK", expect=0, options=()):
    """findscu; the answers as pydicom data sets, read from the files that findscu writes."""
    import pydicom

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("rsp*.dcm"):
        old.unlink()
    arguments = [model, "-X", "-od", folder, *options, "-k", f"QueryRetrieveLevel={level}"]
    for key in keys:
        arguments += ["-k", key]
    run("findscu", *arguments, *peer(archive, calling), expect=expect)
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


def final_status(text):
    """The statuses that a verbose tool printed, as it printed them."""
    return re.findall(r"(?:DIMSE Status|Response).*?(0x[0-9a-f]{4}|Success|Failed[^\]\n]*)", text)


def free_port():
    for number in _ports:
        port = _FIRST_PORT + number % 4_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class StoreSCP:
    """storescp as a move destination, bit-preserving."""

    def __init__(self, folder, *options, aet="STORESCP", prefix=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.aet = free_port(), aet
        command = [*prefix, "/usr/bin/storescp", "--bit-preserving", *options, "-aet", aet, "-od", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, str(self.port)], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        if not prefix:
            wait_listening(self.port, self.process)

    def files(self):
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)


def wait_listening(port, process, seconds=60):
    """Returns when something accepts on the port; a refused connection is retried until the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"exited {process.returncode} before it listened"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port}")
