"""Patients, visits, orders, the inbox and messages over JSON: a hospital without an HL7 engine."""

import threading

import pytest

from support import dcmtk, hospital, synthetic
from support.accounts import eventually
from support.authorization import bearer

API = "/api/v1"
CONFIG = {"hospital": {"facility": "24001", "accessionPrefix": "BG", "name": "Bệnh viện Bắc Ninh"}}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    from support.archive import Archive

    archive = Archive(tmp_path_factory.mktemp("orders") / "archive", CONFIG).start("--hl7-port", 0)
    archive.callers = {}
    for role in ("clerk", "technician", "radiologist", "integration", "referring-physician"):
        archive.run("account", "add", f"a {role}", "--role", role, "--no-password")
        archive.callers[role] = bearer(archive.token(account=f"a {role}"))
    archive.callers["administrator"] = archive.http()
    yield archive
    archive.stop()


def ask(archive, role, method, path, body=None, status=200, headers=None):
    answer = archive.callers[role].request(
        method, archive.url + API + path, json=body, headers=headers, timeout=60, allow_redirects=False)
    assert answer.status_code == status, (method, path, answer.status_code, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["detail"]
    return answer.json() if answer.content else None


def order(archive, code, role="clerk", status=201, headers=None, **more):
    body = {"patient": {"identifiers": [{"value": code}], "name": "Nguyễn Văn Đức", "birthDate": "19800215", "sex": "M"},
            "modality": "CT", "code": {"value": "CT01", "meaning": "CT sọ não"}, **more}
    return ask(archive, role, "POST", "/orders", body, status, headers)


def store(archive, folder, **values):
    study = synthetic.study(folder, instances=1, **values)
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    return study


def waiting(archive, uid):
    found = [item for item in ask(archive, "technician", "GET", "/inbox")["waiting"]
             if item["study"]["studyInstanceUID"] == uid]
    return found[0] if found else None


def holding(archive, uid):
    story = ask(archive, "technician", "GET", f"/studies/{uid}/order")
    return next((link for link in story["links"] if link["id"] == story.get("holding")), None)


def test_from_registration_to_images(clinic, tmp_path):
    person = ask(clinic, "clerk", "POST", "/patients", {
        "identifiers": [{"value": "BN1"}, {"type": "NI", "value": "001080012345"}], "name": "Trần Thị Ngọc Ánh",
        "birthDate": "1980", "sex": "F"}, 201)
    again = ask(clinic, "clerk", "POST", "/patients", {"identifiers": [{"value": "BN1"}], "telephone": "0912"}, 200)
    assert (again["number"], again["name"], again["telephone"]) == (person["number"], person["name"], "0912")
    assert {i["issuer"] for i in person["identifiers"]} == {"24001", "VN-CCCD"}
    visit = ask(clinic, "clerk", "POST", "/visits", {
        "patient": person["number"], "number": "24001.2026/KCB 01", "department": "Khoa Khám bệnh",
        "startedAt": "202611210700"}, 201)
    assert visit["status"] == "arrived"
    made = ask(clinic, "clerk", "POST", "/orders", {
        "patient": {"number": person["number"]}, "visit": {"number": visit["number"]}, "modality": "CT",
        "scheduledAt": "202611210930", "code": {"value": "18.0219", "meaning": "CLVT sọ não"}, "priority": "STAT"}, 201)
    entered = made["order"]
    assert entered["accessionNumber"].startswith("BG") and entered["state"] == "scheduled"
    assert entered["visitID"] == visit["id"] and entered["patientIDs"][0] == "BN1"
    # The same in the worklist of a modality, and on the command line.
    assert clinic.json("order", "show", entered["accessionNumber"])["order"]["studyInstanceUID"] == entered["studyInstanceUID"]
    ask(clinic, "technician", "POST", f"/orders/{entered['id']}/steps", {"step": "arrive"})
    uid = entered["studyInstanceUID"]
    store(clinic, tmp_path, StudyInstanceUID=uid, PatientID="BN1", PatientName="TRAN THI NGOC ANH",
          AccessionNumber=entered["accessionNumber"])
    link = eventually(lambda: holding(clinic, uid))
    assert (link["order"], link["visitID"], link["method"]) == (entered["id"], visit["id"], "studyInstanceUID")
    story = ask(clinic, "clerk", "GET", f"/orders/{entered['id']}")
    assert story["order"]["state"] == "in-progress" and story["studies"] == [uid]
    assert [step["to"] for step in story["steps"]] == ["arrived", "in-progress"]
    whole = ask(clinic, "clerk", "GET", f"/patients/{person['number']}")
    assert [v["number"] for v in whole["visits"]] == [visit["number"]]
    assert [o["id"] for o in whole["orders"]] == [entered["id"]]
    assert [s["studyInstanceUID"] for s in whole["studies"]] == [uid]
    assert ask(clinic, "clerk", "GET", f"/visits/{visit['id']}")["studies"][0]["order"] == entered["id"]
    # What is done cannot be cancelled any more.
    ask(clinic, "technician", "POST", f"/orders/{entered['id']}/steps", {"step": "complete"})
    refused = ask(clinic, "clerk", "POST", f"/orders/{entered['id']}/cancel", {"reason": "too late"}, 409)
    assert "completed" in refused["detail"]
    ended = ask(clinic, "clerk", "POST", f"/visits/{visit['id']}/events", {"event": "discharge", "endedAt": "202611211200"})
    assert (ended["status"], ended["endedAt"]) == ("finished", "202611211200")


def test_people_are_found_by_identifier_and_by_name_without_marks(clinic):
    for number in range(5):
        ask(clinic, "clerk", "POST", "/patients", {
            "identifiers": [{"value": f"F{number}"}], "name": f"Phạm Đình Tuấn {'ABCDE'[number]}"}, 201)
    search = lambda **what: ask(clinic, "clerk", "POST", "/patients/search", what)
    assert [p["name"] for p in search(identifier="F3")["patients"]] == ["Phạm Đình Tuấn D"]
    pages, after = [], None
    while True:
        page = search(name="dinh tuan", limit=2, **({"after": after} if after else {}))
        pages += [p["name"][-1] for p in page["patients"]]
        if (after := page.get("next")) is None:
            break
    assert pages == list("ABCDE")
    assert search(name="PHAM DINH*B")["patients"][0]["name"][-1] == "B"
    for nothing in ({}, {"name": "*"}, {"name": ""}, {"identifier": ""}):
        ask(clinic, "clerk", "POST", "/patients/search", nothing, 400)


def test_two_rows_of_one_person(clinic):
    first, second = (ask(clinic, "clerk", "POST", "/patients", {
        "identifiers": [{"value": code}], "name": "Lê Thị Hoa"}, 201)["number"] for code in ("M1", "M2"))
    ask(clinic, "clerk", "POST", f"/patients/{first}/merge", {"into": second, "reason": "x"}, 403)
    survivor = ask(clinic, "technician", "POST", f"/patients/{first}/merge", {"into": second, "reason": "same card"})
    assert survivor["number"] == second and {i["value"] for i in survivor["identifiers"]} == {"M1", "M2"}
    assert ask(clinic, "clerk", "GET", f"/patients/{first}")["patient"]["mergedInto"] == second
    refused = ask(clinic, "clerk", "PATCH", f"/patients/{first}", {"name": "Lê Hoa"}, 409)
    assert "merged" in refused["detail"]
    third = ask(clinic, "clerk", "POST", "/patients", {"identifiers": [{"value": "M3"}], "name": "Lê Thị Hoa"}, 201)["number"]
    refused = ask(clinic, "technician", "POST", f"/patients/{first}/merge", {"into": third, "reason": "x"}, 409)
    assert "already" in refused["detail"]
    ask(clinic, "technician", "POST", f"/patients/{third}/merge", {"into": second, "reason": "a\u0000b"}, 400)
    history = ask(clinic, "clerk", "GET", f"/patients/{second}")["history"]
    assert (history[0]["kind"], history[0]["reason"], history[0]["by"]) == ("merge", "same card", "a technician")
    ask(clinic, "technician", "POST", f"/patients/{first}/unmerge", {})
    ask(clinic, "technician", "POST", f"/patients/{first}/unmerge", {}, 409)
    ask(clinic, "technician", "POST", f"/patients/{first}/ties", {"to": second, "reason": "twins"}, 204)
    assert {e["kind"] for e in ask(clinic, "clerk", "GET", f"/patients/{second}")["history"]} == {"merge", "link"}


def test_two_people_change_the_same_thing(clinic):
    made = order(clinic, "C1")["order"]
    path = f"/orders/{made['id']}"
    changed = ask(clinic, "clerk", "PATCH", path, {"version": made["version"], "location": "Phòng 2"})["order"]
    assert changed["details"]["location"] == "Phòng 2" and changed["version"] != made["version"]
    late = ask(clinic, "technician", "PATCH", path, {"version": made["version"], "location": "Phòng 3"}, 409)
    assert "meanwhile" in late["detail"]
    ask(clinic, "technician", "POST", path + "/cancel", {"reason": "x", "version": made["version"]}, 409)
    cancelled = ask(clinic, "technician", "POST", path + "/cancel", {"reason": "went home", "version": changed["version"]})
    assert cancelled["order"]["state"] == "cancelled"
    assert ask(clinic, "clerk", "GET", path)["steps"][-1]["reason"] == "went home"
    person = ask(clinic, "clerk", "GET", f"/patients/{made['patient']}")["patient"]
    ask(clinic, "clerk", "PATCH", f"/patients/{person['number']}", {"version": person["version"], "address": "Hà Nội"})
    ask(clinic, "clerk", "PATCH", f"/patients/{person['number']}", {"version": person["version"], "address": "Huế"}, 409)


def test_the_same_order_sent_again_is_one_order(clinic):
    first = order(clinic, "I1", number="HIS-77")["order"]
    assert order(clinic, "I1", number="HIS-77", status=200)["order"]["id"] == first["id"]
    assert "Another order" in order(clinic, "I1", number="HIS-77", status=409, modality="MR")["detail"]
    key = {"Idempotency-Key": "a-1"}
    kept = order(clinic, "I2", headers=key)["order"]
    assert order(clinic, "I2", headers=key, status=200)["order"]["accessionNumber"] == kept["accessionNumber"]
    order(clinic, "I3", headers=key, status=409)
    # A key belongs to who uses it.
    assert order(clinic, "I2", role="technician", headers=key)["order"]["id"] != kept["id"]
    # Forty at once: one order.
    answers = []
    def send():
        answers.append(order_of_many(clinic))
    threads = [threading.Thread(target=send) for _ in range(40)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len({number for _, number in answers}) == 1 and sorted(s for s, _ in answers) == [200] * 39 + [201], answers
    found = ask(clinic, "clerk", "POST", "/orders/search", {"patientID": "I9"})["orders"]
    assert len(found) == 1


def order_of_many(archive):
    answer = bearer(archive.token(account="a clerk")).post(
        archive.url + API + "/orders", headers={"Idempotency-Key": "many"}, timeout=30,
        json={"patient": {"identifiers": [{"value": "I9"}], "name": "Nhiều Người"}, "modality": "US"})
    return answer.status_code, answer.json().get("order", {}).get("accessionNumber")


def test_orders_by_day_state_and_patient_page_by_page(clinic):
    ids = [order(clinic, f"D{number}", scheduledAt=f"20270105{8 + number % 3:02}{number:02}", modality="MR")["order"]["id"]
           for number in range(7)]
    ask(clinic, "clerk", "POST", f"/orders/{ids[0]}/cancel", {"reason": "x"})
    pages, after = [], None
    while True:
        page = ask(clinic, "clerk", "POST", "/orders/search",
                   {"date": "20270105", "modality": "MR", "limit": 3, **({"after": after} if after else {})})
        pages.append(page["orders"])
        if (after := page.get("next")) is None:
            break
    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == [3, 3, 1] and {row["id"] for row in rows} == set(ids)
    assert [row["scheduledAt"] for row in rows] == sorted(row["scheduledAt"] for row in rows)
    find = lambda **what: [row["id"] for row in ask(clinic, "clerk", "POST", "/orders/search", what)["orders"]]
    assert find(date="20270105", states=["cancelled"]) == [ids[0]]
    assert find(patientID="D4") == [ids[4]] and find(accessionNumber=rows[2]["accessionNumber"]) == [rows[2]["id"]]
    assert find(date="20270106") == [] and find(date="20270101-20270105", states=["scheduled"], modality="CT") == []
    assert ids[0] not in find()  # today
    for bad in ({"date": "yesterday"}, {"states": ["lost"]}, {"limit": 0}, {"after": "x"}, {"limit": 1001}):
        ask(clinic, "clerk", "POST", "/orders/search", bad, 400)


@pytest.mark.parametrize("wrong, field", [
    ({"modality": "ct scan of the head"}, "modality"), ({"scheduledAt": "tomorrow"}, "scheduled"),
    ({"priority": "NOW"}, "priority"), ({"stationAETitle": "A\\B"}, "stationAETitle"),
    ({"accessionNumber": "12345678901234567"}, "accession"), ({"studyInstanceUID": "x"}, "StudyInstanceUID"),
    ({"patient": {"name": "Nobody"}}, "PatientID"), ({"patient": None}, "patient"),
    ({"patient": {"identifiers": [{"type": "NI", "value": "12"}]}}, "identifier"),
    ({"patientWeight": "heavy"}, "patientWeight"), ({"reason": "a\u0000b"}, "reason"),
    ({"visit": {"number": "v" * 101}}, "visit"), ({"reason": "x" * 2000}, "reason"), ({"number": "n" * 65}, "number"),
])
def test_what_is_wrong_with_an_order_is_said_and_nothing_is_kept(clinic, wrong, field):
    said = order(clinic, "WRONG", status=400, **wrong)["detail"]
    assert field.lower() in said.lower()
    assert ask(clinic, "clerk", "POST", "/patients/search", {"identifier": "WRONG"})["patients"] == []


def test_a_walk_in_is_placed_by_a_person_and_taken_back(clinic, tmp_path):
    study = store(clinic, tmp_path, PatientID="UNKNOWN", PatientName="DUC", AccessionNumber="", StudyDate="20261121")
    item = eventually(lambda: waiting(clinic, study.uid))
    assert item["study"]["patientID"] == "UNKNOWN"
    made = order(clinic, "W1", scheduledAt="20261121")["order"]
    ask(clinic, "clerk", "PUT", f"/studies/{study.uid}/order", {"order": made["id"]}, 403)
    link = ask(clinic, "technician", "PUT", f"/studies/{study.uid}/order", {"order": made["id"], "reason": "saw the patient"})
    assert (link["order"], link["method"], link["by"], link["reason"]) == (
        made["id"], "person", "a technician", "saw the patient")
    assert waiting(clinic, study.uid) is None
    # The same decision again is the same link; another one by somebody who has not seen this one is refused.
    assert ask(clinic, "radiologist", "PUT", f"/studies/{study.uid}/order", {"order": made["id"]})["id"] == link["id"]
    other = order(clinic, "W2", scheduledAt="20261121")["order"]
    late = ask(clinic, "radiologist", "PUT", f"/studies/{study.uid}/order", {"order": other["id"]}, 409)
    assert "meanwhile" in late["detail"]
    moved = ask(clinic, "radiologist", "PUT", f"/studies/{study.uid}/order",
                {"order": other["id"], "replaces": link["id"], "reason": "wrong arm"})
    assert moved["order"] == other["id"]
    ask(clinic, "technician", "POST", f"/studies/{study.uid}/order/undo", {"link": link["id"]}, 409)
    story = ask(clinic, "technician", "POST", f"/studies/{study.uid}/order/undo",
                {"link": moved["id"], "reason": "neither of them"})
    assert "holding" not in story and story["links"][0]["undoneReason"] == "neither of them"
    assert len(story["links"]) == 2 and waiting(clinic, study.uid)["study"]["isHeld"]
    held = ask(clinic, "technician", "GET", "/study-links?method=person")
    assert study.uid not in {link["studyInstanceUID"] for link in held["links"]}
    for bad in ({}, {"order": made["id"], "visit": 1}):
        ask(clinic, "technician", "PUT", f"/studies/{study.uid}/order", bad, 400)
    ask(clinic, "technician", "PUT", f"/studies/{study.uid}/order", {"order": 10**9}, 404)
    ask(clinic, "technician", "PUT", f"/studies/{synthetic.uid()}/order", {"order": made["id"]}, 404)


def test_images_that_come_before_their_order_are_linked_by_it(clinic, tmp_path):
    study = store(clinic, tmp_path, PatientID="L1", PatientName="Nguyễn^Văn^Đức", PatientBirthDate="19800215",
                  PatientSex="M", AccessionNumber="LATE1")
    assert eventually(lambda: waiting(clinic, study.uid))
    late = order(clinic, "L1", accessionNumber="LATE1")["order"]
    link = holding(clinic, study.uid)
    assert (link["order"], link["method"]) == (late["id"], "accession") and waiting(clinic, study.uid) is None
    assert ask(clinic, "clerk", "GET", f"/orders/{late['id']}")["order"]["state"] == "in-progress"


def test_the_inbox_page_by_page(clinic, tmp_path):
    uids = [store(clinic, tmp_path / f"{number}", PatientID=f"PAGE{number}", PatientName=f"Page^{number}",
                  AccessionNumber="").uid for number in range(4)]
    assert eventually(lambda: all(waiting(clinic, uid) for uid in uids))
    seen, after = [], None
    while True:
        page = ask(clinic, "technician", "GET", "/inbox?limit=2" + (f"&after={after}" if after else ""))
        seen += [item["study"]["studyInstanceUID"] for item in page["waiting"]]
        if (after := page.get("next")) is None:
            break
    assert len(seen) == len(set(seen)) == page["total"] and set(uids) <= set(seen)
    ask(clinic, "technician", "GET", "/inbox?limit=x", status=400)
    ask(clinic, "technician", "GET", "/inbox?after=x", status=400)


def test_who_sees_one_study_sees_what_belongs_to_it_and_no_more(clinic, tmp_path):
    mine, other = (order(clinic, code, visit={"number": f"V-{code}"})["order"] for code in ("S1", "S2"))
    for made, code in ((mine, "S1"), (other, "S2")):
        store(clinic, tmp_path / code, StudyInstanceUID=made["studyInstanceUID"], PatientID=code)
        assert eventually(lambda: holding(clinic, made["studyInstanceUID"]))
    role = "referring-physician"
    assert ask(clinic, role, "POST", "/orders/search", {})["orders"] == []
    ask(clinic, role, "GET", f"/orders/{mine['id']}", status=404)
    ask(clinic, "radiologist", "POST", f"/studies/{mine['studyInstanceUID']}/grants", {"account": "a " + role}, 204)
    assert [row["id"] for row in ask(clinic, role, "POST", "/orders/search", {})["orders"]] == [mine["id"]]
    assert ask(clinic, role, "GET", f"/orders/{mine['id']}")["order"]["visit"] == "V-S1"
    person = ask(clinic, role, "GET", f"/patients/{mine['patient']}")
    assert [o["id"] for o in person["orders"]] == [mine["id"]] and person["history"] == []
    assert ask(clinic, role, "GET", f"/visits/{mine['visitID']}")["visit"]["number"] == "V-S1"
    story = ask(clinic, role, "GET", f"/studies/{mine['studyInstanceUID']}/order")
    assert len(story["links"]) == 1 and story["candidates"] == []
    for path in (f"/orders/{other['id']}", f"/patients/{other['patient']}", f"/visits/{other['visitID']}",
                 f"/studies/{other['studyInstanceUID']}/order"):
        ask(clinic, role, "GET", path, status=404)
    found = ask(clinic, role, "POST", "/patients/search", {"name": "nguyen van duc"})["patients"]
    assert [p["number"] for p in found] == [mine["patient"]]
    assert ask(clinic, role, "POST", "/visits/search", {"number": "V-S2"}) == []
    ask(clinic, role, "POST", "/orders", {"modality": "CT"}, 403)
    ask(clinic, role, "GET", "/worklists/anybody", status=403)


def test_a_refused_message_is_repaired_and_applied(clinic):
    with hospital.Engine(clinic.hl7_port) as engine:
        sent = hospital.message("ORM^O01", hospital.pid("R1"), *hospital.order("NW", "R-1", at="never"))
        assert engine.send(sent)[0] == "AE"
    listed = ask(clinic, "administrator", "GET", "/messages?refused=true&limit=1")["messages"][0]
    assert listed["code"] == "AE" and "R1" not in str(listed)
    one = ask(clinic, "administrator", "GET", f"/messages/{listed['number']}")
    assert "never" in one["text"]
    path = f"/messages/{listed['number']}/replay"
    assert ask(clinic, "administrator", "POST", path, {})["code"] == "AE"
    assert ask(clinic, "administrator", "POST", path, {"text": "no message"})["code"] == "AR"
    assert ask(clinic, "administrator", "POST", path, {"text": one["text"].replace("never", "20270301093000")})["code"] == "AA"
    assert len(ask(clinic, "clerk", "POST", "/orders/search", {"date": "20270301"})["orders"]) == 1
    ask(clinic, "technician", "GET", "/messages", status=403)


def test_facilities_and_what_a_station_finds(clinic):
    put = lambda **what: ask(clinic, "administrator", "POST", "/facilities", what)
    put(code="24001", name="Bệnh viện Bắc Ninh", validFrom="20200101")
    ask(clinic, "administrator", "POST", "/facilities/24001/end", {"validUntil": "20191231"}, 400)
    ended = ask(clinic, "administrator", "POST", "/facilities/24001/end", {"validUntil": "20250630"})
    assert ended["validUntil"] == "20250630"
    put(code="24001", name="Bệnh viện Bắc Ninh số 2", validFrom="20250701")
    put(code="24001.1", name="Cơ sở 2", parent="24001")
    rows = ask(clinic, "clerk", "GET", "/facilities")
    assert [(row["code"], row["validFrom"]) for row in rows] == [("24001", "20200101"), ("24001", "20250701"), ("24001.1", "")]
    ask(clinic, "administrator", "POST", "/facilities/nowhere/end", {"validUntil": "20250630"}, 404)
    clinic.run("peer", "add", "us1", "--ae-title", "US1", "--host", "127.0.0.1", "--port", "104", "--charset", "ascii")
    order(clinic, "P1", modality="US", scheduledAt="20270401")
    shown = ask(clinic, "technician", "GET", "/worklists/us1?date=20270401")
    assert shown["characterSet"] == "ascii" and shown["items"][0]["attributes"]["PatientName"] == "Nguyen Van Duc"
    assert shown["items"][0]["lost"] and shown["isWhole"]
    ask(clinic, "technician", "GET", "/worklists/us9", status=404)
    ask(clinic, "technician", "GET", "/worklists/us1?date=soon", status=400)


def test_every_change_is_in_the_trail_and_no_patient_is(clinic):
    order(clinic, "TRAIL1")
    clinic.callers["clerk"].post(clinic.url + API + "/patients/search", json={"identifier": "TRAIL1"}, timeout=60)
    rows = lambda: ask(clinic, "administrator", "GET", "/audit?account=a%20clerk&limit=1000")["events"]
    assert eventually(lambda: {"register", "readOrders"} <= {row["kind"] for row in rows()})
    text = str(rows()) + clinic.log.read_text() + clinic.get("/metrics")[1]
    for secret in ("TRAIL1", "Nguyễn", "NGUYEN", "001080012345"):
        assert secret not in text
