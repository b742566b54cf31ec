"""Objects of a few megabytes that inflate to gigabytes: told clearly, with little memory, and nobody else notices."""

import struct
import zlib

import pytest

from support import stow, synthetic

DEFLATED, EXPLICIT = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1"
MIB = 1 << 20


def zeros(mebibytes):
    """A deflated run of zeros that joins on to whatever stands before it and behind it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * (mebibytes // 16)


def bomb(where, mebibytes=3072):
    """A deflated object whose pixel data, or one element before them, is gigabytes of zeros."""
    dataset = synthetic.ct(PatientID="BOMB")
    del dataset.PixelData
    head = synthetic.encode(dataset)
    group, element = (0x7FE0, 0x0010) if where == "pixels" else (0x7001, 0x1000)
    head += struct.pack("<HH2sHI", group, element, b"OB", 0, mebibytes * MIB)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH) + zeros(mebibytes)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw += last.flush(zlib.Z_FINISH)
    return dataset, synthetic.part10(raw, dataset.SOPClassUID, dataset.SOPInstanceUID, DEFLATED)


@pytest.mark.parametrize("where", ["pixels", "header"])
def test_a_bomb_is_told_and_costs_little(archive, where):
    dataset, raw = bomb(where)
    assert len(raw) < 6 * MIB
    session = archive.http()
    plain = synthetic.ct()
    assert stow.post(archive, stow.multipart([
        synthetic.part10(synthetic.encode(plain), plain.SOPClassUID, plain.SOPInstanceUID)])).status == 200
    before = archive.peak_memory()
    answer = stow.post(archive, stow.multipart([raw]))
    instance = (f"{archive.url}/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
                f"/instances/{dataset.SOPInstanceUID}")

    # Received bytes are kept as they are; whoever takes them so gets them so.
    assert answer.status == 200, answer.body
    kept = session.get(instance, headers={"Accept": "application/dicom; transfer-syntax=*"}, timeout=60)
    assert kept.status_code == 200 and kept.content == raw

    # Whoever wants them inflated is told why not.
    wishes = [("", f"application/dicom; transfer-syntax={EXPLICIT}"), ("/frames/1", "*/*"),
              ("/rendered", "image/jpeg"), ("/thumbnail", "image/jpeg"), ("/bulkdata/7FE00010", "*/*")]
    for path, accept in wishes:
        refused = session.get(instance + path, headers={"Accept": accept}, timeout=120)
        assert refused.status_code in (404, 406, 500), (path, refused.status_code)
        assert refused.headers["Content-Type"] == "application/problem+json" and refused.json()["detail"]
    listed = session.get(f"{instance}/metadata", headers={"Accept": "application/dicom+json"}, timeout=60)
    assert listed.status_code == 200 and listed.json()[0]["00080018"]["Value"] == [dataset.SOPInstanceUID]

    assert archive.peak_memory() - before < 512 * MIB
    assert not [path for path in (archive.data / "scratch").rglob("*") if path.is_file()]
    other = (f"{archive.url}/dicom-web/studies/{plain.StudyInstanceUID}/series/{plain.SeriesInstanceUID}"
             f"/instances/{plain.SOPInstanceUID}/rendered")
    assert session.get(other, headers={"Accept": "image/jpeg"}, timeout=30).status_code == 200
    archive.assert_healthy()
