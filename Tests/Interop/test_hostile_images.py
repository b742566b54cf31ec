"""Hostile images cost at most a worker: bombs, truncated and fuzzed files, workers that are killed."""

import os
import subprocess
import sys
import zlib

import pytest
from pydicom.encaps import encapsulate

from support import corpus, peers, synthetic
from support.archive import BINARY
from support.synthetic import EXPLICIT
from test_imaging import DEFLATED, RLE, made, run

LARGEST = 900  # MiB resident that the largest frame of a hostile file may take in a worker


def bomb(rows, columns, syntax, payload, **values):
    dataset = synthetic.ct(**values)
    dataset.Rows, dataset.Columns = rows, columns
    dataset.PixelData = encapsulate([payload])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def siz(rows, columns, bits=16):
    """The head of a JPEG 2000 codestream of any size."""
    size = b"".join(number.to_bytes(4, "big") for number in (columns, rows, 0, 0, columns, rows, 0, 0))
    return (b"\xff\x4f\xff\x51\x00\x29\x00\x00" + size + b"\x00\x01" + bytes([bits - 1, 1, 1])
            + bytes.fromhex("ff52000c00000001000504040001ff5c0013407c80808880808880808880808880") + b"\x80\x88\xff\x93")


def largest_resident(arguments):
    """Exit status and the largest resident set in MiB of the command and of its workers."""
    # From a process of its own: what is started inherits the high-water mark of its parent.
    program = ("import resource, subprocess, sys\n"
               "status = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode\n"
               "print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    command = [sys.executable, "-c", program, str(BINARY), *map(str, arguments)]
    status, resident = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True).stdout.split()
    return int(status), int(resident) / 1024


def test_bombs_are_refused_with_little_memory(tmp_path):
    heads = {
        "1.2.840.10008.1.2.4.90": siz(65535, 65535), "1.2.840.10008.1.2.4.202": siz(65535, 65535),
        "1.2.840.10008.1.2.4.50": bytes.fromhex("ffd8ffc0000b08ffffffff01011100ffda"),
        "1.2.840.10008.1.2.4.80": bytes.fromhex("ffd8fff7000b08ffffffff01011100ffda0008010100000000"),
        RLE: (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + b"\0" * 56 + b"\x81\x00" * 4000,
    }
    paths = []
    for number, (syntax, head) in enumerate(heads.items()):
        for size in (65535, 8000):
            head = siz(size, size) if head[:2] == b"\xff\x4f" else head
            dataset = bomb(size, size, syntax, head)
            paths.append(synthetic.write(tmp_path / f"{number}-{size}.dcm", dataset, syntax))
    for command in (["render"], ["transcode", "--to", EXPLICIT]):
        status, resident = largest_resident([*command, "--output", tmp_path / "out", *paths])
        assert status == 1
        assert resident < LARGEST
    assert not list((tmp_path / "out").iterdir())


def test_a_deflated_object_that_is_cut_off_is_refused(tmp_path):
    dataset, _ = made("8")
    raw = synthetic.encode(dataset)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = packer.compress(raw) + packer.flush()
    cut = synthetic.part10(whole[: len(whole) // 2], dataset.SOPClassUID, dataset.SOPInstanceUID, DEFLATED)
    (tmp_path / "cut.dcm").write_bytes(cut)
    assert run("render", "--output", tmp_path / "out", tmp_path / "cut.dcm")[0] == 1


def test_hostile_files_cost_at_most_a_worker(tmp_path):
    folder = corpus.collection_folder()
    if folder is None:
        pytest.skip("no larger collection")
    hostile = sorted(path for path in (folder / "pwnlab-fuzz").rglob("*") if path.is_file())
    assert hostile
    good, _ = made("12")
    last = synthetic.write(tmp_path / "zz-good.dcm", good)
    links = []
    for number, path in enumerate(hostile):
        links.append(tmp_path / f"{number:03}.dcm")
        links[-1].symlink_to(path)
    status, resident = largest_resident(["render", "--output", tmp_path / "out", *links, last])
    assert status in (0, 1)
    assert resident < LARGEST
    assert (tmp_path / "out" / "zz-good.dcm.png").exists()


def worker_of(archive):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
                command = open(f"/proc/{entry}/cmdline", "rb").read()
            except OSError:
                continue
            if int(fields[1]) == archive.pid and b"codec-worker" in command and fields[0] != "Z":
                found.append(int(entry))
    return found


def test_a_killed_worker_is_replaced_and_nobody_notices(make_archive):
    archive = make_archive().start()
    assert worker_of(archive) == []
    sample = corpus.read(corpus.wheel_file("MR_small_RLE.dcm"))
    with peers.association(archive.dicom_port, [(sample.sop_class, [sample.transfer_syntax])]) as association:
        context = association.accepted_contexts[0].context_id
        assert peers.store_bytes(association, context, sample.sop_class, sample.sop_instance, sample.data(), 1)[0] == 0
    study = archive.find(level="study")[0]["StudyInstanceUID"]
    for _ in range(3):
        with peers.getter(archive.dicom_port, [(sample.sop_class, [EXPLICIT])]) as (association, received):
            outcome = peers.get(association, StudyInstanceUID=study)
        assert (outcome.status, outcome.completed) == (0, 1)
        workers = worker_of(archive)
        assert len(workers) == 1
        os.kill(workers[0], 9)
