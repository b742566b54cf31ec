"""A commune station and its centre: what is sent on and what is not, why, in which order, and the proof that it arrived."""

import base64
import contextlib
import json
import re
import sqlite3

import pydicom
import pytest

from support import dcmtk, forwarding, synthetic
from support.archive import Archive
from support.forwarding import eventually
from support.line import Line, Shape

FAST = Shape(1e9, 0.0)


def pair(folder, **options):
    """A station, its centre, and a line between them that is fast."""
    station, centre = Archive(folder / "commune").start(), Archive(folder / "centre").start()
    line = Line(FAST, centre.http_port).__enter__()
    forwarding.to_phim(station, "centre", centre, port=line.port, **options)
    return station, centre, line


def end(station, centre, line):
    line.__exit__()
    try:
        station.stop()
    finally:
        centre.stop()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    made = pair(tmp_path_factory.mktemp("two"))
    yield made
    end(*made)


@pytest.fixture
def own(tmp_path):
    """A pair of this test alone."""
    made = pair(tmp_path)
    yield made
    end(*made)


def study(archive, folder, instances=3, **values):
    made = synthetic.study(folder, instances=instances, **values)
    archive.run("import", folder / made.uid[-12:])
    return made


def test_rules_send_what_they_name_without_a_restart(two, tmp_path):
    station, centre, _ = two
    forwarding.route(station, "ct-head", "centre", "modality=CT,MR", "bodyPart=HEAD", priority="stat")
    head = study(station, tmp_path, BodyPartExamined="HEAD")
    chest = study(station, tmp_path)
    forwarding.wait_for(station, head.uid, "committed")
    assert forwarding.shipment(station, chest.uid) is None
    assert "no rule" in forwarding.explain(station, chest.uid) or "bodyPart" in forwarding.explain(station, chest.uid)
    why = station.run("route", "explain", "--study", chest.uid).stdout
    assert "ct-head" in why and "bodyPart=HEAD" in why

    # A rule for what one device sends; nothing is started again.
    station.run("peer", "add", "xray", "--ae-title", "XRAY1", "--host", "127.0.0.1", "--port", 104)
    forwarding.route(station, "from-xray", "centre", "peer=xray")
    sent = synthetic.study(tmp_path / "sent", instances=2, Modality="DX")
    dcmtk.run("storescu", *dcmtk.peer(station, calling="XRAY1"), *sent.files)
    other = synthetic.study(tmp_path / "other", instances=2, Modality="DX")
    dcmtk.run("storescu", *dcmtk.peer(station, calling="XRAY2"), *other.files)
    row = forwarding.wait_for(station, sent.uid, "committed")
    assert (row["route"], row["priority"]) == ("from-xray", "normal")
    assert forwarding.shipment(station, other.uid) is None

    # Switched off, a rule sends nothing more.
    station.run("route", "off", "ct-head")
    silent = study(station, tmp_path, BodyPartExamined="HEAD")
    assert "switched off" in forwarding.explain(station, silent.uid)
    station.run("route", "remove", "ct-head")
    station.run("route", "remove", "from-xray")
    assert forwarding.shipment(station, silent.uid) is None
    held = forwarding.files(centre)
    assert set(held) == {*head.instances, *sent.instances}


def test_a_person_asks_for_one_study(two, tmp_path):
    station, centre, _ = two
    made = study(station, tmp_path)
    assert forwarding.explain(station, made.uid).startswith("no rule")
    forwarding.send(station, made.uid, "centre", priority="stat")
    row = forwarding.wait_for(station, made.uid, "committed")
    assert row["priority"] == "stat" and row["proof"]
    ours, theirs = forwarding.files(station), forwarding.files(centre)
    assert {uid: ours[uid] for uid in made.instances} == {uid: theirs.get(uid) for uid in made.instances}
    said = forwarding.explain(station, made.uid)
    assert re.match(r"centre: committed, 3 of 3 sent, proven \d{4}-\d\d-\d\d \d\d:\d\d by ", said), said
    assert "\n" not in said
    # Both sides wrote down who did it.
    for archive in (station, centre):
        archive.trail("--study", made.uid)


def test_the_second_time_it_costs_next_to_nothing(two, tmp_path):
    """A study that the centre holds already: fewer than 50 kB, whatever it weighs."""
    station, centre, line = two
    made = study(station, tmp_path, instances=200, rows=64)
    weight = sum(path.stat().st_size for path in made.files)
    before = line.octets
    forwarding.send(station, made.uid, "centre")
    row = forwarding.wait_for(station, made.uid, "committed")
    first = line.octets - before
    assert first > 20_000
    before = line.octets
    station.run("outbox", "resend", row["number"])
    again = eventually(lambda: (found := forwarding.shipment(station, made.uid))["state"] == "committed" and found)
    second = line.octets - before
    print(f"{weight} octets: {first} over the line, then {second}")
    assert second < 50_000
    assert again["sentInstances"] == 200
    assert len(set(forwarding.files(centre)) & set(made.instances)) == 200


