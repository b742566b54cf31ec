"""A patient's way through the hospital, with nobody's hand in between: admission, order, worklist, examination, images."""

import time

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import dcmtk, hospital, peers, synthetic
from support.fhir import Client, number
from support.synthetic import EXPLICIT
from test_fhir_studies import images

STEP = "1.2.840.10008.3.1.2.3.3"
VISIT = "24001.2026.11.21.000077/KCB-NGOAI-TRU/K01"


@pytest.fixture
def archive(make_archive):
    return make_archive({"hospital": {"facility": "24001", "accessionPrefix": "BG"}}).start("--hl7-port", 0)


def worklist(archive, folder, *keys):
    """What findscu sees."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("rsp*.dcm"):
        old.unlink()
    dcmtk.run("findscu", "-W", "-X", "-od", folder, *dcmtk.peer(archive),
              "-k", "0010,0010", "-k", "0010,0020", "-k", "0008,0050", "-k", "0020,000d", "-k", "0038,0010",
              "-k", "0040,0100[0].0008,0060", "-k", "0040,0100[0].0040,0001", "-k", "0040,0100[0].0040,0002",
              *[word for key in keys for word in ("-k", key)])
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


def step(archive, instance, item=None, status="IN PROGRESS"):
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PerformedProcedureStepStatus = status
    with peers.association(archive.dicom_port, [(STEP, [EXPLICIT])], "CT1") as association:
        if item is None:
            dataset.PerformedProcedureStepEndDate, dataset.PerformedProcedureStepEndTime = "20261121", "094500"
            series = Dataset()
            series.SeriesInstanceUID, series.ProtocolName = synthetic.uid(), "Sọ não"
            dataset.PerformedSeriesSequence = Sequence([series])
            code, _ = association.send_n_set(dataset, STEP, instance)
        else:
            reference = Dataset()
            reference.StudyInstanceUID, reference.AccessionNumber = item.StudyInstanceUID, item.AccessionNumber
            reference.ReferencedStudySequence = Sequence([])
            dataset.ScheduledStepAttributesSequence = Sequence([reference])
            dataset.PerformedProcedureStepID, dataset.PerformedStationAETitle, dataset.Modality = "1", "CT1", "CT"
            dataset.PerformedProcedureStepStartDate = "20261121"
            dataset.PerformedProcedureStepStartTime = "093100"
            code, _ = association.send_n_create(dataset, STEP, instance)
    assert code.Status == 0


def state(archive, uid):
    return archive.json("order", "show", uid)["order"]["state"]


def eventually(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.1)
    return value


def links(archive, uid):
    return archive.json("inbox", "show", uid)["links"]


def test_from_admission_to_images(archive, tmp_path):
    with hospital.Engine(archive.hl7_port) as engine:
        assert engine.send(hospital.message("ADT^A01", hospital.pid("BN1"), hospital.pv1(VISIT)))[0] == "AA"
        assert engine.send(hospital.message(
            "ORM^O01", hospital.pid("BN1"), hospital.pv1(VISIT), *hospital.order("NW", "O1")))[0] == "AA"

    item, = worklist(archive, tmp_path / "worklist", "0040,0100[0].0008,0060=CT", "0010,0010=*van duc*")
    assert str(item.PatientName) == "NGUYỄN VĂN ĐỨC"
    assert item.AdmissionID == VISIT[:64]
    assert 1 <= len(item.AccessionNumber) <= 16

    performed = synthetic.uid()
    step(archive, performed, item)
    assert state(archive, item.StudyInstanceUID) == "in-progress"
    # The console writes the name as it can.
    study = synthetic.study(tmp_path / "study", instances=2, StudyInstanceUID=item.StudyInstanceUID,
                            AccessionNumber=item.AccessionNumber, PatientID="BN1", PatientName="NGUYEN VAN DUC",
                            PatientBirthDate="19800215", PatientSex="M")
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    step(archive, performed, status="COMPLETED")
    assert state(archive, item.StudyInstanceUID) == "completed"
    assert not worklist(archive, tmp_path / "worklist")

    link = eventually(lambda: links(archive, item.StudyInstanceUID))[0]
    assert (link["visit"], link["method"], link["score"]) == (VISIT, "studyInstanceUID", 1)
    assert link["by"] == "rule" and link["reason"]
    assert archive.json("inbox", "list") == []

    # What the EMR sees of it, and the images themselves.
    client = Client(archive)
    stay, = client.search(f"Encounter?identifier={VISIT}")
    found, = client.search(f"ImagingStudy?encounter={stay['id']}")
    request, = client.search(f"ServiceRequest?encounter={stay['id']}")
    assert (found["id"], request["status"]) == (item.StudyInstanceUID, "completed")
    assert found["basedOn"] == [{"reference": f"ServiceRequest/{request['id']}"}]
    assert number(found, "ACSN") == item.AccessionNumber
    assert images(client, found) == sorted(study.instances)
    kept = archive.trail("--account", "hl7:HIS")
    assert {row["kind"] for row in kept} == {"store"}


def test_cancelled_before_it_began(archive, tmp_path):
    with hospital.Engine(archive.hl7_port) as engine:
        cancel = hospital.message("ORM^O01", hospital.pid("BN1"), *hospital.order("CA", "O1"))
        code, text = engine.send(cancel)
        assert code == "AE" and "ORC-2" in text
        engine.send(hospital.message("ORM^O01", hospital.pid("BN1"), *hospital.order("NW", "O1")))
        assert len(worklist(archive, tmp_path / "worklist")) == 1
        assert engine.send(hospital.message("ORM^O01", hospital.pid("BN1"), *hospital.order("CA", "O1")))[0] == "AA"
    assert not worklist(archive, tmp_path / "worklist")
    request, = Client(archive).search("ServiceRequest?identifier=O1")
    assert request["status"] == "revoked"
    refused = archive.json("message", "list", "--refused")
    assert [message["code"] for message in refused] == ["AE"]


def test_merged_while_the_images_were_made(archive, tmp_path):
    with hospital.Engine(archive.hl7_port) as engine:
        engine.send(hospital.message("ADT^A04", hospital.pid("BN7", "NGUYEN VAN DUC"), hospital.pv1("V7")))
        engine.send(hospital.message("ADT^A04", hospital.pid("BN1"), hospital.pv1("V1")))
        engine.send(hospital.message("ORM^O01", hospital.pid("BN7", "NGUYEN VAN DUC"), *hospital.order("NW", "O7")))
        item, = worklist(archive, tmp_path / "worklist")
        assert engine.send(hospital.message("ADT^A40", hospital.pid("BN1"), "MRG|BN7^^^24001^MR"))[0] == "AA"
        code, text = engine.send(
            hospital.message("ORM^O01", hospital.pid("BN7", "NGUYEN VAN DUC"), *hospital.order("NW", "O8")))
        assert code == "AE" and "merged" in text
    study = synthetic.study(tmp_path / "study", instances=1, StudyInstanceUID=item.StudyInstanceUID, PatientID="BN7",
                            PatientName="NGUYEN VAN DUC", PatientBirthDate="19800215", AccessionNumber="")
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    link = eventually(lambda: links(archive, item.StudyInstanceUID))[0]
    assert link["patientName"] == "NGUYỄN VĂN ĐỨC"
    client = Client(archive)
    survivor, = client.search("Patient?identifier=BN1")
    assert [found["id"] for found in client.search(f"ImagingStudy?patient={survivor['id']}")] == [item.StudyInstanceUID]
    archive.run("patient", "unmerge", "BN7")
    assert client.search(f"ImagingStudy?patient={survivor['id']}") == []
    assert [found["id"] for found in client.search("ImagingStudy?patient.identifier=BN7")] == [item.StudyInstanceUID]
    assert links(archive, item.StudyInstanceUID)[0]["patientName"] == "NGUYEN VAN DUC"


def test_walk_in_is_decided_and_taken_back(archive, tmp_path):
    study = synthetic.study(tmp_path / "study", instances=1, PatientID="CAPCUU", PatientName="KHONG RO",
                            PatientBirthDate="", AccessionNumber="")
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    waiting, = eventually(lambda: archive.json("inbox", "list"))
    assert waiting["studyInstanceUID"] == study.uid
    with hospital.Engine(archive.hl7_port) as engine:
        engine.send(hospital.message("ADT^A04", hospital.pid("BN1"), hospital.pv1("V1")))
    link = archive.json("inbox", "link", study.uid, "--visit", "V1", "--reason", "đã gọi khoa cấp cứu")
    assert (link["visit"], link["method"]) == ("V1", "person") and link["by"].startswith("operator:")
    archive.run("inbox", "undo", study.uid)
    waiting, = archive.json("inbox", "list")
    assert waiting["isHeld"]
    history = links(archive, study.uid)
    assert len(history) == 1 and history[0]["undoneBy"] == link["by"]


def test_late_order_finds_its_study(archive, tmp_path):
    study = synthetic.study(tmp_path / "study", instances=1, PatientID="BN1", PatientName="NGUYEN VAN DUC",
                            PatientBirthDate="19800215", AccessionNumber="ACC77")
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    eventually(lambda: archive.json("inbox", "list"))
    with hospital.Engine(archive.hl7_port) as engine:
        order = hospital.order("NW", "O1", accession="ACC77")
        assert engine.send(hospital.message("ORM^O01", hospital.pid("BN1"), hospital.pv1("V1"), *order))[0] == "AA"
    link, = links(archive, study.uid)
    assert (link["method"], link["visit"], link["accessionNumber"]) == ("accession", "V1", "ACC77")


def test_repaired_message_is_applied(archive, tmp_path):
    with hospital.Engine(archive.hl7_port) as engine:
        code, text = engine.send(hospital.message("ADT^A04", hospital.pid("BN1", born="1980-15-99"), hospital.pv1("V1")))
        assert code == "AE" and "PID-7" in text
    refused, = archive.json("message", "list", "--refused")
    raw = archive.run("message", "show", refused["number"], "--raw")
    repaired = tmp_path / "repaired.hl7"
    repaired.write_text((raw if isinstance(raw, str) else raw.stdout).replace("1980-15-99", "19800215"))
    assert archive.json("message", "replay", refused["number"], "--file", repaired)["code"] == "AA"
    assert archive.json("patient", "show", "BN1")["patient"]["birthDate"] == "19800215"


def test_what_was_answered_survives_a_crash(archive):
    with hospital.Engine(archive.hl7_port) as engine:
        for number in range(20):
            assert engine.send(hospital.message(
                "ORM^O01", hospital.pid(f"BN{number}"), *hospital.order("NW", f"O{number}")))[0] == "AA"
        archive.kill()
    archive.start("--hl7-port", 0)
    assert len(archive.json("order", "list")) == 20
