"""What the run was made on and with."""

import os
import platform
import re
import subprocess
from pathlib import Path

from . import servers


def facts(folder, isolated):
    processor = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), platform.processor() or platform.machine())
    return {
        "processor": processor, "cores": os.cpu_count(),
        "memoryGiB": round(int(Path("/proc/meminfo").read_text().split()[1]) / (1 << 20)),
        "kernel": f"Linux {platform.release()} ({platform.machine()})", "fileSystem": _file_system(folder),
        "network": "loopback" + (" of a network namespace of its own" if isolated else " of the host"),
        "versions": {
            "Phim": _said(servers.BINARY, "--version"),
            "Orthanc": _said(servers.ORTHANC, "--version"),
            "DCMTK": _said("/usr/bin/dcmsend", "--version"),
        },
    }


def _said(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=20)
    first = (done.stdout.strip() or done.stderr.strip()).split("\n")[0].strip("$ ")
    found = re.search(r"\d+\.\d+\S*", first)
    return found[0] if found else first


def _file_system(path):
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    best = max((fields for fields in mounts if Path(path).resolve().is_relative_to(fields[1])),
               key=lambda fields: len(fields[1]))
    return f"{best[2]} on {best[0]} ({best[3]})"
