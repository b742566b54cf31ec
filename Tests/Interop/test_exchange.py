"""Between two archives: what is there is not sent, what was cut is resumed, what is wrong is thrown away."""

import concurrent.futures
import gzip
import os
import socket
import struct
import time

from support import synthetic
from support.exchange import Station, claims, coded, digests, manifest, sha256, study


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
        deadline = time.monotonic() + 60
        while station.offer(uid, digests(objects)).json()["partial"] != {sha256(form).hex(): until}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        answer = station.progress(uid, name, data, form)
        assert answer.status_code == 204 and answer.headers["Upload-Complete"] == "?0"
        arrived = int(answer.headers["Upload-Offset"])
        assert arrived == until
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
        deadline = time.monotonic() + 60
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
