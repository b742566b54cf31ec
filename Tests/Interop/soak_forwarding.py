"""Many kills and cuts at random moments while one archive sends to another. Minutes long, so not collected by `make test`;
run it by name:

    .venv/bin/python -m pytest Tests/Interop/soak_forwarding.py -s

`PHIM_SOAK_CUTS` says how many (60 when not set). Each run draws a seed of its own and prints it; `PHIM_SOAK_SEED` repeats
the dice of an earlier run (the moments of the machine do not repeat).
"""

import os
import random

import pytest

from support.line_kills import LineKills

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
