"""The measures: each returns rows of plain values, one list entry for each round."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time

from . import processes, samples, senders, servers

SENDERS = (1, 4, 8, 16)
LATENCY_SENDERS = 16
MEMORY_SENDERS = 64
URGENT_INTERVAL = 100  # milliseconds
COMPARED = (servers.Phim, servers.TunedOrthanc, servers.TunedStoreSCP, servers.BareLoop)


class Bench:
    """One run: its options, its folder, its objects."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.ct = samples.make(folder / "ct", "ct", options.count)
        self.small = samples.make(folder / "small", "small", options.small_count)
        self.kinds = (self.ct, self.small)
        self._numbers = iter(range(10_000_000_000, 1 << 62, 1_000_000_000))

    def first_number(self):
        """Start of a range of UIDs that no other sender of this run uses."""
        return next(self._numbers)

    def wanted(self, kinds):
        return [kind for kind in kinds if kind.name in self.options.servers]

    def fresh(self):
        """A new place; what the last measurement left is gone, and the disk is quiet."""
        place = self.folder / "round"
        shutil.rmtree(place, ignore_errors=True)
        os.sync()
        return place

    def say(self, text):
        print(text, file=sys.stderr, flush=True)


def check(server, stored, expected):
    if stored != expected:
        raise SystemExit(f"{server.label}: {stored} of {expected} objects stored")


def throughput(bench):
    """Stock senders against every receiver in turn; the order of the receivers moves on with each round."""
    rows = {}
    kinds = bench.wanted(servers.ALL)
    for number in range(bench.options.rounds):
        for objects in bench.kinds:
            for count in SENDERS:
                for kind in kinds[number % len(kinds):] + kinds[:number % len(kinds)]:
                    share = objects.part(bench.options.slow_count) if kind.is_slow else objects
                    with kind(bench.fresh()) as server:
                        before = processes.processor_seconds(server.pid)
                        seconds = senders.pour(share, server.port, count, server.environment)
                        used = processes.processor_seconds(server.pid) - before
                        check(server, server.stored(), share.count)
                    row = rows.setdefault((objects.kind, kind.name, count), {
                        "kind": objects.kind, "server": kind.name, "senders": count, "objects": share.count,
                        "perSecond": [], "processorMilliseconds": []})
                    row["perSecond"].append(share.count / seconds)
                    row["processorMilliseconds"].append(used / share.count * 1000)
                    bench.say(f"round {number + 1}: {objects.kind}, {count} to {kind.name}: "
                              f"{share.count / seconds:.0f}/s, {used / share.count * 1000:.2f} ms CPU each")
    return list(rows.values())


def start_up(bench):
    """What the senders need before they send: part of every time of `throughput`."""
    rows = []
    for objects in bench.kinds:
        for count in SENDERS:
            seconds = [senders.start_up(objects, count) for _ in range(bench.options.rounds)]
            rows.append({"kind": objects.kind, "senders": count, "objects": objects.count, "seconds": seconds})
    return rows


def latency(bench):
    """Sixteen senders of ours: from the first byte of an object sent to its response."""
    rows = {}
    for number in range(bench.options.rounds):
        for kind in bench.wanted(COMPARED):
            with kind(bench.fresh()) as server:
                sending = senders.Timed(bench.ct, server.port, LATENCY_SENDERS, bench.first_number(),
                                        server.environment, objects=bench.options.count)
                outcome = sending.result()
                check(server, server.stored(), bench.options.count)
            row = rows.setdefault(kind.name, {"server": kind.name, "objects": outcome["objects"], "rounds": []})
            row["rounds"].append(outcome["latency"] | {"perSecond": outcome["perSecond"]})
            bench.say(f"round {number + 1}: latency of {kind.name}: p50 {outcome['latency']['p50']:.1f} ms, "
                      f"p99 {outcome['latency']['p99']:.1f} ms")
    return list(rows.values())


def memory(bench):
    """Phim's highest resident size with 64 associations that send at once."""
    with servers.Phim(bench.fresh()) as server:
        idle = processes.peak_memory(server.pid)
        count = max(bench.options.count, MEMORY_SENDERS)
        outcome = senders.Timed(bench.ct, server.port, MEMORY_SENDERS, bench.first_number(), sample_count=2,
                                objects=count).result()
        peak = processes.peak_memory(server.pid)
        check(server, server.stored(), count)
    bench.say(f"memory: {idle >> 20} MiB idle, {peak >> 20} MiB with {MEMORY_SENDERS} senders")
    return {"senders": MEMORY_SENDERS, "objects": count, "idleBytes": idle, "peakBytes": peak,
            "perSecond": outcome["perSecond"]}


