"""Giving up images that another archive holds, through the real program: by itself, and where it must not be."""

import contextlib
import json
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pynetdicom import build_context

from support import forwarding, peers, synthetic
from support.forwarding import eventually
from support.line import Line, Shape
from support.synthetic import EXPLICIT
from test_commitment import COMMITMENT, Reports, ask, instances, listening, request

DAY = 86_400_000_000


def imported(archive, folder, instances=3):
    made = synthetic.study(folder, instances=instances)
    archive.run("import", folder)
    return made


@contextlib.contextmanager
def opened(archive, name):
    """A database of an archive that is stopped."""
    assert archive.process is None
    with contextlib.closing(sqlite3.connect(archive.data / name, timeout=60)) as base, base:
        yield base


def purge(archive, *more):
    return archive.json("purge", "--older-than", 0, "--yes", *more, expect=(0, 1))


def given_up(archive, *more):
    outcome = purge(archive, *more).get("outcome")
    return outcome["studies"] if outcome else 0


def test_by_itself_when_the_disk_is_too_full(make_archive, tmp_path):
    centre, station = make_archive(name="centre").start(), make_archive(name="station").start()
    forwarding.to_phim(station, "centre", centre)
    old, stale, young, unsent = (imported(station, tmp_path / name) for name in ("old", "stale", "young", "unsent"))
    for made in (old, stale, young):
        forwarding.send(station, made.uid, "centre")
        forwarding.wait_for(station, made.uid, "committed")
    station.stop()
    with opened(station, "catalog.sqlite") as base:
        base.execute("UPDATE instance SET receivedAt = receivedAt - ? WHERE series IN (SELECT series.id FROM series "
                     "JOIN study ON study.id = series.study WHERE study.uid <> ?)", (2 * DAY, young.uid))
    with opened(station, "records.sqlite") as base:
        number, = base.execute("SELECT id FROM shipment WHERE studyInstanceUID = ?", (stale.uid,)).fetchone()
        base.execute("UPDATE shipment SET committedAt = committedAt - ? WHERE id = ?", (2 * DAY, number))
        base.execute("UPDATE shipped SET committedAt = committedAt - ? WHERE shipment = ?", (2 * DAY, number))
    held = forwarding.files(centre)
    section = {"afterDays": 1, "whenFullerThan": 1, "automatic": True}
    (station.data / "phim.yaml").write_text(json.dumps({"forwarding": {"purge": section}}))
    station.start()
    def given_up(row):
        return "given up" in row["detail"]

    # The old one goes at once; of the other the proof is too old, and is asked for anew.
    here = [*stale.instances, *young.instances, *unsent.instances]
    eventually(lambda: set(forwarding.files(station)) == set(here), say=station.tail)
    eventually(lambda: forwarding.counter(station, "phim_purged_studies_total") == 1)  # counted once they are gone
    detail, = filter(given_up, station.trail("--study", old.uid, has=given_up))
    assert detail["account"] == "purge" and "at centre" in detail["detail"]
    assert "given up here" in forwarding.explain(station, old.uid)
    # A technician reads in the log why the disk is full all the same.
    assert "1: its retention is not over" in station.log.read_text()
    forwarding.wait_for(station, stale.uid, "committed")
    receipts = forwarding.ledger(station, stale.uid)["entries"][0]["receipts"]
    assert len(receipts) == 2 and all(receipt["answeredAt"] for receipt in receipts)
    # Proven anew it goes at the next look. What is young, or nowhere else, stays.
    station.restart()
    eventually(lambda: set(forwarding.files(station)) == {*young.instances, *unsent.instances}, say=station.tail)
    assert forwarding.files(centre) == held
    station.assert_healthy()


def test_two_archives_that_send_to_each_other_never_both_give_up(make_archive, tmp_path):
    one, two = make_archive(name="one").start(), make_archive(name="two").start()
    forwarding.to_phim(one, "other", two, station="one")
    forwarding.to_phim(two, "other", one, station="two")
    made = imported(one, tmp_path / "in")
    forwarding.send(one, made.uid, "other")
    forwarding.wait_for(one, made.uid, "committed", "other")
    forwarding.send(two, made.uid, "other")
    forwarding.wait_for(two, made.uid, "committed", "other")
    with ThreadPoolExecutor(2) as both:
        plans = list(both.map(purge, (one, two)))
    for plan in plans:
        assert plan["plan"]["kept"] == {"others were told that it is kept here": 1} and "outcome" not in plan
    assert set(forwarding.files(one)) == set(forwarding.files(two)) == set(made.instances)
    # A person's word for one of them.
    assert given_up(one, "--promised") == 1
    assert forwarding.files(one) == {} and set(forwarding.files(two)) == set(made.instances)
    # The other has the only copy now, and told so.
    assert given_up(two) == 0 and len(forwarding.files(two)) == 3


