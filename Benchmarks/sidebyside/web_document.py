"""WEB.md: the machine, the method, one table for each measure."""

import statistics

from . import document, web_measures, web_servers

LABELS = {server.name: server.label for server in (*web_servers.COMPARED, web_servers.Memory)}
READING = {"list": f"study list as OHIF asks, {web_measures.CLIENTS} clients",
           "metadata": "series metadata, one client", "frames": f"frames, {web_measures.CLIENTS} clients",
           "rendered": f"rendered as JPEG, {web_measures.CLIENTS} clients"}


def text(results):
    parts = [_head(results), _method(results)]
    parts += [make(results) for make in (_reading, _first, _storing, _long_list, _thin_line, _ratios)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"""# Side by side over HTTP

Written by `make bench`; every number is from this one run. Cells are medians, with least to most in brackets.

| | |
|---|---|
| machine | {machine["cores"]} x {machine["processor"]}, {machine["memoryGiB"]} GiB |
| system | {machine["kernel"]}, {machine["fileSystem"]}, {machine["network"]} |
| versions | {versions} |
| run | {results["date"]}, {results["rounds"]} rounds of {results["seconds"]} s, load before it {results["load"]:.1f} |
| studies | {results["studies"]}, of 512 x 512 x 16 bits, in 16 studies; one series of {results["slices"]} slices |"""


def _method(results):
    return """## Method

* Both servers run with the same studies in them; each measure is taken at one and then at the other, and the next round
  begins with the other. Load and servers share the machine. Each kind of request is made once, and its answer looked
  at, before it is measured; a request that fails ends the run.
* Requests come from `wrk` with one thread and connections that stay open. STOW-RS comes from threads of Python, each
  instance in a request of its own.
* Orthanc is Debian's with its DICOMweb plugin, 64 threads and TCP_NODELAY=1. It asks no credential; Phim is sent a
  token with each request, checks it, and writes an audit trail.
* The study list is asked for six family names in turn. Orthanc does not fold marks, so it is asked for the letters
  before the first mark.
* *From memory* is Phim's HTTP library with an answer of the size of a frame and nothing else: no routes, no callers, no
  disk."""


def _spread(rounds, field, form="{:.0f}"):
    return document.spread([one[field] for one in rounds], form)


def _reading(results):
    if "reading" not in results:
        return None
    parts = ["## Reading"]
    for what, title in READING.items():
        rows = [[LABELS[row["server"]], _spread(row["rounds"], "perSecond"),
                 _spread(row["rounds"], "mebibytesPerSecond"), _spread(row["rounds"], "p50", "{:.2f}"),
                 _spread(row["rounds"], "p99", "{:.2f}")]
                for row in results["reading"] if row["what"] == what]
        parts += [f"{title[0].upper()}{title[1:]}.",
                  document.table(["server", "requests/s", "MiB/s", "p50, ms", "p99, ms"], rows)]
    return "\n\n".join(parts)


def _first(results):
    rows = [[LABELS[row["server"]], row["rounds"][0]["instances"], f"{row['rounds'][0]['milliseconds']:.0f}",
             f"{row['rounds'][0]['bytes'] / 1024:.0f}"]
            for row in results.get("reading", []) if row["what"] == "metadata first"]
    if not rows:
        return None
    return ("## The first time\n\nMetadata of the long series, when nobody has asked for it since it came. That was some "
            "time ago: Phim may have built it by itself meanwhile.\n\n"
            + document.table(["server", "instances", "ms", "KiB"], rows))


def _storing(results):
    if "storing" not in results:
        return None
    rows = [[LABELS[row["server"]], document.spread(row["perSecond"])] for row in results["storing"]]
    return (f"## Storing\n\nSTOW-RS of CT slices, {web_measures.CLIENTS} clients. Phim answers when an instance is on "
            "stable storage and enrolled; Orthanc syncs the file, not its name nor its index.\n\n"
            + document.table(["server", "instances/s"], rows))


def _long_list(results):
    if "long list" not in results:
        return None
    found = results["long list"]
    rows = [[f"`*{row['name']}*`", f"{row['p50']:.1f}", f"{row['p99']:.1f}", f"{row['again']['perSecond']:.0f}",
             f"{row['again']['p99']:.1f}"] for row in found["rows"]]
    return (f"## A long list\n\nPhim with {found['studies']} studies. First: 400 questions that nobody asked before, "
            f"one after the other, each on a connection of its own. Again: one question from {web_measures.CLIENTS} "
            "clients.\n\n" + document.table(
                ["name", "first p50, ms", "first p99, ms", "again, requests/s", "again p99, ms"], rows))


def _thin_line(results):
    if "thin line" not in results:
        return None
    rows = [[row["line"], row["frames"], _spread(row["rounds"], "seconds", "{:.2f}")] for row in results["thin line"]]
    return ("## OHIF over a line\n\nSeconds from opening the long series to the first image on the screen, in headless "
            "Chromium on this machine; the viewer's own files are in the browser's cache. The line is a proxy "
            "that keeps to rate, delay and loss as TCP does; 120 seconds mean: not within two minutes.\n\n"
            + document.table(["line", "frames are sent", "seconds"], rows))


def _ratios(results):
    rates = {(row["what"], row["server"]): statistics.median(one["perSecond"] for one in row["rounds"])
             for row in results.get("reading", []) if row["what"] != "metadata first"}
    rates |= {("storing", row["server"]): statistics.median(row["perSecond"]) for row in results.get("storing", [])}
    rows = [[what, LABELS[other], f"{rates[what, 'phim'] / rates[what, other]:.2f}"]
            for what, server in rates if server == "phim"
            for other in LABELS if other != "phim" and (what, other) in rates]
    first = {row["server"]: row["rounds"][0]["milliseconds"] for row in results.get("reading", [])
             if row["what"] == "metadata first"}
    if len(first) == 2:
        rows.append(["metadata, the first time", LABELS["orthanc"], f"{first['orthanc'] / first['phim']:.2f}"])
    if not rows:
        return None
    return "## Ratios of this run\n\nHow many times faster Phim is.\n\n" + document.table(
        ["what", "than", "times"], [[str(cell) for cell in row] for row in rows])
