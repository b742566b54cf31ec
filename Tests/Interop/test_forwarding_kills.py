"""Either side killed, or the line cut, while a study is on its way; the short form of soak_forwarding.py."""

import pytest

from support.line_kills import LineKills

ROUNDS, SEED = 12, 20260117


@pytest.mark.parametrize("way", ["phim", "dimse"])
def test_twelve_kills_and_cuts(make_archive, tmp_path, way):
    with LineKills(make_archive, tmp_path, way, SEED) as run:
        for _ in range(ROUNDS):
            run.round()
        print(run.text())
        run.check()


def test_a_cut_costs_one_object_of_one_association(make_archive, tmp_path):
    """C-STORE resumes nothing inside an object: with one lane it is the one that was on its way, and no other."""
    with LineKills(make_archive, tmp_path, "dimse", SEED, lanes=1, kinds=("line",)) as run:
        for _ in range(ROUNDS):
            run.round()
        print(run.text())
        run.check()
        assert run.stores.again("down") == 0 and run.stores.again("up") <= run.disturbed, run.text()