@pytest.mark.parametrize("way", ["phim", "dimse"])
def test_an_archive_is_no_second_copy_of_itself(make_archive, tmp_path, way):
    archive = make_archive().start()
    if way == "phim":
        forwarding.to_phim(archive, "centre", archive)
    else:
        forwarding.to_peer(archive, "centre", archive.dicom_port, "PHIM", commit=True)
    made = imported(archive, tmp_path / "in")
    forwarding.send(archive, made.uid, "centre")
    eventually(lambda: "not proven: no proof" in forwarding.explain(archive, made.uid),
               say=lambda: forwarding.explain(archive, made.uid))
    said = {"phim": "signed by this archive itself", "dimse": "0115H"}[way]
    assert said in forwarding.explain(archive, made.uid)
    assert forwarding.shipment(archive, made.uid)["state"] == "sent"
    assert given_up(archive) == 0 and len(forwarding.files(archive)) == 3


def test_another_archive_under_the_same_name_gets_everything_and_proves_it_itself(make_archive, tmp_path):
    station, first, second = (make_archive(name=name).start() for name in ("station", "first", "second"))
    forwarding.to_phim(station, "centre", first)
    made = imported(station, tmp_path / "in")
    forwarding.send(station, made.uid, "centre")
    forwarding.wait_for(station, made.uid, "committed")
    (station.data / "second.token").write_text(forwarding.enrol(second, "commune") + "\n")
    second_url = f"http://127.0.0.1:{second.http_port}"
    station.run("destination", "change", "centre", "--phim", second_url, "--token-file", "second.token")
    assert forwarding.shipment(station, made.uid)["state"] != "committed" or forwarding.files(second)
    forwarding.wait_for(station, made.uid, "committed")
    assert forwarding.files(second) == forwarding.files(first) == forwarding.files(station)
    assert given_up(station) == 1 and forwarding.files(station) == {}


@pytest.fixture
def far(make_archive):
    """A station, its centre, and the line between them."""
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    with Line(Shape(1e9, 0.0), centre.http_port) as line:
        forwarding.to_phim(station, "centre", centre, port=line.port)
        yield station, centre, line


def test_a_destination_that_is_away_when_it_is_asked(far, tmp_path):
    """Nothing is given up by a proof that is too old; once it is back it is asked again, and then it goes."""
    station, centre, line = far
    old = imported(station, tmp_path / "old")
    forwarding.send(station, old.uid, "centre")
    forwarding.wait_for(station, old.uid, "committed")
    station.stop()
    with opened(station, "records.sqlite") as base:
        base.execute("UPDATE shipment SET committedAt = committedAt - ?", (2 * DAY,))
        base.execute("UPDATE shipped SET committedAt = committedAt - ?", (2 * DAY,))
    station.start()
    held = forwarding.files(station)
    # It is known to be away: the proof that there is stays.
    line.refuse()
    new = imported(station, tmp_path / "new")
    forwarding.send(station, new.uid, "centre")
    eventually(lambda: [row for row in station.json("destination", "list") if row["reason"]], say=station.tail)
    assert purge(station)["plan"]["kept"]["its proof is old, and centre is not reached now"] == 1
    assert forwarding.shipment(station, old.uid)["state"] == "committed"
    line.refuse(False)
    forwarding.retry(station)
    forwarding.wait_for(station, new.uid, "committed")
    # It is not known yet: proof is asked for, and does not come.
    line.refuse()
    assert given_up(station, "--study", old.uid) == 0
    eventually(lambda: "no proof" in forwarding.explain(station, old.uid), say=station.tail)
    assert given_up(station, "--study", old.uid) == 0
    assert {uid: digest for uid, digest in forwarding.files(station).items() if uid in old.instances} == held
    line.refuse(False)
    station.run("outbox", "retry", forwarding.shipment(station, old.uid)["number"])
    forwarding.wait_for(station, old.uid, "committed")
    assert given_up(station) == 2 and forwarding.files(station) == {}
    assert set(forwarding.files(centre)) == {*old.instances, *new.instances}


