"""What hospital systems are told of studies over HL7: once, in order, whatever happens to them, to the line and to us."""

import functools
import io

import numpy
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import dcmtk, peers, receivers, synthetic
from support.receivers import ACCEPT, HANG_UP, HOLD, HL7Receiver
from support.told import (
    VISIT, control, delivered, eventually, his, images, notices, ordered, start, stay_silent, values)

STEP = "1.2.840.10008.3.1.2.3.3"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


@pytest.fixture
def told(make_archive):
    return functools.partial(start, make_archive)


def test_the_hospital_hears_once_with_pictures(told, tmp_path):
    with HL7Receiver() as receiver:
        archive = told(his(receiver.port, keyImages=2))
        order = ordered(archive)
        study = images(archive, tmp_path, order)
        receiver.wait()
        message, = receiver.messages
        assert str(message.segment("MSH")[9]) == "ORU^R01^ORU_R01"
        assert str(message.segment("MSH")[18]) == "UNICODE UTF-8"
        assert str(message.segment("PID")[3]) == "BN1^^^24001^MR"
        assert "NGUYỄN VĂN ĐỨC" in str(message.segment("PID")[5])
        assert VISIT in str(message.segment("PV1")[19])
        assert str(message.segment("OBR")[2]).startswith("O1^HIS")
        assert str(message.segment("OBR")[18]) == order["accessionNumber"]
        assert str(message.segment("OBR")[25]) == "R"
        found = values(message)
        assert str(found["110180"]) == study.uid
        assert (str(found["SERIES"]), str(found["INSTANCES"])) == ("1", "3")
        assert str(found["VIEWER"][0][0]).endswith(f"StudyInstanceUIDs={study.uid}")

        # One series, nobody marked anything: the picture in its middle.
        picture, = receivers.pictures(message)
        with Image.open(io.BytesIO(picture)) as image:
            assert image.format == "JPEG" and image.size == (32, 32)
        middle = study.datasets[1]
        path = f"/dicom-web/studies/{study.uid}/series/{middle.SeriesInstanceUID}/instances/{middle.SOPInstanceUID}/rendered"
        drawn = archive.http().get(archive.url + path + "?quality=85", headers={"Accept": "image/jpeg"})
        assert drawn.content == picture

        # No modality said so: the procedure is complete because no more images came.
        assert archive.json("order", "show", study.uid)["order"]["state"] == "completed"
        delivered(archive)
        notice, = notices(archive)
        assert (notice["state"], notice["answer"], notice["status"]) == ("delivered", "AA", "available")
        stay_silent(receiver, 1)
        archive.restart("--hl7-port", 0)
        stay_silent(receiver, 1)
        kept = archive.trail("--account", "notice:his")
        assert [row["kind"] for row in kept] == ["export"]


def test_images_that_come_later_are_a_revision(told, tmp_path):
    with HL7Receiver() as receiver:
        archive = told(his(receiver.port))
        order = ordered(archive)
        images(archive, tmp_path / "a", order)
        receiver.wait(1)
        images(archive, tmp_path / "b", order, instances=2)
        receiver.wait(2)
        first, second = receiver.messages
        assert control(first) != control(second)
        assert (str(values(second)["SERIES"]), str(values(second)["INSTANCES"])) == ("2", "5")
        assert [row["status"] for row in notices(archive)] == ["revised", "available"]


