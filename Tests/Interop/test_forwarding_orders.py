"""Rules by what the hospital knows of a study: its visit and its order, over HL7 and over JSON, whatever came first."""

import pytest

from support import dcmtk, forwarding, hospital, synthetic
from support.forwarding import eventually
from support.stow_receiver import StowReceiver

# Name of a rule and of its destination, and what it asks for.
RULES = {
    "emergencies": ["encounter=E"], "wards": ["encounter=I"], "outpatients": ["encounter=O"],
    "main": ["facility=24001"], "branch": ["facility=24002"],
    "referred": ["referral=*van ba*"], "anybody": ["referral=*"],
    "heads": ["bodyPart=dau"], "not-heads": ["bodyPart!=dau", "encounter=*"],
    "both": ["encounter=E,I", "facility=24001", "priority=STAT"],
}


@pytest.fixture
def house(make_archive):
    """A hospital whose rules each lead to a destination of their own: places on one server that takes everything."""
    with StowReceiver() as receiver:
        archive = make_archive({"hospital": {"facility": "24001", "accessionPrefix": "BG"}}).start("--hl7-port", 0)
        for name, when in RULES.items():
            archive.run("destination", "add", name, "--dicomweb", receiver.url, "--lanes", 1)
            forwarding.route(archive, name, name, *when)
        yield archive


def ordered(archive, number, patient, visit, accession, urgency="R", site=""):
    """An order over HL7, with its visit: PV1-2, -3.4 and -8, OBR-15.4 and -27.6."""
    common, request = hospital.order("NW", number, accession=accession)
    request = request.split("|")
    request[15], request[27] = f"^^^{site}", request[27][:-1] + urgency
    common = common.replace("^^S|", f"^^{urgency}|")
    with hospital.Engine(archive.hl7_port) as engine:
        assert engine.send(hospital.message(
            "ORM^O01", hospital.pid(patient), visit, common, "|".join(request)))[0] == "AA"


def visited(kind, number, facility, referring=""):
    return f"PV1|1|{kind}|K01^P2^G5^{facility}||||BS01^TRẦN THỊ LAN|{referring}|||||||||||{number}"


def stored(archive, folder, patient, accession):
    """Images that say nothing of what the rules ask."""
    made = synthetic.study(folder, instances=1, PatientID=patient, PatientName="NGUYEN VAN DUC", AccessionNumber=accession,
                           PatientBirthDate="19800215", PatientSex="M", BodyPartExamined="", ReferringPhysicianName="")
    dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
    return made.uid


def goes(archive, study):
    """{destination: shipment} of a study."""
    return {row["shipment"]["destination"]: row["shipment"] for row in forwarding.ledger(archive, study)["entries"]}


def went(archive, study, names):
    rows = eventually(lambda: (rows := goes(archive, study)).keys() >= set(names) and rows,
                      say=lambda: archive.run("route", "explain", "--study", study).stdout)
    for name in names:
        forwarding.wait_for(archive, study, "sent", name)
    # Nothing else is on its way either, and that is what every rule says of it.
    assert set(goes(archive, study)) == set(names)
    said = archive.json("route", "explain", "--study", study)
    assert {row["route"] for row in said if row["applies"]} == set(names)
    return rows


def test_by_visit_and_order_over_hl7(house, tmp_path):
    emergency = visited("E", "V1", "24001", "BS09^NGUYỄN VĂN BA")
    ordered(house, "O1", "BN1", emergency, "ACC1", urgency="S", site="ĐẦU")
    ordered(house, "O2", "BN2", visited("I", "V2", "24002"), "ACC2", site="NGỰC")
    one, two = stored(house, tmp_path / "1", "BN1", "ACC1"), stored(house, tmp_path / "2", "BN2", "ACC2")
    rows = went(house, one, ["emergencies", "main", "referred", "anybody", "heads", "both"])
    # A study whose order is STAT is urgent by whatever rule.
    assert {row["priority"] for row in rows.values()} == {"stat"}
    rows = went(house, two, ["wards", "branch", "not-heads"])
    assert {row["priority"] for row in rows.values()} == {"normal"}


def test_an_order_that_comes_after_its_images(house, tmp_path):
    study = stored(house, tmp_path, "BN3", "ACC3")
    eventually(lambda: house.json("inbox", "list"))
    assert goes(house, study) == {}
    ordered(house, "O3", "BN3", visited("O", "V3", "24002"), "ACC3", site="ĐẦU")
    went(house, study, ["outpatients", "branch", "heads"])


def test_by_visit_and_order_over_json(house, tmp_path):
    clerk = house.http()

    def post(path, body):
        answer = clerk.post(f"{house.url}/api/v1{path}", json=body, timeout=20)
        assert answer.status_code == 201, answer.text
        return answer.json()

    person = post("/patients", {"identifiers": [{"value": "BN4"}], "name": "Nguyễn Văn Đức", "birthDate": "19800215", "sex": "M"})
    visit = post("/visits", {"patient": person["number"], "number": "V4", "patientClass": "E", "facility": "24002",
                             "referringPhysician": "Nguyễn Văn Ba"})
    order = post("/orders", {"patient": {"number": person["number"]}, "visit": {"number": visit["number"]}, "modality": "CT",
                             "code": {"value": "CT01", "meaning": "CT"}, "bodySite": "Đầu"})["order"]
    study = stored(house, tmp_path, "BN4", order["accessionNumber"])
    went(house, study, ["emergencies", "branch", "referred", "anybody", "heads"])
