"""RESULTS.md: the machine, the method, one table for each measure."""

import statistics

from . import goals, servers


def text(results):
    parts = [_head(results), _method(results)]
    parts += [make(results) for make in (_throughput, _start_up, _cost, _latency, _memory, _ingest, _rebuild, _urgent,
                                         _ratios)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def spread(values, form="{:.0f}"):
    """Median, and from least to most when there was more than one round."""
    middle = form.format(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({form.format(min(values))}–{form.format(max(values))})"


def _name(server):
    return servers.BY_NAME[server].label


def _durability(server):
    return servers.BY_NAME[server].durability


def _head(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"""# Side by side

Written by `make bench`; every number is from this one run. Cells are medians, with least to most in brackets.

| | |
|---|---|
| machine | {machine["cores"]} x {machine["processor"]}, {machine["memoryGiB"]} GiB |
| system | {machine["kernel"]}, {machine["fileSystem"]}, {machine["network"]} |
| versions | {versions} |
| run | {results["date"]}, {results["rounds"]} rounds, load before it {results["load"]:.1f} |
| objects | {results["samples"]["ct"]}; {results["samples"]["small"]} |"""


def _method(results):
    return f"""## Method

* The objects are made from a seed: CT slices of 512 x 512 x 16 bits with noise, and in turn text reports and 8-bit
  ultrasound images. Senders and receivers share the machine.
* Each measurement has a fresh server and folder. The server is idle and answers before the clock starts; before that
  the last folder is removed and the disk is synced. Nothing else is done to the page cache. After each, the stored
  objects are counted at the server; a missing one fails the run.
* Rounds are interleaved: all servers in turn, the first one another in each round.
* Stock senders are `dcmsend --scan-directories`, one process for each association. Their start, and their first look
  through the files, is inside the time of all alike (see the table of start-up).
* *As installed*: Debian's packages and `{servers.ORTHANC_SETTINGS}`; of Orthanc only ports and folders are set.
  *TCP_NODELAY=1*: in the environment of server and sender, which DCMTK heeds. Tuned, Orthanc also has
  `DicomThreadsCount` {servers.ORTHANC_THREADS} instead of 4, so that all associations are served at once. storescp runs
  with `--bit-preserving --fork`. Phim and the bare loop get senders as installed.
* Servers that wait about 40 ms for each object (as installed: Nagle's algorithm against delayed acknowledgement) get
  {results["slowCount"]} objects, for every number of senders, because more would only take longer.
* The bare loop (`phim-bench receive`) is Phim's network room and one file: no hash, no parsing, no index, one
  fdatasync for every eighth object, the others answered at once. It is a bound, not an archive.
* Processor time is user and system time of the server and all that it forked, from /proc, while objects came in."""


def _throughput(results):
    if "throughput" not in results:
        return None
    parts = ["## Instances per second", "![instances per second over associations](results.svg)",
             "Dashed in the plot: an answer does not say that the object is on stable storage."]
    for kind in ("ct", "small"):
        parts += [f"{results['samples'][kind]}.", _by_senders(results["throughput"], kind, "perSecond", "{:.0f}")]
    return "\n\n".join(parts)


def _cost(results):
    if "throughput" not in results:
        return None
    parts = ["## Processor milliseconds for an instance", "User and system time of the server's process tree."]
    for kind in ("ct", "small"):
        parts += [f"{results['samples'][kind]}.",
                  _by_senders(results["throughput"], kind, "processorMilliseconds", "{:.2f}")]
    return "\n\n".join(parts)


def _by_senders(rows, kind, field, form):
    rows = [row for row in rows if row["kind"] == kind]
    counts = sorted({row["senders"] for row in rows})
    cells = {(row["server"], row["senders"]): spread(row[field], form) for row in rows}
    present = [server.name for server in servers.ALL if any(row["server"] == server.name for row in rows)]
    return table(["receiver", *(f"{count} dcmsend" for count in counts), "what an answer promises"],
                  [[_name(name), *(cells[name, count] for count in counts), _durability(name)] for name in present])


def _start_up(results):
    if "start-up" not in results:
        return None
    rows = results["start-up"]
    counts = sorted({row["senders"] for row in rows})
    cells = {(row["kind"], row["senders"]): spread(row["seconds"], "{:.2f}") for row in rows}
    seconds = table(["objects", *(f"{count} dcmsend" for count in counts)],
                    [[results["samples"][kind], *(cells[kind, count] for count in counts)] for kind in ("ct", "small")])
    return ("## What the senders need themselves\n\n"
            "Seconds that the same dcmsend processes take to start, look through the same files and find no server; "
            f"they are part of every time above.\n\n{seconds}")


def _latency(results):
    if "latency" not in results:
        return None
    rows = [[_name(row["server"]), *(spread([one[name] for one in row["rounds"]], "{:.1f}")
                                     for name in ("p50", "p90", "p99", "max", "perSecond")), _durability(row["server"])]
            for row in results["latency"]]
    return ("## Acknowledgement latency, 16 senders\n\n"
            "Milliseconds from the first byte of a CT slice sent to its C-STORE response, timed by `phim-bench send`, "
            "whose 16 associations each send one after the other as fast as they are answered.\n\n"
            + table(["receiver", "p50", "p90", "p99", "max", "instances/s", "what an answer promises"], rows))


def _memory(results):
    if "memory" not in results:
        return None
    found = results["memory"]
    return (f"## Memory of Phim with {found['senders']} associations\n\n"
            f"{found['objects']} CT slices at {found['perSecond']:.0f}/s.\n\n" + table(
                ["VmHWM", "MiB"], [["after start", f"{found['idleBytes'] / (1 << 20):.0f}"],
                                   ["after the last answer", f"{found['peakBytes'] / (1 << 20):.0f}"]]))


def _ingest(results):
    if "ingest" not in results:
        return None
    found = results["ingest"]
    ours = found["ingest"]
    rates = [one["mebibytesPerSecond"] for one in ours]
    cost = [one["processorSeconds"] / one["objects"] * 1000 for one in ours]
    rows = [[f"Phim's pipeline, {found['threads']} threads (`phim-bench ingest`)", spread(rates), f"{max(rates):.0f}",
             "synced and enrolled, each"]]
    rows += [[f"one file, {goals.WAYS[way]} (`phim-bench disk`)", spread(rates), f"{max(rates):.0f}",
              f"one fdatasync for {found['every']} pieces"] for way, rates in sorted(found["disk"].items())]
    return (f"""## Taking in without a network, against the disk

MiB/s, in the same folder in each round. The pipeline is handed whole CT files in process, 128 KiB at a time, as a
STOW-RS edge would do, by threads that go on when an object is durable and enrolled; it hashes, parses and indexes each
({statistics.median(cost):.2f} ms of processor time). The disk's rate: one thread writes {found['pieces']} pieces of
{found['pieceBytes']} bytes one behind the other into a new file, with one fdatasync after every {found['every']} pieces
and one at the end; O_DIRECT brings pieces up to 4 KiB blocks; "over written blocks" means that the file was written and
synced once before the clock started.

""" + table(["", "MiB/s", "best", "durable"], rows))


def _rebuild(results):
    if "rebuild" not in results:
        return None
    rows = [[f"{row['objects']} {'small objects' if row['kind'] == 'small' else 'CT slices'}",
             "in the page cache" if row["cached"] else "on disk only", spread(row["perSecond"])]
            for row in results["rebuild"]]
    return ("## Index rebuild\n\nInstances per second of `phim rebuild-index`, whole process.\n\n"
            + table(["archive", "volumes", "instances/s"], rows))


def _urgent(results):
    if "urgent" not in results:
        return None
    rows = [[_name(row["server"]), row["bulkSenders"] or "none",
             *(spread([one[name] for one in row["rounds"]], "{:.1f}") for name in ("p50", "p99", "max")),
             row["rounds"][0]["count"], spread(row["bulkPerSecond"]) if row["bulkPerSecond"] else "–"]
            for row in results["urgent"]]
    return ("## Urgent beside bulk\n\n"
            "One association sends a CT slice every 100 ms with C-STORE priority HIGH, alone and while others pour "
            "with priority LOW. Milliseconds from when a slice was due to its response.\n\n"
            + table(["receiver", "bulk senders", "p50", "p99", "max", "urgent a round", "bulk/s"], rows))


def _ratios(results):
    parts = []
    for field, title in (("perSecond", "Instances per second"), ("processorMilliseconds", "Processor time")):
        rows = list(goals.by_senders(results, field))
        if rows:
            counts = sorted({senders for _, _, ratios in rows for senders in ratios})
            parts.append(table(
                [f"{title}, Phim to", *(f"{count} dcmsend" for count in counts)],
                [[f"{goals.OTHERS[other]}, {goals.KINDS[kind]}",
                  *(f"{ratios[count]:.2f}" if count in ratios else "–" for count in counts)]
                 for kind, other, ratios in rows]))
    if rows := goals.others(results):
        parts.append(table(["", "ratio"], rows))
    return "\n\n".join(["## Ratios of this run", "Phim's median to the other's.", *parts]) if parts else None