def test_all_of_it_again_after_a_late_image_came(two, tmp_path):
    station, centre, _ = two
    made = study(station, tmp_path)
    forwarding.send(station, made.uid, "centre")
    row = forwarding.wait_for(station, made.uid, "committed")
    late = synthetic.ct(made.uid, made.series[0], number=4)
    synthetic.write(tmp_path / "late" / "4.dcm", late)
    station.run("import", tmp_path / "late")
    station.run("outbox", "resend", row["number"])
    eventually(lambda: (found := forwarding.shipment(station, made.uid))["state"] == "committed"
               and found["sentInstances"] == found["instances"] == 4, say=lambda: forwarding.explain(station, made.uid))
    ours, theirs = forwarding.files(station), forwarding.files(centre)
    for uid in (*made.instances, str(late.SOPInstanceUID)):
        assert ours[uid] == theirs[uid]
    # What is proven has nothing to be tried again.
    assert "nothing is left to send" in station.run("outbox", "retry", row["number"], expect=(1, 2)).stderr


def test_without_a_legal_basis_nothing_leaves(own, tmp_path):
    station, centre, line = own
    station.run("destination", "change", "centre", "--needs-legal-basis")
    made = study(station, tmp_path)
    refused = forwarding.send(station, made.uid, "centre", expect=None)
    assert refused.returncode != 0 and "legal basis" in refused.stderr
    forwarding.route(station, "all", "centre")
    by_rule = study(station, tmp_path)
    row = forwarding.wait_for(station, by_rule.uid, "refused")
    assert "legal basis" in row["cause"]
    assert forwarding.explain(station, by_rule.uid) == (
        "centre: refused, 0 of 3 sent: no legal basis is given, and this destination needs one")
    forwarding.send(station, made.uid, "centre", legal_basis="referral")
    assert forwarding.wait_for(station, made.uid, "committed")["legalBasis"] == "referral"

    # The contract is over: what is asked for is refused, what waits stays.
    station.run("destination", "change", "centre", "--contract-until", "20200101")
    late = study(station, tmp_path)
    refused = forwarding.send(station, late.uid, "centre", expect=None, legal_basis="referral")
    assert refused.returncode != 0 and "20200101" in refused.stderr
    assert set(forwarding.files(centre)) == set(made.instances)


def test_paused_held_put_first_and_dropped(own, tmp_path):
    station, centre, _ = own
    station.run("destination", "change", "centre", "--lanes", 1)
    station.run("outbox", "pause", "centre")
    made = [study(station, tmp_path, instances=number + 1) for number in range(5)]
    for one in made:
        forwarding.send(station, one.uid, "centre")
    assert "paused by a person" in forwarding.explain(station, made[0].uid)
    numbers = [forwarding.shipment(station, one.uid)["number"] for one in made]
    station.run("outbox", "hold", numbers[0])
    station.run("outbox", "drop", numbers[1])
    station.run("outbox", "first", numbers[3])
    station.run("outbox", "priority", numbers[4], "stat")
    assert "held by a person" in forwarding.explain(station, made[0].uid)
    assert "dropped by" in forwarding.explain(station, made[1].uid)
    assert forwarding.order(centre) == []

    # Started again meanwhile: what a person said stays.
    station.restart()
    station.run("outbox", "resume", "centre")
    for number in (2, 3, 4):
        forwarding.wait_for(station, made[number].uid, "committed")
    arrived = [next(number for number, one in enumerate(made) if uid in one.instances)
               for uid in forwarding.order(centre)]
    assert arrived == [4] * 5 + [3] * 4 + [2] * 3
    station.run("outbox", "release", numbers[0])
    forwarding.wait_for(station, made[0].uid, "committed")
    assert forwarding.shipment(station, made[1].uid)["state"] == "dropped"
    assert set(made[1].instances).isdisjoint(forwarding.files(centre))
    for one in made[:2]:
        station.trail("--study", one.uid, "--kind", "administer")


def test_what_is_put_right_here_is_put_right_there(own, tmp_path):
    station, centre, _ = own
    forwarding.route(station, "all", "centre")
    early = study(station, tmp_path, PatientName="WRONG^NAME")
    forwarding.wait_for(station, early.uid, "committed")
    assert centre.find("--study", early.uid)[0]["PatientName"] == "WRONG^NAME"
    station.run("study", "correct", early.uid, "--set", "PatientName=NGUYỄN^VĂN^ĐỨC", "--reason", "mistyped")
    eventually(lambda: centre.find("--study", early.uid)[0]["PatientName"] == "NGUYỄN^VĂN^ĐỨC",
               say=lambda: forwarding.explain(station, early.uid))
    # One that is put right before it leaves arrives right.
    station.run("outbox", "pause", "centre")
    late = study(station, tmp_path, PatientName="WRONG^TOO")
    station.run("study", "correct", late.uid, "--set", "PatientName=TRẦN^THỊ^MAI", "--reason", "mistyped")
    station.run("outbox", "resume", "centre")
    forwarding.wait_for(station, late.uid, "committed")
    eventually(lambda: centre.find("--study", late.uid)[0]["PatientName"] == "TRẦN^THỊ^MAI")
    centre.run("export", "--study", late.uid, "--to", tmp_path / "out", "--format", "folder")
    names = {str(pydicom.dcmread(path).PatientName) for path in (tmp_path / "out").rglob("*") if path.suffix == ".dcm"}
    assert names == {"TRẦN^THỊ^MAI"}
    # What was received stays what it was, at both ends.
    assert forwarding.files(station) == forwarding.files(centre)


