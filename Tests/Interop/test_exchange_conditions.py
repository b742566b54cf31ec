"""Between two archives: what comes first, how wide the line is, what a full centre does, whom a station calls."""

import contextlib
import http.client
import json
import os
import random
import signal
import sqlite3
import statistics
import time

import pytest

from support import disk, forwarding, synthetic
from support.archive import Archive
from support.exchange import Station, coded, sha256
from support.forwarding import eventually
from support.line import Line, Shape

KEY_OBJECTS, PRESENTATION = "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.5.1.4.1.1.11.1"


def noise(archive, folder, instances, rows=64):
    """A study that nothing makes smaller."""
    dice = random.Random(instances)
    made = synthetic.study(folder, instances=0)
    for number in range(1, instances + 1):
        dataset = synthetic.ct(made.uid, f"{made.uid}.1", number=number, rows=8, BitsStored=16, HighBit=15)
        dataset.Rows = dataset.Columns = rows
        dataset.PixelData = dice.randbytes(rows * rows * 2)
        made.datasets.append(dataset)
        made.files.append(synthetic.write(folder / f"{number}.dcm", dataset))
    archive.run("import", folder)
    return made


def test_what_selects_comes_first_then_a_glance_of_every_series(make_archive, tmp_path):
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    made = synthetic.study(tmp_path / "in", series=2, instances=6)
    chosen = []
    for number, kind in enumerate((KEY_OBJECTS, PRESENTATION)):
        # As they come: after the images, in series of their own.
        dataset = synthetic.ct(made.uid, number=1, rows=8, SOPClassUID=kind, Modality="KO" if number == 0 else "PR",
                               SeriesNumber=90 + number)
        del dataset.PixelData, dataset.Rows, dataset.Columns
        synthetic.write(tmp_path / "in" / f"z{number}.dcm", dataset)
        chosen.append(str(dataset.SOPInstanceUID))
    station.run("import", tmp_path / "in")
    forwarding.to_phim(station, "centre", centre, lanes=1)
    forwarding.send(station, made.uid, "centre")
    forwarding.wait_for(station, made.uid, "committed")
    order = forwarding.order(centre)
    assert len(order) == 14 and set(order[:2]) == set(chosen)
    # Of every series the first and the middle one, before any other.
    series = [[str(one.SOPInstanceUID) for one in made.datasets if one.SeriesInstanceUID == uid] for uid in made.series]
    assert set(order[2:6]) == {members[place] for members in series for place in (0, 3)}


def test_a_centre_is_called_by_https_and_with_the_key_of_first_contact(make_archive, tmp_path):
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    made = synthetic.study(tmp_path / "one", instances=1)
    station.run("import", tmp_path / "one")
    (station.data / "token").write_text("secret-token\n")
    # An address that nobody has (RFC 5737): it is not called at all.
    station.run("destination", "add", "plain", "--phim", "http://192.0.2.1", "--token-file", "token")
    forwarding.send(station, made.uid, "plain")

    def row(name):
        return next(row for row in station.json("destination", "list") if row["name"] == name)

    eventually(lambda: "called by https" in row("plain")["reason"], say=lambda: row("plain"))
    assert forwarding.shipment(station, made.uid, "plain")["state"] == "waiting"
    station.run("outbox", "drop", made.uid, "--to", "plain")
    # Another key where the first one was: what it signs is no proof, and the outbox says why and what helps.
    with Line(Shape(1e9, 0), centre.http_port) as line:
        forwarding.to_phim(station, "centre", centre, port=line.port)
        forwarding.send(station, made.uid, "centre")
        forwarding.wait_for(station, made.uid, "committed")
        assert row("centre")["hasReceiptKey"]
        centre.stop()
        (centre.data / "exchange" / "receipt.key").unlink()
        centre.start()
        line.server_port = centre.http_port
        other = synthetic.study(tmp_path / "two", instances=1)
        station.run("import", tmp_path / "two")
        forwarding.send(station, other.uid, "centre")
        sentence = "not signed by the key that this destination had at first contact"
        eventually(lambda: sentence in forwarding.explain(station, other.uid),
                   say=lambda: forwarding.explain(station, other.uid))
        assert forwarding.shipment(station, other.uid)["state"] == "sent"
        # Nor may it be given up here: only the one that was proven by the first key may.
        plan = station.json("purge", "--older-than", "0", "--dry-run")["plan"]
        assert other.uid not in str(plan["candidates"])
        station.run("destination", "change", "centre", "--forget-receipt-key")
        forwarding.retry(station)
        forwarding.wait_for(station, other.uid, "committed")


@pytest.fixture
def small_disk(tmp_path):
    made = disk.small_disk(tmp_path / "disk")
    yield made
    made.close()


