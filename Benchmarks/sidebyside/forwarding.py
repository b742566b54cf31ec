"""Forwarding: the measures. Each returns rows of plain values."""

import os
import shutil
import statistics
import sys
import time

from support import forwarding
from support.line import Line, Shape

from . import forward_senders, samples, servers
from .forward_senders import OrthancSource, PhimSource, TunedOrthancSource

HOSPITAL = Shape(10e6, 0.020)
COMMUNE = Shape(2e6, 0.150, 0.01)
FAST = Shape(1e10, 0.0)
SINKS = (servers.BareLoop, servers.TunedStoreSCP)
TOOLS = {
    "storescu": ("storescu", servers.PLAIN), "storescu-tuned": ("storescu", servers.NODELAY),
    "dcmsend": ("dcmsend", servers.PLAIN), "dcmsend-tuned": ("dcmsend", servers.NODELAY),
}


class Bench:
    """One run: its options, its folder, its objects."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.series = samples.make_series(folder / "series", options.count)
        self.places = 0

    def place(self):
        """A new folder, and a quiet disk."""
        self.places += 1
        os.sync()
        return self.folder / f"place-{self.places}"

    def say(self, text):
        print(text, file=sys.stderr, flush=True)


def _check(stored, expected, what):
    if stored != expected:
        raise SystemExit(f"{what}: {stored} of {expected} objects stored")


def lan(bench):
    """One study to one sink, by everybody in turn."""
    rows, first = {}, {}
    series = bench.series
    with (PhimSource(bench.place(), series) as phim, OrthancSource(bench.place(), series) as orthanc,
          TunedOrthancSource(bench.place(), series) as tuned):
        senders = {
            "phim": lambda port: phim.forward(series, phim.dimse(port)),
            "phim-lanes": lambda port: phim.forward(series, phim.dimse(port, lanes=4)),
            "orthanc": orthanc.store, "orthanc-tuned": tuned.store,
            **{name: lambda port, tool=tool, environment=environment: forward_senders.tool(tool, series, port, environment)
               for name, (tool, environment) in TOOLS.items()},
        }
        # The first round only warms up: memory that this machine never used, files that no cache has.
        for number in range(bench.options.rounds + 1):
            for kind in SINKS:
                for name in _turned(list(senders), number):
                    # Senders as installed wait 40 ms for each object that storescp takes: measured once.
                    waits = kind is servers.TunedStoreSCP and name in ("orthanc", "storescu", "dcmsend")
                    if waits and number != 1:
                        continue
                    place = bench.place()
                    with kind(place) as sink:
                        seconds = senders[name](sink.port)
                        _check(sink.stored(), series.count, f"{name} to {kind.name}")
                    shutil.rmtree(place, ignore_errors=True)
                    if number:
                        rows.setdefault((kind.name, name), []).append(seconds)
                    bench.say(f"{name} to {kind.name}: {series.count / seconds:.0f} objects/s")
    return {"objects": series.count, "octets": series.bytes, "rows": [
        {"sink": sink, "sender": sender, "seconds": seconds} for (sink, sender), seconds in rows.items()]}


def _turned(names, number):
    return names[number % len(names):] + names[:number % len(names)]


def archives(bench):
    """From one archive to another of its kind: everything durable and indexed at the other end."""
    rows = {}
    series = bench.series
    with PhimSource(bench.place(), series) as phim, TunedOrthancSource(bench.place(), series) as orthanc:
        for number in range(bench.options.rounds + 1):
            for name in ("phim", "phim-dimse"):
                place = bench.place()
                with servers.Phim(place) as centre:
                    to = (phim.phim(centre.archive, lanes=4) if name == "phim"
                          else phim.dimse(centre.port, "PHIM", lanes=4))
                    seconds = phim.forward(series, to)
                    _check(centre.stored(), series.count, name)
                _note(bench, rows if number else {}, name, seconds, place)
            for name, way in (("orthanc-peer", lambda other: orthanc.peer(other.url)),
                              ("orthanc-dimse", lambda other: orthanc.store(other.port))):
                place = bench.place()
                with servers.TunedOrthanc(place) as other:
                    seconds = way(other)
                    _check(other.stored(), series.count, name)
                _note(bench, rows if number else {}, name, seconds, place)
    return {"objects": series.count, "octets": series.bytes,
            "rows": [{"way": way, "seconds": seconds} for way, seconds in rows.items()]}


def _note(bench, rows, name, seconds, place):
    shutil.rmtree(place, ignore_errors=True)
    rows.setdefault(name, []).append(seconds)
    bench.say(f"{name}: {bench.series.count / seconds:.0f} objects/s")


def thin(bench):
    """A CT of about 100 MB over 10 Mbit/s: plain C-STORE, and what is made smaller for the line."""
    kinds = {"made up": samples.make_series(bench.folder / "thin", bench.options.thin_count),
             "scanned": samples.make_scans(bench.folder / "scans", bench.options.thin_count)}
    rows = []
    for kind, study in kinds.items():
        if study is None:
            continue
        with PhimSource(bench.place(), study) as phim:
            for way in ("storescu", "phim", "phim-dimse"):
                place = bench.place()
                with servers.Phim(place) as centre:
                    port = centre.archive.http_port if way == "phim" else centre.port
                    with Line(HOSPITAL, port) as line:
                        seconds = _thin(way, study, phim, centre, line)
                        row = {"study": kind, "way": way, "seconds": seconds, "carried": line.octets,
                               "octets": study.bytes, "objects": study.count}
                    _check(centre.stored(), study.count, way)
                rows.append(row)
                shutil.rmtree(place, ignore_errors=True)
                bench.say(f"{kind} CT over {HOSPITAL} by {way}: {seconds:.1f} s, {row['carried'] / 1e6:.1f} MB")
    return {"line": str(HOSPITAL), "scans": getattr(kinds["scanned"], "scans", 0), "rows": rows}


def _thin(way, study, phim, centre, line):
    if way == "storescu":
        return forward_senders.tool("storescu", study, line.port, servers.NODELAY)
    if way == "phim":
        return phim.forward(study, phim.phim(centre.archive, line.port, lanes=4))
    return phim.forward(study, phim.dimse(line.port, "PHIM", lanes=4), compress=True)


def second(bench):
    """A study that the centre holds already, sent again."""
    series, place = bench.series, bench.place()
    with PhimSource(bench.place(), series) as phim, servers.Phim(place) as centre:
        with Line(FAST, centre.archive.http_port) as line:
            to = phim.phim(centre.archive, line.port)
            phim.forward(series, to)
            phim.proven(series.study_uid, to)
            first, before = line.octets, line.octets
            phim.archive.run("outbox", "resend", forwarding.shipment(phim.archive, series.study_uid, to)["number"])
            phim.proven(series.study_uid, to)
            again = line.octets - before
    shutil.rmtree(place, ignore_errors=True)
    bench.say(f"{series.count} slices: {first} octets, the second time {again}")
    return {"objects": series.count, "octets": series.bytes, "first": first, "second": again}


def commune(bench):
    """An urgent chest X-ray over a commune's line, alone and beside a backlog of CT."""
    urgent = samples.make_radiograph(bench.folder / "urgent")
    bulk = samples.make_series(bench.folder / "bulk", bench.options.bulk_count)
    rows = []
    for beside in (False, True):
        place = bench.place()
        with PhimSource(bench.place(), urgent, bulk) as phim, servers.Phim(place) as centre:
            with Line(COMMUNE, centre.archive.http_port) as line:
                to = phim.phim(centre.archive, line.port, lanes=2)
                if beside:
                    phim.request(bulk.study_uid, to, priority="bulk")
                    phim.wait(2, to)
                before, began, carried = phim.taken(to), time.monotonic(), line.octets
                phim.request(urgent.study_uid, to, priority="stat")
                phim.proven(urgent.study_uid, to)
                rows.append({"beside": beside, "seconds": time.monotonic() - began, "carried": line.octets - carried,
                             "overtaken": bulk.count - phim.taken(to) + 1 if beside else 0,
                             "before": phim.taken(to) - before - 1})
        shutil.rmtree(place, ignore_errors=True)
        bench.say(f"urgent X-ray over {COMMUNE}{' beside bulk' if beside else ''}: {rows[-1]['seconds']:.1f} s")
    return {"line": str(COMMUNE), "octets": urgent.bytes, "bulk": bulk.bytes, "rows": rows}


ALL = {"lan": lan, "archives": archives, "thin": thin, "second": second, "commune": commune}


def median(values):
    return statistics.median(values)
