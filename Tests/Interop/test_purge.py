"""Giving up images that another archive holds, through the real program: by itself, and where it must not be."""

import contextlib
import json
import re
import sqlite3
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
    with contextlib.closing(sqlite3.connect(archive.data / name, timeout=20)) as base, base:
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
    assert forwarding.counter(station, "phim_purged_studies_total") == 1
    detail, = filter(given_up, station.trail("--study", old.uid, has=given_up))
    assert detail["account"] == "purge" and "at centre" in detail["detail"]
    assert "given up here" in forwarding.explain(station, old.uid)
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


def test_a_proof_in_several_slices(make_archive, tmp_path):
    """The centre says that it reads on, and is asked again."""
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    asked = []

    def tap(_, way, data):
        if way == "up":
            asked.extend(re.findall(rb"POST \S+/receipt", data))
        elif len(asked) == 1 and data.startswith(b"HTTP/1.1 200"):
            # The head of an answer comes in one piece with its short body.
            asked.append(b"held back")
            return b"HTTP/1.1 202 Accepted\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
        return data

    with Line(Shape(1e9, 0.0), centre.http_port, tap=tap) as line:
        forwarding.to_phim(station, "centre", centre, port=line.port)
        made = imported(station, tmp_path / "in")
        forwarding.send(station, made.uid, "centre")
        forwarding.wait_for(station, made.uid, "committed")
        posts = [word for word in asked if word != b"held back"]
        assert len(posts) == 2 and asked[1] == b"held back"
        receipts = forwarding.ledger(station, made.uid)["entries"][0]["receipts"]
        assert len(receipts) == 1
        assert given_up(station) == 1


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