def test_a_disk_that_fills_at_the_centre_loses_nothing(make_archive, small_disk, tmp_path):
    station = make_archive(name="station").start()
    centre = Archive(small_disk.place / "centre", {"storage": {"volumeSize": "16MiB", "streamThreshold": "4MiB", "reserve": "8MiB"}},
                     prefix=small_disk.prefix)
    centre.log = tmp_path / "centre.log"
    centre.start()
    try:
        forwarding.to_phim(station, "centre", centre)
        first = noise(station, tmp_path / "first", 1)
        forwarding.send(station, first.uid, "centre")
        forwarding.wait_for(station, first.uid, "committed")
        made = noise(station, tmp_path / "in", 40, rows=512)
        small_disk.leave(14 << 20, centre)
        forwarding.send(station, made.uid, "centre")

        def obstacle():
            row = next(row for row in station.json("destination", "list") if row["name"] == "centre")
            return row["failures"] and row["reason"]
        said = eventually(obstacle, say=lambda: forwarding.explain(station, made.uid))
        assert "full" in said or "507" in said, said
        assert forwarding.shipment(station, made.uid)["state"] == "waiting"
        held = set(forwarding.files(centre))
        assert set(first.instances) <= held and len(held) < 41
        # What is there is read meanwhile, and what was taken is not sent again.
        assert centre.http().get(f"{centre.url}/dicom-web/studies/{first.uid}/metadata", timeout=20).status_code == 200
        small_disk.lift(centre)
        forwarding.retry(station)
        forwarding.wait_for(station, made.uid, "committed", seconds=90)
        assert forwarding.files(station) == forwarding.files(centre)
        station.assert_healthy()
        centre.assert_healthy()
    finally:
        centre.stop()


PARTIAL = 512


def test_a_station_whose_share_of_begun_objects_is_full_goes_on(make_archive, tmp_path):
    """What other objects left half done makes way, the longest left first; nothing that goes on now does."""
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    by_hand = Station(centre, account="commune")
    study = synthetic.uid()
    for number in range(PARTIAL + 8):
        data = os.urandom(64)
        form = coded(data, pieces="stored")
        fields = by_hand.fields(f"{study}.{number}", data, form, 0)
        answer = by_hand.http.patch(by_hand.path(study, form), data=form[:20], headers=fields, timeout=20)
        assert answer.status_code == 204, (number, answer.text)
    folder = centre.data / "exchange" / "uploads"
    assert sum(path.is_file() for path in folder.rglob("*")) == PARTIAL
    (station.data / "centre.token").write_text(centre.token(account="commune") + "\n")
    forwarding.to_phim(station, "centre", centre)
    made = noise(station, tmp_path / "in", 8, rows=256)
    forwarding.send(station, made.uid, "centre")
    forwarding.wait_for(station, made.uid, "committed")
    assert forwarding.files(station) == forwarding.files(centre)


class Width:
    """How many connections carry something upwards, second by second: a tap for a line."""

    def __init__(self):
        self.seen = {}

    def __call__(self, number, way, data):
        if way == "up" and len(data) > 200:
            self.seen.setdefault(int(time.monotonic()), set()).add(number)
        return data

    def last(self, seconds):
        """Connections in each of the last whole seconds."""
        now = int(time.monotonic())
        return [len(self.seen.get(second, ())) for second in range(now - seconds, now)]


def test_lanes_follow_the_line(make_archive, tmp_path):
    """Where waiting costs most, many objects are on their way at once; where the line is full, few are."""
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    far, thin = Width(), Width()
    with Line(Shape(100e6, 0.5), centre.http_port, tap=far) as long, \
            Line(Shape(768e3, 0.02), centre.http_port, tap=thin) as narrow:
        forwarding.to_phim(station, "far", centre, port=long.port, lanes=12, station="one")
        forwarding.to_phim(station, "thin", centre, port=narrow.port, lanes=12, station="two")
        small = noise(station, tmp_path / "small", 1200, rows=16)
        large = noise(station, tmp_path / "large", 150, rows=200)
        forwarding.send(station, small.uid, "far")
        forwarding.send(station, large.uid, "thin")
        # A width is tried for five seconds: what matters is where it comes to, not when.
        eventually(lambda: max(far.last(3)) >= 6, seconds=120, say=lambda: (far.last(60), thin.last(60)))
        assert forwarding.backlog(station, "thin") == 1, "the line was not kept full"
        widths = [width for width in thin.last(20) if width]
        assert statistics.median(widths) <= 4 and max(widths) < 8, widths
        print(f"far {far.last(30)}, thin {thin.last(30)}")


MANY = 18


