"""Between two archives: what is there is not sent, what was cut is resumed, what has arrived is proven."""

import concurrent.futures
import contextlib
import gzip
import os
import socket
import sqlite3
import struct
import time

import pytest
from support import synthetic
from support.exchange import Station, claims, coded, manifest, sha256


@pytest.fixture(scope="module")
def centre(shared_archive):
    return shared_archive


@pytest.fixture(scope="module")
def station(centre):
    return Station(centre)


def study(folder, instances=3, rows=64, **values):
    """(study UID, {UID: file}) of a study on disk."""
    made = synthetic.study(folder, instances=instances, rows=rows, **values)
    files = {str(dataset.SOPInstanceUID): path for dataset, path in zip(made.datasets, made.files)}
    return made.uid, {uid: open(path, "rb").read() for uid, path in files.items()}


def digests(objects):
    return {uid: sha256(data) for uid, data in objects.items()}


def test_a_study_is_offered_sent_proven_and_costs_nothing_the_second_time(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=5)
    wanted = digests(objects)
    first = station.offer(uid, wanted).json()
    assert first == {"instances": 0, "isComplete": False, "partial": {}}
    assert station.held(uid, wanted) == set()
    for name, data in objects.items():
        answer = station.send(uid, name, data, **{"Phim-Priority": "stat"})
        assert (answer.status_code, answer.json()["outcome"]) == (200, "stored"), answer.text
    second = station.offer(uid, wanted)
    assert second.json() == {"instances": 5, "isComplete": True, "partial": {}}
    # The question, with its header, and the answer.
    assert len(second.request.body) + len(second.content) < 400
    # Sent again all the same: an answer at once, and nothing is stored twice.
    name, data = next(iter(objects.items()))
    assert station.send(uid, name, data).json()["outcome"] == "duplicate"
    key = station.key()
    transaction = synthetic.uid()
    said = claims(station.receipt(uid, wanted, transaction).json()["receipt"], key)
    assert said["missing"] == said["equivalent"] == []
    assert (said["jti"], said["study"], said["sub"], said["instances"]) == (transaction, uid, "station", 5)
    assert said["manifest"] == manifest(wanted).hex()
    # The octets are those of the station, whoever reads them.
    got = centre.http().get(
        f"{centre.url}/dicom-web/studies/{uid}", headers={"Accept": 'multipart/related; type="application/dicom"'},
        timeout=30).content
    for data in objects.values():
        assert data in got


def test_more_at_the_centre_than_at_the_station(station, tmp_path):
    uid, objects = study(tmp_path, instances=40, rows=8)
    some = dict(list(objects.items())[:17])
    for name, data in objects.items():
        station.send(uid, name, data)
    assert station.offer(uid, digests(some)).json()["isComplete"] is False
    listed = station.offer(uid, digests(some), listed=True, packed=True)
    assert listed.json()["isComplete"] is True
    assert station.held(uid, digests(some)) == set(some)
    # A receipt for a part of what is there names the part.
    assert station.receipt(uid, digests(some), synthetic.uid()).status_code == 409
    answer = station.receipt(uid, digests(some), synthetic.uid(), listed=True)
    assert claims(answer.json()["receipt"], station.key())["instances"] == 17
    # Other octets under a UID that is there are not there.
    changed = digests(some) | {next(iter(some)): bytes(32)}
    assert station.held(uid, changed) == set(some) - {next(iter(some))}
    missing = claims(station.receipt(uid, changed, synthetic.uid(), listed=True).json()["receipt"], station.key())
    assert missing["missing"] == [next(iter(some))]