def test_a_modality_that_is_done_needs_no_waiting(told, tmp_path):
    with HL7Receiver() as receiver:
        archive = told(his(receiver.port), settle=3600)
        order = ordered(archive)
        performed = synthetic.uid()
        begin, end = Dataset(), Dataset()
        reference = Dataset()
        reference.StudyInstanceUID, reference.AccessionNumber = order["studyInstanceUID"], order["accessionNumber"]
        begin.ScheduledStepAttributesSequence = Sequence([reference])
        begin.PerformedProcedureStepID, begin.PerformedStationAETitle, begin.Modality = "1", "CT1", "CT"
        begin.PerformedProcedureStepStartDate, begin.PerformedProcedureStepStartTime = "20261121", "093100"
        begin.PerformedProcedureStepStatus = "IN PROGRESS"
        study = synthetic.study(tmp_path, instances=3, StudyInstanceUID=order["studyInstanceUID"], PatientID="BN1",
                                PatientName="NGUYEN VAN DUC", PatientBirthDate="19800215")
        series = Dataset()
        series.SeriesInstanceUID, series.ProtocolName = study.series[0], "Sọ não"
        series.ReferencedImageSequence = Sequence([])
        for instance in study.instances:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = synthetic.CT, instance
            series.ReferencedImageSequence.append(item)
        end.PerformedSeriesSequence = Sequence([series])
        end.PerformedProcedureStepEndDate, end.PerformedProcedureStepEndTime = "20261121", "094500"
        end.PerformedProcedureStepStatus = "COMPLETED"
        with peers.association(archive.dicom_port, [(STEP, [synthetic.EXPLICIT])], "CT1") as association:
            assert association.send_n_create(begin, STEP, performed)[0].Status == 0
            dcmtk.run("storescu", *dcmtk.peer(archive), *study.files[:2])
            assert association.send_n_set(end, STEP, performed)[0].Status == 0
        # One image that the modality named is not here yet.
        stay_silent(receiver, 0)
        dcmtk.run("storescu", *dcmtk.peer(archive), study.files[2])
        receiver.wait(1)
        assert str(values(receiver.messages[0])["INSTANCES"]) == "3"


def test_a_receiver_that_was_away_for_long_hears_the_latest(told, tmp_path):
    port = dcmtk.free_port()
    archive = told(his(port))
    order = ordered(archive)
    study = images(archive, tmp_path / "a", order)
    line, = eventually(lambda: archive.json("notice", "list")["lines"])
    assert line["state"] == "waits" and "no connection" in line["reason"]
    # What never left makes way for what is true now.
    images(archive, tmp_path / "b", order, instances=1)
    eventually(lambda: notices(archive, state="superseded"))
    archive.restart("--hl7-port", 0)
    metrics = archive.get("/metrics")[1]
    assert 'phim_notices_waiting{destination="his"} 1' in metrics
    assert study.uid not in metrics and study.uid not in archive.log.read_text()
    with HL7Receiver(port=port) as receiver:
        archive.run("notice", "retry", "--destination", "his")
        receiver.wait(1)
        delivered(archive)
        assert str(values(receiver.messages[0])["INSTANCES"]) == "4"
        stay_silent(receiver, 1)
    assert archive.json("notice", "list")["lines"] == []


def test_no_answer_means_again_and_the_same(told, tmp_path):
    with HL7Receiver([HANG_UP, HANG_UP, ACCEPT]) as receiver:
        archive = told(his(receiver.port, keyImages=1))
        images(archive, tmp_path, ordered(archive))
        receiver.wait(3)
        assert len(set(receiver.got)) == 1
        delivered(archive)
        notice, = notices(archive)
        assert notice["attempts"] == 3
        stay_silent(receiver, 3)


def test_killed_between_message_and_answer(told, tmp_path):
    with HL7Receiver(HOLD) as receiver:
        archive = told(his(receiver.port))
        images(archive, tmp_path, ordered(archive))
        receiver.wait(1)
        archive.kill()
        receiver.release()
        archive.start("--hl7-port", 0)
        receiver.wait(2)
        delivered(archive)
        # Whoever heeds MSH-10 has it once.
        assert len({control(message) for message in receiver.messages}) == 1
        stay_silent(receiver, 2)


def test_killed_while_images_settle(told, tmp_path):
    with HL7Receiver() as receiver:
        archive = told(his(receiver.port), settle=6)
        images(archive, tmp_path, ordered(archive))
        archive.kill()
        archive.start("--hl7-port", 0)
        receiver.wait(1)
        stay_silent(receiver, 1)


