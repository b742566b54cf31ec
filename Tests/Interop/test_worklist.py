"""Modality Worklist against findscu and pynetdicom (PS3.4 Annex K)."""

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import dcmtk, peers
from support.synthetic import EXPLICIT, IMPLICIT

WORKLIST = "1.2.840.10008.5.1.4.31"
CHARACTERS = {"UTF8": "utf8", "LATIN1": "latin1", "ASCII": "ascii"}

ORDERS = {
    "duc": ["--patient-id", "BN1", "--name", "Nguyễn Văn Đức", "--birth-date", "19800215", "--sex", "M",
            "--citizen-id", "001080000123", "--insurance", "GD4010123456789", "--modality", "CT", "--station", "CT1",
            "--at", "202611210930", "--code", "CT01", "--meaning", "CT sọ não", "--visit", "V" * 90,
            "--department", "Khoa Cấp cứu", "--allergies", "Penicillin;tôm", "--pregnancy", "1", "--weight", "61.5",
            "--performer", "Lan^Trần"],
    "hoa": ["--patient-id", "BN2", "--name", "LÊ THỊ HOA", "--birth-date", "1990", "--sex", "F", "--modality", "MR",
            "--at", "202611220800", "--code", "MR02", "--accession", "HOA1"],
    "binh": ["--patient-id", "BN3", "--name", "Phạm^Bình", "--modality", "CT", "--at", "202611211400"],
}


@pytest.fixture(scope="module")
def hospital(shared_archive):
    for title, charset in CHARACTERS.items():
        shared_archive.run("peer", "add", title.lower(), "--ae-title", title, "--host", "127.0.0.1", "--port", 104,
                           "--charset", charset)
    shared_archive.orders = {name: shared_archive.json("order", "add", *arguments)
                             for name, arguments in ORDERS.items()}
    return shared_archive


def query(step=None, **keys):
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = ""
    dataset.AccessionNumber = ""
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    item = Dataset()
    for keyword, value in {"ScheduledStationAETitle": "", "Modality": "", "ScheduledProcedureStepStartDate": "",
                           "ScheduledProcedureStepStartTime": "", **(step or {})}.items():
        setattr(item, keyword, value)
    dataset.ScheduledProcedureStepSequence = Sequence([item])
    return dataset


def ask(archive, dataset, title="UTF8", syntax=EXPLICIT):
    with peers.association(archive.dicom_port, [(WORKLIST, [syntax])], title) as association:
        answers = [(status.get("Status"), answer) for status, answer in association.send_c_find(dataset, WORKLIST)]
    return [answer for status, answer in answers[:-1]], answers[-1][0], {status for status, _ in answers[:-1]}


def names(archive, **arguments):
    found, status, _ = ask(archive, query(**arguments))
    assert status == 0
    numbers = {order["accessionNumber"]: name for name, order in archive.orders.items()}
    return [numbers[answer.AccessionNumber] for answer in found]


ALL = ["duc", "binh", "hoa"]  # in the order of their times


