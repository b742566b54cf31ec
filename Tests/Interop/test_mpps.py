"""Modality Performed Procedure Step with pynetdicom as modality (PS3.4 Section F.7)."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import peers
from support.synthetic import EXPLICIT, IMPLICIT, uid

STEP, STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.4"


@pytest.fixture
def order(shared_archive):
    return shared_archive.json("order", "add", "--patient-id", "BN1", "--name", "Nguyễn Văn Đức", "--modality", "CT",
                               "--station", "CT1")


@pytest.fixture(params=[EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
def modality(shared_archive, request):
    contexts = [(STEP, [request.param]), (STEP_RETRIEVE, [request.param])]
    with peers.association(shared_archive.dicom_port, contexts, "CT1") as association:
        yield association


def begun(study, accession="", step="", **changes):
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    item = Dataset()
    item.StudyInstanceUID, item.AccessionNumber, item.ScheduledProcedureStepID = study, accession, step
    item.ReferencedStudySequence = Sequence([])
    dataset.ScheduledStepAttributesSequence = Sequence([item])
    dataset.PatientName, dataset.PatientID = "Nguyễn Văn Đức", "BN1"
    dataset.PerformedProcedureStepID = "PPS1"
    dataset.PerformedStationAETitle = "CT1"
    dataset.PerformedProcedureStepStartDate, dataset.PerformedProcedureStepStartTime = "20261121", "093100"
    dataset.PerformedProcedureStepStatus = "IN PROGRESS"
    dataset.Modality = "CT"
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def ended(status="COMPLETED", images=2, **values):
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PerformedProcedureStepStatus = status
    dataset.PerformedProcedureStepEndDate, dataset.PerformedProcedureStepEndTime = "20261121", "094500"
    series = Dataset()
    series.SeriesInstanceUID, series.ProtocolName = uid(), "Sọ não"
    series.ReferencedImageSequence = Sequence([])
    for _ in range(images):
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid()
        series.ReferencedImageSequence.append(image)
    dataset.PerformedSeriesSequence = Sequence([series])
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def create(association, dataset, instance):
    status, _ = association.send_n_create(dataset, STEP, instance)
    return status


def change(association, dataset, instance):
    status, _ = association.send_n_set(dataset, STEP, instance)
    return status


def state(archive, order):
    return archive.json("order", "show", order["studyInstanceUID"])["order"]["state"]


def test_completed(shared_archive, order, modality):
    instance = uid()
    assert create(modality, begun(order["studyInstanceUID"]), instance).Status == 0
    assert state(shared_archive, order) == "in-progress"
    progress = Dataset()
    progress.SpecificCharacterSet = "ISO_IR 192"
    progress.PerformedProcedureStepDescription = "CT sọ não"
    assert change(modality, progress, instance).Status == 0
    end = ended(TotalNumberOfExposures=12, ImageAndFluoroscopyAreaDoseProduct=1.5)
    assert change(modality, end, instance).Status == 0
    shown = shared_archive.json("order", "show", order["accessionNumber"])
    assert shown["order"]["state"] == "completed"
    assert [step["to"] for step in shown["steps"]] == ["in-progress", "completed"]
    [performed] = shown["performed"]
    assert performed["dose"]["TotalNumberOfExposures"] == "12"
    assert [(one["instances"], one["protocolName"]) for one in performed["series"]] == [(2, "Sọ não")]
    assert (performed["startedAt"], performed["endedAt"]) == ("20261121093100", "20261121094500")
    # Final: nothing changes any more (PS3.4 Table F.7.2-2).
    late = change(modality, ended("DISCONTINUED"), instance)
    assert (late.Status, late.ErrorComment) == (0x0110, "Performed Procedure Step Object may no longer be updated")
    assert late.ErrorID == 0xA710
    # Kept whole, and readable again.
    status, kept = modality.send_n_get([], STEP_RETRIEVE, instance)
    assert status.Status == 0
    assert str(kept.PatientName) == "Nguyễn Văn Đức" and kept.PerformedProcedureStepDescription == "CT sọ não"
    assert kept.PerformedProcedureStepStatus == "COMPLETED"
    assert len(kept.PerformedSeriesSequence[0].ReferencedImageSequence) == 2
    status, kept = modality.send_n_get([0x00400252], STEP_RETRIEVE, instance)
    assert [element.keyword for element in kept] == ["PerformedProcedureStepStatus"]


def test_discontinued(shared_archive, order, modality):
    instance, reason = uid(), Dataset()
    reason.CodeValue, reason.CodingSchemeDesignator, reason.CodeMeaning = "110513", "DCM", "Equipment failure"
    assert create(modality, begun(order["studyInstanceUID"]), instance).Status == 0
    end = ended("DISCONTINUED", PerformedProcedureStepDiscontinuationReasonCodeSequence=Sequence([reason]))
    assert change(modality, end, instance).Status == 0
    shown = shared_archive.json("order", "show", order["accessionNumber"])
    assert shown["order"]["state"] == "arrived"
    assert shown["performed"][0]["discontinuationReason"] == "Equipment failure"
    assert shown["steps"][-1]["reason"].endswith("Equipment failure")


def test_found_by_accession_and_by_step(shared_archive, order, modality):
    """The modality made a study UID of its own."""
    assert create(modality, begun(uid(), accession=order["accessionNumber"]), uid()).Status == 0
    assert state(shared_archive, order) == "in-progress"
    other = shared_archive.json("order", "add", "--patient-id", "BN2", "--name", "B", "--modality", "CT")
    own = {"PatientID": "BN2", "PatientName": "B"}
    assert create(modality, begun(uid(), step=other["accessionNumber"]), uid()).Status == 0
    assert create(modality, begun(uid(), accession="FOREIGN", step=other["accessionNumber"], **own), uid()).Status == 0
    assert state(shared_archive, other) in ("ordered", "scheduled")
    assert create(modality, begun(uid(), step=other["accessionNumber"], **own), uid()).Status == 0
    assert state(shared_archive, other) == "in-progress"


def test_unscheduled_is_kept(shared_archive, modality):
    instance = uid()
    assert create(modality, begun(uid()), instance).Status == 0
    assert change(modality, ended(), instance).Status == 0
    assert modality.send_n_get([], STEP_RETRIEVE, instance)[0].Status == 0


def test_uid_is_given(modality):
    """PS3.7 Section 10.1.5.1.4: without a UID the provider assigns one."""
    status, _ = modality.send_n_create(begun(uid()), STEP, None)
    assert status.Status == 0


@pytest.mark.parametrize("changes, code", [
    ({"PerformedProcedureStepID": None}, 0x0120),
    ({"ScheduledStepAttributesSequence": None}, 0x0120),
    ({"PerformedStationAETitle": ""}, 0x0121),
    ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106),
    ({"PerformedProcedureStepStatus": "DONE"}, 0x0106),
])
def test_refused(shared_archive, order, modality, changes, code):
    instance = uid()
    assert create(modality, begun(order["studyInstanceUID"], **changes), instance).Status == code
    # Nothing of it is there.
    assert change(modality, ended(), instance).Status == 0x0112
    assert state(shared_archive, order) in ("ordered", "scheduled")


def test_duplicate_and_unknown(order, modality):
    instance = uid()
    assert create(modality, begun(order["studyInstanceUID"]), instance).Status == 0
    assert create(modality, begun(order["studyInstanceUID"]), instance).Status == 0x0111
    assert change(modality, ended(), uid()).Status == 0x0112
    assert change(modality, ended("DONE"), instance).Status == 0x0106
    assert modality.send_n_get([], STEP_RETRIEVE, uid())[0].Status == 0x0112


def test_acknowledged_survives_a_kill(make_archive):
    archive = make_archive().start()
    order = archive.json("order", "add", "--patient-id", "BN1", "--name", "A", "--modality", "CT")
    instance = uid()
    with peers.association(archive.dicom_port, [(STEP, [EXPLICIT])], "CT1") as association:
        assert create(association, begun(order["studyInstanceUID"]), instance).Status == 0
        archive.kill()
    archive.start()
    assert state(archive, order) == "in-progress"
    with peers.association(archive.dicom_port, [(STEP, [EXPLICIT])], "CT1") as association:
        assert change(association, ended(), instance).Status == 0
    assert state(archive, order) == "completed"
