"""A multi-frame object of 2 GiB goes in and comes out while the server's memory stays flat."""

import hashlib
import shutil
import struct

import pytest

from support import dcmtk, synthetic, wire

FRAMES, SIDE = 2048, 1024  # 2 GiB of 8 bit samples: one more byte than a signed 32 bit length can say
MEMORY = 300 << 20


def write_huge(path):
    """A sparse Part 10 file; (study UID, offset of the data set)."""
    dataset = synthetic.ct(SOPClassUID=synthetic.MULTIFRAME_BYTE, Modality="US")
    dataset.Rows = dataset.Columns = SIDE
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.NumberOfFrames = 7, FRAMES
    del dataset.PixelData
    head = synthetic.encode(dataset)
    whole = synthetic.part10(head, dataset.SOPClassUID, dataset.SOPInstanceUID)
    length = FRAMES * SIDE * SIDE
    with open(path, "wb") as file:
        file.write(whole + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, length))
        start = file.tell()
        for frame in range(0, FRAMES, 64):  # something to tell frames apart by; the rest stays sparse
            file.seek(start + frame * SIDE * SIDE)
            file.write(frame.to_bytes(4, "little") * 1024)
        file.truncate(start + length)
    return str(dataset.StudyInstanceUID), len(whole) - len(head)


def digest(path, offset):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(offset)
        while piece := file.read(1 << 22):
            total.update(piece)
    return total.hexdigest()


def data_set_offset(path):
    with open(path, "rb") as file:
        head = file.read(144)
    assert head[128:132] == b"DICM"
    return 144 + struct.unpack_from("<I", head, 140)[0]


@pytest.mark.timeout(1200)
def test_in_and_out(roomy, make_archive):
    archive = make_archive().start()
    source = roomy / "huge.dcm"
    study, offset = write_huge(source)
    expected = digest(source, offset)

    dcmtk.run("storescu", "-pdu", 131072, *dcmtk.peer(archive), source, timeout=600)
    assert archive.peak_memory() < MEMORY, f"{archive.peak_memory() >> 20} MiB after C-STORE"
    source.unlink()
    row, = archive.find("--study", study)
    assert row["NumberOfStudyRelatedInstances"] == "1"

    (roomy / "got").mkdir()
    dcmtk.run("getscu", "-S", "+B", "-pdu", 131072, "-od", roomy / "got", "-k", "QueryRetrieveLevel=STUDY",
              "-k", f"StudyInstanceUID={study}", *dcmtk.peer(archive), timeout=600)
    file, = (roomy / "got").iterdir()
    assert digest(file, data_set_offset(file)) == expected
    assert archive.peak_memory() < MEMORY, f"{archive.peak_memory() >> 20} MiB after C-GET"
    file.unlink()

    archive.run("export", "--study", study, "--to", roomy / "out", "--format", "folder", timeout=600)
    file, = [path for path in (roomy / "out").rglob("*") if path.is_file() and path.stat().st_size > 1 << 30]
    assert digest(file, data_set_offset(file)) == expected
    shutil.rmtree(roomy / "out")

    before = sum(volume.stat().st_blocks for volume in archive.volumes()) * 512
    archive.run("delete", "--study", study, "--yes")
    assert before - sum(volume.stat().st_blocks for volume in archive.volumes()) * 512 > 2_000_000_000
    archive.assert_healthy()


def test_an_announcement_of_100_gb_takes_no_memory(make_archive):
    """Lengths are claims: an element that says 4 GB and a sender that never stops are no reason to allocate."""
    archive = make_archive({"storage": {"volumeSize": "64MiB", "streamThreshold": "1MiB"}}).start()
    instance = synthetic.uid()
    head = synthetic.bare(instance, "1.2.3.9", "1.2.3.10")
    head += struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFFE)
    before = archive.peak_memory()
    with wire.Wire(archive.dicom_port, [(1, synthetic.CT, [synthetic.EXPLICIT])]) as line:
        command = wire.encode_command(CommandField=wire.C_STORE, MessageID=1, Priority=0, CommandDataSetType=1,
                                      AffectedSOPClassUID=synthetic.CT, AffectedSOPInstanceUID=instance)
        line.socket.sendall(line.pdvs(1, command, True) + line.pdvs(1, head, False, last=False))
        piece = line.pdvs(1, bytes(line.peer_max_pdu - 6), False, last=False)
        for _ in range(2000):  # 250 MB, then the sender dies
            line.socket.sendall(piece)
    assert archive.peak_memory() - before < 100 << 20
    assert archive.find(level="image") == []
    archive.restart()
    assert archive.json("status")["instances"] == 0
    assert sum(volume.stat().st_size for volume in archive.volumes()) < 200 << 20