@pytest.mark.parametrize("step, keys, expected", [
    ({}, {}, ALL),
    ({}, {"PatientName": "*van duc*"}, ["duc"]),
    ({}, {"PatientName": "Nguyễn^Văn^Đức"}, ["duc"]),
    ({}, {"PatientName": "NGUYEN*"}, ["duc"]),
    ({}, {"PatientName": "*"}, ALL),
    ({}, {"PatientID": "BN2"}, ["hoa"]),
    ({}, {"PatientID": "BN?"}, ALL),
    ({}, {"PatientID": "001080000123"}, ["duc"]),
    ({"Modality": "CT"}, {}, ["duc", "binh"]),
    ({"Modality": "US"}, {}, []),
    ({"ScheduledStationAETitle": "CT1"}, {}, ALL),
    ({"ScheduledStationAETitle": "CT2"}, {}, ["binh", "hoa"]),
    ({"ScheduledProcedureStepStartDate": "20261121"}, {}, ["duc", "binh"]),
    ({"ScheduledProcedureStepStartDate": "20261121-20261122"}, {}, ALL),
    ({"ScheduledProcedureStepStartDate": "-20261120"}, {}, []),
    ({"ScheduledProcedureStepStartDate": "20261121", "ScheduledProcedureStepStartTime": "0900-1000"}, {}, ["duc"]),
    # One span over both days (PS3.4 Table K.6-1).
    ({"ScheduledProcedureStepStartDate": "20261121-20261122", "ScheduledProcedureStepStartTime": "1200-0900"}, {},
     ["binh", "hoa"]),
    ({"ScheduledPerformingPhysicianName": "*tran*"}, {}, ["duc"]),
    ({"ScheduledPerformingPhysicianName": "*minh*"}, {}, []),
    ({}, {"AccessionNumber": "HOA1"}, ["hoa"]),
    ({}, {"RequestedProcedureID": "HOA*"}, ["hoa"]),
    ({"ScheduledProcedureStepID": "HOA1"}, {}, ["hoa"]),
    ({"ScheduledProcedureStepStatus": "SCHEDULED"}, {}, ALL),
    ({"ScheduledProcedureStepStatus": "STARTED"}, {}, []),
])
def test_matching(hospital, step, keys, expected):
    assert names(hospital, step=step, **keys) == expected


def test_study_uid_list(hospital):
    uids = [hospital.orders[name]["studyInstanceUID"] for name in ("duc", "hoa")]
    assert names(hospital, StudyInstanceUID=uids) == ["duc", "hoa"]


@pytest.mark.parametrize("title, charset, name, place, department", [
    ("UTF8", "ISO_IR 192", "Nguyễn Văn Đức", "CT sọ não", "Khoa Cấp cứu"),
    ("LATIN1", "ISO_IR 100", "Nguyen Van Duc", "CT so não", "Khoa Cap cuu"),
    ("ASCII", None, "Nguyen Van Duc", "CT so nao", "Khoa Cap cuu"),
])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_characters(hospital, title, charset, name, place, department, syntax):
    """Every station reads what it can."""
    [answer], status, _ = ask(
        hospital, query(PatientID="BN1", RequestedProcedureDescription="", CurrentPatientLocation=""), title, syntax)
    assert status == 0
    assert answer.get("SpecificCharacterSet") == charset
    assert str(answer.PatientName) == name
    assert answer.RequestedProcedureDescription == place
    assert answer.CurrentPatientLocation == department


def test_return_keys(hospital):
    keys = query(PatientID="BN1")
    for keyword in ("IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientWeight", "PatientSize", "Allergies",
                    "MedicalAlerts", "SpecialNeeds", "PatientState", "PatientAge", "AdmissionID", "StudyInstanceUID",
                    "RequestedProcedureID", "RequestedProcedurePriority", "ReferringPhysicianName",
                    "RequestingPhysician", "InstitutionName", "ConfidentialityConstraintOnPatientDataDescription",
                    "PatientTransportArrangements"):
        setattr(keys, keyword, "")
    keys.PregnancyStatus = None
    for keyword in ("ReferencedStudySequence", "ReferencedPatientSequence", "RequestedProcedureCodeSequence",
                    "OtherPatientIDsSequence", "IssuerOfAccessionNumberSequence"):
        setattr(keys, keyword, Sequence([]))
    keys.ScheduledProcedureStepSequence = Sequence([])  # all of it
    [answer], status, kinds = ask(hospital, keys)
    assert status == 0 and kinds == {0xFF00}
    # Every key that was asked for is there, and no other.
    asked = {element.tag for element in keys}
    assert {element.tag for element in answer} == asked
    order = hospital.orders["duc"]
    assert answer.StudyInstanceUID == order["studyInstanceUID"]
    assert answer.AccessionNumber == order["accessionNumber"] and len(answer.AccessionNumber) <= 16
    assert answer.AdmissionID == "V" * 64
    assert answer.PatientBirthDate == "19800215" and answer.PatientAge == "046Y"
    assert list(answer.Allergies) == ["Penicillin", "tôm"]
    assert answer.PregnancyStatus == 1 and answer.PatientWeight == 61.5
    others = {item.IssuerOfPatientID: item.PatientID for item in answer.OtherPatientIDsSequence}
    assert others == {"VN-CCCD": "001080000123", "VN-BHYT": "GD4010123456789"}
    assert answer.RequestedProcedureCodeSequence[0].CodeValue == "CT01"
    [step] = answer.ScheduledProcedureStepSequence
    assert (step.ScheduledStationAETitle, step.Modality) == ("CT1", "CT")
    assert (step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime) == ("20261121", "093000")
    assert step.ScheduledProtocolCodeSequence[0].CodeMeaning == "CT sọ não"
    assert step.ScheduledProcedureStepStatus == "SCHEDULED"


