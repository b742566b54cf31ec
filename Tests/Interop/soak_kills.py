"""Hundreds of kills at random points under full load. Minutes long, so not collected by `make test`; run it by name:

    .venv/bin/python -m pytest Tests/Interop/soak_kills.py -s

`PHIM_SOAK_KILLS` says how many (200 when not set). Each run draws a seed of its own and prints it; `PHIM_SOAK_SEED`
repeats the dice of an earlier run (the moments of the machine do not repeat).
"""

import os
import random

import pytest

from support import kills

KILLS = int(os.environ.get("PHIM_SOAK_KILLS", "200"))
SEED = int(os.environ.get("PHIM_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
AUDIT_EVERY = 25
KEPT_STUDIES = 20


@pytest.mark.timeout(60 + KILLS * 10)
def test_kills(make_archive, tmp_path):
    print(f"\nPHIM_SOAK_SEED={SEED}, {KILLS} kills", flush=True)
    run = kills.KillRun(make_archive(kills.CONFIGURATION).start(), tmp_path, SEED)
    choice = random.Random(SEED)
    disturbances = [None, None, None, run.importing, run.deleting, run.deleting, run.rebuilding]
    while run.kills < KILLS:
        run.round(choice.choice(disturbances), kills_recovery=choice.random() < 0.2)
        if run.rounds % AUDIT_EVERY == 0:
            run.audit(keep=KEPT_STUDIES)
            print(f"{run.kills} kills, {len(run.ledger.sent)} sent", flush=True)
    run.audit()
    assert len(run.ledger.sent) > KILLS * 8, "too little load to prove anything"
