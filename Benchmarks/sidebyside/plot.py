"""results.svg: instances per second over associations, one panel for each kind of object."""

import statistics

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot, ticker  # noqa: E402

from . import servers  # noqa: E402

# Colours that colour-blind readers tell apart (Okabe and Ito); markers for print.
STYLES = {"phim": ("#0072B2", "o"), "orthanc": ("#E69F00", "v"), "orthanc-tuned": ("#D55E00", "^"),
          "storescp": ("#56B4E9", "s"), "storescp-tuned": ("#009E73", "D"), "bare": ("#555555", "x")}


def draw(results, path):
    """The same numbers give the same bytes."""
    matplotlib.rcParams.update({"svg.hashsalt": "phim", "svg.fonttype": "none", "font.size": 9,
                                "font.family": "sans-serif", "axes.spines.top": False, "axes.spines.right": False})
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for panel, kind in zip(panels, ("ct", "small")):
        for server in servers.ALL:
            rows = sorted((row for row in results["throughput"]
                           if row["kind"] == kind and row["server"] == server.name), key=lambda row: row["senders"])
            if rows:
                _line(panel, server, rows)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xticks([1, 4, 8, 16], ["1", "4", "8", "16"])
        panel.set_xlabel("associations")
        panel.set_ylabel("instances per second")
        panel.set_title(results["samples"][kind], fontsize=9)
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_formatter(ticker.NullFormatter())
        panel.grid(True, which="major", linewidth=0.4, alpha=0.6)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def _line(panel, server, rows):
    middle = [statistics.median(row["perSecond"]) for row in rows]
    below = [value - min(row["perSecond"]) for value, row in zip(middle, rows)]
    above = [max(row["perSecond"]) - value for value, row in zip(middle, rows)]
    colour, marker = STYLES[server.name]
    panel.errorbar([row["senders"] for row in rows], middle, yerr=[below, above], color=colour, marker=marker,
                   linestyle="-" if server.is_synced else "--", linewidth=2 if server.name == "phim" else 1.2,
                   markersize=5, capsize=2, label=server.label)
