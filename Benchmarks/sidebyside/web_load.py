"""Load over HTTP: wrk for what is read, plain threads for what is sent."""

import http.client
import json
import subprocess
import threading
import time
from pathlib import Path

LIMIT = 300
_SCRIPT = """
local paths = {}
for line in io.lines("%(paths)s") do paths[#paths + 1] = line end
local at = 0
request = function()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at])
end
done = function(summary, latency, requests)
  io.write(string.format(
    'RESULT {"requests":%%d,"microseconds":%%d,"bytes":%%d,"failed":%%d,"p50":%%f,"p99":%%f,"max":%%f}\\n',
    summary.requests, summary.duration, summary.bytes,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
      + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
"""


def read(server, paths, clients, seconds, headers, folder):
    """Requests these paths in turn from so many clients; none may fail. Times in milliseconds."""
    folder = Path(folder)
    listed, script = folder / "paths", folder / "load.lua"
    listed.write_text("".join(path + "\n" for path in paths))
    script.write_text(_SCRIPT % {"paths": listed})
    command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s", "--timeout", "30s",
               "--script", str(script)]
    for name, value in (server.headers | headers).items():
        command += ["--header", f"{name}: {value}"]
    done = subprocess.run([*command, server.url], capture_output=True, text=True, timeout=seconds + LIMIT)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"wrk against {server.label}: {done.stdout[-500:]}{done.stderr[-500:]}")
    found = json.loads(lines[-1].removeprefix("RESULT "))
    if found["failed"]:
        raise SystemExit(f"{server.label} failed {found['failed']} of {found['requests']} requests such as {paths[0]}")
    found["perSecond"] = found["requests"] / found["microseconds"] * 1e6
    found["mebibytesPerSecond"] = found["bytes"] / found["microseconds"] * 1e6 / (1 << 20)
    return found


def ask(server, path, headers=None, timeout=120):
    """(status, body, milliseconds) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=timeout)
    began = time.monotonic()
    connection.request("GET", path, headers=server.headers | (headers or {}))
    answer = connection.getresponse()
    body = answer.read()
    spent = (time.monotonic() - began) * 1000
    connection.close()
    return answer.status, body, spent


def store(server, files, clients):
    """Posts each file as a STOW-RS request of its own, from so many clients; returns requests per second."""
    boundary = "phim-benchmark-7b1f0c6a5f5e4d0e9d5b"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    bodies = [head + path.read_bytes() + tail for path in files]
    headers = server.headers | {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": "application/dicom+json"}
    failures = []

    def send(share):
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=120)
        try:
            for body in share:
                connection.request("POST", "/dicom-web/studies", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    failures.append(f"{answer.status}: {text[:200]}")
                    return
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(bodies[number::clients],)) for number in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    if failures:
        raise SystemExit(f"{server.label} did not store: {failures[0]}")
    return len(bodies) / seconds
