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