def test_keys_that_are_not_matched_are_told_of(hospital):
    found, status, kinds = ask(hospital, query(PatientSex="M"))
    assert status == 0 and len(found) == 3 and kinds == {0xFF01}


def test_bad_date_is_refused(hospital):
    found, status, _ = ask(hospital, query(step={"ScheduledProcedureStepStartDate": "20261399"}))
    assert (found, status) == ([], 0xA900)


def test_findscu(hospital, tmp_path):
    """DCMTK as a console: the same answers, readable by its own parser."""
    dcmtk.run("findscu", "-W", "-X", "-od", tmp_path, "-k", "PatientName=*DUC*", "-k", "AccessionNumber",
              "-k", "StudyInstanceUID", "-k", "(0040,0100)[0].Modality=CT",
              "-k", "(0040,0100)[0].ScheduledProcedureStepStartDate=20261121-",
              "-k", "(0040,0100)[0].ScheduledStationAETitle", *dcmtk.peer(hospital, "ASCII"))
    [path] = tmp_path.glob("rsp*.dcm")
    answer = pydicom.dcmread(path, force=True)
    assert str(answer.PatientName) == "Nguyen Van Duc"
    assert answer.StudyInstanceUID == hospital.orders["duc"]["studyInstanceUID"]
    assert answer.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT1"


def test_cancel(hospital):
    """C-CANCEL after the first answer ends the query, or it had ended already."""
    with peers.association(hospital.dicom_port, [(WORKLIST, [EXPLICIT])], "UTF8") as association:
        statuses = []
        for status, _ in association.send_c_find(query(), WORKLIST, msg_id=7):
            statuses.append(status.Status)
            if len(statuses) == 1:
                association.send_c_cancel(7, query_model=WORKLIST)
        assert statuses[-1] in (0xFE00, 0x0000)
        # The association is still good for the next question.
        assert [status.Status for status, _ in association.send_c_find(query(PatientID="BN2"), WORKLIST)] == [
            0xFF00, 0x0000]


def test_cancelled_order_leaves_the_worklist(hospital):
    order = hospital.json("order", "add", "--patient-id", "BN9", "--name", "Võ Tấn", "--modality", "US", "--at",
                          "20261123")
    assert len(ask(hospital, query(PatientID="BN9"))[0]) == 1
    hospital.run("order", "cancel", order["accessionNumber"])
    assert ask(hospital, query(PatientID="BN9"))[0] == []
    assert hospital.json("order", "show", order["accessionNumber"])["order"]["state"] == "cancelled"


