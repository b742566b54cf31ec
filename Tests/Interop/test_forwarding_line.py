"""Forwarding over lines as a commune has them: thin, far, lossy, cut, and away for a week."""

import random
import time

import pytest

from support import dcmtk, forwarding, netem, synthetic
from support.archive import Archive
from support.forwarding import eventually
from support.line import Line, Shape

COMMUNE = Shape(2e6, 0.150, 0.01)
WORST = Shape(256e3, 0.600, 0.10)


@pytest.fixture
def pair(make_archive):
    """(station, centre); `connect` puts a line between them."""
    return make_archive(name="commune").start(), make_archive(name="centre").start()


def imported(archive, folder, instances, rows=16, **values):
    """A study of noise, which no compression makes much smaller."""
    dice = random.Random(instances)
    made = synthetic.study(folder, instances=0, **values)
    for number in range(1, instances + 1):
        dataset = synthetic.ct(made.uid, f"{made.uid}.1", number=number, rows=rows, BitsStored=16, HighBit=15, **values)
        dataset.PixelData = dice.randbytes(rows * rows * 2)
        made.datasets.append(dataset)
        made.files.append(synthetic.write(folder / f"{number}.dcm", dataset))
    archive.run("import", folder)
    return made


@pytest.mark.parametrize("shape, instances, cut_every", [
    (COMMUNE, 12, None), (COMMUNE, 12, 2), (WORST, 2, None), (WORST, 2, 6)], ids=str)
def test_everything_arrives(pair, tmp_path, shape, instances, cut_every):
    """Cut more often than a line is in life, and with less to carry, so that it takes seconds."""
    station, centre = pair
    with Line(shape, centre.http_port, cut_every=cut_every) as line:
        forwarding.to_phim(station, "centre", centre, port=line.port)
        forwarding.route(station, "all", "centre")
        made = imported(station, tmp_path / "study", instances=instances, rows=160)
        forwarding.wait_for(station, made.uid, "committed", seconds=300)
        weight = sum(path.stat().st_size for path in made.files)
        print(f"{shape}: {weight} octets of files, {line.octets} over the line, {line.cuts} cuts")
        assert forwarding.files(station) == forwarding.files(centre)
        # What is on its way when the line is cut is lost: with two lanes what the line's two buffers of 32 KiB hold.
        assert line.octets < 1.1 * weight + line.cuts * 70_000


def test_stat_overtakes_a_backlog_within_one_object(pair, tmp_path):
    station, centre = pair
    with Line(Shape(2e6, 0.05), centre.http_port) as line:
        forwarding.to_phim(station, "centre", centre, port=line.port, lanes=1)
        bulk = imported(station, tmp_path / "bulk", instances=30, rows=200)
        urgent = imported(station, tmp_path / "urgent", instances=3, rows=200)
        forwarding.send(station, bulk.uid, "centre", priority="bulk")
        eventually(lambda: len(forwarding.order(centre)) >= 2)
        # The line stands still while it is asked for.
        line.darken()
        forwarding.send(station, urgent.uid, "centre", priority="stat")
        arrived = len(forwarding.order(centre))
        line.lighten()
        forwarding.wait_for(station, urgent.uid, "committed")
        order = forwarding.order(centre)
        places = sorted(order.index(uid) for uid in urgent.instances)
        # One is on its way, and one more may have arrived without its answer.
        assert places[0] <= arrived + 2 and places[2] == places[0] + 2, (places, arrived)
        assert places[0] < 20, "no backlog was left to overtake"
        line.shape = Shape(100e6, 0.05)
        forwarding.wait_for(station, bulk.uid, "committed")
        assert len(forwarding.order(centre)) == 33


def test_a_line_that_falls_silent_is_noticed(pair, tmp_path):
    """Nothing is refused, nothing is reset: what was sent has vanished."""
    station, centre = pair
    with Line(Shape(2e6, 0.02), centre.http_port) as line:
        forwarding.to_phim(station, "centre", centre, port=line.port, lanes=1)
        made = imported(station, tmp_path / "study", instances=60, rows=200)
        forwarding.send(station, made.uid, "centre")
        eventually(lambda: forwarding.counter(station, "phim_forwarded_objects_total") >= 2)
        line.darken()
        eventually(lambda: "nothing gets through" in forwarding.explain(station, made.uid), 180,
                   lambda: forwarding.explain(station, made.uid))
        line.cut()
        line.lighten()
        line.shape = Shape(100e6, 0.02)
        forwarding.retry(station)
        forwarding.wait_for(station, made.uid, "committed")
        assert forwarding.files(station) == forwarding.files(centre)


