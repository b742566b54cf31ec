"""Either side killed, or the line cut, at random points of studies on their way; the short form of soak_forwarding.py."""

import pytest

from support.line_kills import LineKills

SEED = 20260117
ROUNDS, TIMES = 10, 3


@pytest.mark.parametrize("way", ["phim", "dimse"])
def test_kills_and_cuts(make_archive, tmp_path, way):
    """Of both ways together more than fifty kills of either side."""
    with LineKills(make_archive, tmp_path, way, SEED, kinds=("station", "centre") * 3 + ("line",)) as run:
        for _ in range(ROUNDS):
            run.round(TIMES)
        print(run.text())
        run.check()
        assert run.killed >= 25 and min(run.events.values()) > 0, run.text()


def test_a_cut_costs_one_object_of_one_association(make_archive, tmp_path):
    """C-STORE resumes nothing inside an object: with one lane it is the one that was on its way, and no other."""
    with LineKills(make_archive, tmp_path, "dimse", SEED, lanes=1, kinds=("line",)) as run:
        for _ in range(4):
            run.round(TIMES)
        print(run.text())
        run.check()
        assert run.stores.again("down") <= run.stores.again("up") <= run.disturbed, run.text()
