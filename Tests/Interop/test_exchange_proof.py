"""What a centre says of what has arrived: read again, and signed."""

import contextlib
import sqlite3

from support import synthetic
from support.exchange import Station, claims, coded, digests, sha256, study


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
