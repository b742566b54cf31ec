"""QIDO-RS: what viewers and clients that others wrote search for."""

import io
import xml.etree.ElementTree as ElementTree
from email.parser import BytesParser

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from support import qido, synthetic
from support.qido import JSON, LIST, NAMES, ask, found, studies_of, value

OHIF = 'application/dicom+json, multipart/related; type="application/octet-stream"; transfer-syntax="*"'

# PS3.18 Tables 10.6.3-3 to 10.6.3-5: what comes unasked; Timezone Offset and the empty are conditional.
STUDY = {"00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081190", "00100010", "00100020",
         "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208"}
SERIES = {"00080060", "0008103E", "00081190", "0020000E", "00200011", "00201209", "00400244", "00400245"}
INSTANCE = {"00080016", "00080018", "00080056", "00081190", "00200013", "00280010", "00280011", "00280100"}


@pytest.fixture(scope="module")
def filled(shared_archive, module_folder):
    return qido.fill(shared_archive, module_folder)


@pytest.fixture
def session(filled):
    return filled.http()


# Clients of others.


def test_dicomweb_client_at_every_level(filled):
    client = DICOMwebClient(f"http://127.0.0.1:{filled.http_port}/dicom-web",
                            headers={"Authorization": f"Bearer {filled.token()}"})
    study = filled.studies[0]
    assert len(client.search_for_studies()) == 5
    (only,) = client.search_for_studies(search_filters={"PatientID": "BN000"}, fields=["PatientAge"])
    assert Dataset.from_json(only).StudyInstanceUID == study.uid
    assert len(client.search_for_studies(limit=2)) == 2
    assert len(client.search_for_studies(limit=2, offset=4)) == 1
    assert len(client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": "nguyen duc"})) == 1
    assert len(client.search_for_studies(get_remaining=True, limit=2)) == 5
    assert len(client.search_for_series()) == 10
    assert len(client.search_for_series(study.uid)) == 2
    assert len(client.search_for_instances()) == 30
    assert len(client.search_for_instances(study.uid)) == 6
    three = client.search_for_instances(study.uid, study.series[1])
    assert [Dataset.from_json(one).InstanceNumber for one in three] == [1, 2, 3]
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    with pytest.raises(requests.HTTPError) as refused:
        client.search_for_studies(search_filters={"StudyDate": "soon"})
    assert refused.value.response.status_code == 400


def test_pydicom_reads_every_match(filled, session):
    for path in ("/studies?includefield=all", "/series?includefield=all", "/instances?includefield=all"):
        for match in found(filled, session, path):
            dataset = Dataset.from_json(match)
            assert dataset.StudyInstanceUID and dataset.RetrieveURL
            assert list(match) == sorted(match), "attributes stand in order of tags"


# What OHIF sends, letter by letter.


def ohif_requests(archive):
    study = archive.studies[2]
    return [
        (f"/studies?{LIST}", JSON, 5),
        (f"/studies?{LIST.replace('offset=0', 'offset=100')}", JSON, 0),
        (f"/studies?{LIST}&PatientName=*nguyen*", JSON, 1),
        (f"/studies?{LIST}&PatientName=*nguy**", JSON, 1),
        (f"/studies?{LIST}&00100020=*BN00*", JSON, 5),
        (f"/studies?{LIST}&StudyDescription=*CT*", JSON, 5),
        (f"/studies?{LIST}&AccessionNumber=*212345*", JSON, 1),
        (f"/studies?{LIST}&ModalitiesInStudy=CT", JSON, 5),
        (f"/studies?{LIST}&ModalitiesInStudy=PT,MR", JSON, 1),
        (f"/studies?{LIST}&StudyDate=20240311-20240313", JSON, 3),
        (f"/studies?{LIST}&StudyDate=19700102-20240310", JSON, 1),
        (f"/studies?{LIST}&StudyInstanceUID={study.uid}", JSON, 1),
        (f"/studies?00100020=BN002&{LIST}", JSON, 1),
        (f"/studies/{study.uid}/series?includefield=00080021,00080031,0008103E,00200011", OHIF, 2),
        (f"/studies/{study.uid}/series?includefield=00080021,00080031,0008103E,00200011"
         f"&SeriesInstanceUID={study.series[1]}", OHIF, 1),
    ]


def test_every_request_of_ohif(filled, session):
    for path, accept, count in ohif_requests(filled):
        matches = found(filled, session, path, accept=accept)
        assert len(matches) == count, path
        for match in matches:
            assert match.get("00080061", {"Value": 1}).get("Value"), "ModalitiesInStudy without a value stops OHIF"


def test_a_study_without_modality_has_no_empty_modalities(filled, session, module_folder):
    dataset = synthetic.ct(PatientID="BLANK", Modality="")
    filled.run("import", synthetic.write(module_folder / "blank.dcm", dataset))
    try:
        (match,) = found(filled, session, "/studies?PatientID=BLANK")
        assert "00080061" not in match
    finally:
        filled.run("delete", "--study", dataset.StudyInstanceUID, "--yes")


# What every match has.


def test_attributes_that_come_unasked(filled, session):
    study = filled.studies[0]
    (one,) = found(filled, session, f"/studies?StudyInstanceUID={study.uid}")
    assert STUDY <= set(one)
    assert one["00080061"] == {"vr": "CS", "Value": ["CT"]}
    assert one["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": NAMES[0]}]}
    assert one["00201206"] == {"vr": "IS", "Value": [2]}
    assert one["00201208"] == {"vr": "IS", "Value": [6]}
    assert one["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    below = found(filled, session, f"/studies/{study.uid}/series")[0]
    assert SERIES <= set(below) and "00100010" not in below
    assert SERIES | STUDY <= set(found(filled, session, "/series")[0]), "of all series: with what is above"
    deep = f"/studies/{study.uid}/series/{study.series[0]}/instances"
    instance = found(filled, session, deep)[0]
    assert INSTANCE <= set(instance) and "00080060" not in instance
    assert INSTANCE | SERIES <= set(found(filled, session, f"/studies/{study.uid}/instances")[0])
    assert INSTANCE | SERIES | STUDY <= set(found(filled, session, "/instances")[0])
    assert value(found(filled, session, "/studies?PatientID=BN003")[0], "00080201") == "+0700"


def test_retrieve_url_has_the_host_and_port_that_were_asked(filled, session):
    study = filled.studies[0]
    base = f"http://127.0.0.1:{filled.http_port}/dicom-web"
    assert value(found(filled, session, f"/studies?StudyInstanceUID={study.uid}")[0], "00081190") \
        == f"{base}/studies/{study.uid}"
    instance = found(filled, session, f"/studies/{study.uid}/instances")[0]
    url, uid = value(instance, "00081190"), value(instance, "00080018")
    # Whichever came first.
    series, = {str(dataset.SeriesInstanceUID) for dataset in study.datasets if str(dataset.SOPInstanceUID) == uid}
    assert url == f"{base}/studies/{study.uid}/series/{series}/instances/{uid}"
    # The word of somebody who is no trusted proxy counts for nothing.
    for name in ("X-Forwarded-Host", "X-Forwarded-Proto"):
        answer = session.get(f"{base}/studies", headers={"Accept": JSON, name: "evil.example.org"})
        assert all(value(match, "00081190").startswith(base) for match in answer.json())
    for host in ('evil"x', "evil/x", "a b"):
        answer = session.get(f"{base}/studies", headers={"Accept": JSON, "Host": host})
        assert answer.status_code == 400 or value(answer.json()[0], "00081190").startswith("/dicom-web/studies/")


def test_behind_a_trusted_proxy(make_archive, tmp_path):
    archive = make_archive({"access": {"trustedProxies": ["127.0.0.1"]}}).start()
    archive.run("import", synthetic.write(tmp_path / "one.dcm", synthetic.ct()))
    answer = archive.http().get(
        f"http://127.0.0.1:{archive.http_port}/dicom-web/studies",
        headers={"X-Forwarded-Host": "pacs.example.org:8443", "X-Forwarded-Proto": "https"})
    assert value(answer.json()[0], "00081190").startswith("https://pacs.example.org:8443/dicom-web/studies/")


# Keys.


@pytest.mark.parametrize("query, numbers", [
    ("PatientName=*nguyen*", [0]), ("PatientName=nguyễn*", [0]), ("PatientName=NGUYEN^VAN^DUC", [0]),
    ("PatientName=duc%20van%20nguyen", [0]), ("PatientName=*đức*", [0]), ("PatientName=*duc*", [0]),
    ("PatientName=do*", [4]), ("PatientName=Đỗ*", [4]), ("PatientName=hanh+do&fuzzymatching=true", [4]),
    ("PatientName=ng+du&fuzzymatching=true", [0]), ("PatientName=*thi*", [1, 4]), ("PatientName=nguyen", []),
    ("PatientID=BN001", [1]), ("PatientID=BN00?", [0, 1, 2, 3, 4]), ("PatientID=*1", [1]), ("PatientID=bn001", []),
    ("PatientID=BN001%5CBN003", [1, 3]), ("00100020=BN00*", [0, 1, 2, 3, 4]),
    ("StudyDate=20240312", [2]), ("StudyDate=20240312-", [2, 3, 4]), ("StudyDate=-20240311", [0, 1]),
    ("StudyDate=20240311-20240312", [1, 2]), ("StudyTime=1200-1330", [2, 3]), ("StudyTime=14", [4]),
    # One span of time, not a span of days and one of hours.
    ("StudyDate=20240311-20240313&StudyTime=1100-1300", [1, 2]),
    ("AccessionNumber=2024-312345", [3]), ("StudyDescription=*ngực%202*", [2]),
    ("ModalitiesInStudy=MR", [2]), ("ModalitiesInStudy=MR,US", [2]), ("NumberOfStudyRelatedInstances=6", [0, 1, 2, 3, 4]),
    ("Modality=MR", [2]), ("SeriesDescription=Lung*", [0, 1, 2, 3, 4]), ("PatientID=BN001&StudyDate=20240312", []),
    ("RequestAttributesSequence.ScheduledProcedureStepID=SPS2", [3]),
    ("00400275.00401001=RP1", [3]), ("00400275.00401001=RP3", []), ("00400275.ScheduledProcedureStepID=SPS?", [3]),
])
def test_keys(filled, session, query, numbers):
    matches = found(filled, session, f"/studies?{query}")
    assert studies_of(matches) == sorted(filled.studies[number].uid for number in numbers)


@pytest.mark.parametrize("separator", [",", "%5C", "\\", "%2C"])
def test_lists_of_uids(filled, session, separator):
    wanted = [filled.studies[0].uid, filled.studies[4].uid]
    assert studies_of(found(filled, session, f"/studies?StudyInstanceUID={separator.join(wanted)}")) == sorted(wanted)
    series = [study.series[0] for study in filled.studies[1:3]]
    assert len(found(filled, session, f"/series?SeriesInstanceUID={separator.join(series)}")) == 2


def test_hundreds_of_uids(filled, session):
    uids = [f"{synthetic.ROOT}.9.{number}" for number in range(500)] + [filled.studies[3].uid]
    assert studies_of(found(filled, session, f"/studies?StudyInstanceUID={','.join(uids)}")) == [filled.studies[3].uid]


def test_keys_of_series_and_instances(filled, session):
    study = filled.studies[2]
    assert [value(match, "00080060") for match in found(filled, session, f"/studies/{study.uid}/series")] == ["CT", "MR"]
    assert len(found(filled, session, f"/studies/{study.uid}/series?Modality=MR")) == 1
    assert len(found(filled, session, "/series?Modality=CT,MR&PatientName=*hoang*")) == 2
    assert len(found(filled, session, "/series?PerformedProcedureStepStartDate=20240310-20240311")) == 4
    assert len(found(filled, session, "/instances?InstanceNumber=2")) == 10
    assert len(found(filled, session, f"/studies/{study.uid}/instances?Modality=MR&InstanceNumber=3")) == 1
    assert len(found(filled, session, f"/instances?SOPInstanceUID={study.instances[0]}")) == 1
    assert found(filled, session, f"/studies/{study.uid}/series?StudyInstanceUID={filled.studies[0].uid}") == []
    assert found(filled, session, f"/studies/{study.uid}/series/{filled.studies[0].series[0]}/instances") == []


def test_unknown_keys_are_never_taken_for_everything(filled, session):
    answer = ask(filled, session, "/studies?PatientNme=x")
    assert answer.status_code == 400
    assert "PatientNme" in answer.json()["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    ignored = ask(filled, session, "/studies?KVP=120&00091001=x")
    assert ignored.status_code == 200 and len(ignored.json()) == 5
    assert ignored.headers["Warning"].count("299") == 2
    assert "KVP" in ignored.headers["Warning"]


# Attributes on request.


def test_any_stored_attribute_on_request(filled, session):
    (one,) = found(filled, session, "/studies?PatientID=BN003&includefield=KVP,ProcedureCodeSequence&includefield=00280030")
    assert one["00180060"] == {"vr": "DS", "Value": [120]}
    (code,) = one["00081032"]["Value"]
    assert code["00080104"] == {"vr": "LO", "Value": ["CT ngực"]}
    assert "00280030" not in one, "what no object has is left out"
    (one,) = found(filled, session, "/studies?PatientID=BN003&includefield=00081032.00080100")
    assert one["00081032"]["Value"][0]["00080100"]["Value"] == ["CTNGUC"]


def test_orders_come_with_their_series(filled, session):
    for match in found(filled, session, f"/studies/{filled.studies[3].uid}/series"):
        items = match["00400275"]["Value"]
        assert [(item["00400009"]["Value"], item["00401001"]["Value"]) for item in items] \
            == [(["SPS1"], ["RP1"]), (["SPS2"], ["RP2"])]
    assert "00400275" not in found(filled, session, f"/studies/{filled.studies[0].uid}/series")[0]


def test_all_attributes(filled, session):
    study = filled.studies[3]
    (whole,) = found(filled, session, f"/instances?SOPInstanceUID={study.instances[0]}&includefield=all")
    stored = pydicom.dcmread(study.files[0], stop_before_pixels=True)
    for element in stored:
        assert f"{int(element.tag):08X}" in whole, element.tag
    assert "7FE00010" not in whole
    (one,) = found(filled, session, f"/studies?StudyInstanceUID={study.uid}&includefield=all")
    assert {"00080062", "00101010", "00201200"} - {"00101010"} <= set(one)


# Pages, order and counts.


def test_pages_cover_everything_once(filled, session):
    whole = [value(match, "0020000D") for match in found(filled, session, "/studies")]
    assert whole == [study.uid for study in reversed(filled.studies)], "the newest first"
    pages = [value(match, "0020000D") for offset in range(0, 6, 2)
             for match in found(filled, session, f"/studies?limit=2&offset={offset}")]
    assert pages == whole
    first = ask(filled, session, "/studies?limit=2")
    assert first.headers["X-Total-Count"] == "5"
    assert "3 additional results" in first.headers["Warning"] and first.headers["Warning"].startswith("299 ")
    assert "Warning" not in ask(filled, session, "/studies?limit=5").headers
    assert ask(filled, session, "/studies?PatientName=*thi*&limit=1").headers["X-Total-Count"] == "2"
    beyond = ask(filled, session, "/studies?PatientName=*thi*&limit=1&offset=7")
    assert (beyond.status_code, beyond.headers["X-Total-Count"]) == (204, "2")
    nothing = ask(filled, session, "/studies?limit=0")
    assert (nothing.status_code, nothing.headers["X-Total-Count"]) == (204, "5")


def test_order(filled, session):
    def ids(query):
        return [value(match, "00100020") for match in found(filled, session, f"/studies?{query}")]

    assert ids("orderby=StudyDate") == [f"BN00{number}" for number in range(5)]
    assert ids("orderby=-PatientID") == [f"BN00{number}" for number in range(4, -1, -1)]
    assert ids("orderby=PatientName") == ["BN004", "BN002", "BN000", "BN003", "BN001"], "by folded names"
    assert ids("orderby=00081030&limit=2&offset=1") == ["BN001", "BN002"]
    assert ask(filled, session, "/studies?orderby=InstanceNumber").status_code == 400


def test_a_second_look_sees_what_came_between(filled, session, module_folder):
    path = f"/studies?{LIST}&PatientID=FRESH"
    assert ask(filled, session, path).status_code == 204
    made = synthetic.study(module_folder, series=1, instances=2, PatientID="FRESH")
    for count, file in enumerate(made.files, 1):
        filled.run("import", file)  # by another process
        assert value(found(filled, session, path)[0], "00201208") == count
    filled.run("delete", "--study", made.uid, "--yes")
    assert ask(filled, session, path).status_code == 204


# Forms.


def test_xml(filled, session):
    answer = ask(filled, session, "/studies?PatientName=*thi*", accept='multipart/related; type="application/dicom+xml"')
    assert answer.status_code == 200
    head = b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n"
    parts = BytesParser().parse(io.BytesIO(head + answer.content)).get_payload()
    assert len(parts) == 2
    for part in parts:
        assert part.get_content_type() == "application/dicom+xml"
        model = ElementTree.fromstring(part.get_payload(decode=True))
        names = {attribute.get("keyword"): attribute for attribute in model}
        assert names["PatientName"].attrib["vr"] == "PN" and "StudyInstanceUID" in names


def test_what_is_not_acceptable(filled, session):
    assert ask(filled, session, "/studies", accept="image/jpeg").status_code == 406
    assert ask(filled, session, "/studies?accept=application/dicom%2Bjson", accept="text/html").status_code == 200
    assert ask(filled, session, "/studies", accept="application/json").headers["Content-Type"] == "application/json"
