"""Storage commitment with pynetdicom as modality (PS3.4 Annex J): told on its association, or on one of ours."""

import contextlib
import threading
import time

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import build_role, evt

from support import dcmtk, peers, synthetic
from support.synthetic import EXPLICIT, IMPLICIT, uid

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


class Reports:
    """What came as N-EVENT-REPORT; `status` is what it is answered with."""

    def __init__(self):
        self.all, self.status, self.came = [], 0x0000, threading.Event()

    def take(self, event):
        self.all.append((event.event_type, event.event_information))
        self.came.set()
        return self.status, None

    def wait(self, seconds=90):
        assert self.came.wait(seconds), "no report came"
        self.came.clear()
        return self.all[-1]


@contextlib.contextmanager
def listening(reports, title="MOD1", port=0, host="127.0.0.1"):
    """The modality's own port."""
    ae = peers.entity(title)
    ae.add_supported_context(COMMITMENT, [EXPLICIT, IMPLICIT], scu_role=True, scp_role=True)
    server = ae.start_server((host, port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.take)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def request(instances, transaction=None):
    dataset = Dataset()
    dataset.TransactionUID = transaction or uid()
    dataset.ReferencedSOPSequence = Sequence([])
    for sop_class, instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        dataset.ReferencedSOPSequence.append(item)
    return dataset


def ask(association, dataset, action=1, instance=INSTANCE):
    status, _ = association.send_n_action(dataset, action, COMMITMENT, instance)
    return status.get("Status")


def stored(archive, folder, count=3):
    files = []
    for number in range(count):
        files.append(synthetic.ct(number=number + 1))
        synthetic.write(folder / f"{number}.dcm", files[-1])
    archive.run("import", str(folder))
    return [(CT, str(image.SOPInstanceUID)) for image in files]


def instances(sequence):
    return {str(item.ReferencedSOPInstanceUID) for item in sequence}


def waiting(archive):
    return archive.json("commitment", "list", "--open")


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
def test_told_on_the_same_association(archive, tmp_path, syntax):
    (tmp_path / "in").mkdir()
    images = stored(archive, tmp_path / "in")
    reports = Reports()
    with peers.association(archive.dicom_port, [(COMMITMENT, [syntax])], "MOD1",
                           handlers=[(evt.EVT_N_EVENT_REPORT, reports.take)]) as association:
        wanted = request(images)
        assert ask(association, wanted) == 0x0000
        kind, report = reports.wait()
    assert kind == 1
    assert report.TransactionUID == wanted.TransactionUID
    assert instances(report.ReferencedSOPSequence) == {instance for _, instance in images}
    assert "FailedSOPSequence" not in report
    assert report.RetrieveAETitle == "PHIM"
    assert not waiting(archive)
    assert archive.json("commitment", "list")[0]["state"] == "acknowledged"


def test_what_is_not_safe_is_named_with_its_reason(archive, tmp_path):
    (tmp_path / "in").mkdir()
    safe, rotten, other = stored(archive, tmp_path / "in")
    # One bit of the pixels of the second is another on the disk.
    needle = synthetic_pixels(tmp_path / "in" / "1.dcm")
    for volume in archive.volumes():
        data = volume.read_bytes()
        at = data.find(needle)
        if at >= 0:
            with open(volume, "r+b") as file:
                file.seek(at + 10)
                file.write(bytes([data[at + 10] ^ 1]))
            break
    else:
        raise AssertionError("the image is in no volume")
    missing = (CT, uid())
    reports = Reports()
    with peers.association(archive.dicom_port, [(COMMITMENT, [EXPLICIT])], "MOD1",
                           handlers=[(evt.EVT_N_EVENT_REPORT, reports.take)]) as association:
        assert ask(association, request([safe, rotten, missing, ("1.2.840.10008.5.1.4.1.1.4", other[1])])) == 0x0000
        kind, report = reports.wait()
    assert kind == 2
    assert instances(report.ReferencedSOPSequence) == {safe[1]}
    assert {(str(item.ReferencedSOPInstanceUID), item.FailureReason) for item in report.FailedSOPSequence} == {
        (rotten[1], 0x0110), (missing[1], 0x0112), (other[1], 0x0119)}


def synthetic_pixels(path):
    """Bytes of an image that no other has, from the middle of its file."""
    data = path.read_bytes()
    return data[-900:-600]


def test_told_on_an_association_of_ours_until_it_is_acknowledged(archive, tmp_path):
    """The modality releases at once, refuses the first report, is gone for a while, and is told all the same."""
    (tmp_path / "in").mkdir()
    images = stored(archive, tmp_path / "in")
    reports = Reports()
    reports.status = 0x0110
    with listening(reports, port=dcmtk.free_port()) as port:
        archive.run("peer", "add", "mod1", "--ae-title", "MOD1", "--host", "127.0.0.1", "--port", str(port))
        with peers.association(archive.dicom_port, [(COMMITMENT, [EXPLICIT])], "MOD1") as association:
            wanted = request(images)
            assert ask(association, wanted) == 0x0000
        assert reports.wait()[0] == 1
    deadline = time.monotonic() + 90
    while not (lines := waiting(archive)) or lines[0]["attempts"] < 2:
        assert time.monotonic() < deadline, lines
        time.sleep(0.2)
    assert lines[0]["failure"]
    archive.kill()
    archive.start()
    reports.status = 0x0000
    with listening(reports, port=port):
        kind, report = reports.wait(90)
        assert (kind, report.TransactionUID) == (1, wanted.TransactionUID)
        assert instances(report.ReferencedSOPSequence) == {instance for _, instance in images}
        deadline = time.monotonic() + 90
        while waiting(archive):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    told = len(reports.all)
    # Asked again, it is told again.
    with listening(reports, port=port):
        with peers.association(archive.dicom_port, [(COMMITMENT, [EXPLICIT])], "MOD1") as association:
            assert ask(association, wanted) == 0x0000
        assert reports.wait()[0] == 1
    assert len(reports.all) == told + 1


def test_of_two_with_one_title_the_one_that_asked_is_told(archive, tmp_path):
    (tmp_path / "in").mkdir()
    images = stored(archive, tmp_path / "in", 1)
    first, second = Reports(), Reports()
    with listening(first) as port, listening(second, host="127.0.0.2") as other:
        for name, host, at in (("first", "127.0.0.1", port), ("second", "127.0.0.2", other)):
            archive.run("peer", "add", name, "--ae-title", "MOD1", "--host", host, "--port", str(at))
        for reports, host in ((second, "127.0.0.2"), (first, "127.0.0.1")):
            ae = peers.entity("MOD1")
            ae.add_requested_context(COMMITMENT, [EXPLICIT])
            association = ae.associate("127.0.0.1", archive.dicom_port, ae_title="PHIM", bind_address=(host, 0))
            wanted = request(images)
            assert ask(association, wanted) == 0x0000
            association.release()
            assert reports.wait()[1].TransactionUID == wanted.TransactionUID
    assert len(first.all) == len(second.all) == 1


def test_killed_while_it_verifies(archive, tmp_path):
    """What was answered with success is reported after the restart."""
    (tmp_path / "in").mkdir()
    images = stored(archive, tmp_path / "in", 40)
    reports = Reports()
    with listening(reports) as port:
        archive.run("peer", "add", "mod1", "--ae-title", "MOD1", "--host", "127.0.0.1", "--port", str(port))
        ae = peers.entity("MOD1")
        ae.add_requested_context(COMMITMENT, [EXPLICIT])
        association = ae.associate("127.0.0.1", archive.dicom_port, ae_title="PHIM")
        assert ask(association, request(images)) == 0x0000
        archive.kill()
        association.abort()
        archive.start()
        assert instances(reports.wait(90)[1].ReferencedSOPSequence) == {instance for _, instance in images}


def test_dropped_by_a_person(archive, tmp_path):
    (tmp_path / "in").mkdir()
    images = stored(archive, tmp_path / "in", 1)
    with peers.association(archive.dicom_port, [(COMMITMENT, [EXPLICIT])], "NOBODY") as association:
        assert ask(association, request(images)) == 0x0000
    deadline = time.monotonic() + 90
    while not (lines := waiting(archive)) or "no peer with this AE title" not in lines[0]["failure"]:
        assert time.monotonic() < deadline, lines
        time.sleep(0.2)
    archive.run("commitment", "drop", str(lines[0]["number"]))
    assert not waiting(archive)
    archive.run("commitment", "drop", "99", expect=2)


def test_bad_requests(shared_archive):
    nothing, bad = request([]), request([("not a uid", uid())])
    silent = request([(CT, uid())])
    del silent.TransactionUID
    with peers.association(shared_archive.dicom_port, [(COMMITMENT, [EXPLICIT])], "MOD1") as association:
        assert ask(association, nothing) == 0x0115
        assert ask(association, bad) == 0x0115
        assert ask(association, silent) == 0x0115
        assert ask(association, request([(CT, uid())]), action=2) == 0x0123
        assert ask(association, request([(CT, uid())]), instance=uid()) == 0x0112
    assert not waiting(shared_archive)


def test_roles(archive, tmp_path):
    """A modality that proposes both roles, as many do."""
    (tmp_path / "in").mkdir()
    images = stored(archive, tmp_path / "in", 1)
    reports = Reports()
    with peers.association(archive.dicom_port, [(COMMITMENT, [EXPLICIT])], "MOD1",
                           negotiation=[build_role(COMMITMENT, scu_role=True, scp_role=True)],
                           handlers=[(evt.EVT_N_EVENT_REPORT, reports.take)]) as association:
        assert ask(association, request(images)) == 0x0000
        assert reports.wait()[0] == 1
