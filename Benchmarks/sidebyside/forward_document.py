"""FORWARDING.md: the machine, the method, one table for each measure."""

from . import document, servers
from .forwarding import median

SENDERS = {
    "phim": "Phim, as configured when nothing is said (2 associations at most)", "phim-lanes": "Phim, 4 associations at most",
    "orthanc": "Orthanc C-STORE, as installed", "orthanc-tuned": "Orthanc C-STORE, TCP_NODELAY=1",
    "storescu": "storescu, as installed", "storescu-tuned": "storescu, TCP_NODELAY=1",
    "dcmsend": "dcmsend, as installed", "dcmsend-tuned": "dcmsend, TCP_NODELAY=1",
}
WAYS = {
    "phim": "Phim to Phim, its own way, 4 lanes at most", "phim-dimse": "Phim to Phim, C-STORE, 4 associations at most",
    "orthanc-peer": "Orthanc to Orthanc, peers (HTTP)", "orthanc-dimse": "Orthanc to Orthanc, C-STORE, TCP_NODELAY=1",
}
THIN = {"storescu": "storescu, uncompressed, TCP_NODELAY=1", "phim": "Phim to Phim, its own way",
        "phim-dimse": "Phim, C-STORE, compressed without loss"}


def text(results):
    parts = [_head(results)] + [make(results[name]) for name, make in (
        ("lan", _lan), ("archives", _archives), ("thin", _thin), ("second", _second), ("commune", _commune))
        if name in results]
    return "\n\n".join(parts) + "\n"


def _head(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"""# Forwarding

Written by `make bench-forwarding`; every number is from this one run. Cells are medians, with least to most in brackets.

| | |
|---|---|
| machine | {machine["cores"]} x {machine["processor"]}, {machine["memoryGiB"]} GiB |
| system | {machine["kernel"]}, {machine["fileSystem"]}, {machine["network"]} |
| versions | {versions} |
| run | {results["date"]}, {results["rounds"]} rounds, load before it {results["load"]:.1f} |

Sender and receiver share the machine, and whoever compresses does so in the time that is measured. Slices are 512 x 512 x
16 bits, made up from a seed (smooth, with a scanner's noise) unless a table says otherwise. On one machine and from archive
to archive everybody sends once before it counts. Times of Phim begin before its
command (`phim outbox send`) is started and end when its server has counted the last object as taken; those of storescu and
dcmsend begin and end with their process; those of Orthanc with its REST call. Orthanc's transfers accelerator is no Debian
package: peers are its plain `/peers/…/store`."""


def _rate(objects, seconds):
    return document.spread([objects / one for one in seconds])


def _lan(found):
    sinks = {servers.BareLoop.name: "bare loop", servers.TunedStoreSCP.name: "storescp, TCP_NODELAY=1"}
    cells = {(row["sink"], row["sender"]): row["seconds"] for row in found["rows"]}
    present = [name for name in SENDERS if any(row["sender"] == name for row in found["rows"])]
    table = document.table(["sender", *sinks.values()], [
        [SENDERS[name], *(_rate(found["objects"], cells[sink, name]) if (sink, name) in cells else "–" for sink in sinks)]
        for name in present])
    ratios = document.table(["Phim to", *sinks.values()], [
        [SENDERS[name], *(f"{median(cells[sink, name]) / median(cells[sink, 'phim']):.2f}"
                          if (sink, name) in cells else "–" for sink in sinks)]
        for name in present if not name.startswith("phim")])
    return (f"## C-STORE on one machine\n\nSlices a second, a study of {found['objects']} ({found['octets'] / 1e6:.0f} MB) to "
            "the same sink. The bare loop (`phim-bench receive`) answers as fast as Phim's network room can; it cures the "
            "wait of 40 ms for each object that senders as installed have with storescp. The goal is three times Orthanc, "
            f"and storescu.\n\n{table}\n\nPhim's rate to the others':\n\n{ratios}")


def _archives(found):
    rows = [[WAYS[row["way"]], _rate(found["objects"], row["seconds"]),
             document.spread([found["octets"] / one / 1e6 for one in row["seconds"]])] for row in found["rows"]]
    return ("## From archive to archive, no thin line between\n\nEverything is indexed at the other end, in a Phim also "
            "durable before it is acknowledged. Its own way sends objects as they are once it has seen that the line is "
            "faster than the codecs; both sides digest them.\n\n"
            + document.table(["way", "slices/s", "MB/s as stored"], rows))


def _thin(found):
    rows = []
    for row in found["rows"]:
        plain = next(one for one in found["rows"] if one["study"] == row["study"] and one["way"] == "storescu")
        rows.append([f"{row['study']}, {row['octets'] / 1e6:.0f} MB", THIN[row["way"]], f"{row['seconds']:.1f}",
                     f"{row['carried'] / 1e6:.1f}", f"{row['seconds'] / plain['seconds'] * 100:.0f} %"])
    scans = f" The scanned study repeats {found['scans']} slices of real scanners under new UIDs." if found["scans"] else ""
    return (f"## A CT over {found['line']}\n\nA proxy carries the bytes as TCP would (Tests/Interop/support/line.py). The goal "
            f"is 45 % of the time of uncompressed C-STORE.{scans}\n\n"
            + document.table(["study", "way", "seconds", "MB over the line", "of the time"], rows))


def _second(found):
    return ("## The second time\n\n" + document.table(["", "octets over the line"], [
        [f"{found['objects']} slices, {found['octets'] / 1e6:.0f} MB, the first time", f"{found['first']:,}"],
        ["sent again, all of it there", f"{found['second']:,}"]])
        + "\n\nBoth ways, with the receipt. The goal is 50,000.")


def _commune(found):
    rows = [["beside a backlog of CT" if row["beside"] else "alone", f"{row['seconds']:.1f}",
             f"{row['carried'] / 1e6:.2f}", f"{row['before']:.0f}" if row["beside"] else "–"] for row in found["rows"]]
    return (f"## An urgent chest X-ray over {found['line']}\n\n{found['octets'] / 1e6:.1f} MB as stored; the backlog is "
            f"{found['bulk'] / 1e6:.0f} MB. Seconds from `phim outbox send --priority stat` until its arrival is proven; what "
            "went over the line in that time; and how many slices of the backlog were taken in it.\n\n"
            + document.table(["", "seconds", "MB", "slices meanwhile"], rows))
