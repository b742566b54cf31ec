"""FHIR R4: studies, whose they are, and the way to their images; and what each caller may see."""

import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from support import dcmtk, synthetic
from support.accounts import add_account, eventually
from support.fhir import Client, matches, number, study_uid
from test_fhir import one_order


BASIC_TEXT, PDF = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.104.1"


@pytest.fixture
def archive(make_archive):
    return make_archive({"hospital": {"facility": "24001", "accessionPrefix": "BG"}}).start()


@pytest.fixture
def client(archive):
    return Client(archive)


def store(archive, folder, uid=None, **values):
    if uid:
        values["StudyInstanceUID"] = uid
    study = synthetic.study(folder, **{"PatientID": "BN1", "PatientName": "NGUYEN VAN DUC",
                                       "PatientBirthDate": "19800215", "AccessionNumber": "", **values})
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    return study


def images(client, study):
    """SOP Instance UIDs of what WADO-RS gives, the way that the resource says."""
    reference, = study["endpoint"]
    endpoint = client.get(reference["reference"])
    assert endpoint["connectionType"]["code"] == "dicom-wado-rs"
    answer = client.http.get(f"{endpoint['address']}/studies/{study['id']}", timeout=30,
                             headers={"Accept": 'multipart/related; type="application/dicom"'})
    assert answer.status_code == 200
    boundary = answer.headers["Content-Type"].split("boundary=")[1].strip('"').split(";")[0].strip('"')
    parts = answer.content.split(b"--" + boundary.encode())[1:-1]
    return sorted(str(pydicom.dcmread(io.BytesIO(part.split(b"\r\n\r\n", 1)[1])).SOPInstanceUID) for part in parts)


def test_a_linked_study_is_the_patients(archive, client, tmp_path):
    _, person, stay, request = one_order(client)
    uid = study_uid(request)
    sent = store(archive, tmp_path, uid, series=2, instances=2, modalities=("CT", "SR"))
    found, = eventually(lambda: client.search(f"ImagingStudy?encounter={stay['id']}"))
    assert found["id"] == uid
    assert found["subject"] == {"reference": f"Patient/{person['id']}"}
    assert found["encounter"] == {"reference": f"Encounter/{stay['id']}"}
    assert found["basedOn"] == [{"reference": f"ServiceRequest/{request['id']}"}]
    assert (found["numberOfSeries"], found["numberOfInstances"]) == (2, 4)
    assert {coding["code"] for coding in found["modality"]} == {"CT", "SR"}
    assert found["started"] == "2024-03-15T10:15:00+07:00"
    assert number(found, "ACSN") == number(request, "ACSN")
    assert all("instance" not in series for series in found["series"])
    whole = client.get(f"ImagingStudy/{uid}")
    assert whole["meta"] == found["meta"]
    listed = [instance["uid"] for series in whole["series"] for instance in series["instance"]]
    assert sorted(listed) == images(client, whole) == sorted(sent.instances)

    for query in (f"patient={person['id']}", f"subject=Patient/{person['id']}", "patient.identifier=BN1",
                  "subject:identifier=urn:phim:24001:patient|BN1", f"basedon=ServiceRequest/{request['id']}",
                  f"identifier=urn:dicom:uid|urn:oid:{uid}", f"identifier={number(request, 'ACSN')}",
                  f"accession={number(request, 'ACSN')}", "started=2024-03-15", "started=ge2024-03-15T10:15:00%2B07:00",
                  "started=lt2024-03-16&modality=CT", f"modality=SR&_id={uid}", f"series={sent.series[0]}",
                  "started=ge2024-03&started=le2024-03-15", "status=available"):
        assert [study["id"] for study in client.search(f"ImagingStudy?{query}")] == [uid], query
    for query in ("patient=999", "encounter=999", "modality=MR", "started=2024-03-14", "accession=X",
                  "started=gt2024-03-15T10:15:00%2B07:00", "status=cancelled", "identifier=urn:phim:OTHER:accession|A"):
        assert client.search(f"ImagingStudy?{query}") == [], query
    bundle = client.get(f"ImagingStudy?_id={uid}&_include=*")
    assert {item["resourceType"] for item in matches(bundle, "include")} \
        == {"Patient", "Encounter", "ServiceRequest", "Endpoint"}
    bundle = client.get(f"Encounter?_id={stay['id']}&_revinclude=ImagingStudy:encounter")
    assert [item["id"] for item in matches(bundle, "include")] == [uid]


