"""What we aim at, as ratios of numbers of one run: they carry over to another machine, the numbers do not."""

import statistics

OTHERS = {"orthanc": "Orthanc as installed", "orthanc-tuned": "Orthanc tuned", "storescp": "storescp as installed",
          "storescp-tuned": "storescp tuned", "bare": "the bare loop"}
KINDS = {"ct": "CT slices", "small": "small objects"}
WAYS = {"buffered": "through the page cache", "direct": "O_DIRECT", "directOver": "O_DIRECT over written blocks"}


def by_senders(results, field):
    """(kind, other server, {senders: Phim's median to the other's}) of a field of the throughput rows."""
    medians = {(row["kind"], row["server"], row["senders"]): statistics.median(row[field])
               for row in results.get("throughput", [])}
    counts = sorted({senders for _, _, senders in medians})
    for kind in KINDS:
        for other in OTHERS:
            # A short run may not be seen to use any processor time.
            ratios = {senders: medians[kind, "phim", senders] / medians[kind, other, senders] for senders in counts
                      if (kind, "phim", senders) in medians and medians.get((kind, other, senders))}
            if ratios:
                yield kind, other, ratios


def others(results):
    """(what, how much) for everything else that this run has the numbers for."""
    return [row for part in (_latency, _ingest, _rebuild, _urgent) for row in part(results)]


def _latency(results):
    for name in ("p50", "p99"):
        times = {row["server"]: statistics.median(one[name] for one in row["rounds"])
                 for row in results.get("latency", [])}
        for other in OTHERS:
            if "phim" in times and other in times:
                yield f"acknowledgement {name}, 16 senders, to {OTHERS[other]}", f"{times['phim'] / times[other]:.2f}"


def _ingest(results):
    measured = results.get("ingest")
    if not measured:
        return
    ours = statistics.median(one["mebibytesPerSecond"] for one in measured["ingest"])
    for way, rates in sorted(measured["disk"].items()):
        yield f"in process MiB/s to the disk's, {WAYS[way]}", f"{ours / statistics.median(rates):.2f}"


def _rebuild(results):
    for row in results.get("rebuild", []):
        where = "in the page cache" if row["cached"] else "from the disk"
        yield f"rebuild of {KINDS[row['kind']]} {where}", f"{statistics.median(row['perSecond']):.0f} instances/s"


def _urgent(results):
    p99 = {(row["server"], row["bulkSenders"]): statistics.median(one["p99"] for one in row["rounds"])
           for row in results.get("urgent", [])}
    for server, name in {"phim": "Phim", **OTHERS}.items():
        if p99.get((server, 0)) and (server, 15) in p99:
            yield f"urgent p99 beside 15 to alone, {name}", f"{p99[server, 15] / p99[server, 0]:.2f}"