def test_a_refusal_is_kept_and_shown_and_holds_back_its_own_study_alone(told, tmp_path):
    why = "Không có bệnh nhân NGUYỄN VĂN ĐỨC"
    with HL7Receiver(("AE", why)) as receiver:
        archive = told(his(receiver.port))
        first = ordered(archive, "O1")
        images(archive, tmp_path / "a", first)
        refused = eventually(lambda: next((row for row in notices(archive) if row["refusals"]), None))
        assert refused["answer"] == f"AE: {why}"
        assert archive.json("notice", "show", refused["number"])["notice"]["answer"] == f"AE: {why}"
        receiver.answers = [ACCEPT]
        archive.run("notice", "retry", "--destination", "his")
        second = ordered(archive, "O2", "BN2", "V2")
        images(archive, tmp_path / "b", second, patient="BN2")
        delivered(archive, 2)
        assert "a notice is refused" in archive.log.read_text()
        assert "NGUYỄN" not in archive.log.read_text()
        assert control(receiver.messages[0]) in [control(message) for message in receiver.messages[1:]]


def test_revisions_of_a_study_wait_for_the_one_before(told, tmp_path):
    refusal = ("AE", "later")
    with HL7Receiver([refusal]) as receiver:
        archive = told(his(receiver.port))
        order = ordered(archive)
        images(archive, tmp_path / "a", order)
        receiver.wait(1)
        images(archive, tmp_path / "b", order)
        eventually(lambda: len(notices(archive, state="waiting")) == 2)
        receiver.wait(3)
        assert len({control(message) for message in receiver.messages}) == 1
        receiver.answers = [ACCEPT]
        archive.run("notice", "retry", "--destination", "his")
        delivered(archive, 2)
        controls = [control(message) for message in receiver.messages]
        assert len(set(controls)) == 2 and controls == sorted(controls, key=controls.index)


def test_a_slow_destination_holds_up_nobody(told, tmp_path):
    with HL7Receiver(HOLD) as slow, HL7Receiver() as quick:
        archive = told({**his(slow.port), "name": "slow"}, {**his(quick.port), "name": "quick"})
        images(archive, tmp_path / "a", ordered(archive))
        slow.wait(1)
        for number in range(2, 5):
            images(archive, tmp_path / f"{number}", ordered(archive, f"O{number}", f"BN{number}", f"V{number}"),
                   patient=f"BN{number}")
        quick.wait(4)
        assert len(slow.got) == 1
        slow.release()
        slow.wait(4)


def test_a_wrong_link_is_put_right(told, tmp_path):
    with HL7Receiver() as receiver:
        archive = told(his(receiver.port))
        first, second = ordered(archive, "O1"), ordered(archive, "O2", "BN2", "V2")
        study = images(archive, tmp_path, first)
        receiver.wait(1)
        archive.run("inbox", "link", study.uid, "--order", second["accessionNumber"], "--reason", "nhầm người")
        receiver.wait(3)
        wrong, right = receiver.messages[1:]
        assert str(wrong.segment("OBR")[2]).startswith("O1^")
        assert [str(row[11]) for row in wrong.segments("OBX")] == ["W"]
        assert str(wrong.segment("OBR")[25]) == "I"
        assert str(right.segment("PID")[3]).startswith("BN2^") and str(right.segment("OBR")[2]).startswith("O2^")
        assert str(values(right)["110180"]) == study.uid
        archive.run("inbox", "undo", study.uid)
        receiver.wait(4)
        assert str(receiver.messages[3].segment("OBR")[2]).startswith("O2^")
        stay_silent(receiver, 4)


def test_walk_ins_are_for_those_who_ask_for_everything(told, tmp_path):
    with HL7Receiver() as all_of_it, HL7Receiver() as linked:
        archive = told({**his(all_of_it.port), "name": "all", "linkedOnly": False}, his(linked.port))
        study = synthetic.study(tmp_path, instances=1, PatientID="CAPCUU", PatientName="KHONG RO", AccessionNumber="")
        dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
        all_of_it.wait(1)
        assert str(all_of_it.messages[0].segment("PID")[3]).startswith("CAPCUU")
        stay_silent(linked, 0)


