"""Orders, links and messages: the measures, and HOSPITAL.md."""

import os
import shutil
import statistics
import sys

from . import document, messages, senders, servers

MESSAGE_CONNECTIONS = (1, 4)


class Bench:
    """One run: its options and its folder."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder

    def fresh(self):
        """A new place; what the last measurement left is gone, and the disk is quiet."""
        place = self.folder / "round"
        shutil.rmtree(place, ignore_errors=True)
        os.sync()
        return place

    def say(self, text):
        print(text, file=sys.stderr, flush=True)


def worklist(bench):
    """What stations wait for with very many open orders, in process."""
    outcome = senders.engine("worklist", "--folder", bench.fresh(), "--orders", bench.options.orders)
    worst = max(row["processor"]["p99"] for row in outcome["questions"])
    bench.say(f"worklist of {outcome['orders']} open orders: the slowest question p99 {worst:.1f} ms")
    return outcome


def link(bench):
    """What it costs to find out where a study belongs with very many orders, in process."""
    orders = bench.options.linked_orders
    outcome = senders.engine("link", "--folder", bench.fresh(), "--orders", orders, "--studies", min(2000, orders // 5),
                             limit=1800)
    worst = max(row["processor"]["p99"] for row in outcome["kinds"])
    bench.say(f"links with {outcome['orders']} orders: the slowest kind p99 {worst:.2f} ms")
    return outcome


def hl7(bench):
    """A hospital's system that admits patients and orders, each message once the last is answered."""
    rows = []
    for connections in MESSAGE_CONNECTIONS:
        rounds = []
        for _ in range(bench.options.rounds):
            with servers.Phim(bench.fresh(), ("--hl7-port", "0")) as server:
                rounds.append(messages.pour(server.hl7_port, connections, bench.options.messages))
        rows.append({"connections": connections, "rounds": rounds})
        bench.say(f"HL7 over {connections}: {_median(rounds, 'perSecond'):.0f}/s, "
                  f"p99 {_median(rounds, 'p99'):.1f} ms")
    return rows


def _median(rounds, name):
    return statistics.median(one[name] for one in rounds)


ALL = {"link": link, "worklist": worklist, "hl7": hl7}


# HOSPITAL.md


def text(results):
    parts = [_head(results)] + [make(results) for make in (_worklist_text, _link_text, _hl7_text)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results):
    machine = results["machine"]
    return f"""# Orders, links and messages

Written by `make bench`; every number is from this one run. Cells are medians, with least to most in brackets.

| | |
|---|---|
| machine | {machine["cores"]} x {machine["processor"]}, {machine["memoryGiB"]} GiB |
| system | {machine["kernel"]}, {machine["fileSystem"]}, {machine["network"]} |
| version | Phim {machine["versions"]["Phim"]} |
| run | {results["date"]}, {results["rounds"]} rounds, load before it {results["load"]:.1f} |"""


def _worklist_text(results):
    if "worklist" not in results:
        return None
    found = results["worklist"]
    rows = [[row["question"], row["answers"], *(f"{row[kind][name]:.1f}" for kind in ("processor", "latency")
                                                for name in ("p50", "p99"))] for row in found["questions"]]
    return (f"## Worklist of {found['orders']} open orders\n\n"
            "Milliseconds of the search and of encoding every answer, the first hundred where there are more "
            "(`phim-bench worklist`): processor time of the asking thread, and time on the clock. The goal is a p99 below "
            "20. Orders are entered at "
            f"{found['filledPerSecond']:.0f}/s, 500 to a transaction.\n\n"
            + document.table(["asked for", "answers", "p50", "p99", "clock p50", "clock p99"], rows))


def _link_text(results):
    if "link" not in results:
        return None
    found = results["link"]
    rows = [[row["kind"], f"{row['linked']} of {row['studies']}", *(f"{row[kind][name]:.2f}"
             for kind in ("processor", "latency") for name in ("p50", "p99")), f"{row['perSecond']:.0f}"]
            for row in found["kinds"]]
    return (f"## Links of studies, {found['orders']} orders\n\n"
            "Milliseconds from what the images of a study say to its link, or its place in the inbox, written "
            "(`phim-bench link`): processor time of the deciding thread, and time on the clock; and studies a second with "
            "commits, 100 to a transaction. The goal is a p99 below 1.\n\n"
            + document.table(["the images know", "linked", "p50", "p99", "clock p50", "clock p99", "studies/s"], rows))


def _hl7_text(results):
    if "hl7" not in results:
        return None
    rows = [[row["connections"], *(document.spread([one[name] for one in row["rounds"]], form)
             for name, form in (("perSecond", "{:.0f}"), ("p50", "{:.2f}"), ("p99", "{:.1f}")))]
            for row in results["hl7"]]
    return ("## HL7 messages\n\n"
            "Admissions and orders in turn, each sent once the last is answered AA: applied and on stable storage. The goal "
            "is 500/s. Milliseconds are from the first byte sent to the last of the answer.\n\n"
            + document.table(["connections", "messages/s", "p50", "p99"], rows))