def test_a_cut_object_goes_on_where_it_was_cut(station, tmp_path):
    uid, objects = study(tmp_path, instances=1, rows=512)
    [(name, data)] = objects.items()
    form = coded(data, pieces="stored")
    arrived = 0
    for until in (1, 100, 65_535, 65_536, 200_001, 300_000, len(form) - 1):
        station.send_and_cut(uid, name, data, form, until, offset=arrived)
        answer = station.progress(uid, name, data, form)
        assert answer.status_code == 204 and answer.headers["Upload-Complete"] == "?0"
        arrived = int(answer.headers["Upload-Offset"])
        assert arrived == until
        assert station.offer(uid, digests(objects)).json()["partial"] == {sha256(form).hex(): until}
    # From elsewhere it is not taken, and the centre says from where.
    wrong = station.send(uid, name, data, form, offset=5)
    assert (wrong.status_code, wrong.headers["Upload-Offset"]) == (409, str(arrived))
    assert station.send(uid, name, data, form, offset=arrived).json()["outcome"] == "stored"
    assert station.progress(uid, name, data, form).headers["Upload-Complete"] == "?1"
    assert station.offer(uid, digests(objects)).json() == {"instances": 1, "isComplete": True, "partial": {}}


def test_an_object_in_several_requests_and_across_a_restart_of_the_centre(make_archive, tmp_path):
    centre = make_archive().start()
    station = Station(centre)
    uid, objects = study(tmp_path / "in", instances=1, rows=512)
    [(name, data)] = objects.items()
    form = coded(data, pieces="stored")
    fields = station.fields(name, data, form, 0)
    answer = station.http.patch(station.path(uid, form), data=form[:150_000], headers=fields, timeout=20)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "150000")
    centre.restart()
    station = Station(centre)
    assert station.progress(uid, name, data, form).headers["Upload-Offset"] == "150000"
    station.send_and_cut(uid, name, data, form, 300_000, offset=150_000)
    centre.kill()
    centre.start()
    station = Station(centre)
    # What was not written yet is lost with the process; everything before it is there.
    arrived = int(station.progress(uid, name, data, form).headers["Upload-Offset"])
    assert 300_000 - 65_536 <= arrived <= 300_000
    assert station.send(uid, name, data, form, offset=arrived).json()["outcome"] == "stored"
    assert not [path for path in (centre.data / "exchange" / "uploads").rglob("*") if path.is_file()]
    key = station.key()
    centre.restart()
    assert Station(centre).key() == key, "the key stays"
    assert (centre.data / "exchange" / "receipt.key").stat().st_mode & 0o777 == 0o600


def test_a_line_that_hangs_is_overtaken(station, tmp_path):
    """The old connection still stands when the station comes back on a new one."""
    uid, objects = study(tmp_path, instances=1, rows=256)
    [(name, data)] = objects.items()
    form = coded(data, pieces="stored")
    path = station.path(uid, form).removeprefix(station.archive.url)
    fields = station.fields(name, data, form, 0) | {
        "Authorization": station.http.headers["Authorization"], "Host": "x", "Content-Length": str(len(form))}
    head = f"PATCH {path} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in fields.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", station.archive.http_port)) as hanging:
        hanging.sendall(head.encode() + form[:70_000])
        deadline = time.monotonic() + 10
        while station.offer(uid, digests(objects)).json()["partial"].get(sha256(form).hex()) != 70_000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        arrived = int(station.progress(uid, name, data, form).headers["Upload-Offset"])
        assert arrived == 70_000
        hanging.sendall(b"x" * 1000)  # too late: this connection writes no more
        assert station.send(uid, name, data, form, offset=arrived).json()["outcome"] == "stored"