def test_a_study_that_nobody_linked_says_who_its_images_name(archive, client, tmp_path):
    sent = store(archive, tmp_path, PatientID="KHACH", PatientName="Trần^Thị^Lan", AccessionNumber="ACC9", instances=1)
    found, = client.search("ImagingStudy?patient.identifier=urn:phim:24001:patient|KHACH")
    assert found["id"] == sent.uid and "basedOn" not in found and "encounter" not in found
    assert found["subject"]["display"] == "Trần Thị Lan"
    assert found["subject"]["identifier"]["value"] == "KHACH"
    assert len(client.search("ImagingStudy?accession=ACC9")) == 1
    nameless = store(archive, tmp_path / "b", PatientID="", PatientName="", StudyDate="", StudyTime="", instances=1)
    found = client.get(f"ImagingStudy/{nameless.uid}")
    assert found["subject"]["display"] == "unknown" and "started" not in found


def document(uid, sop_class, series, **values):
    """A document of a study, as a reporting system stores it."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = sop_class, synthetic.uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = uid, series
    made.PatientID, made.PatientName, made.StudyDate, made.StudyTime = "BN1", "NGUYEN VAN DUC", "20240315", "101500"
    made.ContentDate, made.ContentTime = "20240315", "113000"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def test_stored_documents_are_reports(archive, client, tmp_path):
    _, person, stay, request = one_order(client)
    uid = study_uid(request)
    store(archive, tmp_path, uid, instances=1)
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "18748-4", "LN", "Diagnostic imaging report"
    structured = {"Modality": "SR", "ConceptNameCodeSequence": [title], "ValueType": "CONTAINER"}
    pdf = b"%PDF-1.4 made up"
    made = [
        document(uid, BASIC_TEXT, synthetic.uid(), **structured, CompletionFlag="COMPLETE", VerificationFlag="VERIFIED"),
        document(uid, BASIC_TEXT, synthetic.uid(), **structured, CompletionFlag="PARTIAL",
                 VerificationFlag="UNVERIFIED"),
        document(uid, PDF, synthetic.uid(), Modality="DOC", SeriesDescription="Kết quả", EncapsulatedDocument=pdf,
                 MIMETypeOfEncapsulatedDocument="application/pdf"),
        # What a scanner counted is no report.
        document(uid, "1.2.840.10008.5.1.4.1.1.88.67", synthetic.uid(), **structured, CompletionFlag="COMPLETE"),
    ]
    files = [synthetic.write(tmp_path / f"document-{place}.dcm", dataset) for place, dataset in enumerate(made)]
    dcmtk.run("storescu", "-R", *dcmtk.peer(archive), *files)
    eventually(lambda: client.search(f"ImagingStudy?encounter={stay['id']}"))
    assert client.refused("GET", "DiagnosticReport", 400)["code"] == "too-costly"
    known = {str(dataset.SOPInstanceUID): dataset for dataset in made[:3]}
    for query in (f"patient={person['id']}", f"encounter={stay['id']}", f"based-on=ServiceRequest/{request['id']}",
                  f"imaging-study=ImagingStudy/{uid}", "patient.identifier=BN1", "_count=1&patient.identifier=BN1"):
        found = client.search(f"DiagnosticReport?{query}")
        assert {report["id"] for report in found} == set(known), query
    status = {report["id"]: report["status"] for report in found}
    assert [status[str(dataset.SOPInstanceUID)] for dataset in made[:3]] == ["final", "partial", "unknown"]
    report = client.get(f"DiagnosticReport/{made[0].SOPInstanceUID}")
    assert report["code"]["coding"] == [
        {"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging report"}]
    assert report["subject"] == {"reference": f"Patient/{person['id']}"}
    assert report["imagingStudy"] == [{"reference": f"ImagingStudy/{uid}"}]
    assert report["effectiveDateTime"] == "2024-03-15T11:30:00+07:00"
    form, = client.get(f"DiagnosticReport/{made[2].SOPInstanceUID}")["presentedForm"]
    answer = client.http.get(form["url"], headers={"Accept": form["contentType"]}, timeout=30)
    assert (answer.status_code, answer.content[:16]) == (200, pdf)
    form, = report["presentedForm"]
    answer = client.http.get(form["url"], headers={"Accept": form["contentType"]}, timeout=30)
    assert answer.status_code == 200 and str(made[0].SOPInstanceUID).encode() in answer.content
    client.refused("GET", f"DiagnosticReport/{made[3].SOPInstanceUID}", 404)
    archive.trail("--study", uid, has=lambda row: (row["kind"], row["detail"]) == ("read", "FHIR DiagnosticReport"))
    client.refused("GET", "ImagingStudy/NGUYEN", 404)
    rows = archive.trail(has=lambda row: row["detail"] == "FHIR ImagingStudy")
    assert "NGUYEN" not in str([row.get("study") for row in rows])
    bundle = client.get(f"ImagingStudy?_id={uid}&_revinclude=*")
    assert {item["id"] for item in matches(bundle, "include")} == set(known)
    bundle = client.get(f"DiagnosticReport?identifier={made[0].SOPInstanceUID}&_include=*")
    assert {item["resourceType"] for item in matches(bundle, "include")} \
        == {"Patient", "Encounter", "ServiceRequest", "ImagingStudy"}
    add_account(archive, "doctor", "referring-physician")
    doctor = Client(archive, account="doctor")
    assert doctor.search("DiagnosticReport?patient.identifier=BN1") == []
    doctor.refused("GET", f"DiagnosticReport/{made[0].SOPInstanceUID}", 404)


def test_pages_of_studies_stay_true(archive, client, tmp_path):
    def one(day, time="101500"):
        return store(archive, tmp_path, instances=1, StudyDate=day, StudyTime=time).uid

    known = [one(day) for day in ("20240101", "20240102", "20240102", "20240103", "")]
    first = client.get("ImagingStudy?_count=2&_sort=-started")
    assert first["total"] == 5
    one("20240104")
    seen, bundle = matches(first), first
    while following := [link["url"] for link in bundle["link"] if link["relation"] == "next"]:
        bundle = client.get(following[0])
        seen += matches(bundle)
    assert len(seen) == 5 and {study["id"] for study in seen} == set(known)
    assert client.get("ImagingStudy?_summary=count")["total"] == 6


def test_who_may_see_one_study_sees_what_belongs_to_it(archive, client, tmp_path):
    _, person, stay, request = one_order(client)
    others = [resource["id"] for resource in one_order(client, "BN2", "V2", "O2", "TRẦN THỊ LAN")[1:]]
    uid = study_uid(request)
    store(archive, tmp_path, uid, instances=1)
    alien = store(archive, tmp_path / "b", PatientID="BN9", PatientName="KHAC", instances=1).uid
    eventually(lambda: client.search(f"ImagingStudy?encounter={stay['id']}"))
    add_account(archive, "doctor", "referring-physician")
    doctor = Client(archive, account="doctor")
    for kind in ("Patient", "Encounter", "ServiceRequest", "ImagingStudy"):
        assert doctor.search(kind) == [], kind
    grant = {"account": "doctor"}
    assert client.http.post(f"{archive.url}/api/v1/studies/{uid}/grants", json=grant).status_code == 204
    for kind, known, hidden in zip(("Patient", "Encounter", "ServiceRequest", "ImagingStudy"),
                                   (person["id"], stay["id"], request["id"], uid), [*others, alien]):
        assert [resource["id"] for resource in eventually(lambda kind=kind: doctor.search(kind))] == [known]
        assert doctor.get(f"{kind}/{known}")["id"] == known
        doctor.refused("GET", f"{kind}/{hidden}", 404)
        assert doctor.search(f"{kind}?_id={hidden}") == []
    bundle = doctor.get(f"Patient?_id={person['id']}&_revinclude=*")
    assert len(matches(bundle, "include")) == 3
    assert images(doctor, doctor.get(f"ImagingStudy/{uid}"))
    doctor.refused("POST", "Patient", 403, body=person)
    doctor.refused("PUT", f"ServiceRequest/{request['id']}", 403, body=request)
    doctor.http.headers.pop("Authorization")
    for method, path in (("GET", "Patient"), ("GET", f"Patient/{person['id']}"), ("POST", "Patient")):
        assert doctor.refused(method, path, 401, **({"body": person} if method == "POST" else {}))["code"] == "login"
    assert doctor.get("metadata")["status"] == "active"
    # An order that was given the study's UID is not its order when somebody said so.
    archive.run("inbox", "undo", uid, "--reason", "another patient's")
    doctor = Client(archive, account="doctor")
    for kind, hidden in (("Patient", person["id"]), ("Encounter", stay["id"]), ("ServiceRequest", request["id"])):
        assert doctor.search(kind) == [], kind
        doctor.refused("GET", f"{kind}/{hidden}", 404)
    archive.trail("--account", "doctor", has=lambda row: (row["kind"], row["detail"]) == ("search", "FHIR Patient"))