def test_mllps(told, tmp_path):
    pair = receivers.certificate(tmp_path)
    with HL7Receiver(pair=pair) as receiver:
        archive = told({**his(receiver.port), "address": f"mllps://127.0.0.1:{receiver.port}", "ca": str(pair[0])})
        images(archive, tmp_path, ordered(archive))
        receiver.wait(1)
        delivered(archive)


def test_the_image_that_somebody_marked_goes_along(told, tmp_path):
    with HL7Receiver() as receiver:
        archive = told(his(receiver.port, keyImages=3), settle=6)
        order = ordered(archive)
        study = images(archive, tmp_path, order, instances=5)
        marked = study.datasets[4]
        note = Dataset()
        note.SpecificCharacterSet = "ISO_IR 192"
        note.SOPClassUID, note.SOPInstanceUID, note.Modality = KEY_OBJECTS, synthetic.uid(), "KO"
        note.StudyInstanceUID, note.SeriesInstanceUID = study.uid, synthetic.uid()
        note.PatientID, note.PatientName, note.PatientBirthDate = "BN1", "NGUYEN VAN DUC", "19800215"
        note.SeriesNumber, note.InstanceNumber, note.ValueType = 9, 1, "CONTAINER"
        title, image, reference = Dataset(), Dataset(), Dataset()
        title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "113000", "DCM", "Of Interest"
        note.ConceptNameCodeSequence = Sequence([title])
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = synthetic.CT, marked.SOPInstanceUID
        image.RelationshipType, image.ValueType = "CONTAINS", "IMAGE"
        image.ReferencedSOPSequence = Sequence([reference])
        note.ContentSequence = Sequence([image])
        path = synthetic.write(tmp_path / "note.dcm", note)
        dcmtk.run("storescu", *dcmtk.peer(archive), path)
        receiver.wait(1)
        picture, = receivers.pictures(receiver.messages[0])
        drawn = archive.http().get(
            f"{archive.url}/dicom-web/studies/{study.uid}/series/{marked.SeriesInstanceUID}/instances/"
            f"{marked.SOPInstanceUID}/rendered?quality=85", headers={"Accept": "image/jpeg"})
        assert drawn.content == picture


def test_large_images_become_smaller_and_those_that_cannot_be_drawn_are_said(told, tmp_path):
    with HL7Receiver() as receiver:
        archive = told(his(receiver.port, keyImages=1))
        images(archive, tmp_path / "a", ordered(archive), instances=1, rows=2000)
        receiver.wait(1)
        with Image.open(io.BytesIO(receivers.pictures(receiver.messages[0])[0])) as image:
            assert max(image.size) == 1024
            assert numpy.asarray(image).std() > 10

        order = ordered(archive, "O2", "BN2", "V2")
        broken = synthetic.encapsulated(
            b"this is no JPEG", study=order["studyInstanceUID"], PatientID="BN2", PatientName="NGUYEN VAN DUC",
            PatientBirthDate="19800215", AccessionNumber=order["accessionNumber"])
        path = synthetic.write(tmp_path / "broken.dcm", broken, "1.2.840.10008.1.2.4.70")
        dcmtk.run("storescu", *dcmtk.peer(archive), "-xs", path)
        receiver.wait(2)
        message = receiver.messages[1]
        assert receivers.pictures(message) == []
        assert "No key image: the images cannot be drawn here." in [str(row[3]) for row in message.segments("NTE")]


def test_stopping_does_not_wait_for_a_receiver(told, tmp_path):
    with HL7Receiver(HOLD) as receiver:
        archive = told(his(receiver.port))
        images(archive, tmp_path, ordered(archive))
        receiver.wait(1)
        archive.restart("--hl7-port", 0)
        receiver.wait(2)
        assert len(set(receiver.got)) == 1
