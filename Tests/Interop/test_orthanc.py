"""Orthanc from Debian as a peer, in both directions."""

import hashlib
from pathlib import Path

import pydicom
import pytest

from support import dcmtk, orthanc, synthetic
from support.archive import Archive


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(archive, Orthanc) that know each other, in one network namespace."""
    if not Path(orthanc.BINARY).exists():
        pytest.fail("Orthanc is not installed (make setup-test)")
    folder = tmp_path_factory.mktemp("orthanc")
    with orthanc.Namespace() as namespace:
        archive = Archive(folder / "archive", prefix=namespace.prefix).start()
        peer = None
        try:
            peer = orthanc.Orthanc(folder / "orthanc", namespace.prefix,
                                   {"phim": ["PHIM", "127.0.0.1", archive.dicom_port]})
            archive.run("peer", "add", "orthanc", "--ae-title", peer.aet, "--host", "127.0.0.1",
                        "--port", peer.dicom_port)
            yield archive, peer
        finally:
            if peer:
                peer.stop()
            archive.stop()


@pytest.fixture(scope="module")
def ours(pair, module_folder):
    """A study that Phim holds."""
    made = synthetic.study(module_folder / "ours", series=2, instances=6, PatientID="OURS",
                           PatientName=synthetic.VIETNAMESE)
    pair[0].run("import", module_folder / "ours")
    return made


def test_both_answer_an_echo(pair):
    archive, peer = pair
    archive.run("peer", "echo", "orthanc")
    peer.rest("POST", "/modalities/phim/echo", {})


def test_orthanc_stores_into_phim(pair, module_folder):
    archive, peer = pair
    made = synthetic.study(module_folder / "theirs", series=2, instances=6, PatientID="THEIRS")
    dcmtk.run("storescu", "127.0.0.1", peer.dicom_port, *made.files, prefix=peer.prefix)
    study, = peer.find("Study", PatientID="THEIRS")
    peer.rest("POST", "/modalities/phim/store", study)
    rows = archive.find("--study", made.uid, level="image")
    assert sorted(row["SOPInstanceUID"] for row in rows) == sorted(made.instances)


def test_phim_sends_to_orthanc(pair, ours):
    archive, peer = pair
    archive.run("send", "--to", "orthanc", "--study", ours.uid)
    assert len(peer.find("Instance", StudyInstanceUID=ours.uid)) == 12
    study, = peer.find("Study", StudyInstanceUID=ours.uid)
    tags = peer.rest("GET", f"/studies/{study}")["PatientMainDicomTags"]
    assert tags["PatientName"] == synthetic.VIETNAMESE
    peer.rest("DELETE", f"/studies/{study}")


def test_orthanc_queries_and_retrieves_from_phim(pair, ours):
    archive, peer = pair
    query = peer.rest("POST", "/modalities/phim/query", {"Level": "Study", "Query": {"PatientName": "nguyen*"}})
    answers = peer.rest("GET", f"/queries/{query['ID']}/answers")
    assert len(answers) == 1
    content = peer.rest("GET", f"/queries/{query['ID']}/answers/0/content?simplify")
    assert content["StudyInstanceUID"] == ours.uid
    peer.rest("POST", f"/queries/{query['ID']}/answers/0/retrieve", {"TargetAet": peer.aet, "Synchronous": True})
    assert len(peer.find("Instance", StudyInstanceUID=ours.uid)) == 12


def test_what_went_round_is_the_same_image(pair, ours):
    """Phim to Orthanc and back: the same instances again, so duplicates or conflicts but never a loss."""
    archive, peer = pair
    before = archive.json("status")["instances"]
    archive.run("send", "--to", "orthanc", "--study", ours.uid)
    study, = peer.find("Study", StudyInstanceUID=ours.uid)
    peer.rest("POST", "/modalities/phim/store", study)
    assert archive.json("status")["instances"] == before
    archive.run("export", "--study", ours.uid, "--to", archive.data.parent / "round", "--format", "folder")
    exported = [path for path in (archive.data.parent / "round").rglob("*") if path.is_file()]
    wanted = {hashlib.sha256(dataset.PixelData).digest() for dataset in ours.datasets}
    got = {hashlib.sha256(pydicom.dcmread(path).PixelData).digest() for path in exported
           if path.suffix.lower() == ".dcm" or path.name.startswith("IM")}
    assert wanted <= got
