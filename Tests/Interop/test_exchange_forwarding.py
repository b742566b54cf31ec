"""One archive hands studies over to another: the whole way, over lines that break, with proof."""

import json
import os
import signal
import socket
import sqlite3
import threading
import time

import numpy
import pytest
from support import synthetic
from support.exchange import Station, claims
from test_tls import certificate

STAT, NORMAL, BULK = 0, 1, 2


class Line:
    """A proxy that counts, and cuts on demand."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.up = self.down = 0
        self.cut_after = None  # octets of one connection, upwards
        self.cuts = 0
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self.open |= {near, far}
            threading.Thread(target=self.copy, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near, False), daemon=True).start()

    def copy(self, source, sink, is_up):
        seen = 0
        try:
            while piece := source.recv(16_384):
                if is_up:
                    self.up += len(piece)
                    seen += len(piece)
                    if self.cut_after and seen > self.cut_after:
                        self.cuts += 1
                        break
                else:
                    self.down += len(piece)
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.open.discard(end)
            end.close()

    def close(self):
        self.listener.close()
        for end in list(self.open):
            end.close()


@pytest.fixture
def pair(make_archive):
    """A centre, a station that knows it, and the line between them."""
    centre = make_archive(name="centre").start()
    station = make_archive(name="station").start()
    Station(centre)
    line = Line(centre.http_port)
    (station.data / "centre.token").write_text(centre.token(account="station") + "\n")
    put_destination(station, url=f"http://127.0.0.1:{line.port}")
    yield station, centre, line
    line.close()


def records(archive):
    connection = sqlite3.connect(archive.data / "records.sqlite", timeout=60, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def put_destination(station, **settings):
    body = {"way": "phim", "tokenFile": "centre.token", "lanes": 2} | settings
    with records(station) as db:
        db.execute("INSERT OR REPLACE INTO destination (name, body, addedAt) VALUES ('centre', ?, 0)",
                   (json.dumps(body),))


def ship(station, uid, priority=NORMAL):
    now = int(time.time() * 1e6)
    with records(station) as db:
        db.execute(
            """INSERT INTO shipment (destination, studyInstanceUID, priority, state, route, cause, legalBasis, transform,
                   instances, octets, createdAt, dueAt) VALUES ('centre', ?, ?, 'waiting', '', 'asked', '', '{}', 1, 1, ?, ?)
               ON CONFLICT DO UPDATE SET state = 'waiting', sentAt = NULL, committedAt = NULL""",
            (uid, priority, now, now))


def shipment(station, uid):
    with records(station) as db:
        return dict(db.execute("SELECT * FROM shipment WHERE studyInstanceUID = ?", (uid,)).fetchone())


def wait_for(station, uid, state, seconds=120):
    deadline = time.monotonic() + seconds
    while (found := shipment(station, uid))["state"] != state:
        assert time.monotonic() < deadline, (found, station.tail())
        time.sleep(0.1)
    return found


def digests(archive, uid):
    rows = sqlite3.connect(archive.data / "catalog.sqlite").execute(
        "SELECT instance.uid, hex(digest) FROM instance JOIN series ON series.id = instance.series "
        "JOIN study ON study.id = series.study WHERE study.uid = ?", (uid,)).fetchall()
    return dict(rows)


def body_like(number, rows=256):
    """Pixels as a scanner makes them: something smooth with noise."""
    random = numpy.random.default_rng(number)
    y, x = numpy.mgrid[0:rows, 0:rows] / rows - 0.5
    smooth = 1000 + 800 * numpy.exp(-8 * (x * x + y * y)) * (1 + 0.2 * numpy.sin(20 * x + number))
    return numpy.clip(smooth + random.normal(0, 12, (rows, rows)), 0, 4095).astype("<u2").tobytes()


def make_study(folder, station, instances=6, rows=256, **values):
    study, series = synthetic.uid(), synthetic.uid()
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for number in range(1, instances + 1):
        dataset = synthetic.ct(study, series, number=number, rows=rows, **values)
        dataset.PixelData = body_like(number, rows)
        synthetic.write(folder / f"{number}.dcm", dataset)
        size += (folder / f"{number}.dcm").stat().st_size
    station.run("import", folder)
    return study, size


def test_a_study_goes_to_the_centre_small_and_proven_and_the_second_time_for_nothing(pair, tmp_path):
    station, centre, line = pair
    uid, size = make_study(tmp_path / "in", station, instances=12)
    ship(station, uid)
    done = wait_for(station, uid, "committed")
    assert digests(station, uid) == digests(centre, uid) and len(digests(centre, uid)) == 12
    assert line.up < size * 0.5, (line.up, size)
    # What the ledger says of the line is what went over it.
    assert abs(done["lineOctets"] - line.up) < 30_000
    with records(station) as db:
        [receipt] = db.execute("SELECT * FROM receipt").fetchall()
        key = json.loads(db.execute("SELECT body FROM destination").fetchone()[0])["receiptKey"]
    assert (receipt["kind"], receipt["instances"], receipt["failed"]) == ("signature", 12, 0)
    assert key == centre.http(account="station").get(f"{centre.url}/api/v1/exchange/key").json()["key"]
    said = claims(receipt["body"], Station(centre).key())
    assert (said["study"], said["missing"], said["jti"]) == (uid, [], receipt["transactionUID"])
    # Forwarded again from a ledger that knows nothing: one question.
    with records(station) as db:
        db.execute("DELETE FROM shipped")
        db.execute("DELETE FROM receipt")
        db.execute("DELETE FROM shipment")
    before = line.up + line.down
    ship(station, uid)
    wait_for(station, uid, "committed")
    # Offer, receipt, and what the station says of itself meanwhile.
    assert line.up + line.down - before < 8_000
    centre.assert_healthy()
    station.assert_healthy()


def test_over_a_line_that_is_cut_again_and_again(pair, tmp_path):
    station, centre, line = pair
    line.cut_after = 90_000
    # One object larger than what a connection carries, and smaller ones.
    uid, _ = make_study(tmp_path / "large", station, instances=1, rows=1024)
    other, _ = make_study(tmp_path / "small", station, instances=6)
    ship(station, uid)
    ship(station, other)
    wait_for(station, uid, "committed", 120)
    wait_for(station, other, "committed", 120)
    assert line.cuts >= 8
    for study in (uid, other):
        assert digests(station, study) == digests(centre, study)
    cut = line.up
    # The same over a line that holds: what the cuts cost is no more than a tenth, and what lay in the proxy.
    line.cut_after = None
    with records(station) as db:
        for table in ("shipped", "receipt", "shipment"):
            db.execute(f"DELETE FROM {table}")
    for study in (uid, other):
        centre.run("delete", "--study", study, "--yes")
    line.up = 0
    ship(station, uid)
    ship(station, other)
    wait_for(station, uid, "committed")
    wait_for(station, other, "committed")
    assert cut < line.up * 1.1 + line.cuts * 33_000, (cut, line.up, line.cuts)


def test_both_sides_may_die(pair, tmp_path):
    station, centre, line = pair
    put_destination(station, url=f"http://127.0.0.1:{line.port}", timetable=["mon-sun 00:00-24:00 4M"])
    uid, _ = make_study(tmp_path / "in", station, instances=20)
    ship(station, uid)
    for victim in (centre, station, centre, station):
        before = line.up
        deadline = time.monotonic() + 120
        while line.up < before + 60_000 and shipment(station, uid)["state"] == "waiting":
            assert time.monotonic() < deadline, station.tail()
            time.sleep(0.02)
        os.kill(victim.pid, signal.SIGKILL)
        victim.kill()
        victim.start()
        line.target = centre.http_port
        station.run("outbox", "retry", "--to", "centre")
    wait_for(station, uid, "committed", 120)
    assert digests(station, uid) == digests(centre, uid)
    centre.assert_healthy()


def test_a_correction_made_after_a_study_was_sent(pair, tmp_path):
    station, centre, _ = pair
    uid, _ = make_study(tmp_path / "in", station, instances=2, rows=64, PatientID="WRONG")
    ship(station, uid)
    wait_for(station, uid, "committed")
    station.run("study", "correct", uid, "--set", "PatientID=RIGHT", "--reason", "mistyped")
    ship(station, uid)
    wait_for(station, uid, "committed")
    [row] = centre.http().get(f"{centre.url}/dicom-web/studies?StudyInstanceUID={uid}", timeout=20).json()
    assert row["00100020"]["Value"] == ["RIGHT"]
    assert digests(station, uid) == digests(centre, uid)


def test_a_centre_with_another_key_is_not_believed(pair, tmp_path):
    station, centre, _ = pair
    uid, _ = make_study(tmp_path / "in", station, instances=1, rows=64)
    ship(station, uid)
    wait_for(station, uid, "committed")
    centre.stop()
    (centre.data / "exchange" / "receipt.key").unlink()
    centre.start()
    other, _ = make_study(tmp_path / "other", station, instances=1, rows=64)
    put_destination(station, url=centre.url, receiptKey=pinned(station))
    ship(station, other)
    deadline = time.monotonic() + 90
    while True:
        with records(station) as db:
            found = dict(db.execute("SELECT * FROM destination").fetchone())
            answer = db.execute("SELECT answer FROM shipment WHERE studyInstanceUID = ?", (other,)).fetchone()[0]
        if "signed" in found["reason"] + answer:
            break
        assert time.monotonic() < deadline, (found, answer)
        time.sleep(0.1)
    assert shipment(station, other)["state"] == "sent"


def pinned(station):
    with records(station) as db:
        return json.loads(db.execute("SELECT body FROM destination").fetchone()[0])["receiptKey"]


def test_an_account_without_the_right_is_tried_again_and_says_why(pair, tmp_path):
    station, centre, line = pair
    centre.run("account", "add", "mere reader", "--role", "radiologist", "--no-password")
    (station.data / "centre.token").write_text(centre.token(account="mere reader"))
    put_destination(station, url=f"http://127.0.0.1:{line.port}", lanes=1)
    uid, _ = make_study(tmp_path / "in", station, instances=1, rows=64)
    ship(station, uid)
    deadline = time.monotonic() + 90
    while True:
        with records(station) as db:
            found = dict(db.execute("SELECT * FROM destination").fetchone())
        if found["failures"] >= 2:
            break
        assert time.monotonic() < deadline, (found, shipment(station, uid))
        time.sleep(0.2)
    assert not found["isStopped"] and "station" in found["reason"]
    assert shipment(station, uid)["state"] == "waiting"


def test_the_centre_sees_its_fleet(pair):
    station, centre, _ = pair
    deadline = time.monotonic() + 90
    while not (fleet := centre.http().get(f"{centre.url}/api/v1/fleet", timeout=20).json()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    [seen] = fleet
    assert (seen["account"], seen["name"], seen["isSilent"]) == ("station", "PHIM", False)
    assert 0 < seen["diskFree"] < seen["diskTotal"] and abs(seen["clockSkew"]) < 60


def test_over_https_to_a_centre_that_is_known_and_to_no_other(make_archive, tmp_path):
    centre = make_archive({"http": {"tls": {"certificate": "server.pem", "key": "server.key"}}}, name="centre")
    station = make_archive(name="station").start()
    certificate(centre.data, "centre")
    centre.start()
    centre.run("account", "add", "station", "--role", "station", "--no-password")
    (station.data / "centre.token").write_text(centre.token(account="station"))
    certificate(station.data, "somebody", stem="other")
    where = f"https://127.0.0.1:{centre.http_port}/"
    put_destination(station, url=where, caFile="other.pem")
    uid, _ = make_study(tmp_path / "in", station, instances=2, rows=64)
    ship(station, uid)
    deadline = time.monotonic() + 90
    while True:
        with records(station) as db:
            found = dict(db.execute("SELECT * FROM destination").fetchone())
        if found["failures"]:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not digests(centre, uid)
    (station.data / "ca.pem").write_bytes((centre.data / "server.pem").read_bytes())
    put_destination(station, url=where, caFile="ca.pem")
    wait_for(station, uid, "committed")
    assert digests(station, uid) == digests(centre, uid)
