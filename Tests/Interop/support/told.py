"""A hospital whose systems are told of studies: orders, their images, and what the outbox says."""

import time

from support import dcmtk, hospital, synthetic

VISIT = "24001.2026.11.21.000077/KCB-NGOAI-TRU/K01"


def start(make_archive, *destinations, settle=2, **files):
    """A running archive with these destinations."""
    archive = make_archive({
        "hospital": {"facility": "24001", "settleSeconds": settle},
        "http": {"publicURL": "https://pacs.example.org"},
        "notices": list(destinations)})
    for name, text in files.items():
        (archive.data / name).write_text(text)
    return archive.start("--hl7-port", 0)


def his(port, **more):
    return {"name": "his", "address": f"mllp://127.0.0.1:{port}", "receiver": "HIS^24001", **more}


def eventually(what, seconds=120):
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.1)
    return value


def ordered(archive, number="O1", patient="BN1", visit=VISIT):
    """An order as phim shows it."""
    with hospital.Engine(archive.hl7_port) as engine:
        message = hospital.message("ORM^O01", hospital.pid(patient), hospital.pv1(visit), *hospital.order("NW", number))
        assert engine.send(message)[0] == "AA"
    return next(order for order in archive.json("order", "list") if order["orderNumber"] == number)


def images(archive, folder, order, instances=3, patient="BN1", **values):
    """The order's study, stored."""
    study = synthetic.study(folder, instances=instances, **{
        "StudyInstanceUID": order["studyInstanceUID"], "AccessionNumber": order["accessionNumber"],
        "PatientID": patient, "PatientName": "NGUYEN VAN DUC", "PatientBirthDate": "19800215", "PatientSex": "M",
        **values})
    study.uid = order["studyInstanceUID"]
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    return study


def notices(archive, **options):
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return archive.json("notice", "list", *words)["notices"]


def delivered(archive, count=1):
    return eventually(lambda: len(notices(archive, state="delivered")) >= count)


def control(message):
    return str(message.segment("MSH")[10])


def values(message):
    """OBX-5 by the code in OBX-3."""
    return {str(row[3][0][0]): row[5] for row in message.segments("OBX")}


def stay_silent(receiver, count, seconds=3):
    """Nothing more comes."""
    time.sleep(seconds)
    assert len(receiver.got) == count
