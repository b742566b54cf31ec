"""Stock dcmsend senders, and our own that times each C-STORE."""

import json
import subprocess
import time

from . import processes, servers

LIMIT = 300


def pour(samples, port, senders, environment):
    """Seconds that so many dcmsend at once need for all objects, from their start to the end of the last."""
    began = time.monotonic()
    running = [_dcmsend(share, port, environment) for share in samples.shares(senders)]
    try:
        for process in running:
            said = process.communicate(timeout=LIMIT)[1]
            if process.returncode:
                raise SystemExit(f"dcmsend exited {process.returncode}: {said.decode(errors='replace')[:500]}")
    finally:
        _end(running)
    return time.monotonic() - began


def start_up(samples, senders):
    """Seconds that so many dcmsend need to start, look through the files and find nobody at the port."""
    port = processes.free_port()
    began = time.monotonic()
    running = [_dcmsend(share, port, servers.PLAIN) for share in samples.shares(senders)]
    try:
        for process in running:
            process.communicate(timeout=LIMIT)
    finally:
        _end(running)
    return time.monotonic() - began


def _dcmsend(share, port, environment):
    # A receiver may leave a caller waiting for its A-ASSOCIATE-AC while others are served: more than 30 s are allowed.
    return subprocess.Popen(
        ["/usr/bin/dcmsend", "-ta", str(LIMIT), "--scan-directories", "127.0.0.1", str(port), *map(str, share)],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _end(running):
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()


class Timed:
    """`phim-bench send`, running; `result` waits for its end."""

    def __init__(self, samples, port, associations, first, environment=servers.PLAIN, **options):
        command = [servers.ENGINE, "send", "--port", port, "--associations", associations, "--samples", samples.folder,
                   "--sample-count", options.pop("sample_count", 8), "--first-number", first]
        for name, value in options.items():
            command += [f"--{name}", value]
        self.process = subprocess.Popen([str(part) for part in command], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def result(self):
        try:
            out, said = self.process.communicate(timeout=LIMIT)
        finally:
            _end([self.process])
        if self.process.returncode:
            raise SystemExit(f"phim-bench send exited {self.process.returncode}: {(said + out).decode()[:1000]}")
        return json.loads(out)


def engine(*arguments, limit=LIMIT):
    """Runs `phim-bench` to its end; what it printed."""
    done = subprocess.run([str(part) for part in (servers.ENGINE, *arguments)], env=servers.PLAIN,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)
    if done.returncode:
        raise SystemExit(f"phim-bench {arguments[0]} exited {done.returncode}: {done.stderr.decode()[:1000]}")
    return json.loads(done.stdout)
