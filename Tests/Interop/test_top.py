"""phim top: a running server's metrics, once and live, and a terminal that is as it was afterwards."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from support import dcmtk, synthetic, wire
from support.archive import BINARY
from support.forwarding import eventually
from support.synthetic import CT, EXPLICIT, bare

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class Watched:
    """`phim top` in a terminal of its own."""

    def __init__(self, archive, columns=80, rows=24, term="xterm"):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.mode = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            [str(BINARY), "top", "--data", str(archive.data), "--interval", "0.2"],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, env=dict(os.environ, TERM=term),
            start_new_session=True,
        )

    def resize(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, until, seconds=90):
        """Everything written so far, once `until` says that it is enough."""
        deadline = time.monotonic() + seconds
        while not until(self.text):
            left = deadline - time.monotonic()
            assert left > 0, f"not seen in time:\n{self.text[-3000:]!r}"
            if select.select([self.master], [], [], min(left, 0.2))[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
        return self.text

    def frames(self):
        """The screens shown so far but the last, which may not be whole yet; lines without what only steers."""
        screens = self.text.split("\x1b[H")[1:-1]
        return [re.sub(r"\x1b\[[?0-9]*[a-zA-Z]|\r", "", screen).split("\n") for screen in screens]

    def type(self, keys):
        os.write(self.master, keys)

    def end(self, expect=0):
        """Waits for the end; the terminal must be as it was."""
        try:
            self.read(lambda text: LEAVE in text and self.process.poll() is not None)
            while select.select([self.master], [], [], 0)[0]:  # its last words
                self.text += os.read(self.master, 65536).decode(errors="replace")
            assert self.process.returncode == expect
            assert termios.tcgetattr(self.slave) == self.mode
            assert "\x1b[?25h" in self.text and "\x1b[?7h" in self.text
            return self.text[self.text.rindex(LEAVE) + len(LEAVE):]
        finally:
            self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def watch(archive):
    made = []

    def start(**how):
        made.append(Watched(archive, **how))
        made[-1].read(lambda text: "q quits" in text)
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.close()


def sent(archive, folder, instances, calling="DCMTK"):
    made = synthetic.study(folder, instances=instances)
    dcmtk.run("storescu", *dcmtk.peer(archive, calling), *made.files)
    return made


def test_one_report_as_json(archive, tmp_path):
    made = sent(archive, tmp_path / "in", 3, calling="CT1")
    dcmtk.run("storescu", *dcmtk.peer(archive, "MR1"), made.files[0])
    # An association ends a moment after its release.
    report = eventually(lambda: (now := archive.json("top", "--interval", "0.2"))["associations"] == 0 and now)
    assert report["instances"] == 4 and report["catalogInstances"] == 3
    assert report["bytes"] > 3 * 100 and report["freeBytes"] > 0
    assert report["pid"] == archive.pid and report["data"] == str(archive.data)
    assert report["waiting"] == {"stat": 0, "routine": 0, "bulk": 0}
    assert report["refused"] == 0 and report["refusals"] == {}
    assert report["instancesPerSecond"] == 0 and report["memoryBytes"] == 0
    assert {peer["name"]: peer["instances"] for peer in report["peers"]} == {"CT1": 3, "MR1": 1}
    assert set(report["latencies"]) == {"append", "sync", "enroll", "acknowledge"}
    assert made.uid not in json.dumps(report)


def test_a_token_proves_who_watches(archive, tmp_path):
    """A token counts even where this machine would be known by itself: a wrong one is refused."""
    def top(*more, **environment):
        return subprocess.run(
            [str(BINARY), "top", "--data", str(archive.data), "--json", "--interval", "0.2", *map(str, more)],
            capture_output=True, text=True, timeout=120, env={**os.environ, **environment})

    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(archive.token("integration") + "\n")
    bad.write_text("phim_wrong\n")
    assert json.loads(top("--token-file", good).stdout)
    assert json.loads(top(PHIM_TOKEN=archive.token()).stdout)
    for refused in (top("--token-file", bad), top(PHIM_TOKEN="phim_wrong"), top(PHIM_TOKEN=archive.token("technician"))):
        assert refused.returncode != 0 and "--token-file" in refused.stderr and "phim_" not in refused.stderr
    missing = top("--token-file", tmp_path / "nothing")
    assert missing.returncode == 2 and "nothing" in missing.stderr


def test_one_report_as_text_where_there_is_no_terminal(archive, tmp_path):
    sent(archive, tmp_path / "in", 2)
    for options in ([], ["--once"]):
        text = archive.run("top", "--interval", "0.2", *options).stdout
        assert "\x1b" not in text and "q quits" not in text
        assert f"process {archive.pid}" in text
        assert re.search(r"^Received .* total 2$", text, re.M)
        assert re.search(r"^DCMTK +0\.0 .* 2 +0$", text, re.M)


def test_a_report_tells_rates_and_percentiles_of_its_interval(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=40)
    top = subprocess.Popen(
        [str(BINARY), "top", "--data", str(archive.data), "--json", "--interval", "4"], stdout=subprocess.PIPE, text=True
    )
    # The first reading falls into this loop at some time: enough comes after it to be seen.
    while top.poll() is None:
        dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
    report = json.loads(top.communicate(timeout=120)[0])
    assert top.returncode == 0
    assert 0 < report["instancesPerSecond"] * report["intervalSeconds"] <= report["instances"] + 0.5
    assert report["bytesPerSecond"] > 0
    assert 0 < report["latencies"]["acknowledge"]["p50"] <= report["latencies"]["acknowledge"]["p99"]
    assert report["peers"][0]["name"] == "DCMTK" and report["peers"][0]["instancesPerSecond"] > 0


def test_refusals_are_told_by_reason_and_sender(archive):
    with wire.Wire(archive.dicom_port, [(3, CT, [EXPLICIT])], calling="WRONG") as line:
        assert line.store(3, CT, "1.2.3.4.59", bare("1.2.3.4.50", "1.2.3.51", "1.2.3.52")).status == 0xA900
        assert line.store(3, CT, "1.2.3.4.50", bare("1.2.3.4.50", "1.2.3.51", "1.2.3.52")).status == 0
        report = archive.json("top", "--interval", "0.2")
        assert report["associations"] == 1
        line.release()
    assert report["refused"] == 1 and report["refusals"] == {"identifier_mismatch": 1}
    assert [(peer["name"], peer["instances"], peer["refused"]) for peer in report["peers"]] == [("WRONG", 1, 1)]
    assert "identifier_mismatch 1" in archive.run("top", "--interval", "0.2").stdout


def test_what_callers_name_themselves_breaks_nothing(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=1)
    strange = ['A"B} 1', "{x=1}", "é", "A,B= C"]
    for title in strange + [f"CALLER{number}" for number in range(66)]:
        dcmtk.run("storescu", *dcmtk.peer(archive, title), made.files[0])
    report = archive.json("top", "--interval", "0.2")
    counts = {peer["name"]: peer["instances"] for peer in report["peers"]}
    assert len(counts) == 65 and counts["other"] == 6 and sum(counts.values()) == 70
    assert counts['A"B} 1'] == counts["{x=1}"] == counts["A,B= C"] == 1
    assert all(name.isascii() and name.isprintable() for name in counts)
    text = archive.run("top", "--interval", "0.2").stdout
    assert all(line.isprintable() for line in text.splitlines())


def test_without_a_server_or_an_archive(make_archive, tmp_path):
    stopped = make_archive().start()
    stopped.stop()
    for options in ([], ["--json"], ["--once"]):
        assert "phim serve --data" in stopped.run("top", *options, expect=2).stderr
    assert "no archive" in make_archive(name="empty").run("top", expect=2).stderr
    assert "--interval" in stopped.run("top", "--interval", "0", expect=64).stderr


@pytest.mark.parametrize("leave", [b"q", b"Q", b"\x03", signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_put_back(watch, leave):
    top = watch()
    assert top.text.startswith(ENTER)
    if isinstance(leave, bytes):
        top.type(leave)
    else:
        top.process.send_signal(leave)
    assert top.end() == ""


@pytest.mark.parametrize("columns,rows", [(80, 24), (120, 40), (40, 10), (20, 5), (1, 1)])
def test_every_size_is_kept_to(archive, tmp_path, columns, rows):
    sent(archive, tmp_path / "in", 1)
    top = Watched(archive, columns=columns, rows=rows)
    try:
        top.read(lambda text: text.count("\x1b[H") > 3)
        for frame in top.frames():
            assert len(frame) == rows
            assert all(len(line) <= columns for line in frame)
        if columns >= 80:
            assert any(line.startswith("DCMTK ") for line in top.frames()[-1])
            assert top.frames()[-1][-1] == "q quits"
        top.type(b"q")
        top.end()
    finally:
        if top.process.poll() is None:
            top.close()


def test_another_size_is_followed(watch):
    top = watch(columns=80, rows=24)
    top.resize(30, 8)
    top.process.send_signal(signal.SIGWINCH)

    def follows(_):
        frame = top.frames()[-1:]
        return frame and len(frame[0]) == 8 and all(len(line) <= 30 for line in frame[0])

    top.read(follows)
    top.type(b"q")
    top.end()


def test_a_server_that_stops_ends_it(archive, watch):
    top = watch()
    archive.stop()
    assert "The server has stopped." in top.end()


def test_a_terminal_that_cannot_be_steered_gets_one_plain_report(archive):
    top = Watched(archive, term="dumb")
    try:
        top.read(lambda text: top.process.poll() is not None)
        top.read(lambda text: "Storage" in text)
        assert top.process.returncode == 0 and "\x1b" not in top.text
    finally:
        top.close()