def test_an_emergency_does_not_wait_for_those_that_are_taken_in(make_archive):
    """More large objects are restored at the centre than it has threads for; one that is urgent comes after all of them."""
    centre = make_archive(name="centre").start()
    station = Station(centre)
    study, objects = synthetic.uid(), []
    for number in range(1, MANY + 2):
        uid = synthetic.uid()
        pixels = bytes(32 << 20) if number <= MANY else b"\1\2" * 64
        data = synthetic.part10(synthetic.bare(uid, study, f"{study}.1", number=number, pixels=pixels), synthetic.CT, uid)
        objects.append((uid, data, coded(data)))
    *large, (urgent, data, form) = objects
    for uid, body, shape in large:
        # All but the last octet: it sets them off.
        answer = station.http.patch(station.path(study, shape), data=shape[:-1], timeout=60,
                                    headers=station.fields(uid, body, shape, 0, **{"Phim-Priority": "bulk"}))
        assert answer.status_code == 204, answer.text

    lengths = {sha256(shape).hex(): len(shape) for _, _, shape in large}

    def rest(uid, body, shape, offset, priority):
        """A request that sends an object from there on."""
        fields = station.fields(uid, body, shape, offset, **{"Phim-Priority": priority})
        return ("PATCH", station.path(study, shape).removeprefix(centre.url), shape[offset:],
                fields | {"Authorization": station.http.headers["Authorization"]})

    def set_off(request):
        """A connection on which this was sent, and whose answer was not read."""
        line = http.client.HTTPConnection("127.0.0.1", centre.http_port, timeout=300)
        line.request(*request)
        return line

    def stored():
        """In the order in which they were."""
        with contextlib.closing(sqlite3.connect(centre.data / "catalog.sqlite", timeout=60)) as catalog:
            return [uid for uid, in catalog.execute("SELECT uid FROM instance ORDER BY id")]

    *bulk, stat = [rest(*one, len(one[2]) - 1, "bulk") for one in large] + [rest(urgent, data, form, 0, "stat")]
    lines = [set_off(request) for request in bulk]

    def come():
        partial = station.offer(study, {urgent: sha256(data)}, listed=True).json()["partial"]
        return all(partial.get(digest, length) == length for digest, length in lengths.items())
    eventually(come)
    # However slow this test is: the centre stands still meanwhile.
    os.kill(centre.pid, signal.SIGSTOP)
    try:
        before = len(stored())
        lines.append(set_off(stat))
    finally:
        os.kill(centre.pid, signal.SIGCONT)
    answers = [line.getresponse() for line in lines]
    assert [answer.status for answer in answers] == [200] * (MANY + 1)
    assert json.loads(answers[-1].read())["outcome"] == "stored"
    place = stored().index(urgent)
    print(f"{before} were stored when it set out, {place} when it was")
    # Five were being restored; in line with the others it would have been taken up when all but five were done.
    assert place <= before + 5, (place, before)
    centre.assert_healthy()


def test_a_station_with_backlog_for_several_destinations_is_in_the_fleet(make_archive, tmp_path):
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    made = synthetic.study(tmp_path / "one", instances=1)
    station.run("import", tmp_path / "one")
    # Nobody answers there.
    for name in ("pacs", "heart"):
        forwarding.to_peer(station, name, 1, name.upper())
        forwarding.send(station, made.uid, name)
    forwarding.to_phim(station, "centre", centre)

    def seen():
        return centre.http().get(f"{centre.url}/api/v1/fleet", timeout=20).json()

    found = eventually(seen, say=seen)
    [backlog] = found[0]["backlog"]
    assert (backlog["priority"], backlog["studies"], backlog["instances"]) == ("normal", 2, 2)


def test_what_was_left_makes_way_for_what_comes(make_archive, tmp_path):
    """Of a station's share (8 GiB) its own oldest; of all (32 GiB) the oldest of the station that has left the most."""
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    (station.data / "centre.token").write_text(forwarding.enrol(centre, "commune") + "\n")
    with contextlib.closing(sqlite3.connect(centre.data / "records.sqlite", timeout=20)) as base:
        own, = base.execute("SELECT id FROM account WHERE name = 'commune'").fetchone()
    share, some = 8 << 30, 50_000

    def leave(account, number, octets, days):
        """What arrived in part so long ago: a file that takes no place on the disk."""
        path = centre.data / "exchange" / "uploads" / str(account) / f"{number:064x}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, octets)
        os.utime(path, (time.time() - days * 86_400,) * 2)
        return path

    for account, octets, days in ((own, share - some, 3), (own + 1, 5 << 30, 5)):
        leave(account, 1, octets, days)
    staying = {leave(own, 2, some, days=1), leave(own + 1, 2, 3 << 30, days=4)}
    staying |= {leave(own + number, 1, share - some, days=6) for number in (2, 3, 4)}
    centre.restart()
    forwarding.to_phim(station, "centre", centre, lanes=1)
    made = noise(station, tmp_path / "in", instances=3, rows=300)
    forwarding.send(station, made.uid, "centre")
    forwarding.wait_for(station, made.uid, "committed")
    assert forwarding.files(station) == forwarding.files(centre)
    assert {path for path in (centre.data / "exchange" / "uploads").rglob("*") if path.is_file()} == staying