def test_what_is_wrong_is_thrown_away_and_said(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=2)
    (name, data), (other, _) = objects.items()
    form = coded(data)

    def refused(answer, status=422):
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        for secret in (name, uid, "Test^Patient"):
            assert secret not in answer.text
        assert not [path for path in (centre.data / "exchange").rglob("uploads/*/*")]

    wrong = form[:-40] + bytes([form[-40] ^ 1]) + form[-39:]
    fields = station.fields(name, data, form, 0)
    refused(station.http.patch(station.path(uid, form), data=wrong, headers=fields, timeout=20))
    # Of another digest than announced; under another UID; in another study.
    refused(station.send(uid, name, data + b"\0\0", form=form))
    refused(station.send(uid, other, data))
    refused(station.send(synthetic.uid(), name, data))
    # No DICOM at all; a form that is none; lengths that lie.
    refused(station.send(uid, name, b"no dicom" * 100))
    refused(station.send(uid, name, data, form=os.urandom(300)))
    refused(station.send(uid, name, data, form=b"PHL1" + struct.pack("<Q", 1 << 62) + form[12:]))
    bomb = b"PHL1" + struct.pack("<Q", 1 << 33)
    bomb += struct.pack("<BII", 2, 1 << 26, 19) + bytes([2, 1, 1, 12, 0]) + struct.pack("<HHHIH", 8192, 4096, 0, 0, 0) + b"\1\2"
    refused(station.send(uid, name, data, form=bomb))
    # Then as it is.
    assert station.send(uid, name, data).json()["outcome"] == "stored"
    centre.assert_healthy()


