"""A full disk: A700H while reading goes on, and stores again without a restart when space returns."""

import os
import subprocess

import pytest

from support import peers, synthetic, wire
from support.archive import Archive
from support.synthetic import CT, EXPLICIT, IMPLICIT

CONTEXTS = [(1, CT, [EXPLICIT])]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 96 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a file system of limited size")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a file system of limited size cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def store(port, number, size=1 << 20):
    instance = synthetic.uid()
    data = synthetic.bare(instance, "1.2.826.77.1", "1.2.826.77.2", number=number, pixels=os.urandom(size))
    with wire.Wire(port, CONTEXTS) as line:
        answer = line.store(1, CT, instance, data)
        line.release()
    return instance, data, answer


def test_full_then_free_again(small_disk):
    configuration = {"storage": {"volumeSize": "16MiB", "streamThreshold": "4MiB", "reserve": "8MiB"}}
    archive = Archive(small_disk / "archive", configuration)
    archive.log = small_disk.parent / "archive.log"
    archive.start()
    try:
        fill_and_free(archive, small_disk)
    finally:
        archive.stop()


def fill_and_free(archive, small_disk):
    kept = {}
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (40 << 20))
    refused = None
    for number in range(120):
        instance, data, answer = store(archive.dicom_port, number)
        if answer.status != 0:
            refused = answer
            break
        kept[instance] = data
    assert refused is not None, "the disk never filled"
    assert refused.status == 0xA700 and refused.comment
    assert len(kept) > 5

    # A large object that streams is refused too, and leaves nothing behind.
    assert store(archive.dicom_port, 500, 24 << 20)[2].status == 0xA700

    # Reading goes on.
    assert archive.get("/health/live")[0] == 200
    with peers.association(archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        (match,), status = peers.find(association, "STUDY", StudyInstanceUID="1.2.826.77.1",
                                      NumberOfStudyRelatedInstances="")
    assert (status, match.NumberOfStudyRelatedInstances) == (0, len(kept))
    with peers.getter(archive.dicom_port, [(CT, [EXPLICIT])]) as (association, received):
        outcome = peers.get(association, StudyInstanceUID="1.2.826.77.1")
    assert (outcome.status, outcome.completed) == (0, len(kept))
    assert {instance: got[0][1] for instance, got in received.data.items()} == kept

    # Space returns: stores work again, without a restart.
    ballast.unlink()
    for number in range(600, 605):
        instance, data, answer = store(archive.dicom_port, number)
        assert answer.status == 0, answer
        kept[instance] = data
    assert archive.get("/health/ready")[0] == 200
    assert archive.json("verify")["rot"] == []
    assert archive.json("status")["instances"] == len(kept)
    archive.restart()
    assert archive.json("status")["instances"] == len(kept)
