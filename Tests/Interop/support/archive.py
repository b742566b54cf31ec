"""The archive under test as a black box: start, ready line, command line, stop."""

import json
import os
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("PHIM_BINARY", ROOT / ".build" / "release" / "phim"))
READY_SECONDS = 120
STOP_SECONDS = 60


class Archive:
    """One data directory and, while started, the server process that owns it."""

    started = []  # every archive of the running test, for the report on failure

    def __init__(self, data, config=None, prefix=()):
        self.data = Path(data)
        self.data.mkdir(parents=True, exist_ok=True)
        self.log = self.data.parent / (self.data.name + ".log")
        self.prefix = list(prefix)  # e.g. a network namespace to run in
        self.process = None
        self.dicom_port = self.http_port = self.hl7_port = None
        self._tokens = {}
        if config is not None:
            # JSON is a subset of YAML, so the configuration needs no writer of its own.
            (self.data / "phim.yaml").write_text(json.dumps(config, indent=2) + "\n")

    # The server.

    def start(self, *extra, wait=True):
        assert self.process is None, "already running"
        command = [*self.prefix, str(BINARY), "serve", "--data", str(self.data), "--dicom-host", "127.0.0.1"]
        command += ["--dicom-port", "0", "--http-port", "0", *map(str, extra)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, bufsize=0
            )
        Archive.started.append(self)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=READY_SECONDS):
        deadline, line = time.monotonic() + seconds, b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            readable = left > 0 and select.select([self.process.stdout], [], [], left)[0]
            piece = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not piece:
                self.kill()
                raise AssertionError(f"no ready line within {seconds} s; said {line!r}\n{self.tail()}")
            line += piece
        ready = json.loads(line.splitlines()[0])
        self.dicom_port, self.http_port = ready["dicomPort"], ready["httpPort"]
        self.hl7_port = ready.get("hl7Port")
        return ready

    @property
    def pid(self):
        return self.process.pid  # a prefix command replaces itself by the server

    def stop(self, seconds=STOP_SECONDS):
        """SIGTERM drains and exits 0."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"did not stop within {seconds} s of SIGTERM\n{self.tail()}") from None
        finally:
            process.stdout.close()
        assert status == 0, f"exit status {status} after SIGTERM\n{self.tail()}"

    def kill(self):
        if self.process is None:
            return
        process, self.process = self.process, None
        process.kill()
        process.wait()
        process.stdout.close()

    def restart(self, *extra):
        self.stop()
        return self.start(*extra)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def tail(self, lines=60):
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- {self.log.name}, last {lines} lines", *text[-lines:]])

    def peak_memory(self):
        """Highest resident memory of the server so far, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    # HTTP.

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http_port}"

    def token(self, role=None, account="administrator"):
        """A bearer token of the administrator that the first start made, limited to a role when one is given."""
        if (account, role) not in self._tokens:
            limit = ["--role", role] if role else []
            self._tokens[account, role] = self.run("token", "issue", "--account", account, *limit).stdout.strip()
        return self._tokens[account, role]

    def http(self, role=None, account="administrator"):
        """A requests session that proves itself with a token."""
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self.token(role, account)}"
        return session

    def get(self, path, timeout=60, token=None):
        """(status, body text, content type)."""
        request = urllib.request.Request(f"{self.url}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode(), answer.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace"), error.headers.get("Content-Type", "")

    def assert_healthy(self):
        assert self.alive, f"the server died\n{self.tail()}"
        assert self.get("/health/live")[0] == 200
        assert self.get("/health/ready")[0] == 200

    # Command line.

    def run(self, *arguments, expect=0, timeout=120):
        """`phim SUBCOMMAND... --data DIR`; `expect` is the exit status, or several, None for any.

        0: done; 1: done, but something was refused, missing or failed; 2: could not begin.
        """
        command = [*self.prefix, str(BINARY), *map(str, arguments), "--data", str(self.data)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        if expect is not None:
            said = f"\nstdout: {done.stdout[-3000:]}\nstderr: {done.stderr[-3000:]}"
            expected = expect if isinstance(expect, tuple) else (expect,)
            assert done.returncode in expected, f"{command[len(self.prefix):]} exited {done.returncode}{said}"
        return done

    def json(self, *arguments, expect=0, timeout=120):
        done = self.run(*arguments, "--json", expect=expect, timeout=timeout)
        return json.loads(done.stdout)

    def trail(self, *arguments, has=lambda row: True, seconds=60):
        """Rows of the audit trail, once there is one for which `has` holds: it is written soon after what it tells of."""
        deadline = time.monotonic() + seconds
        while not any(map(has, rows := self.json("audit", "find", *arguments))):
            assert time.monotonic() < deadline, rows
            time.sleep(0.1)
        return rows

    def find(self, *arguments, level="study"):
        return self.json("find", "--level", level, "--limit", 1_000_000, *arguments)

    def image_keys(self):
        """The whole catalogue at image level, in an order of its own, for comparing two states."""
        rows = self.find(level="image")
        return sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)

    def volumes(self):
        return sorted((self.data / "volumes").glob("*.tar"))