JWS = re.compile(rb"eyJ[\w-]+\.([\w-]+)\.([\w-]+)")


def decoded(part):
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def encoded(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def other_claims(jws):
    """The payload says another number of objects; the signature is the old one."""
    payload = jws[1]
    at = next(at for at in range(4, len(payload)) if payload[at:at + 1] != b"A")
    return jws[0].replace(payload, payload[:at] + b"A" + payload[at + 1:])


def other_signature(jws):
    signature = jws[2]
    return jws[0].replace(signature, encoded(bytes([decoded(signature)[0] ^ 1]) + decoded(signature)[1:]))


def other_key(jws):
    """Signed well, by somebody else."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signed = b".".join(jws[0].split(b".")[:2])
    return signed + b"." + encoded(Ed25519PrivateKey.generate().sign(signed))


@pytest.mark.parametrize("falsify", [other_claims, other_signature, other_key])
def test_a_receipt_that_was_tampered_with_is_not_believed(tmp_path, falsify):
    falsified = []

    def tap(_, way, data):
        if way == "up":
            return data

        def change(jws):
            falsified.append(jws[0])
            return falsify(jws)

        changed = JWS.sub(change, data)
        assert len(changed) == len(data)
        return changed

    station, centre, line = pair(tmp_path)
    try:
        line.tap = tap
        made = study(station, tmp_path / "study")
        forwarding.send(station, made.uid, "centre")
        eventually(lambda: falsified, say="(no receipt crossed the line)")
        eventually(lambda: "not proven: no proof" in forwarding.explain(station, made.uid), say="(nobody says why)")
        assert "sent, 3 of 3" in forwarding.explain(station, made.uid)
        assert forwarding.shipment(station, made.uid)["state"] == "sent"
        assert given_up(station) == 0 and len(forwarding.files(station)) == 3
        # An honest one is, later.
        line.tap = None
        station.run("outbox", "retry", forwarding.shipment(station, made.uid)["number"])
        forwarding.wait_for(station, made.uid, "committed")
    finally:
        end(station, centre, line)


def given_up(archive):
    """What may be given up is, whatever its age; how many studies that was."""
    outcome = archive.json("purge", "--older-than", 0, "--yes", expect=(0, 1)).get("outcome")
    return outcome["studies"] if outcome else 0


def test_nothing_is_given_up_here_before_the_centre_has_proven_to_hold_it(own, tmp_path):
    station, centre, line = own
    line.refuse()
    made = study(station, tmp_path)
    forwarding.send(station, made.uid, "centre")
    assert given_up(station) == 0 and len(forwarding.files(station)) == 3
    # The file of records itself refuses, whoever writes to it.
    number = forwarding.shipment(station, made.uid)["number"]
    with contextlib.closing(sqlite3.connect(station.data / "records.sqlite", timeout=20)) as records:
        with pytest.raises(sqlite3.DatabaseError, match="purge without commitment"):
            records.execute("INSERT INTO purge (studyInstanceUID, shipment, instances, retainedUntil, at, account) "
                            "VALUES (?, ?, 3, 0, 1, 'x')", (made.uid, number))
    line.refuse(False)
    forwarding.retry(station)
    forwarding.wait_for(station, made.uid, "committed")
    assert given_up(station) == 1 and forwarding.files(station) == {}
    assert set(forwarding.files(centre)) == set(made.instances)
    assert "at centre" in forwarding.explain(station, made.uid)


def test_kill_minus_nine_of_the_station_forgets_nothing(own, tmp_path):
    station, centre, line = own
    forwarding.route(station, "all", "centre")
    line.shape = Shape(4e6, 0.02)
    line.refuse()  # nothing leaves before all is there
    made = [study(station, tmp_path, instances=8, rows=128) for _ in range(3)]
    line.refuse(False)
    forwarding.retry(station)
    eventually(lambda: forwarding.counter(station, "phim_forwarded_objects_total") > 2)
    station.kill()
    station.start()
    for one in made:
        forwarding.wait_for(station, one.uid, "committed")
    assert forwarding.files(station) == forwarding.files(centre)