def test_requests_that_make_no_sense(station, tmp_path):
    uid, objects = study(tmp_path, instances=1, rows=8)
    [(name, data)] = objects.items()
    form = coded(data)
    good = station.fields(name, data, form, 0)
    for change in (
        {"Phim-Instance": "1.2.x"}, {"Phim-Digest": "00"}, {"Phim-Digest": sha256(data).hex().upper()},
        {"Upload-Length": "-1"}, {"Upload-Length": "x"}, {"Upload-Offset": "-1"}, {"Upload-Offset": str(1 << 70)},
        {"Phim-Priority": "now"},
    ):
        answer = station.http.patch(station.path(uid, form), data=form, headers=good | change, timeout=20)
        assert answer.status_code == 400, (change, answer.text)
    assert station.http.patch(station.path("1.2.x", form), data=form, headers=good, timeout=20).status_code == 400
    assert station.http.patch(f"{station.root}/studies/{uid}/objects/xyz", data=form, headers=good,
                              timeout=20).status_code == 400
    # The body goes on behind the end.
    answer = station.http.patch(station.path(uid, form), data=form + b"more", headers=good, timeout=20)
    assert answer.status_code == 400
    too_long = {"Upload-Length": str(1 << 50)}
    assert station.http.patch(station.path(uid, form), data=form, headers=good | too_long, timeout=20).status_code == 413
    for body in (b"", b"[]", b"{}", b'{"manifest": "x", "instances": 1}', b"\x1f\x8b\x08\0" + b"x" * 40):
        packed = {"Content-Encoding": "gzip"} if body.startswith(b"\x1f") else {}
        for what in ("offer", "receipt"):
            answer = station.http.post(f"{station.root}/studies/{uid}/{what}", data=body, timeout=20,
                                       headers={"Content-Type": "application/json"} | packed)
            assert answer.status_code == 400, (what, body, answer.text)
    # A little that becomes very much.
    answer = station.http.post(
        f"{station.root}/studies/{uid}/offer", data=gzip.compress(b" " * (200 << 20)), timeout=60,
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert answer.status_code == 400


def test_only_a_station_may_and_no_more_than_that(centre, tmp_path):
    uid, objects = study(tmp_path, instances=1)
    [(name, data)] = objects.items()
    for role in ("radiologist", "technician", "integration", "clerk"):
        other = Station(centre, account=f"no {role}", role=role)
        assert other.offer(uid, digests(objects)).status_code == 403
        assert other.send(uid, name, data).status_code == 403
        assert other.receipt(uid, digests(objects), synthetic.uid()).status_code == 403
        assert other.http.get(f"{other.root}/key", timeout=20).status_code == 403
    station = Station(centre)
    for path in ("/dicom-web/studies", "/api/v1/accounts", "/api/v1/audit", "/api/v1/fleet"):
        assert station.http.get(centre.url + path, timeout=20).status_code == 403, path
    # What one station has sent in part is not another's.
    form = coded(data, pieces="stored")
    station.send_and_cut(uid, name, data, form, 1000)
    second = Station(centre, account="second station")
    assert second.progress(uid, name, data, form).headers["Upload-Offset"] == "0"
    assert second.offer(uid, digests(objects)).json()["partial"] == {}
    assert station.progress(uid, name, data, form).headers["Upload-Offset"] == "1000"


def test_the_same_data_set_under_another_file_header_is_held_and_proven(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=1)
    [(name, data)] = objects.items()
    assert station.send(uid, name, data).json()["outcome"] == "stored"
    # As another archive keeps it: its own name in the header.
    other = bytearray(data)
    other[:8] = b"SOMEBODY"
    wanted = {name: sha256(bytes(other))}
    assert station.held(uid, wanted) == set()
    assert station.send(uid, name, bytes(other)).json()["outcome"] == "duplicate"
    assert station.held(uid, wanted) == {name}
    said = claims(station.receipt(uid, wanted, synthetic.uid(), listed=True).json()["receipt"], station.key())
    assert (said["missing"], said["equivalent"]) == ([], [name])
    # With the object goes what was known of it.
    with contextlib.closing(sqlite3.connect(centre.data / "records.sqlite", timeout=20)) as records:
        held = "SELECT count(*) FROM heldAs WHERE sopInstanceUID = ?"
        assert records.execute(held, (name,)).fetchone() == (1,)
        centre.run("delete", "--instance", name, "--yes")
        assert records.execute(held, (name,)).fetchone() == (0,)
    assert station.held(uid, wanted) == set()


def test_a_receipt_is_of_what_is_read_again(make_archive, tmp_path):
    centre = make_archive().start()
    station = Station(centre)
    uid, objects = study(tmp_path / "in", instances=3)
    for name, data in objects.items():
        station.send(uid, name, data)
    lost = sorted(objects)[1]
    centre.stop()
    for volume in centre.volumes():
        content = volume.read_bytes()
        at = content.find(objects[lost])
        if at >= 0:
            with open(volume, "r+b") as file:
                file.seek(at + len(objects[lost]) - 10)
                file.write(b"rotten")
    centre.start()
    station = Station(centre)
    said = claims(station.receipt(uid, digests(objects), synthetic.uid()).json()["receipt"], station.key())
    assert said["missing"] == [lost]
    # From then on it counts as absent: it is asked for, and the good one takes the place of the bad one.
    wanted = digests(objects)
    assert station.offer(uid, wanted).json()["isComplete"] is False
    assert station.held(uid, wanted) == set(objects) - {lost}
    form = coded(objects[lost])
    assert station.progress(uid, lost, objects[lost], form).headers["Upload-Complete"] == "?0"
    assert station.send(uid, lost, objects[lost]).json()["outcome"] == "stored"
    assert station.offer(uid, wanted).json()["isComplete"] is True
    said = claims(station.receipt(uid, wanted, synthetic.uid()).json()["receipt"], station.key())
    assert said["missing"] == []
    centre.assert_healthy()


def test_what_arrived_in_part_is_let_go_once_the_object_is_there(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=1, rows=128)
    [(name, data)] = objects.items()
    form, other = coded(data, pieces="stored"), coded(data)
    station.send_and_cut(uid, name, data, form, 20_000)
    folder = centre.data / "exchange" / "uploads"
    assert [path for path in folder.rglob(sha256(form).hex())]
    assert station.send(uid, name, data, other).status_code == 200
    assert station.progress(uid, name, data, form).headers["Upload-Complete"] == "?1"
    assert not [path for path in folder.rglob(sha256(form).hex())]
    # Longer than any object that is taken, or than a station's share.
    for length in (1 << 34, 1 << 62):
        answer = station.http.head(
            station.path(uid, form), headers=station.fields(name, b"other", form) | {"Upload-Length": str(length)},
            timeout=20)
        assert answer.status_code == 413


def test_a_correction_comes_with_the_study(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=2, PatientName="Sai^Ten", PatientID="OLD")
    wanted = digests(objects)
    correction = {"00100010": "Đúng^Tên", "00100020": "NEW", "00080018": "1.2.3", "00104000": "", "00080020": "x", "y": ""}
    assert station.offer(uid, wanted, correction=correction).json()["correctionTaken"] is False, "nothing is here yet"
    for name, data in objects.items():
        assert station.send(uid, name, data).json()["outcome"] == "stored"

    def shown():
        rows = centre.http().get(
            f"{centre.url}/dicom-web/studies?StudyInstanceUID={uid}&includefield=00100010", timeout=20).json()
        return rows[0]["00100020"]["Value"][0], rows[0]["00100010"]["Value"][0]["Alphabetic"]

    assert shown() == ("OLD", "Sai^Ten")
    answer = station.offer(uid, wanted, correction=correction).json()
    assert answer["correctionTaken"] is True and {"00080018", "00080020", "y"} <= set(answer["rejected"])
    assert shown() == ("NEW", "Đúng^Tên")
    # The octets stay those of the station.
    assert station.offer(uid, wanted, correction=correction).json()["isComplete"]
    # Said again it changes nothing; said otherwise it is otherwise; taken back it is gone.
    station.offer(uid, wanted, correction={"00100020": "NEWER"})
    assert shown() == ("NEWER", "Sai^Ten")
    station.offer(uid, wanted, correction={})
    assert shown() == ("OLD", "Sai^Ten")
    # Another station has no say, nor has anybody in a thousand attributes.
    other = Station(centre, account="other station")
    assert other.offer(uid, wanted, correction={"00100020": "EVIL"}).json()["correctionTaken"] is False
    many = {f"0010{number:04X}": "" for number in range(1_000)}
    assert station.offer(uid, wanted, correction=many).json()["correctionTaken"] is False
    assert shown() == ("OLD", "Sai^Ten")
    # What somebody wrote at the centre stays, and nothing is put beside it, even when it was taken back.
    station.offer(uid, wanted, correction={"00100010": "Before^That"})
    centre.run("study", "correct", uid, "--set", "PatientID=MINE", "--reason", "known here")
    for said in ({"00100020": "THEIRS", "00100010": "Their^Name"}, {}):
        assert station.offer(uid, wanted, correction=said).json()["correctionTaken"] is False
        assert shown() == ("MINE", "Before^That")
    answer = station.receipt(uid, wanted, synthetic.uid(), correction={"00100020": "THEIRS"}).json()
    assert answer["correctionTaken"] is False and shown() == ("MINE", "Before^That")


def test_a_study_that_others_brought_is_not_corrected_and_not_told_of(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=2, PatientID="OTHERS")
    other = Station(centre, account="other station")
    (first, one), (second, two) = objects.items()
    assert other.send(uid, first, one).json()["outcome"] == "stored"
    # Who does not know the digests learns nothing.
    guess = {name: bytes(32) for name in objects}
    for listed in (False, True):
        answer = station.offer(uid, guess, listed=listed, correction={"00100020": "EVIL"}).json()
        assert (answer["instances"], answer["correctionTaken"]) == (0, False)
    # One object of its own does not make the study its own.
    assert station.send(uid, second, two).json()["outcome"] == "stored"
    assert station.offer(uid, digests(objects), correction={"00100020": "EVIL"}).json()["correctionTaken"] is False
    assert other.offer(uid, digests(objects), correction={"00100020": "EVIL"}).json()["correctionTaken"] is False
    rows = centre.http().get(f"{centre.url}/dicom-web/studies?StudyInstanceUID={uid}", timeout=20).json()
    assert rows[0]["00100020"]["Value"] == ["OTHERS"]


def test_many_objects_at_once(centre, station, tmp_path):
    uid, objects = study(tmp_path, instances=60, rows=48)
    with concurrent.futures.ThreadPoolExecutor(8) as lanes:
        answers = list(lanes.map(lambda item: Station(centre).send(uid, *item), objects.items()))
    assert {answer.json()["outcome"] for answer in answers} == {"stored"}
    # The same object on several lanes at once is stored once.
    name, data = next(iter(objects.items()))
    changed = data[:-2] + b"\1\2"
    with concurrent.futures.ThreadPoolExecutor(4) as lanes:
        answers = list(lanes.map(lambda _: Station(centre).send(uid, name, changed), range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    # Whoever was overtaken asks how far it is, and goes on.
    form = coded(changed)
    progress = station.progress(uid, name, changed, form).headers
    if progress["Upload-Complete"] == "?0":
        assert station.send(uid, name, changed, offset=int(progress["Upload-Offset"])).status_code == 200
    assert station.held(uid, digests(objects) | {name: sha256(changed)}) == set(objects)


def test_contact_and_fleet(centre, station):
    now = int(time.time() * 1e6)
    report = {
        "name": "Trạm xá Mường Lát", "version": "1", "time": now - 90_000_000, "diskFree": 5, "diskTotal": 10,
        "backlog": [{"priority": "stat", "studies": 1, "instances": 2, "octets": 3, "oldest": now}], "newestAt": now,
    }
    answer = station.http.post(f"{station.root}/contact", json=report, timeout=20)
    assert answer.status_code == 200, answer.text
    assert abs(answer.json()["time"] - now) < 60_000_000
    fleet = centre.http("technician").get(f"{centre.url}/api/v1/fleet", timeout=20)
    [shown] = [each for each in fleet.json() if each["name"] == report["name"]]
    assert shown["account"] == "station" and not shown["isSilent"]
    assert shown["backlog"][0]["octets"] == 3 and shown["diskFree"] == 5
    assert -100 < shown["clockSkew"] < -80
    # Another account of this name is another station.
    other = Station(centre, account="impostor")
    assert other.http.post(f"{other.root}/contact", json=report | {"diskFree": 7}, timeout=20).status_code == 200
    fleet = centre.http("technician").get(f"{centre.url}/api/v1/fleet", timeout=20).json()
    assert {each["account"]: each["diskFree"] for each in fleet} == {"station": 5, "impostor": 7}
    for change in ({"name": ""}, {"name": "x" * 65}, {"time": 1 << 63}, {"backlog": [report["backlog"][0]] * 101}):
        assert station.http.post(f"{station.root}/contact", json=report | change, timeout=20).status_code == 400
    # Numbers whose sum no number holds, and the same urgency twice.
    [waiting] = report["backlog"]
    most = 10 ** 15
    for change in (
        {"diskFree": -1}, {"diskTotal": most + 1}, {"newestAt": -1}, {"newestAt": (1 << 63) - 1}, {"backlog": [waiting] * 2},
        *({"backlog": [waiting | {field: wrong}]} for wrong in (-1, most + 1, (1 << 63) - 1)
          for field in ("studies", "instances", "octets")), {"backlog": [waiting | {"oldest": -(1 << 63)}]},
    ):
        assert station.http.post(f"{station.root}/contact", json=report | change, timeout=20).status_code == 400, change
    largest = [{"priority": word, "studies": most, "instances": most, "octets": most, "oldest": 253_402_300_799_000_000}
               for word in ("stat", "normal", "bulk")]
    extreme = report | {"time": -(1 << 63), "backlog": largest, "diskFree": most, "diskTotal": most}
    assert station.http.post(f"{station.root}/contact", json=extreme, timeout=20).status_code == 200
    assert centre.http().get(f"{centre.url}/api/v1/fleet", timeout=20).status_code == 200
    assert f"{3 * most} studies" in centre.run("fleet").stdout
