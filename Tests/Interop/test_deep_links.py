"""From the EMR into the viewer: a visit, an order, a patient; with an account, with a link, and with neither."""

import pytest

from support import dcmtk, synthetic
from support.accounts import PASSWORD, add_account, browser, eventually
from support.archive import Archive
from support.authorization import anonymous, bearer
from support.browser import browser as chromium

API = "/api/v1"
VISIT = "24001.2026/KCB 01"
PLACE = "/view/encounter/24001.2026%2FKCB%2001"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("links") / "archive", {"hospital": {"facility": "24001"}}).start()
    archive.emr = archive.http("integration")
    archive.doctor = archive.http("radiologist")
    archive.orders = [enter(archive, "BN1", VISIT, modality) for modality in ("CT", "MR")]
    yield archive
    archive.stop()


def enter(archive, code, visit, modality="CT", **more):
    answer = archive.emr.post(archive.url + API + "/orders", timeout=60, json={
        "patient": {"identifiers": [{"value": code}], "name": f"Người {code}"}, "visit": {"number": visit},
        "modality": modality, "code": {"value": "X1", "meaning": "Chụp <b>sọ</b>"}, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["order"]


def images(archive, folder, order, date="20261121", **values):
    uid = order["studyInstanceUID"]
    study = synthetic.study(folder, instances=1, StudyInstanceUID=uid, StudyDate=date,
                            modalities=(order["modality"],), PatientID=order["patientIDs"][0],
                            PatientName="Nguoi " + order["patientIDs"][0], AccessionNumber=order["accessionNumber"], **values)
    dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    linked = lambda: archive.doctor.get(f"{archive.url}{API}/studies/{uid}/order", timeout=60).json().get("holding")
    assert eventually(linked)
    return uid


def follow(archive, caller, path):
    return caller.get(archive.url + path, allow_redirects=False, timeout=60)


def opened(answer):
    assert answer.status_code == 303, (answer.status_code, answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    start = "/ohif/viewer?StudyInstanceUIDs="
    assert answer.headers["Location"].startswith(start)
    return answer.headers["Location"].removeprefix(start).split(",")


def said(answer, status, words):
    assert answer.status_code == status and answer.headers["Content-Type"].startswith("text/html"), answer.text
    assert "script" not in answer.text and words in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return answer


def link_to(archive, **what):
    answer = archive.emr.post(archive.url + API + "/links", json=what, timeout=60)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_the_way_of_one_visit(clinic, tmp_path):
    # Nothing yet: what was ordered, and the page asks again by itself.
    page = said(follow(clinic, clinic.doctor, PLACE), 200, "No images yet")
    assert page.headers["Refresh"].isdigit() and page.text.count("Chỉ định lúc") == 2
    assert "&lt;b&gt;" in page.text and "<b>sọ" not in page.text and "Người" not in page.text
    invited = link_to(clinic, visitNumber=VISIT)
    assert VISIT not in invited["path"] and "BN1" not in invited["path"]
    stranger = anonymous()
    begun = follow(clinic, stranger, invited["path"])
    assert (begun.status_code, begun.headers["Location"]) == (303, "/view/link")
    said(follow(clinic, stranger, "/view/link"), 200, "No images yet")
    said(follow(clinic, stranger, PLACE), 200, "No images yet")
    # The first images, then more of the same visit, the newest first.
    first = images(clinic, tmp_path / "1", clinic.orders[0])
    assert opened(follow(clinic, clinic.doctor, PLACE)) == [first]
    second = images(clinic, tmp_path / "2", clinic.orders[1], date="20261122")
    assert opened(follow(clinic, clinic.doctor, PLACE + "?issuer=24001")) == [second, first]
    # What a link has verified is believed for two seconds.
    assert eventually(lambda: follow(clinic, stranger, "/view/link").headers.get("Location", "").count(",") == 1)
    assert opened(follow(clinic, stranger, "/view/link")) == opened(follow(clinic, stranger, PLACE)) == [second, first]
    assert stranger.get(f"{clinic.url}/dicom-web/studies/{first}/metadata", timeout=60).status_code == 200
    orders = stranger.post(clinic.url + API + "/orders/search", json={}, headers={"X-Requested-With": "x"}, timeout=60)
    assert {row["id"] for row in orders.json()["orders"]} == {order["id"] for order in clinic.orders}
    # By the number of the order: only its own images.
    accession = clinic.orders[0]["accessionNumber"]
    assert opened(follow(clinic, clinic.doctor, f"/view/accession/{accession}")) == [first]
    assert opened(follow(clinic, clinic.doctor, f"/view/accession/{accession}?patient=BN1")) == [first]
    said(follow(clinic, clinic.doctor, f"/view/accession/{accession}?patient=BN2"), 404, "Not found")


def test_a_link_opens_its_visit_and_nothing_else(clinic, tmp_path):
    mine, other = enter(clinic, "K1", "VK1"), enter(clinic, "K2", "VK2")
    uids = [images(clinic, tmp_path / code, made) for code, made in (("a", mine), ("b", other))]
    for what in ({"visit": mine["visitID"]}, {"order": mine["id"]}, {"accessionNumber": mine["accessionNumber"]}):
        stranger = anonymous()
        assert follow(clinic, stranger, link_to(clinic, **what)["path"]).status_code == 303
        assert opened(follow(clinic, stranger, "/view/link")) == [uids[0]]
        for path in ("/view/encounter/VK2", f"/view/accession/{other['accessionNumber']}", "/view/encounter/NOWHERE",
                     f"/IHEInvokeImageDisplay?requestType=STUDY&studyUID={uids[1]}",
                     "/IHEInvokeImageDisplay?requestType=PATIENT&patientID=K2"):
            said(follow(clinic, stranger, path), 403, "Not allowed")
        assert stranger.get(f"{clinic.url}/dicom-web/studies/{uids[1]}/metadata", timeout=60).status_code == 404
        assert stranger.get(f"{clinic.url}{API}/orders/{other['id']}", timeout=60).status_code == 404
        found = stranger.get(f"{clinic.url}/dicom-web/studies", timeout=60).json()
        assert [row["0020000D"]["Value"][0] for row in found] == [uids[0]]


def test_links_end(clinic):
    made = enter(clinic, "E1", "VE1")
    link = link_to(clinic, order=made["id"], mostUses=1)
    stranger = anonymous()
    assert follow(clinic, stranger, link["path"]).status_code == 303
    assert follow(clinic, anonymous(), link["path"]).status_code == 404
    revoke = f"{clinic.url}{API}/links/{link['id']}"
    assert clinic.http("clerk").delete(revoke, timeout=60).status_code == 403
    assert clinic.emr.delete(revoke, timeout=60).status_code == 204
    # The session is over: to the first page, and back here once signed in.
    gone = follow(clinic, stranger, "/view/link")
    assert (gone.status_code, gone.headers["Location"]) == (303, "/?return=/view/link")
    for bad, status in (({}, 400), ({"visit": 1, "order": 1}, 400), ({"visitNumber": "NOWHERE"}, 404),
                        ({"order": made["id"], "seconds": 1}, 400), ({"order": 10**9}, 404)):
        assert clinic.emr.post(clinic.url + API + "/links", json=bad, timeout=60).status_code == status, bad


def test_nobody_is_sent_elsewhere(clinic):
    for path in (PLACE, "/view/accession/A1?patient=P%26x", "/IHEInvokeImageDisplay?requestType=PATIENT&patientID=BN1",
                 "/view/encounter/%2F%2Fevil.example.org"):
        answer = follow(clinic, anonymous(), path)
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/?return=/")
        assert "&" not in answer.headers["Location"]


def test_who_may_not_is_told_in_plain_words(clinic):
    clinic.run("account", "add", "gp", "--role", "referring-physician", "--no-password")
    guest, clerk = bearer(clinic.token(account="gp")), clinic.http("clerk")
    for caller in (guest, clerk):
        # The same for what is there and what is not.
        there, nowhere = (follow(clinic, caller, path) for path in (PLACE, "/view/encounter/NOWHERE"))
        said(there, 403, "Không được phép xem")
        assert (there.text, there.status_code) == (nowhere.text, nowhere.status_code)
    said(follow(clinic, clinic.doctor, "/view/encounter/NOWHERE"), 404, "Không tìm thấy")
    said(follow(clinic, clinic.doctor, "/view/accession/NOWHERE"), 404, "Not found")
    said(follow(clinic, clinic.doctor, "/view/link"), 404, "Not found")
    said(follow(clinic, clinic.doctor, PLACE + "?color=blue"), 400, "known are issuer")


def test_numbers_of_several_show_nobody_the_wrong_images(clinic, tmp_path):
    one, two = (enter(clinic, code, f"V{code}", accessionNumber="SAME1") for code in ("T1", "T2"))
    uid = images(clinic, tmp_path, two)
    said(follow(clinic, clinic.doctor, "/view/accession/SAME1"), 409, "several patients")
    assert opened(follow(clinic, clinic.doctor, "/view/accession/SAME1?patient=T2")) == [uid]
    said(follow(clinic, clinic.doctor, "/view/accession/SAME1?patient=T1"), 200, "No images yet")
    visits = clinic.emr.post(clinic.url + API + "/visits", timeout=60, json={
        "patient": one["patient"], "number": "VT1", "issuer": "24002"})
    assert visits.status_code == 201
    choice = said(follow(clinic, clinic.doctor, "/view/encounter/VT1"), 300, "Which facility?")
    assert "/view/encounter/VT1?issuer=24002" in choice.text


# Patient ID and issuer of each study.
@pytest.mark.parametrize("number, people, answer", [
    ("LOOSE1", [("L1", ""), ("L1", "24001")], 303), ("LOOSE2", [("L2", "24001"), ("L2", "24002")], 409),
    ("LOOSE3", [("", ""), ("", "")], 409), ("LOOSE4", [("", "")], 303), ("LOOSE5", [("L5", ""), ("L6", "")], 409),
])
def test_a_number_without_an_order_is_one_persons(clinic, tmp_path, number, people, answer):
    for place, (code, issuer) in enumerate(people):
        study = synthetic.study(tmp_path / str(place), instances=1, AccessionNumber=number, PatientID=code,
                                IssuerOfPatientID=issuer, PatientName="NGUYEN VAN AN")
        dcmtk.run("storescu", *dcmtk.peer(clinic), *study.files)
    got = follow(clinic, clinic.doctor, f"/view/accession/{number}")
    assert got.status_code == answer, got.text
    if answer == 303:
        assert len(opened(got)) == len(people)


def test_invoke_image_display(clinic, tmp_path):
    """IHE RAD-106, as an EMR calls it."""
    old, new = (enter(clinic, "IID", "VIID", modality) for modality in ("CT", "US"))
    uids = [images(clinic, tmp_path / date, made, date=date) for made, date in ((old, "20250101"), (new, "20260101"))]
    show = lambda query: follow(clinic, clinic.doctor, "/IHEInvokeImageDisplay?" + query)
    assert opened(show(f"requestType=STUDY&studyUID={uids[0]}&viewerType=IHE_BIR&diagnosticQuality=true")) == [uids[0]]
    assert opened(show(f"requestType=STUDY&studyUID={uids[0]},{uids[1]}")) == [uids[1], uids[0]]
    assert opened(show(f"requestType=STUDY&accessionNumber={old['accessionNumber']},{new['accessionNumber']}&patientID=IID")
                  ) == [uids[1], uids[0]]
    assert opened(show("requestType=PATIENT&patientID=IID%5E%5E%5E24001")) == [uids[1], uids[0]]
    assert opened(show("requestType=PATIENT&patientID=IID&mostRecentResults=1")) == [uids[1]]
    assert opened(show("requestType=PATIENT&patientID=IID&upperDateTime=2025-06-30T00:00:00")) == [uids[0]]
    assert opened(show("requestType=PATIENT&patientID=IID&modalitiesInStudy=US,XA")) == [uids[1]]
    said(show("requestType=PATIENT&patientID=NOBODY"), 404, "Not found")
    said(show("requestType=STUDY&studyUID=1.2.3"), 404, "Not found")
    for wrong in ("", "requestType=SERIES", "requestType=STUDY", "requestType=PATIENT", "requestType=STUDY&studyUID=x",
                  "requestType=PATIENT&patientID=IID&lowerDateTime=soon"):
        said(show(wrong), 400, "The link is not right")


def test_nothing_of_a_patient_is_logged(clinic):
    follow(clinic, clinic.doctor, "/IHEInvokeImageDisplay?requestType=PATIENT&patientID=SECRET-77")
    follow(clinic, clinic.doctor, "/view/encounter/SECRET-77")
    trail = clinic.trail("--limit", "1000", has=lambda row: row["detail"] == "deep link" and row.get("study"))
    for text in (clinic.log.read_text(), clinic.get("/metrics")[1], str(trail)):
        assert "SECRET-77" not in text and VISIT not in text


def test_signing_in_leads_back_to_the_visit(clinic):
    add_account(clinic, "bs.lan", "radiologist")
    signed = browser(clinic, "bs.lan")
    assert opened(signed.get(clinic.url + PLACE, allow_redirects=False, timeout=60))


def test_the_viewer_opens_all_images_of_a_visit(clinic, tmp_path):
    """In a real browser, from the address in the EMR: sign in, and both studies are there."""
    made = [enter(clinic, "OHIF1", "VOHIF", modality) for modality in ("CT", "MR")]
    uids = [images(clinic, tmp_path / order["modality"], order) for order in made]
    add_account(clinic, "bs.minh", "radiologist")
    with chromium(clinic.url) as page:
        page.sign_in("bs.minh", PASSWORD, path="/view/encounter/VOHIF")
        page.wait(lambda: page.path.startswith("/ohif/viewer"), why="the viewer")
        asked = lambda uid: any(status == 200 and f"/dicom-web/studies/{uid}/" in url for status, _, url in page.answers)
        page.wait(lambda: page.collect() is not None and all(asked(uid) for uid in uids), seconds=180, why="both studies")
        page.screenshot("visit-in-the-viewer")