def test_a_centre_that_reads_for_long_keeps_no_other_study_waiting(far, tmp_path):
    """To each question it answers that it is at it (202): it is asked on, others have their turn, and at last it is proven."""
    station, centre, line = far
    large, small = (synthetic.study(tmp_path / name, instances=3) for name in ("large", "small"))
    asking, held_back, is_ready = set(), [], threading.Event()
    question = f"/studies/{large.uid}/receipt".encode()

    def tap(number, way, data):
        if way == "up":
            if asked := re.match(rb"[A-Z]+ (\S+) HTTP/1.1\r\n", data):
                (asking.add if asked[1].endswith(question) else asking.discard)(number)
        # The head of an answer comes in one piece with its short body.
        elif number in asking and data.startswith(b"HTTP/1.1 200") and not is_ready.is_set():
            held_back.append(number)
            return b"HTTP/1.1 202 Accepted\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
        return data

    line.tap = tap
    station.run("import", tmp_path / "large")
    forwarding.send(station, large.uid, "centre", priority="stat")
    eventually(lambda: "reading it again" in forwarding.explain(station, large.uid), say=station.tail)
    assert len(held_back) >= 6
    station.run("import", tmp_path / "small")
    forwarding.send(station, small.uid, "centre")
    forwarding.wait_for(station, small.uid, "committed")
    assert forwarding.shipment(station, large.uid)["state"] == "sent" and given_up(station, "--study", large.uid) == 0
    is_ready.set()
    forwarding.wait_for(station, large.uid, "committed")
    assert [receipt["failed"] for receipt in forwarding.ledger(station, large.uid)["entries"][0]["receipts"]
            if "answeredAt" in receipt] == [0]
    assert given_up(station) == 2


def test_what_was_promised_by_storage_commitment_stays_unless_to_a_device(make_archive, tmp_path):
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    forwarding.to_phim(station, "centre", centre)
    made = imported(station, tmp_path / "in")
    forwarding.send(station, made.uid, "centre")
    forwarding.wait_for(station, made.uid, "committed")
    reports = Reports()
    with listening(reports) as port:
        station.run("peer", "add", "ct", "--ae-title", "MOD1", "--host", "127.0.0.1", "--port", port)
        association = peers.entity("MOD1").associate(
            "127.0.0.1", station.dicom_port, [build_context(COMMITMENT, [EXPLICIT])], ae_title="PHIM")
        assert association.is_established
        asked = request([(synthetic.CT, uid) for uid in made.instances])
        assert ask(association, asked) == 0x0000
        association.release()
        kind, report = reports.wait()
        assert kind == 1 and instances(report.ReferencedSOPSequence) == set(made.instances)
    assert purge(station)["plan"]["kept"] == {"others were told that it is kept here": 1}
    (station.data / "phim.yaml").write_text(json.dumps({"forwarding": {"purge": {"devices": ["MOD1"]}}}))
    assert given_up(station) == 1 and forwarding.files(station) == {}


def test_a_peer_of_the_file_that_is_elsewhere_is_another_archive(make_archive, tmp_path):
    """What the former has proven does not count, and what the one in its place lacks goes there."""
    former, other = make_archive(name="former").start(), make_archive(name="other").start()

    def peer(archive):
        return {"peers": [{"name": "centre", "aeTitle": "PHIM", "host": "127.0.0.1", "port": archive.dicom_port}]}

    station = make_archive(peer(former), name="station").start()
    station.run("destination", "add", "centre", "--peer", "centre", "--commit")
    made = imported(station, tmp_path / "in")
    forwarding.send(station, made.uid, "centre")
    proof = forwarding.wait_for(station, made.uid, "committed")["proof"]
    # Where it was it is the same archive.
    station.restart()
    assert forwarding.shipment(station, made.uid)["proof"] == proof
    station.run("outbox", "pause", "centre")
    station.stop()
    (station.data / "phim.yaml").write_text(json.dumps(peer(other)))
    station.start()
    assert forwarding.shipment(station, made.uid)["state"] == "sent"
    assert given_up(station) == 0
    station.run("outbox", "resume", "centre")
    assert forwarding.wait_for(station, made.uid, "committed")["proof"] != proof
    assert forwarding.files(other) == forwarding.files(former)
    assert given_up(station) == 1
