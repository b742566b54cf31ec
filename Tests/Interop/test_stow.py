"""STOW-RS: what clients that others wrote store, what each instance is told, and what bad senders cannot do."""

import contextlib
import hashlib
import random
import shutil
import threading
import time
import zlib

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

import test_huge
from support import stow, synthetic
from support.stow import FAILED, OTHER, STORED

NOISE = random.Random(7).randbytes(2 << 20)


def file_of(dataset):
    return synthetic.part10(synthetic.encode(dataset), dataset.SOPClassUID, dataset.SOPInstanceUID)


def slice_of(study, series, size=512 * 512 * 2):
    instance = synthetic.uid()
    start = random.randrange(0, len(NOISE) - size)
    return instance, synthetic.part10(
        synthetic.bare(instance, study, series, pixels=NOISE[start : start + size]), synthetic.CT, instance)


def exported(archive, folder, study):
    """{SOP Instance UID: file bytes} of a study."""
    shutil.rmtree(folder, ignore_errors=True)
    archive.run("export", "--study", study, "--to", folder, "--format", "folder")
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM" and path.name != "DICOMDIR":
            found[str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)] = path.read_bytes()
    return found


def count(archive):
    return archive.json("status")["instances"]


# What works.


def test_dicomweb_client_stores_and_pydicom_reads_the_answer(shared_archive):
    study, series = synthetic.uid(), synthetic.uid()
    datasets = [synthetic.ct(study, series, number=number, PatientName=synthetic.VIETNAMESE) for number in range(1, 6)]
    for dataset in datasets:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = synthetic.EXPLICIT
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    client = DICOMwebClient(f"http://127.0.0.1:{shared_archive.http_port}/dicom-web",
                            headers=stow.authorization(shared_archive))
    answer = client.store_instances(datasets)
    assert isinstance(answer, Dataset)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
        dataset.SOPInstanceUID for dataset in datasets]
    assert "FailedSOPSequence" not in answer
    assert answer.RetrieveURL.endswith(f"/dicom-web/studies/{study}")
    assert all(item.RetrieveURL.endswith(f"/series/{series}/instances/{item.ReferencedSOPInstanceUID}")
               for item in answer.ReferencedSOPSequence)
    client.store_instances(datasets, study_instance_uid=study)  # again, and to its study: success, nothing twice
    assert len(shared_archive.find("--study", study, level="image")) == 5


def test_ohif_s_own_request(shared_archive):
    """The header that OHIF sends is `Accept: */*`; it takes 200 and 202 only."""
    study = synthetic.uid()
    dataset = synthetic.ct(study)
    body = stow.multipart([file_of(dataset)], boundary="----WebKitFormBoundary7MA4YWxkTrZu0gW")
    answer = stow.post(
        shared_archive, body, headers={"Accept": "*/*"},
        content_type='multipart/related; type="application/dicom"; boundary="----WebKitFormBoundary7MA4YWxkTrZu0gW"')
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/dicom+json"
    assert answer.instances(STORED) == [(dataset.SOPInstanceUID, None)]