def ingest(bench):
    """Part 10 files handed over in process, and the synced write rate of the same folder's disk, round by round."""
    result = {"ingest": [], "disk": {}, "threads": 8, "every": 8}
    size = max(path.stat().st_size for path in bench.ct.files)
    result["pieceBytes"], result["pieces"] = size, bench.options.count
    for number in range(bench.options.rounds):
        place = bench.fresh()
        place.mkdir()
        rates = senders.engine("disk", "--folder", place, "--size", size, "--count", bench.options.count,
                               "--every", result["every"], "--rounds", 1)
        for way, rate in rates.items():
            result["disk"].setdefault(way, []).append(rate["best"])
        outcome = senders.engine("ingest", "--data", place / "archive", "--samples", bench.ct.folder,
                                 "--sample-count", 8, "--threads", result["threads"], "--objects", bench.options.count,
                                 "--first-number", bench.first_number())
        result["ingest"].append(outcome)
        bench.say(f"round {number + 1}: in process {outcome['mebibytesPerSecond']:.0f} MiB/s; disk " + ", ".join(
            f"{way} {rate['best']:.0f}" for way, rate in sorted(rates.items())))
    return result


def rebuild(bench):
    """`phim rebuild-index` of an archive of each kind, with its volumes out of the page cache and in it."""
    rows = []
    for objects, count in ((bench.small, bench.options.rebuild_count), (bench.ct, bench.options.rebuild_count // 10)):
        place = bench.fresh()
        senders.engine("ingest", "--data", place, "--samples", objects.folder, "--sample-count", 8, "--threads", 32,
                       "--objects", count, "--warm-up", 0, "--first-number", bench.first_number())
        for cached in (False, True):
            rates = []
            for _ in range(bench.options.rounds):
                os.sync()
                if not cached:
                    _forget(place)
                began = time.monotonic()
                done = subprocess.run([str(servers.BINARY), "rebuild-index", "--data", str(place), "--json"],
                                      stdin=subprocess.DEVNULL, capture_output=True, timeout=senders.LIMIT)
                seconds = time.monotonic() - began
                if done.returncode or json.loads(done.stdout)["instances"] != count:
                    raise SystemExit(f"rebuild-index: {done.stdout.decode()}{done.stderr.decode()[:500]}")
                rates.append(count / seconds)
            rows.append({"kind": objects.kind, "objects": count, "cached": cached, "perSecond": rates})
            bench.say(f"rebuild, {objects.kind}, {'cached' if cached else 'not cached'}: "
                      f"{statistics.median(rates):.0f}/s")
    return rows


def _forget(place):
    """Asks the system to let go of the cached pages of every file."""
    for path in place.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def urgent(bench):
    """A sender with C-STORE priority HIGH sends one slice each 100 ms, alone and beside fifteen that pour."""
    rows = []
    seconds = bench.options.urgent_seconds
    for kind in bench.wanted((servers.Phim, servers.TunedOrthanc)):
        for bulk in (0, 15):
            alone, rate = [], []
            for _ in range(bench.options.rounds):
                with kind(bench.fresh()) as server:
                    pouring = None
                    if bulk:
                        pouring = senders.Timed(bench.ct, server.port, bulk, bench.first_number(), server.environment,
                                                calling="BULK", priority="low", seconds=seconds + 2)
                        time.sleep(1)
                    single = senders.Timed(bench.ct, server.port, 1, bench.first_number(), server.environment,
                                           calling="URGENT", priority="high", seconds=seconds,
                                           interval=URGENT_INTERVAL).result()
                    expected = single["objects"]
                    if pouring:
                        poured = pouring.result()
                        expected += poured["objects"]
                        rate.append(poured["perSecond"])
                    check(server, server.stored(), expected)
                alone.append(single["latency"])
            rows.append({"server": kind.name, "bulkSenders": bulk, "rounds": alone, "bulkPerSecond": rate})
            bench.say(f"urgent to {kind.name} beside {bulk}: p50 {_median(alone, 'p50'):.1f} ms, "
                      f"p99 {_median(alone, 'p99'):.1f} ms")
    return rows


def _median(rounds, name):
    return statistics.median(one[name] for one in rounds)


ALL = {"start-up": start_up, "throughput": throughput, "latency": latency, "memory": memory, "ingest": ingest,
       "rebuild": rebuild, "urgent": urgent}
