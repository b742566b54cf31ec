"""Who sends: Phim's outbox, Orthanc's jobs, storescu and dcmsend, each with the same study, timed from the request to the
last answer."""

import json
import subprocess
import time
import urllib.request

from support import forwarding
from support.archive import Archive

from . import servers

LIMIT = 900


class Source:
    """Something that holds studies before the clock starts."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class PhimSource(Source):
    name, label = "phim", "Phim (`phim outbox send`)"

    def __init__(self, folder, *objects):
        self.archive = Archive(folder).start()
        self.destinations = 0
        for samples in objects:
            self.archive.run("import", samples.folder, timeout=LIMIT)

    def stop(self):
        self.archive.stop()

    def destination(self):
        self.destinations += 1
        return f"sink-{self.destinations}"

    def dimse(self, port, ae_title="SINK", **options):
        """A new destination at a port; its name."""
        name = self.destination()
        forwarding.to_peer(self.archive, name, port, ae_title, **options)
        return name

    def phim(self, centre, port=None, **options):
        name = self.destination()
        forwarding.to_phim(self.archive, name, centre, station=f"station-{name}", port=port, **options)
        return name

    def request(self, study, to, **options):
        forwarding.send(self.archive, study, to, **options)

    def forward(self, samples, to, **options):
        """Seconds until the destination has taken all of a study."""
        began = time.monotonic()
        self.request(samples.study_uid, to, **options)
        self.wait(samples.count, to)
        return time.monotonic() - began

    def taken(self, to):
        return forwarding.counter(self.archive, "phim_forwarded_objects_total", destination=to)

    def wait(self, count, to):
        deadline = time.monotonic() + LIMIT
        while self.taken(to) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.taken(to):.0f} of {count} objects were taken")
            time.sleep(0.01)

    def proven(self, study, to):
        forwarding.wait_for(self.archive, study, "committed", to, seconds=LIMIT)


class OrthancSource(Source):
    """An Orthanc that has a study and knows its sinks."""

    label = "Orthanc, as installed"
    kind = servers.Orthanc

    def __init__(self, folder, samples):
        self.server = self.kind(folder)
        self.server.__enter__()
        # Filled without waiting for Nagle's algorithm, before the clock starts.
        tool("dcmsend", samples, self.server.port, servers.NODELAY)
        self.study, = self.call("POST", "/tools/find", {
            "Level": "Study", "Query": {"StudyInstanceUID": samples.study_uid}})

    def stop(self):
        self.server.stop()

    def call(self, method, path, body=None):
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.url + path, raw, method=method)
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            said = answer.read()
        return json.loads(said) if said.strip() else None

    def store(self, port):
        """Seconds of a C-STORE job, from the request to its answer."""
        self.call("PUT", "/modalities/sink", {"AET": "SINK", "Host": "127.0.0.1", "Port": port})
        return self._timed("/modalities/sink/store")

    def peer(self, url):
        """Seconds of a transfer to another Orthanc over HTTP."""
        self.call("PUT", "/peers/sink", {"Url": url})
        return self._timed("/peers/sink/store")

    def _timed(self, path):
        began = time.monotonic()
        done = self.call("POST", path, {"Resources": [self.study], "Synchronous": True})
        if done.get("FailedInstancesCount"):
            raise SystemExit(f"Orthanc failed to send {done['FailedInstancesCount']} objects")
        return time.monotonic() - began


class TunedOrthancSource(OrthancSource):
    label = "Orthanc, TCP_NODELAY=1"
    kind = servers.TunedOrthanc


def tool(name, samples, port, environment):
    """Seconds of storescu or dcmsend, from its start to its end."""
    began = time.monotonic()
    done = subprocess.run([f"/usr/bin/{name}", "--scan-directories", "--recurse", "-aec", "SINK", "127.0.0.1", str(port),
                           str(samples.folder)], env=environment, capture_output=True, timeout=LIMIT)
    if done.returncode:
        raise SystemExit(f"{name} exited {done.returncode}: {done.stderr.decode(errors='replace')[:500]}")
    return time.monotonic() - began
