"""Studies sent on to DICOMweb servers: Orthanc with its plugin, and one that answers as it likes."""

import base64
import hashlib
import io
import json
from pathlib import Path

import pydicom
import pytest

from support import orthanc, outbox, synthetic
from support.archive import Archive
from support.stow_receiver import STORED, StowReceiver, response

JPEG_LS = "1.2.840.10008.1.2.4.80"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(archive, Orthanc with DICOMweb) in one network namespace; every CT goes there as it is, every MR smaller."""
    if not Path(orthanc.DICOMWEB).exists():
        pytest.fail("Orthanc's DICOMweb plugin is not installed (make setup-test)")
    folder = tmp_path_factory.mktemp("stow-out")
    with orthanc.Namespace() as namespace:
        archive = Archive(folder / "archive", prefix=namespace.prefix).start()
        peer = None
        try:
            peer = orthanc.Orthanc(folder / "orthanc", namespace.prefix, {}, dicomweb=True)
            (archive.data / "orthanc-login").write_text(peer.login + "\n")
            outbox.add_destination(archive, "orthanc", token_file="orthanc-login", lanes=4,
                                   dicomweb=f"http://127.0.0.1:{peer.http_port}/dicom-web/")
            outbox.add_route(archive, "images", "orthanc", "modality=CT")
            outbox.add_route(archive, "small", "orthanc", "modality=MR", compress=True)
            yield archive, peer
        finally:
            if peer:
                peer.stop()
            archive.stop()


def fetched(peer, study):
    """{SOP Instance UID: data set} of a study as Orthanc gives it."""
    found, = peer.find("Study", StudyInstanceUID=study.uid)
    uids = peer.rest("GET", f"/studies/{found}/instances")
    sets = [pydicom.dcmread(io.BytesIO(peer.file(instance["ID"]))) for instance in uids]
    return {str(dataset.SOPInstanceUID): dataset for dataset in sets}


def test_orthanc_has_every_object_as_it_was(pair, tmp_path):
    archive, peer = pair
    made = synthetic.study(tmp_path, series=2, instances=8, PatientName=synthetic.VIETNAMESE)
    archive.run("import", tmp_path)
    row = outbox.wait_sent(archive, made.uid)
    assert row["sentInstances"] == 16
    there = fetched(peer, made)
    assert {uid: data_set for uid, data_set in there.items()} == {
        str(data_set.SOPInstanceUID): data_set for data_set in made.datasets}
    # What crossed the line is little more than what is stored.
    assert row["sentOctets"] < row["lineOctets"] <= row["sentOctets"] * 1.6
    digests = outbox.shipped(archive, made.uid)
    stored = {hashlib.sha256(path.read_bytes()).digest() for path in made.files}
    assert set(digests.values()) == stored


def test_compressed_for_the_line_and_bit_exact(pair, tmp_path):
    archive, peer = pair
    made = synthetic.study(tmp_path, instances=4, rows=256, modalities=("MR",))
    archive.run("import", tmp_path)
    row = outbox.wait_sent(archive, made.uid)
    there = fetched(peer, made)
    for dataset in made.datasets:
        sent = there[str(dataset.SOPInstanceUID)]
        assert sent.file_meta.TransferSyntaxUID == JPEG_LS
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = synthetic.EXPLICIT
        assert (sent.pixel_array == dataset.pixel_array).all()
        assert sent.PatientName == dataset.PatientName
    assert row["lineOctets"] < row["sentOctets"] / 2
    # The ledger speaks of what is stored, not of the form that it left in.
    assert set(outbox.shipped(archive, made.uid).values()) == {
        hashlib.sha256(path.read_bytes()).digest() for path in made.files}


def test_nothing_is_taken_for_sent_that_was_not(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "study", instances=3)
    failures = [(503, b"", "text/plain"), (200, b"<html>sign in</html>", "text/html"), (200, b"{", "text/plain"), STORED]
    with StowReceiver(*failures, authorization="Bearer token-of-the-station") as receiver:
        (archive.data / "token").write_text("token-of-the-station")
        outbox.add_destination(archive, "web", dicomweb=receiver.url, token_file="token", lanes=1)
        outbox.add_route(archive, "all", "web")
        archive.run("import", tmp_path / "study")
        row = outbox.wait_sent(archive, made.uid, 90)
        assert row["sentInstances"] == 3
        assert sorted(receiver.files) == sorted(made.instances)
        assert len(receiver.requests) == 6
        for path in made.files:
            dataset = pydicom.dcmread(path)
            assert receiver.files[str(dataset.SOPInstanceUID)] == path.read_bytes()
        assert {path for path, _, _ in receiver.requests} == {"/dicom-web/studies"}


def test_one_refused_object_does_not_hold_the_others(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "study", instances=4)
    unwanted = made.instances[1]

    def answer(uid):
        return (409, response(failed=[(uid, 0xC000)])) if uid == unwanted else STORED

    with StowReceiver(answer) as receiver:
        outbox.add_destination(archive, "web", dicomweb=receiver.url)
        outbox.add_route(archive, "all", "web")
        archive.run("import", tmp_path / "study")
        outbox.wait(archive, lambda: len(outbox.shipped(archive, made.uid)) == 3)
        refused = outbox.wait(archive, lambda: outbox.unshipped(archive, made.uid))
        assert list(refused) == [unwanted] and "C000H" in refused[unwanted]
        assert outbox.shipment(archive, made.uid)["state"] == "waiting"
        # What was wrong there is put right: it goes by itself.
        receiver.answers = [STORED]
        outbox.wait_sent(archive, made.uid, 90)
        assert sorted(receiver.files) == sorted(made.instances)


def test_a_wrong_credential_sends_nothing_and_is_said(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "study", instances=2, PatientName="Secret^Name")
    login = base64.b64encode(b"station:pass-4711").decode()
    with StowReceiver(STORED, authorization="Basic other") as receiver:
        (archive.data / "token").write_text("station:pass-4711")
        outbox.add_destination(archive, "web", dicomweb=receiver.url, token_file="token")
        outbox.add_route(archive, "all", "web")
        archive.run("import", tmp_path / "study")

        def reason():
            with outbox.records(archive) as base:
                return base.execute("SELECT reason FROM destination").fetchone()["reason"]
        assert "credential" in outbox.wait(archive, reason)
        assert {authorization for _, authorization, _ in receiver.requests} == {f"Basic {login}"}
        assert not receiver.files and not outbox.shipped(archive, made.uid)
    log = archive.log.read_text()
    assert "Secret" not in log and "pass-4711" not in log


def test_garbage_settings_are_said_and_harm_nobody(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "study", instances=1)
    with StowReceiver() as receiver:
        outbox.add_destination(archive, "broken", dicomweb="https://", token_file="absent")
        outbox.add_destination(archive, "web", dicomweb=receiver.url)
        outbox.add_route(archive, "broken", "broken")
        outbox.add_route(archive, "all", "web")
        archive.run("import", tmp_path / "study")
        outbox.wait(archive, lambda: len(receiver.files) == 1)
    assert json.loads(archive.run("status", "--json").stdout or "{}") is not None
    assert list(receiver.files) == made.instances