def test_bytes_are_kept_as_they_were_sent(shared_archive, tmp_path):
    study, series = synthetic.uid(), synthetic.uid()
    files = dict(slice_of(study, series, size) for size in (2, 1000, 70_000, 524_288, 3_000_000 // 2 * 2 % (1 << 20)))
    answer = stow.post(shared_archive, stow.multipart(files.values()))
    assert answer.status == 200, answer.body
    assert exported(shared_archive, tmp_path / "out", study) == files


@pytest.mark.parametrize("piece", [1, 7, 1000, 65_537])
def test_however_the_body_is_cut(shared_archive, piece):
    study = synthetic.uid()
    file = file_of(synthetic.ct(study, rows=8 if piece < 10 else 128))
    body = stow.multipart([file, b"not DICOM at all", file])
    answer = stow.post(shared_archive, (body[at : at + piece] for at in range(0, len(body), piece)))
    assert answer.status == 202
    assert len(answer.instances(STORED)) == 2 and answer.instances(OTHER) == [(None, 0xC000)]


def test_a_single_part(shared_archive):
    dataset = synthetic.ct()
    answer = stow.post(shared_archive, file_of(dataset), "application/dicom")
    assert answer.status == 200 and answer.instances(STORED) == [(dataset.SOPInstanceUID, None)]
    cut = stow.post(shared_archive, iter([file_of(synthetic.ct())]), "application/dicom")
    assert cut.status == 411


def test_an_answer_in_xml(shared_archive):
    dataset = synthetic.ct()
    answer = stow.post(shared_archive, stow.multipart([file_of(dataset)]), headers={"Accept": "application/dicom+xml"})
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/dicom+xml"
    assert f"<Value number=\"1\">{dataset.SOPInstanceUID}</Value>" in answer.body.decode()


def test_lines_that_end_in_lf_and_a_preamble(shared_archive):
    dataset = synthetic.ct()
    body = (b"ignore this\n--" + stow.BOUNDARY.encode() + b"  \nContent-Type: application/dicom\n\n" + file_of(dataset)
            + b"\n--" + stow.BOUNDARY.encode() + b"--\n")
    assert stow.post(shared_archive, body).instances(STORED) == [(dataset.SOPInstanceUID, None)]


def test_good_ones_are_kept_beside_bad_ones(shared_archive):
    study, other = synthetic.uid(), synthetic.uid()
    good, stray, nameless = synthetic.ct(study), synthetic.ct(other), synthetic.ct(study)
    del nameless.SOPInstanceUID
    parts = [file_of(good), file_of(stray), b"\0" * 1000, ("text/plain", b"hello"),
             synthetic.encode(nameless), b""]
    answer = stow.post(shared_archive, stow.multipart(parts), path=f"/dicom-web/studies/{study}")
    assert answer.status == 202
    assert answer.instances(STORED) == [(good.SOPInstanceUID, None)]
    assert answer.instances(FAILED) == [(stray.SOPInstanceUID, 0xA900)]
    assert sorted(reason for _, reason in answer.instances(OTHER)) == [0xC000, 0xC000, 0xC000, 0xC122]
    assert shared_archive.find("--study", other) == []


def test_nothing_stored_is_a_conflict(shared_archive):
    answer = stow.post(shared_archive, stow.multipart([file_of(synthetic.ct())]),
                       path=f"/dicom-web/studies/{synthetic.uid()}")
    assert answer.status == 409 and answer.instances(FAILED)[0][1] == 0xA900


def test_another_object_of_the_same_uid_is_kept_with_a_warning(shared_archive):
    first = synthetic.ct()
    assert stow.post(shared_archive, stow.multipart([file_of(first)])).status == 200
    assert stow.post(shared_archive, stow.multipart([file_of(first)])).status == 200
    first.PatientName = "Other^Name"
    answer = stow.post(shared_archive, stow.multipart([file_of(first)]))
    assert answer.status == 202 and answer.instances(STORED) == [(first.SOPInstanceUID, 0xB000)]
    assert len(shared_archive.find("--study", str(first.StudyInstanceUID), level="image")) == 1


# Who may.


def test_who_may_store(shared_archive):
    body = stow.multipart([file_of(synthetic.ct())])
    for role, status in [("integration", 200), ("technician", 200), ("radiologist", 200), ("referring-physician", 403)]:
        assert stow.post(shared_archive, body, headers=stow.authorization(shared_archive, role)).status == status
    before = count(shared_archive)
    assert stow.post(shared_archive, stow.multipart([file_of(synthetic.ct())]),
                     headers={"Authorization": "Bearer nonsense"}).status == 401
    assert count(shared_archive) == before


def test_an_emergency_says_so(shared_archive):
    body = stow.multipart([file_of(synthetic.ct())])
    assert stow.post(shared_archive, body, path="/dicom-web/studies?priority=stat").status == 200
    assert stow.post(shared_archive, body, path="/dicom-web/studies?priority=now").status == 400


# What does not.


@pytest.mark.parametrize(("content_type", "body", "status"), [
    ("multipart/related; type=\"application/dicom\"", b"x", 400),
    ("multipart/related; type=\"application/dicom\"; boundary=" + "b" * 71, b"x", 400),
    ("multipart/related; type=\"text/plain\"; boundary=x", b"x", 415),
    ("text/plain", b"x", 415),
    ("application/zip", b"x", 415),
    (stow.TYPE, b"", 400),
    (stow.TYPE, b"no boundary here", 400),
    (stow.TYPE, f"--{stow.BOUNDARY}--".encode(), 400),
    (stow.TYPE, f"--{stow.BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\nabc".encode(), 400),
    (stow.TYPE, f"--{stow.BOUNDARY}\r\nno field\r\n\r\nabc\r\n--{stow.BOUNDARY}--".encode(), 400),
    (stow.TYPE, stow.multipart([("multipart/mixed; boundary=inner", b"--inner\r\n\r\nx\r\n--inner--")]), 400),
    (stow.TYPE, stow.multipart([({"A": "x" * 100_000}, b"x")]), 400),
    (stow.TYPE, stow.multipart([({f"A{n}": "x" for n in range(1000)}, b"x")]), 400),
    ("application/dicom", b"", 400),
])
def test_malformed_requests(shared_archive, content_type, body, status):
    before = count(shared_archive)
    answer = stow.post(shared_archive, body, content_type)
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json" and len(answer.json["detail"]) >= 15
    assert count(shared_archive) == before
    shared_archive.assert_healthy()


@pytest.mark.parametrize("study", ["1.2.%2e%2e", "abc", "1..2", "1" * 65, "%00", "..%2f..%2fetc"])
def test_no_study(shared_archive, study):
    answer = stow.post(shared_archive, stow.multipart([file_of(synthetic.ct())]), path=f"/dicom-web/studies/{study}")
    assert answer.status in (400, 404)


def test_a_missing_end_keeps_what_was_whole(shared_archive):
    """Whole instances before the mistake are stored; the sender is told of the mistake, and may send all again."""
    dataset = synthetic.ct()
    body = stow.multipart([file_of(dataset)]).replace(f"--{stow.BOUNDARY}--".encode(), b"")
    assert stow.post(shared_archive, body + b"x").status == 400


def test_compressed_bodies_are_refused(shared_archive):
    """A bomb is not inflated: compression of the whole body is not taken."""
    bomb = zlib.compress(b"\0" * (64 << 20))
    answer = stow.post(shared_archive, bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status == 415


def test_a_hundred_thousand_tiny_parts(make_archive):
    archive = make_archive().start()
    before = archive.peak_memory()
    part = f"--{stow.BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\nx\r\n".encode()
    answer = stow.post(archive, part * 100_000 + f"--{stow.BOUNDARY}--".encode())
    assert answer.status == 413
    assert archive.peak_memory() - before < 128 << 20
    archive.assert_healthy()


def test_lengths_that_lie(shared_archive):
    """An announced length that never comes, and more than was announced: the connection ends, nothing else does."""
    before = count(shared_archive)
    file = file_of(synthetic.ct())
    with stow.raw(shared_archive) as line:
        line.sendall(stow.head(shared_archive, 10 << 40) + stow.multipart([file])[:-10])
    with stow.raw(shared_archive) as line:
        line.sendall(stow.head(shared_archive, 10, "application/dicom") + file)
        assert line.recv(100).startswith(b"HTTP/1.1 4")
    shared_archive.assert_healthy()
    assert count(shared_archive) - before <= 1


def test_those_who_disconnect_leave_nothing_half(make_archive, tmp_path):
    archive = make_archive({"storage": {"volumeSize": "64MiB", "streamThreshold": "1MiB"}}).start()
    dice = random.Random(11)
    study, series = synthetic.uid(), synthetic.uid()
    sent = {}
    for number in range(60):
        files = dict(slice_of(study, series, dice.choice([2000, 524_288, 1_500_000])) for _ in range(3))
        sent |= files
        body = stow.multipart(files.values())
        cut = dice.randrange(len(body))
        line = stow.raw(archive)
        line.sendall(stow.head(archive, len(body)) + body[:cut])
        line.close()
    whole = slice_of(study, series)
    assert stow.post(archive, stow.multipart([whole[1]])).status == 200
    sent[whole[0]] = whole[1]
    stored = exported(archive, tmp_path / "out", study)
    assert whole[0] in stored and all(sent[instance] == raw for instance, raw in stored.items())
    archive.restart()
    assert exported(archive, tmp_path / "out", study).keys() >= stored.keys()
    archive.run("verify")


def test_a_full_disk_says_so(make_archive):
    archive = make_archive({"storage": {"reserve": "100TiB"}}).start()
    answer = stow.post(archive, stow.multipart([file_of(synthetic.ct()), file_of(synthetic.ct())]))
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    assert [reason for _, reason in answer.instances(FAILED)] == [0xA700, 0xA700]


# Under load.


@pytest.mark.timeout(1200)
def test_two_gibibytes_with_flat_memory(roomy, make_archive):
    archive = make_archive().start()
    source = roomy / "huge.dcm"
    study, _ = test_huge.write_huge(source)
    before = archive.peak_memory()
    opening = f"--{stow.BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    closing = f"\r\n--{stow.BOUNDARY}--\r\n".encode()

    def body():
        yield opening
        with open(source, "rb") as file:
            while piece := file.read(1 << 20):
                yield piece
        yield closing

    length = len(opening) + source.stat().st_size + len(closing)
    began = time.monotonic()
    answer = stow.post(archive, body(), headers={"Content-Length": str(length)}, connection=stow.connect(archive, 600))
    seconds = time.monotonic() - began
    print(f"{length / seconds / 1e6:.0f} MB/s, {(archive.peak_memory() - before) >> 20} MiB more")
    assert answer.status == 200, answer.body
    assert archive.peak_memory() - before < 150 << 20
    archive.run("export", "--study", study, "--to", roomy / "out", "--format", "folder", timeout=600)
    file, = [path for path in (roomy / "out").rglob("*") if path.is_file() and path.stat().st_size > 1 << 30]
    assert test_huge.digest(file, 0) == test_huge.digest(source, 0)


def test_idle_uploads_hold_nobody_up(make_archive):
    """Sixty uploads that hardly move: others store as ever, and too many are told to come later."""
    archive = make_archive().start()
    study, series = synthetic.uid(), synthetic.uid()
    body = stow.multipart([slice_of(study, series)[1]])
    idle, sent, done = [], {}, threading.Event()

    def begin(count):
        for _ in range(count):
            line = stow.raw(archive)
            line.sendall(stow.head(archive, len(body)) + body[:50_000])
            sent[line] = 50_000
            idle.append(line)

    def keep_moving():
        """Who stands still for ten seconds is ended."""
        while not done.wait(3):
            for line in [line for line in idle if sent[line] < len(body) - 20_000]:
                with contextlib.suppress(OSError):  # told to come later
                    line.sendall(body[sent[line] : sent[line] + 12_000])
                    sent[line] += 12_000

    mover = threading.Thread(target=keep_moving)
    mover.start()
    try:
        begin(60)
        for _ in range(5):
            assert stow.post(archive, stow.multipart([slice_of(study, series)[1]])).status == 200
        begin(10)
        deadline = time.monotonic() + 30
        while (answer := stow.post(archive, body)).status != 503 and time.monotonic() < deadline:
            pass
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
        done.set()
        mover.join()
        for line in idle[:60]:  # and those who go on are served
            line.sendall(body[sent[line] :])
        assert {line.recv(12) for line in idle[:60]} == {b"HTTP/1.1 200"}
    finally:
        done.set()
        mover.join()
        for line in idle:
            line.close()


def test_kill_during_uploads_keeps_all_that_was_acknowledged(make_archive, tmp_path):
    archive = make_archive({"storage": {"volumeSize": "32MiB", "streamThreshold": "1MiB"}}).start()
    dice, acknowledged, guard = random.Random(5), {}, threading.Lock()
    study = synthetic.uid()
    archive.token()  # asked for once, not by every sender

    def sender(series):
        try:
            line = stow.connect(archive, 60)
            while True:
                files = dict(slice_of(study, series, random.choice([2000, 60_000, 1_400_000])) for _ in range(4))
                answer = stow.post(archive, stow.multipart(files.values()), connection=line)
                if answer.status == 200:
                    with guard:
                        acknowledged.update((uid, hashlib.sha256(raw).digest()) for uid, raw in files.items())
        except (OSError, AssertionError, stow.http.client.HTTPException):
            pass  # the server was killed

    for _ in range(8):
        threads = [threading.Thread(target=sender, args=(synthetic.uid(),)) for _ in range(6)]
        for thread in threads:
            thread.start()
        # At some moment under load.
        before, deadline = len(acknowledged), time.monotonic() + 20
        while len(acknowledged) < before + 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(dice.uniform(0, 0.5))
        archive.kill()
        for thread in threads:
            thread.join(90)
        archive.start()
    assert len(acknowledged) > 50, "too little load to prove anything"
    stored = {uid: hashlib.sha256(raw).digest() for uid, raw in exported(archive, tmp_path / "out", study).items()}
    assert {uid: stored.get(uid) for uid in acknowledged} == acknowledged
