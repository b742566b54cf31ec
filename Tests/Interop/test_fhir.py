"""FHIR R4: a hospital without an HL7 engine sends its orders, and everybody finds what is known."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import fhir, hospital
from support.fhir import Client, encounter, entry, matches, number, order, patient, study_uid, transaction


@pytest.fixture
def archive(make_archive):
    return make_archive({"hospital": {"facility": "24001", "accessionPrefix": "BG"}}).start("--hl7-port", 0)


@pytest.fixture
def client(archive):
    return Client(archive)


def one_order(client, code="BN1", visit="MALK1", placer="O1", name="NGUYỄN VĂN ĐỨC", **more):
    """One POST makes person, visit and order."""
    person, stay = f"urn:uuid:{uuid.uuid4()}", f"urn:uuid:{uuid.uuid4()}"
    # The order stands before what it refers to.
    answer = client.post("", transaction(
        entry(order(placer, {"reference": person}, {"reference": stay}, **more)),
        entry(encounter(visit, {"reference": person}), stay),
        entry(patient(code, name), person)), expect=200)
    request, stay, person = [item["resource"] for item in answer["entry"]]
    return answer, person, stay, request


# The way in.

def test_one_post_makes_an_order(archive, client):
    answer, person, stay, request = one_order(client)
    assert answer["type"] == "transaction-response"
    assert [item["response"]["status"] for item in answer["entry"]] == ["201 Created"] * 3
    assert request["subject"] == stay["subject"] == {"reference": f"Patient/{person['id']}"}
    assert request["encounter"] == {"reference": f"Encounter/{stay['id']}"}
    accession = number(request, "ACSN")
    assert accession.startswith("BG") and len(accession) <= 16
    shown = archive.json("order", "show", accession)["order"]
    assert shown["studyInstanceUID"] == study_uid(request)
    # As HL7 would have made it.
    assert client.get(f"ServiceRequest/{request['id']}") == request
    assert archive.json("patient", "show", "BN1")["patient"]["name"] == "NGUYỄN VĂN ĐỨC"
    kept = archive.trail("--kind", "register")
    assert all("BN1" not in row["detail"] and "NGUY" not in row["detail"] for row in kept)

    again, *_ = one_order(client)
    assert [item["response"]["status"] for item in again["entry"]] == ["200 OK"] * 3
    assert [item["response"]["location"] for item in again["entry"]] \
        == [item["response"]["location"] for item in answer["entry"]]
    assert len(archive.json("order", "list")) == 1


def test_a_transaction_is_all_or_nothing(archive, client):
    bad = transaction(
        entry(patient(), "urn:uuid:p"), entry(encounter("V1", {"reference": "urn:uuid:p"})),
        entry(order("O1", {"reference": "urn:uuid:nobody"})))
    issue = client.refused("POST", "", 422, body=bad)
    assert issue["expression"] == ["Bundle.entry[2].resource.subject"] and issue["code"] == "not-found"
    assert client.search("Patient") == client.search("Encounter") == []
    # A batch does what can be done.
    bad["type"] = "batch"
    bad["entry"][1]["resource"]["subject"] = {"identifier": {"value": "BN1"}}
    bad["entry"].append({})
    answer = client.post("", bad, expect=200)
    assert [item["response"]["status"][:3] for item in answer["entry"]] == ["201", "201", "422", "400"]
    assert len(client.search("Encounter?patient.identifier=BN1")) == 1


def test_cancel_and_what_comes_too_late(archive, client):
    *_, request = one_order(client)
    request["status"] = "revoked"
    cancelled = client.put(f"ServiceRequest/{request['id']}", request)
    assert cancelled["status"] == "revoked"
    assert archive.json("order", "show", number(request, "ACSN"))["order"]["state"] == "cancelled"
    assert client.put(f"ServiceRequest/{request['id']}", request)["status"] == "revoked"
    request["status"] = "active"
    assert "cancelled" in client.refused("PUT", f"ServiceRequest/{request['id']}", 409, body=request)["diagnostics"]
    unknown = order("O99", {"identifier": {"value": "BN1"}}, status="revoked")
    assert "order" in client.refused("POST", "ServiceRequest", 422, body=unknown)["diagnostics"]


def test_put_says_everything_post_says_more(client):
    made = client.post("Patient", patient() | {"telecom": [{"system": "phone", "value": "0912"}]})
    assert client.answer.headers["Location"].endswith(f"/fhir/R4/Patient/{made['id']}")
    again = client.post("Patient", patient(born="1980"), expect=200)
    assert (again["birthDate"], again["telecom"][0]["value"]) == ("1980", "0912")
    changed = client.put(f"Patient/{made['id']}", patient(name="Trần Thị Ánh", gender="female") | {"id": made["id"]})
    assert changed["name"] == [{"use": "official", "text": "Trần Thị Ánh", "family": "Trần", "given": ["Thị", "Ánh"]}]
    assert "telecom" not in changed
    client.refused("PUT", "Patient/99999", 405, body=patient())
    client.refused("PUT", f"Patient/{made['id']}", 400, body=patient() | {"id": "7"})
    client.post("Patient", patient("BN2"))
    assert "another" in client.refused("PUT", f"Patient/{made['id']}", 409, body=patient("BN2"))["diagnostics"]


def test_versions_keep_changes_apart(client):
    made = client.post("Patient", patient())
    tag = client.answer.headers["ETag"]
    assert tag == f'W/"{made["meta"]["versionId"]}"' and client.answer.headers["Last-Modified"]
    client.call("GET", f"Patient/{made['id']}", 304, headers={"If-None-Match": tag})
    other = patient(name="NGUYỄN VĂN BÌNH")
    client.put(f"Patient/{made['id']}", other, headers={"If-Match": tag})
    issue = client.refused("PUT", f"Patient/{made['id']}", 412, body=patient(), headers={"If-Match": tag})
    assert issue["code"] == "conflict"
    assert client.get(f"Patient/{made['id']}", headers={"If-None-Match": tag})["name"][0]["text"] == "NGUYỄN VĂN BÌNH"


def test_conditions(client):
    same = {"If-None-Exist": "identifier=urn:phim:24001:patient|BN1"}
    made = client.post("Patient", patient(), headers=same)
    assert client.post("Patient", patient(name="KHÁC"), expect=200, headers=same) == made
    changed = client.put("Patient?identifier=BN1", patient(name="NGUYỄN VĂN BÌNH"))
    assert changed["id"] == made["id"] and changed["name"][0]["given"] == ["VĂN", "BÌNH"]
    assert client.put("Patient?identifier=BN2", patient("BN2"), expect=201)["id"] != made["id"]
    assert client.refused("PUT", "Patient?gender=male", 412, body=patient())["code"] == "multiple-matches"
    client.refused("PUT", "Patient", 412, body=patient())
    odd = client.post("Patient", patient("B?4"), headers={"If-None-Exist": "Patient?identifier=B?4"})
    assert client.post("Patient", patient("B?4"), expect=200, headers={"If-None-Exist": "identifier=B?4"}) == odd
    minimal = client.post("Patient", patient("BN3"), headers={"Prefer": "return=minimal"})
    assert minimal is None and client.answer.headers["Location"]


BAD = [
    ("Patient", patient(born="1980-02-30"), 422, "Patient.birthDate"),
    ("Patient", patient(gender="m"), 422, "Patient.gender"),
    ("Patient", patient() | {"identifier": []}, 422, "Patient.identifier"),
    ("Patient", patient(more=[{"system": fhir.CCCD, "value": "123"}]), 422, "Patient.identifier[1]"),
    ("Patient", patient() | {"modifierExtension": [{"url": "http://x.org/y", "valueBoolean": True}]}, 422,
     "Patient.modifierExtension"),
    ("Patient", patient() | {"name": {"text": "no list"}}, 400, "Patient.name"),
    ("Patient", patient(name="N" * 65), 422, "Patient.identifier"),
    ("Patient", {"resourceType": "Observation"}, 400, None),
    ("Encounter", encounter("V1", {"identifier": {"value": "NOBODY"}}), 422, "Encounter.subject"),
    ("Encounter", encounter("V" * 101, {"identifier": {"value": "BN0"}}), 422, "Encounter"),
    ("Encounter", encounter("V1", {"identifier": {"value": "BN0"}}, status="busy"), 422, "Encounter.status"),
    ("ServiceRequest", order("O1", {"reference": "Patient/999"}), 422, "ServiceRequest.subject"),
    ("ServiceRequest", order("O1", {"reference": "http://other.example.org/Patient/1"}), 422, "ServiceRequest.subject"),
    ("ServiceRequest", order("O1", {"identifier": {"value": "BN0"}}, status="draft"), 422, "ServiceRequest.status"),
    ("ServiceRequest", order("O1", {"identifier": {"value": "BN0"}}) | {"intent": "proposal"}, 422,
     "ServiceRequest.intent"),
    ("ServiceRequest", order("O1", {"identifier": {"value": "BN0"}}) | {"orderDetail": []}, 422,
     "ServiceRequest.orderDetail"),
    ("ServiceRequest", order("O1", {"identifier": {"value": "BN0"}}, at="soon"), 422,
     "ServiceRequest.occurrenceDateTime"),
]


def test_bad_input_changes_nothing_and_is_told(archive, client):
    client.post("Patient", patient("BN0"))
    for kind, body, status, place in BAD:
        issue = client.refused("POST", kind, status, body=body)
        assert issue.get("expression", [None]) == [place], issue
    for kind in ("Encounter", "ServiceRequest"):
        assert client.search(kind) == []
    assert len(client.search("Patient")) == 1
    for raw, kind, status in ((b"{", fhir.TYPE, 400), (b"[" * 100_000, fhir.TYPE, 400), (b"\xff\xfe", fhir.TYPE, 400),
                              (b"<Patient/>", "application/fhir+xml", 415), (b" " * (5 << 20), fhir.TYPE, 413)):
        client.refused("POST", "Patient", status, data=raw, headers={"Content-Type": kind})
    archive.assert_healthy()


def test_what_was_read_may_be_sent_back(archive, client):
    with hospital.Engine(archive.hl7_port) as engine:
        born = hospital.pid("BN1", more="~012345678901^^^VN^NI")
        for kind, more in (("ADT^A01", ()), ("ORM^O01", hospital.order("NW", "O1"))):
            assert engine.send(hospital.message(kind, born, hospital.pv1("V1"), *more))[0] == "AA"
        client.post("Patient", patient("BN7"))
        assert engine.send(hospital.message("ADT^A40", hospital.pid("BN1"), "MRG|BN7^^^24001^MR"))[0] == "AA"
    for kind in ("Patient", "Encounter", "ServiceRequest"):
        before, = client.search(f"{kind}?{'identifier=BN1' if kind == 'Patient' else 'patient.identifier=BN1'}")
        after = client.put(f"{kind}/{before['id']}", before)
        assert after["meta"]["versionId"] == before["meta"]["versionId"], kind
        before["meta"] = after["meta"]
        assert after == before
    survivor, = client.search("Patient?identifier=BN1")
    survivor["link"][0]["other"]["reference"] = "Patient/1000"
    assert client.refused("PUT", f"Patient/{survivor['id']}", 422, body=survivor)["expression"] == ["Patient.link"]


def test_the_same_order_from_many_at_once_is_one(archive, client):
    def send(_):
        one_order(Client(archive))
        return True

    archive.token()
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(send, range(24)))
    assert len(client.search("Patient")) == len(client.search("Encounter")) == len(client.search("ServiceRequest")) == 1


def test_too_much_is_refused(archive, client):
    many = transaction(*[entry(patient(f"BN{place}")) for place in range(501)])
    assert client.refused("POST", "", 413, body=many)["code"] == "too-long"
    client.refused("POST", "", 400, body=transaction(kind="history"))
    client.refused("POST", "", 400, body={"resourceType": "Bundle", "type": "transaction", "entry": [{}]})
    deleting = transaction(entry(patient(), method="DELETE", url="Patient/1"))
    client.refused("POST", "", 400, body=deleting)
    client.refused("POST", "Patient/_search", 413, data={"_id": "1," * 20_000})
    for query in ("name=^", "family==", "name=%00", "name=%FF", "birthdate=2026-02-30", "birthdate=gele2026"):
        client.refused("GET", "Patient?" + query, 400)
    for query in ("_id=" + "1," * 200 + "1", "identifier=" + ",".join(f"A{n}" for n in range(201)),
 "&".join(["name=a,b,c,d,e"] * 90), "name=" + "a+" * 30):
        assert client.refused("GET", "Patient?" + query, 400)["code"] == "too-costly", query[:20]
    assert client.search("Patient?identifier=" + ",".join(f"A{n}" for n in range(200))) == []
    for query in ("name=%22*%25_'--", "identifier=' OR 1=1", "_id=9223372036854775808,-1,x", "patient=1"):
        client.call("GET", "Patient?" + query, 400 if query.startswith("patient") else 200)
    assert client.search("Patient") == []
    archive.assert_healthy()


# The way out.

def test_what_hl7_said_is_told(archive, client):
    with hospital.Engine(archive.hl7_port) as engine:
        cccd = "~012345678901^^^VN^NI~DN4790123456789^^^BH^HC"
        born = hospital.pid("BN1", "Nguyễn^Đức^Văn", "198000000000", more=cccd)
        assert engine.send(hospital.message("ADT^A01", born, hospital.pv1("V1")))[0] == "AA"
        assert engine.send(hospital.message("ORM^O01", born, hospital.pv1("V1"), *hospital.order("NW", "O1")))[0] == "AA"
    person, = client.search(f"Patient?identifier={fhir.CCCD}|012345678901")
    assert person["birthDate"] == "1980"
    assert person["name"][0] == {"use": "official", "text": "Nguyễn Văn Đức", "family": "Nguyễn", "given": ["Văn", "Đức"]}
    systems = {identifier["system"]: identifier["value"] for identifier in person["identifier"]}
    assert systems == {
        "urn:phim:24001:patient": "BN1", fhir.CCCD: "012345678901", fhir.BHYT: "DN4790123456789"}
    stay, = client.search("Encounter?identifier=V1")
    assert stay["class"]["code"] == "IMP" and stay["location"][0]["location"]["display"] == "K01 / P2 / G5"
    request, = client.search(f"ServiceRequest?encounter=Encounter/{stay['id']}")
    assert (request["status"], request["priority"], request["intent"]) == ("active", "stat", "order")
    assert request["code"]["coding"][0] == {
        "system": "urn:phim:VN:code", "code": "18.0219", "display": "CLVT sọ não"}
    assert request["occurrenceDateTime"] == "2026-11-21T09:30:00+07:00"


def test_merged_people_say_where_they_are(archive, client):
    *_, request = one_order(client, "BN7", "V7", "O7")
    old = request["subject"]["reference"]
    new = client.post("Patient", patient("BN1"))
    with hospital.Engine(archive.hl7_port) as engine:
        assert engine.send(hospital.message("ADT^A40", hospital.pid("BN1"), "MRG|BN7^^^24001^MR"))[0] == "AA"
    merged = client.get(old)
    assert merged["active"] is False
    assert merged["link"] == [{"other": {"reference": f"Patient/{new['id']}"}, "type": "replaced-by"}]
    survivor, = client.search("Patient?identifier=BN7")
    assert survivor["id"] == new["id"] and survivor["link"][0]["type"] == "replaces"
    found, = client.search(f"ServiceRequest?patient={new['id']}")
    assert found["id"] == request["id"] and found["subject"]["reference"] == f"Patient/{new['id']}"
    stale = client.refused("POST", "ServiceRequest", 409, body=order("O8", {"reference": old}))
    assert "merged" in stale["diagnostics"]


# Searching.

NAMES = ["Nguyễn Văn Đức", "NGUYEN VAN DUC", "Nguyễn Thị Hoà", "Nguyễn Thị Hòa", "Đặng Ngọc Ánh", "Trần Đức"]


def test_people_are_found_by_name(client):
    for place, name in enumerate(NAMES):
        client.post("Patient", patient(f"BN{place}", name, born=["1980-02-15", "1980-02", "1980"][place % 3]))

    def found(query):
        return sorted(person["name"][0]["text"] for person in client.search("Patient?" + query))

    assert found("name=nguyen van duc") == ["NGUYEN VAN DUC", "Nguyễn Văn Đức"]
    assert found("name=Đức") == ["NGUYEN VAN DUC", "Nguyễn Văn Đức", "Trần Đức"]
    assert found("name:exact=Nguyễn Văn Đức") == ["Nguyễn Văn Đức"]
    assert found("name:contains=guyen thi h") == ["Nguyễn Thị Hoà", "Nguyễn Thị Hòa"]
    assert found("name=uyen") == []
    assert found("family=dang") == ["Đặng Ngọc Ánh"]
    assert found("given=duc&family=tran") == ["Trần Đức"]
    assert found("name=anh,hoa") == ["Nguyễn Thị Hoà", "Nguyễn Thị Hòa", "Đặng Ngọc Ánh"]
    assert len(found("birthdate=1980")) == 6
    assert len(found("birthdate=1980-02")) == 4
    assert len(found("birthdate=1980-02-15")) == 2
    assert len(found("birthdate=ge1980-02-16")) == 4
    assert len(found("birthdate=lt1980-02-01")) == 2
    assert found("birthdate=gt1981") == found("gender=female") == []
    assert len(found("gender=male&birthdate=sa1979&birthdate=eb1981")) == 6


def test_visits_by_time(client):
    who = {"identifier": {"value": "BN1"}}
    client.post("Patient", patient())
    for name, start, end in (("V1", "2026-11-01", "2026-11-05"), ("V2", "2026-11-04T08:00:00+07:00", None),
                             ("V3", "2026-11-20T23:30:00Z", "2026-11-22T10:00:00+07:00")):
        visit = encounter(name, who, status="finished" if end else "in-progress", start=start)
        client.post("Encounter", visit | {"period": {"start": start} | ({"end": end} if end else {})})

    def found(query):
        return sorted(number(visit, "VN") for visit in client.search("Encounter?" + query))

    assert found("date=2026-11") == ["V1", "V3"]
    assert found("date=ge2026-11-21&date=lt2026-11-22") == ["V2", "V3"]
    assert found("date=ap2026-11-04") == ["V1", "V2"]
    # 23:30 in London is the next morning here.
    assert found("date=sa2026-11-20") == ["V3"]
    assert found("date=lt2026-11-04") == ["V1"]
    assert found("status=finished&class=IMP") == ["V1", "V3"]
    assert found("status=planned,in-progress") == ["V2"]


def test_pages_stay_true_while_rows_come(client):
    for place in range(7):
        client.post("Patient", patient(f"BN{place}"))
    first = client.get("Patient?_count=3")
    assert first["total"] == 7
    client.post("Patient", patient("LATE"))
    seen = matches(first)
    following = [link["url"] for link in first["link"] if link["relation"] == "next"]
    while following:
        bundle = client.get(following[0])
        seen += matches(bundle)
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
    assert sorted(number(person, "MR") for person in seen) == [f"BN{place}" for place in range(7)]
    count = client.get("Patient?_summary=count")
    assert (count["total"], "entry" in count) == (8, False)
    assert "total" not in client.get("Patient?_count=3&_total=none")
    posted = client.call("POST", "Patient/_search", data={"identifier": "LATE", "_count": "1"})
    assert len(matches(posted)) == 1
    link, = posted["link"]
    assert link["url"].endswith("Patient?identifier=LATE&_count=1")


def test_what_belongs_together_comes_together(client):
    _, person, stay, request = one_order(client)
    bundle = client.get(f"ServiceRequest?identifier={number(request, 'ACSN')}&_include=*")
    assert {item["resourceType"] for item in matches(bundle, "include")} == {"Patient", "Encounter"}
    bundle = client.get(f"Patient?_id={person['id']}&_revinclude=*")
    assert {item["id"] for item in matches(bundle, "include")} == {stay["id"], request["id"]}
    bundle = client.get(f"Encounter?_id={stay['id']}&_revinclude=ServiceRequest:encounter&_include=Encounter:patient")
    assert len(matches(bundle, "include")) == 2
    uid = study_uid(request)
    for query in (f"urn:dicom:uid|urn:oid:{uid}", uid, "urn:phim:HIS:order|O1", "O1",
                  f"urn:phim:24001:accession|{number(request, 'ACSN')}"):
        assert len(client.search(f"ServiceRequest?identifier={query}")) == 1, query
    assert client.search("ServiceRequest?identifier=urn:phim:LIS:order|O1") == []
    assert client.search("ServiceRequest?identifier=|O1") == []


def test_what_is_not_known_is_refused_or_left_out(client):
    client.post("Patient", patient())
    issue = client.refused("GET", "Patient?eyecolour=brown", 400)
    assert issue["code"] == "not-supported" and "lenient" in issue["diagnostics"]
    bundle = client.get("Patient?eyecolour=brown&_count=5", headers={"Prefer": "handling=lenient"})
    assert bundle["link"][0]["url"].endswith("Patient?_count=5")
    for query in ("name:soundex=x", "birthdate=yesterday", "_count=many", "_cursor=x", "_sort=name", "_summary=text",
                  "identifier=urn:x|", "_include=Patient:organization", "_total=perhaps"):
        client.refused("GET", "Patient?" + query, 400)
    assert client.search("Patient?name=") != []
    client.refused("GET", "Observation/1", 404)
    client.refused("GET", "Patient/0", 404)
    client.refused("GET", "Patient/01", 404)
    client.refused("DELETE", "Patient/1", 405)
    client.refused("GET", "Patient/1/_history", 405)
    client.refused("POST", "ImagingStudy", 405, body=patient())
    assert client.call("GET", "Patient", 406, headers={"Accept": "application/fhir+xml"})["issue"]
    assert client.call("GET", "Patient?_format=xml", 406)["issue"]
    assert client.call("GET", "Patient?_format=json", headers={"Accept": "text/html"})["resourceType"] == "Bundle"


def test_the_capability_statement_cannot_lie(client):
    """Everything that is declared works; nothing is done that is not declared."""
    statement = client.get("metadata")
    assert statement["fhirVersion"] == "4.0.1"
    rest, = statement["rest"]
    assert {item["code"] for item in rest["interaction"]} == {"transaction", "batch"}
    values = {"token": "1", "reference": "1", "date": "2026-11-21", "string": "an"}
    types = {resource["type"]: resource for resource in rest["resource"]}
    assert {"Patient", "Encounter", "ServiceRequest", "ImagingStudy", "Endpoint"} <= set(types)
    for kind, resource in types.items():
        done = {item["code"] for item in resource["interaction"]}
        for parameter in resource["searchParam"]:
            client.get(f"{kind}?{parameter['name']}={values[parameter['type']]}")
        for include in resource.get("searchInclude", []):
            client.get(f"{kind}?_id=1&_include={include}")
        for include in resource.get("searchRevInclude", []):
            client.get(f"{kind}?_id=1&_revinclude={include}")
        client.get(f"{kind}/1", expect=404)
        client.call("POST", kind, 400 if "create" in done else 405, body={"resourceType": "Basic"})
        client.call("PUT", f"{kind}/1", 400 if "update" in done else 405, body={"resourceType": "Basic"})
        client.call("DELETE", f"{kind}/1", 405)
