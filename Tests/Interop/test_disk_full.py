"""A full disk: A700H while reading goes on, and stores again without a restart when space returns."""

import hashlib
import os

import pytest

from support import disk, peers, synthetic, wire
from support.accounts import eventually
from support.archive import Archive
from support.synthetic import CT, EXPLICIT, IMPLICIT

CONTEXTS = [(1, CT, [EXPLICIT])]
OUT_OF_RESOURCES = 0xA700
KIB, MIB = 1 << 10, 1 << 20
# From not a block left to room for some volumes: the end comes in the body of a volume, in its header, in the
# write-ahead log of the catalogue, in a new volume, in the spare one, in a stream.
LEVELS = [0, 4 * KIB, 12 * KIB, 40 * KIB, 100 * KIB, 300 * KIB, 700 * KIB, 1100 * KIB, 2200 * KIB, 3 * MIB, 5 * MIB,
          9 * MIB]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 96 MiB."""
    made = disk.small_disk(tmp_path / "disk")
    yield made
    made.close()


@pytest.fixture(params=["small file system", "limited files"])
def any_disk(request, tmp_path):
    make = disk.small_disk if request.param == "small file system" else disk.FileSizeLimit
    made = make(tmp_path / "disk")
    yield made
    made.close()


def start(place, **storage):
    archive = Archive(place.place / "archive", {"storage": storage}, prefix=place.prefix)
    archive.log = place.place.parent / "archive.log"
    return archive.start()


def send(line, study, number, size):
    instance = synthetic.uid()
    data = synthetic.bare(instance, study, f"{study}.1", number=number, pixels=os.urandom(size))
    return instance, data, line.store(1, CT, instance, data)


def store(port, number, size=MIB, study="1.2.826.77.1"):
    with wire.Wire(port, CONTEXTS) as line:
        instance, data, answer = send(line, study, number, size)
        line.release()
    return instance, data, answer


def assert_kept(archive, study, kept):
    """By C-FIND and C-GET: just these instances, and they are what was sent."""
    with peers.association(archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        matches, status = peers.find(association, "STUDY", StudyInstanceUID=study, NumberOfStudyRelatedInstances="")
    assert status == 0
    assert [match.NumberOfStudyRelatedInstances for match in matches] == ([len(kept)] if kept else [])
    with peers.getter(archive.dicom_port, [(CT, [EXPLICIT])]) as (association, received):
        outcome = peers.get(association, StudyInstanceUID=study)
    assert (outcome.status, outcome.completed) == (0, len(kept))
    assert {instance: hashlib.sha256(got[0][1]).digest() for instance, got in received.data.items()} == kept


def test_full_then_free_again(small_disk):
    archive = start(small_disk, volumeSize="16MiB", streamThreshold="4MiB", reserve="8MiB")
    try:
        fill_and_free(archive, small_disk)
    finally:
        archive.stop()


def fill_and_free(archive, small_disk):
    kept, refused = {}, None
    small_disk.leave_little(archive)
    for number in range(120):
        instance, data, answer = store(archive.dicom_port, number)
        if answer.status != 0:
            refused = answer
            break
        kept[instance] = hashlib.sha256(data).digest()
    assert refused is not None, "the disk never filled"
    assert refused.status == OUT_OF_RESOURCES and refused.comment
    assert len(kept) > 5

    # A large object that streams is refused too, and leaves nothing behind.
    assert store(archive.dicom_port, 500, 64 * MIB)[2].status == OUT_OF_RESOURCES

    # Reading goes on.
    assert archive.get("/health/live")[0] == 200
    assert_kept(archive, "1.2.826.77.1", kept)

    # Space returns: stores work again, without a restart.
    small_disk.lift(archive)
    for number in range(600, 605):
        instance, data, answer = store(archive.dicom_port, number)
        assert answer.status == 0, answer
        kept[instance] = hashlib.sha256(data).digest()
    # The audit trail tries again within a second.
    assert eventually(lambda: archive.get("/health/ready")[0] == 200)
    assert archive.json("verify")["rot"] == []
    assert archive.json("status")["instances"] == len(kept)
    archive.restart()
    assert archive.json("status")["instances"] == len(kept)


def test_every_kind_of_write_meets_the_end(any_disk):
    """Without a reserve the calls themselves fail, each at some level of the disk."""
    archive = start(any_disk, volumeSize="4MiB", streamThreshold="1MiB", reserve="0KiB")
    try:
        refusals = sum(fill_to(level, archive, any_disk) for level in LEVELS)
        assert refusals > len(LEVELS)
        archive.restart()
        check_after_restart(archive)
    finally:
        archive.stop()


def fill_to(level, archive, place):
    """Leaves so much space, stores until it is gone and beyond; the number of refusals."""
    study, kept, refusals = synthetic.uid(), {}, 0
    place.leave(level, archive)
    with wire.Wire(archive.dicom_port, CONTEXTS) as line:
        for number in range(60):
            size = [6 * KIB, 512 * KIB, 20 * KIB, 1500 * KIB][number % 4]
            instance, data, answer = send(line, study, number, size)
            if answer.status == 0:
                kept[instance] = hashlib.sha256(data).digest()
                continue
            assert answer.status == OUT_OF_RESOURCES and answer.comment, f"{answer} with {level} bytes left"
            assert place.refusals in answer.comment.lower()
            refusals += 1
            if refusals == 8:
                break
        line.release()
    assert archive.get("/health/live")[0] == 200
    assert_kept(archive, study, kept)

    place.lift(archive)
    later = {}
    for number in range(3):
        instance, data, answer = store(archive.dicom_port, number, 100 * KIB, f"{study}.9")
        assert answer.status == 0, f"{answer} with space again after {level} bytes were left"
        later[instance] = hashlib.sha256(data).digest()
    assert_kept(archive, f"{study}.9", later)
    # The audit trail tries again within a second.
    assert eventually(lambda: archive.get("/health/ready")[0] == 200)
    # The next level finds as much space as this one did.
    if kept:
        archive.run("delete", "--study", study, "--yes")
    return refusals


def check_after_restart(archive):
    """Catalogue and volumes tell the same, and nothing that was refused is in either."""
    before = archive.image_keys()
    verified = archive.json("verify")
    assert (verified["checked"], verified["rot"]) == (len(before), [])
    archive.run("rebuild-index")
    assert archive.image_keys() == before
    assert list(archive.data.glob("volumes/*.part")) == []
