"""Processes: alone with a loopback interface, measured through /proc, stopped by their ids."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_MARK = "PHIM_BENCH_ISOLATED"
_TICK = os.sysconf("SC_CLK_TCK")


def isolate():
    """Starts this program again in a network namespace with nothing but a loopback interface: Orthanc 1.10 listens on
    every address. Returns whether we are in one."""
    if os.environ.get(_MARK):
        return True
    for options in (["--net"], ["--user", "--map-root-user", "--net"]):
        command = ["unshare", *options]
        try:
            probe = subprocess.run([*command, "ip", "link", "set", "lo", "up"], capture_output=True, timeout=20)
        except FileNotFoundError:
            return False
        if probe.returncode == 0:
            inside = [*command, "sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, *sys.argv]
            os.execvpe("unshare", inside, os.environ | {_MARK: "1"})
    return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_so, what, process, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{what} exited {process.returncode} before it was ready")
        if is_so():
            return
        time.sleep(0.02)
    raise SystemExit(f"{what} was not ready within {seconds} s")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def start(command, environment, log):
    """In a session of its own, so that what it forks is stopped with it."""
    return subprocess.Popen([str(part) for part in command], env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=log, start_new_session=True)


def stop(process, seconds=20):
    """SIGTERM to it and to what it forked; returns what it had still to say."""
    def tell(number):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass

    tell(signal.SIGTERM)
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        tell(signal.SIGKILL)
        return process.communicate()[0]


def _stat(pid):
    """The fields of /proc/PID/stat behind the name; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def processor_seconds(pid):
    """User and system time of a process, of those it forked that live, and of those it has waited for."""
    stats = {int(path.name): _stat(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}
    ticks, wanted = 0, [pid]
    while wanted:
        parent = wanted.pop()
        if stats.get(parent):
            ticks += sum(map(int, stats[parent][11:15]))  # utime, stime, cutime, cstime
        wanted += [child for child, fields in stats.items() if fields and int(fields[1]) == parent]
    return ticks / _TICK


def peak_memory(pid):
    """Highest resident size so far (VmHWM), in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no VmHWM of process {pid}")
