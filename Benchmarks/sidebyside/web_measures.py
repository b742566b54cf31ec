"""What a viewer asks for, measured at Phim and at Orthanc with the same studies in each."""

import json
import os
import re
import shutil
import statistics
import sys

from . import samples, senders, web_load, web_servers
from .web_thin_line import thin_line

CLIENTS = 8
LIST = ("/dicom-web/studies?limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060&PatientName=*{}*")
NAMES = ("nguyen", "tran", "le", "pham", "hoang", "vu")
# Marks, as a name is stored, for a server that does not fold them.
MARKED = {"nguyen": "nguy", "tran": "tr", "le": "l", "pham": "ph", "hoang": "ho", "vu": "v"}
JSON = {"Accept": "application/dicom+json"}
FRAME = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'}
JPEG = {"Accept": "image/jpeg"}


class Bench:
    """One run: its options, its folder, its studies."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.ct = samples.make(folder / "ct", "ct", options.count)
        self.series = samples.make_series(folder / "series", options.slices)

    def fresh(self, name):
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        os.sync()
        return place

    def say(self, text):
        print(text, file=sys.stderr, flush=True)


def filled(bench, kind):
    """A server that has every study of this run."""
    server = kind(bench.fresh(kind.name))
    server.__enter__()
    try:
        for objects in (bench.ct, bench.series):
            senders.pour(objects, server.port, 4, server.environment)
        expected = bench.ct.count + bench.series.count
        if server.stored() != expected:
            raise SystemExit(f"{server.label}: {server.stored()} of {expected} objects stored")
    except BaseException:
        server.__exit__()
        raise
    return server


def reading(bench):
    """Everything that is read: each measure in turn at both servers, round by round."""
    rows = {}
    running = [filled(bench, kind) for kind in web_servers.COMPARED]
    try:
        wanted = {server.name: _paths(bench, server) for server in running}
        for server in running:
            rows["metadata first", server.name] = [_metadata_first(server, wanted[server.name]["metadata"][0])]
        for number in range(bench.options.rounds):
            turn = running if number % 2 == 0 else running[::-1]
            for what, headers in (("list", JSON), ("metadata", JSON), ("frames", FRAME), ("rendered", JPEG)):
                for server in turn:
                    clients = 1 if what == "metadata" else CLIENTS
                    found = web_load.read(server, wanted[server.name][what], clients, bench.options.seconds, headers,
                                          bench.folder)
                    rows.setdefault((what, server.name), []).append(found)
                    bench.say(f"round {number + 1}: {what} at {server.name}: {found['perSecond']:.0f}/s, "
                              f"{found['mebibytesPerSecond']:.0f} MiB/s, p99 {found['p99']:.1f} ms")
            memory = web_servers.Memory(bench.fresh("memory"), wanted["phim"]["frameBytes"])
            with memory:
                found = web_load.read(memory, ["/"], CLIENTS, bench.options.seconds, {}, bench.folder)
            rows.setdefault(("frames", "memory"), []).append(found)
            bench.say(f"round {number + 1}: frames from memory: {found['perSecond']:.0f}/s")
    finally:
        for server in running:
            server.__exit__()
    return [{"what": what, "server": server, "rounds": found} for (what, server), found in rows.items()]


def _metadata_first(server, path):
    """The first time that anybody asks for the metadata of the long series."""
    status, body, spent = web_load.ask(server, path, JSON)
    if status != 200:
        raise SystemExit(f"{server.label}: {path}: {status} {body[:200]}")
    return {"milliseconds": spent, "bytes": len(body), "instances": len(json.loads(body))}


def _paths(bench, server):
    """What to ask this server for; every kind of request is answered once, and looked at, before it is measured."""
    def expect(path, headers, check=lambda body: True):
        status, body, _ = web_load.ask(server, path, headers)
        if status != 200 or not check(body):
            raise SystemExit(f"{server.label}: {path}: {status} {body[:200]!r}")
        return body

    names = NAMES if server.name == "phim" else [MARKED[name] for name in NAMES]
    lists = [LIST.format(name) for name in names]
    for path in lists:
        expect(path, JSON, lambda body: len(json.loads(body)) > 0)
    studies = json.loads(expect("/dicom-web/studies?limit=101", JSON))
    study, series = bench.series.study_uid, bench.series.series_uid
    metadata = f"/dicom-web/studies/{study}/series/{series}/metadata"
    instances = []
    for one in studies:
        uid = one["0020000D"]["Value"][0]
        if uid == study:
            continue
        found = json.loads(expect(f"/dicom-web/studies/{uid}/instances?limit=1000", JSON))
        instances += [(uid, item["0020000E"]["Value"][0], item["00080018"]["Value"][0]) for item in found]
    paths = ["/dicom-web/studies/{}/series/{}/instances/{}".format(*one) for one in instances]
    frame = expect(paths[0] + "/frames/1", FRAME, lambda body: len(body) > 512 * 512 * 2)
    expect(paths[0] + "/rendered", JPEG, lambda body: body.startswith(b"\xff\xd8") and re.search(rb"\xff\xd9\0?$", body))
    return {"list": lists, "metadata": [metadata], "frames": [path + "/frames/1" for path in paths],
            "rendered": [path + "/rendered" for path in paths], "frameBytes": len(frame)}


def storing(bench):
    """STOW-RS, one instance each request, eight clients."""
    rows = {}
    for number in range(bench.options.rounds):
        for kind in web_servers.COMPARED[::1 if number % 2 == 0 else -1]:
            with kind(bench.fresh(kind.name)) as server:
                rate = web_load.store(server, bench.ct.files, CLIENTS)
                if server.stored() != bench.ct.count:
                    raise SystemExit(f"{server.label}: {server.stored()} of {bench.ct.count} objects stored")
            rows.setdefault(kind.name, []).append(rate)
            bench.say(f"round {number + 1}: STOW at {kind.name}: {rate:.0f}/s")
    return [{"server": name, "perSecond": rates} for name, rates in rows.items()]


def long_list(bench):
    """The study list of an archive with very many studies; Phim alone, for the list is made in its catalogue."""
    place = bench.fresh("long")
    senders.engine("study-list", "--data", place / "archive", "--studies", bench.options.studies)
    server = web_servers.Phim(place / "server")
    server.start(place / "archive")
    rows = []
    try:
        for name in ("nguyen", "thi", "a", "van duc", "thach"):
            path = LIST.format(name.replace(" ", "%20"))
            # Each answer may be asked for again: other offsets are other questions.
            fresh = [path.replace("offset=0", f"offset={number}") for number in range(400)]
            first = [web_load.ask(server, one, JSON)[2] for one in fresh]
            again = web_load.read(server, [path], CLIENTS, bench.options.seconds, JSON, bench.folder)
            first.sort()
            rows.append({"name": name, "p50": statistics.median(first), "p99": first[int(len(first) * 0.99) - 1],
                         "again": again})
            bench.say(f"long list, *{name}*: p50 {rows[-1]['p50']:.1f} ms, p99 {rows[-1]['p99']:.1f} ms; "
                      f"again {again['perSecond']:.0f}/s, p99 {again['p99']:.1f} ms")
    finally:
        server.stop()
    return {"studies": bench.options.studies, "rows": rows}


ALL = {"reading": reading, "storing": storing, "long list": long_list, "thin line": thin_line}
