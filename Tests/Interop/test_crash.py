"""kill -9 at random moments under load: everything acknowledged is there, nothing else is half visible."""


import pytest

from support import kills, synthetic, wire
from support.synthetic import EXPLICIT

ROUNDS = 36
SEED = 20240315


@pytest.mark.timeout(1800)
def test_forty_kills_under_load(make_archive, tmp_path):
    """The short form of soak_kills.py."""
    run = kills.KillRun(make_archive(kills.CONFIGURATION).start(), tmp_path, SEED)
    disturbances = {3: run.importing, 7: run.deleting, 11: run.rebuilding}
    for number in range(ROUNDS):
        run.round(disturbances.get(number % 12), kills_recovery=number % 6 == 5)
    print(f"{run.kills} kills: {len(run.ledger.acknowledged)} acknowledged of {len(run.ledger.sent)} sent")
    assert run.kills >= 40
    assert len(run.ledger.acknowledged) > run.kills * 4, "too little load to prove anything"
    run.audit()


def test_sigterm_under_load_loses_nothing(make_archive, tmp_path):
    """Running work is finished or cut off before its answer; what was answered is there, and the exit is clean."""
    archive = make_archive(kills.CONFIGURATION).start()
    run = kills.KillRun(archive, tmp_path, SEED)
    idle = wire.Wire(archive.dicom_port, [(1, wire.VERIFICATION, [EXPLICIT])])
    for number in range(3):
        studies = [f"{synthetic.ROOT}.78.{number}.{half}" for half in range(kills.STUDIES)]
        threads = run.start_senders(studies)
        run.pause.wait(0.4)
        archive.stop()  # asserts exit status 0
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        archive.start()
        run.check_round(studies)
    idle.close()
    run.compare()
    # With nothing to do, well before who manages services loses patience.
    archive.stop(seconds=10)