def test_preview_shows_what_the_station_reads(hospital):
    report = hospital.json("worklist", "preview", "--peer", "latin1", "--any-station", "--patient-id", "BN1")
    [item] = report["items"]
    assert report["characterSet"] == "latin1"
    assert item["attributes"]["PatientName"] == "Nguyen Van Duc"
    assert item["attributes"]["ScheduledProcedureStepSequence/Modality"] == "CT"
    lost = {one["attribute"]: (one["original"], one["shown"], one["isUnreadable"]) for one in item["lost"]}
    assert lost["PatientName"] == ("Nguyễn Văn Đức", "Nguyen Van Duc", False)
    assert "AccessionNumber" not in lost
    assert hospital.json("worklist", "preview", "--peer", "utf8", "--any-station")["items"][0]["lost"] == []
    # It asks for its own title, and finds what is for any station.
    listed = hospital.json("worklist", "list", "--peer", "ascii", "--date", "20261121-20261122")
    assert [row["PatientID"] for row in listed] == ["BN3", "BN2"]


def test_merged_patient_is_shown_as_the_survivor(make_archive):
    archive = make_archive({"hospital": {"facility": "24001", "accessionPrefix": "BG"}}).start()
    order = archive.json("order", "add", "--patient-id", "OLD", "--name", "Trần Văn A", "--modality", "CT")
    assert order["accessionNumber"].startswith("BG")
    archive.run("order", "add", "--patient-id", "NEW", "--name", "Trần Văn An", "--modality", "MR")
    archive.run("patient", "merge", "OLD", "NEW", "--reason", "registered twice")
    found, _, _ = ask(archive, query(PatientID="", PatientName="*van an"))
    assert {(str(answer.PatientName), answer.PatientID) for answer in found} == {("Trần Văn An", "NEW")}
    assert len(found) == 2
    archive.run("order", "add", "--patient-id", "THIRD", "--name", "Trần Văn An", "--modality", "MR")
    refused = archive.run("patient", "merge", "OLD", "THIRD", "--reason", "again", expect=2)
    assert "already" in refused.stderr and archive.json("patient", "show", "NEW")["patient"]["identifiers"][1]["value"] == "OLD"
    archive.run("patient", "unmerge", "OLD")
    found, _, _ = ask(archive, query(PatientID="OLD"))
    assert [str(answer.PatientName) for answer in found] == ["Trần Văn A"]
    assert archive.json("patient", "show", "NEW")["history"][0]["isUndone"]
    assert [one["name"] for one in archive.json("patient", "find", "tran van a*")] == ["Trần Văn A"] + ["Trần Văn An"] * 2


def test_command_line_refusals(make_archive):
    archive = make_archive().start()
    add = ["order", "add", "--patient-id", "P1", "--name", "A"]
    archive.run(*add, "--modality", "CT", "--at", "20261399", expect=2)
    archive.run(*add, "--modality", "CT", "--citizen-id", "12", expect=2)
    archive.run(*add, "--modality", "X" * 17, expect=2)
    archive.run("order", "cancel", "NOTHING", expect=2)
    archive.run("order", "complete", "NOTHING", expect=2)
    archive.run("order", "add", "--patient-id", "P2", "--modality", "CT", expect=2)
    archive.run("patient", "show", "NOBODY", expect=2)
    archive.run("worklist", "list", "--peer", "nobody", expect=2)
    assert archive.json("order", "list") == []


def test_patient_code_of_somebody_else_is_refused(make_archive):
    archive = make_archive().start()
    add = ["order", "add", "--patient-id", "P1", "--modality", "CT"]
    order = archive.json(*add, "--name", "Lê Thị Hoa")
    archive.run(*add, "--name", "Phạm Văn Nam", expect=2)
    assert archive.json("patient", "show", "P1")["patient"]["name"] == "Lê Thị Hoa"
    # Without a name, and as a console writes it.
    archive.run(*add)
    archive.run(*add, "--name", "LE THI HOA")
    archive.run(*add, "--name", "Lê Thị Hòa Bình", "--rename")
    shown = archive.json("patient", "show", "P1")
    assert shown["patient"]["name"] == "Lê Thị Hòa Bình"
    assert (shown["history"][0]["kind"], shown["history"][0]["before"]["name"]) == ("changed", "LE THI HOA")
    archive.run("order", "complete", order["accessionNumber"])
    assert archive.json("order", "show", order["accessionNumber"])["order"]["state"] == "completed"