def test_a_rate_of_the_hour_holds(pair, tmp_path):
    """512 kbit/s by timetable over a line that could do more: in whatever time it takes, no more than that passes."""
    station, centre = pair
    rate, burst = 512_000 / 8, 65_536
    with Line(Shape(100e6, 0.01), centre.http_port) as line:
        forwarding.to_phim(station, "centre", centre, port=line.port, rate=["daily 00:00-24:00 512k"])
        made = imported(station, tmp_path / "study", instances=8, rows=200)
        began, before = time.monotonic(), line.octets
        forwarding.send(station, made.uid, "centre")
        while (passed := line.octets - before) < 4 * burst and forwarding.backlog(station):
            # What an archive tells and asks beside its objects is not counted.
            assert passed <= rate * (time.monotonic() - began) * 1.1 + burst + 10_000
        assert passed > 2 * burst, "too little to tell"
        station.run("destination", "change", "centre", "--rate", "daily 00:00-24:00 all")
        forwarding.wait_for(station, made.uid, "committed")


DAYS, STUDIES = 7, 60


def test_seven_days_without_a_line(pair, tmp_path):
    """Three times a commune's usual volume waits while nobody can be reached; then all of it arrives, the urgent first."""
    station, centre = pair
    with Line(Shape(50e6, 0.01), centre.http_port) as line:
        line.refuse()
        forwarding.to_phim(station, "centre", centre, port=line.port, lanes=4)
        forwarding.route(station, "all", "centre", priority="bulk")
        forwarding.route(station, "heads", "centre", "bodyPart=HEAD", priority="stat")
        urgent, expected = set(), 0
        for day in range(DAYS):
            folder = tmp_path / f"day-{day}"
            for number in range(STUDIES):
                part = "HEAD" if number % 20 == 7 else "CHEST"
                made = synthetic.study(folder, instances=2, rows=16, BodyPartExamined=part)
                expected += 2
                if part == "HEAD":
                    urgent |= set(made.instances)
            station.run("import", folder)
            if day == 3:
                station.kill()  # the power fails as well
                station.start()
        eventually(lambda: forwarding.backlog(station) == DAYS * STUDIES, say=lambda: forwarding.backlog(station))
        assert forwarding.files(centre) == {}
        line.refuse(False)
        forwarding.retry(station)
        forwarding.drained(station, seconds=600)
        ours, theirs = forwarding.files(station), forwarding.files(centre)
        assert len(ours) == expected and ours == theirs
        # Lanes take one object each: as many as there are lanes may have begun before all urgent ones were there.
        places = [place for place, uid in enumerate(forwarding.order(centre)) if uid in urgent]
        assert max(places) < len(urgent) + 4
        print(f"{expected} objects, {line.octets} octets over the line")


@pytest.mark.parametrize("arguments", [netem.COMMUNE, netem.WORST], ids=" ".join)
def test_the_kernel_shapes_the_line(tmp_path, arguments):
    """The same with `tc netem` in a network namespace, where this machine's kernel has it."""
    with netem.shaped(arguments) as prefix:
        station = Archive(tmp_path / "commune", prefix=prefix).start()
        centre = Archive(tmp_path / "centre", prefix=prefix).start()
        try:
            forwarding.to_phim(station, "centre", centre)
            forwarding.route(station, "all", "centre")
            made = imported(station, tmp_path / "study", instances=4, rows=100)
            forwarding.wait_for(station, made.uid, "committed", seconds=300)
            assert forwarding.files(station) == forwarding.files(centre)
        finally:
            for archive in (station, centre):
                archive.stop()


def test_the_proxy_counts_what_it_carries(tmp_path):
    """What the other tests stand on."""
    with dcmtk.StoreSCP(tmp_path / "got") as scp, Line(COMMUNE, scp.port) as line:
        made = synthetic.study(tmp_path / "study", instances=3, rows=100)
        dcmtk.run("storescu", "127.0.0.1", line.port, *made.files)
        weight = sum(len(synthetic.encode(dataset)) for dataset in made.datasets)
        assert weight < line.carried["up"] < weight + 16384
        assert 0 < line.carried["down"] < 16384
        line.cut()
        line.refuse()
        dcmtk.run("echoscu", "127.0.0.1", line.port, expect=1)
        line.refuse(False)
        dcmtk.run("echoscu", "127.0.0.1", line.port)
