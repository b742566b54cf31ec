"""Many kills and cuts at random moments while one archive sends to another. Minutes long, so not collected by `make test`;
run it by name:

    .venv/bin/python -m pytest Tests/Interop/soak_forwarding.py -s

`PHIM_SOAK_CUTS` says how many (60 when not set). Each run draws a seed of its own and prints it; `PHIM_SOAK_SEED` repeats
the dice of an earlier run (the moments of the machine do not repeat).
"""

import os
import random

import pytest

from support import forwarding
from support.line import Line, Shape
from support.line_kills import LineKills
from test_forwarding_line import imported

CUTS = int(os.environ.get("PHIM_SOAK_CUTS", "60"))
SEED = int(os.environ.get("PHIM_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)


@pytest.mark.timeout(120 + CUTS * 30)
@pytest.mark.parametrize("way", ["phim", "dimse"])
def test_kills_and_cuts(make_archive, tmp_path, way):
    print(f"\nPHIM_SOAK_SEED={SEED}, {CUTS} kills and cuts", flush=True)
    with LineKills(make_archive, tmp_path, way, SEED) as run:
        while run.disturbed < CUTS:
            run.round()
            if run.rounds % 10 == 0:
                run.check()
                print(run.text(), flush=True)
        run.check()
        print(run.text(), flush=True)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["phim", "dimse"])
def test_a_line_that_is_cut_every_thirty_seconds(make_archive, tmp_path, way):
    """Some minutes of a commune's line: everything arrives, and a cut costs one object of each lane at most."""
    station, centre = make_archive(name="station").start(), make_archive(name="centre").start()
    port = centre.http_port if way == "phim" else centre.dicom_port
    with Line(Shape(2e6, 0.150, 0.01), port, cut_every=30) as line:
        if way == "phim":
            forwarding.to_phim(station, "centre", centre, port=line.port)
        else:
            forwarding.to_peer(station, "centre", line.port, "PHIM")
        made = imported(station, tmp_path / "study", instances=90, rows=400)
        forwarding.send(station, made.uid, "centre")
        forwarding.wait_for(station, made.uid, "committed" if way == "phim" else "sent", seconds=800)
        weight, largest = (what(path.stat().st_size for path in made.files) for what in (sum, max))
        print(f"{way}: {weight} octets of files, {line.octets} over the line, {line.cuts} cuts", flush=True)
        assert line.cuts >= 3
        read = forwarding.files if way == "phim" else forwarding.data_sets
        assert read(station) == read(centre)
        # Inside an object only the exchange goes on: of it, what lay in the line's buffers is lost.
        again = 70_000 if way == "phim" else 2 * largest
        assert line.octets <= 1.1 * weight + line.cuts * again
