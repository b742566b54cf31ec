"""The audit trail: what is in it, who may read it, and what shows when somebody changes it."""

import json
import sqlite3

import pytest

from support import dcmtk, synthetic
from support.accounts import API, browser, eventually, trail



def test_reads_stores_searches_and_refusals_are_in_the_trail(staffed, two_studies):
    uid = two_studies[0].uid
    reader = browser(staffed, "technician")
    for _ in range(30):
        reader.get(f"{staffed.url}/dicom-web/studies/{uid}/metadata")
    reader.get(f"{staffed.url}/dicom-web/studies")
    reader.get(staffed.url + API + "/accounts")
    assert eventually(lambda: trail(staffed, account="technician", kind="read"))
    row = trail(staffed, account="technician", kind="read")[-1]
    assert row["study"] == uid and row["address"] == "127.0.0.1" and row["credential"].startswith("session ")
    assert len(trail(staffed, account="technician", kind="read")) < 5, "gathered"
    assert eventually(lambda: trail(staffed, account="technician", kind="search"))
    assert eventually(lambda: trail(staffed, account="technician", kind="refused"))
    assert any(row.get("study") == uid for row in trail(staffed, kind="store"))
    text = json.dumps(trail(staffed))
    assert "SECRET" not in text and "Nguy" not in text


def test_dicom_services_are_in_the_trail(staffed, two_studies, tmp_path):
    uid = two_studies[0].uid
    peer = dcmtk.peer(staffed, calling="CT_SCANNER")
    dcmtk.run("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", *peer)
    dcmtk.run(
        "getscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}", "-od", tmp_path, *peer)
    assert eventually(lambda: trail(staffed, account="dicom:CT_SCANNER", kind="search"))
    assert eventually(lambda: trail(staffed, account="dicom:CT_SCANNER", kind="export"))
    row = trail(staffed, account="dicom:CT_SCANNER", kind="export")[0]
    assert row["study"] == uid and row["detail"] == "C-GET" and row["address"] == "127.0.0.1"


def test_commands_are_in_the_trail(make_archive, tmp_path):
    archive = make_archive()
    made = synthetic.study(tmp_path / "in", instances=2)
    archive.run("import", tmp_path / "in")
    archive.find()
    archive.run("export", "--study", made.uid, "--to", tmp_path / "out")
    archive.run("delete", "--study", made.uid, "--yes")
    rows = trail(archive)[::-1]
    assert [row["kind"] for row in rows] == ["store", "search", "export", "delete"]
    assert all(row["account"].startswith("operator:") for row in rows)
    assert [row.get("study") for row in rows] == [None, None, made.uid, made.uid]
    assert archive.json("audit", "verify")["rows"] == 4


@pytest.mark.parametrize("way", ["edit", "delete", "truncate", "swap"])
def test_who_changes_the_trail_is_seen(make_archive, way):
    archive = make_archive().start()
    for name in ("a.one", "a.two", "a.three"):
        archive.run("account", "add", name, "--role", "technician", "--no-password")
    archive.stop()
    verified = archive.json("audit", "verify")
    assert verified["flaws"] == [] and verified["rows"] == 4
    assert archive.run("audit", "verify").stdout.strip() == verified["head"]
    statements = {
        "edit": ["UPDATE audit SET account = 'somebody else' WHERE number = 2"],
        "delete": ["DELETE FROM audit WHERE number = 2"],
        "truncate": ["DELETE FROM audit WHERE number = 4"],
        "swap": ["UPDATE audit SET number = 99 WHERE number = 2", "UPDATE audit SET number = 2 WHERE number = 3",
                 "UPDATE audit SET number = 3 WHERE number = 99"],
    }
    with sqlite3.connect(archive.data / "records.sqlite") as records:
        for statement in statements[way]:
            records.execute(statement)
    assert archive.json("audit", "verify", expect=1)["flaws"]
    assert "NOT" in archive.run("audit", "verify", expect=1).stderr
    archive.start()  # a bad trail is told, it does not keep anybody from images


def test_a_head_noted_elsewhere_shows_a_trail_that_was_made_anew(make_archive):
    archive = make_archive().start()
    archive.stop()
    head = archive.run("audit", "verify").stdout.strip()
    assert archive.json("audit", "verify", "--head", head)["flaws"] == []
    number, digest = head.split(":")
    forged = f"{number}:{'0' * len(digest)}"
    assert archive.json("audit", "verify", "--head", forged, expect=1)["flaws"]
    archive.run("audit", "verify", "--head", "nonsense", expect=2)


def test_the_trail_over_http_is_for_administrators_and_pages(staffed):
    chief = staffed.http()
    first = chief.get(f"{staffed.url}{API}/audit", params={"limit": 2}).json()
    assert len(first["events"]) == 2 and first["next"] == first["events"][-1]["number"]
    second = chief.get(f"{staffed.url}{API}/audit", params={"limit": 2, "before": first["next"]}).json()
    assert second["events"][0]["number"] == first["next"] - 1
    kinds = chief.get(f"{staffed.url}{API}/audit", params={"kind": "administer"}).json()["events"]
    assert kinds and {row["kind"] for row in kinds} == {"administer"}
    for bad in ({"kind": "dance"}, {"limit": 0}, {"from": "yesterday"}, {"color": "red"}):
        assert chief.get(f"{staffed.url}{API}/audit", params=bad).status_code == 400


def test_a_trail_that_cannot_be_written_withholds_patient_data(make_archive, tmp_path):
    archive = make_archive({"access": {"auditBacklog": 3}}).start()
    studies = [synthetic.study(tmp_path / str(number), instances=1) for number in range(6)]
    for study in studies:
        dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)
    reader = archive.http()
    assert reader.get(f"{archive.url}/dicom-web/studies/{studies[0].uid}/metadata").status_code == 200
    archive.trail("--kind", "read", has=lambda row: row.get("study") == studies[0].uid)
    with sqlite3.connect(archive.data / "records.sqlite", timeout=60) as records:
        records.execute("CREATE TRIGGER stuck BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'stuck'); END")
    statuses = [
        reader.get(f"{archive.url}/dicom-web/studies/{study.uid}/metadata").status_code for study in studies[1:]]
    assert statuses[0] == 200 and statuses[-1] == 503, statuses
    assert eventually(lambda: archive.get("/health/ready")[0] == 503)
    assert eventually(lambda: "audit trail cannot be written" in archive.log.read_text())
    assert dcmtk.run(
        "findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", *dcmtk.peer(archive)
    ).stdout.count("Pending") == 0
    more = synthetic.study(tmp_path / "more", instances=1)
    dcmtk.run("storescu", *dcmtk.peer(archive), *more.files)  # modalities can still send
    with sqlite3.connect(archive.data / "records.sqlite", timeout=60) as records:
        records.execute("DROP TRIGGER stuck")
    url = f"{archive.url}/dicom-web/studies/{studies[-1].uid}/metadata"
    assert eventually(lambda: reader.get(url).status_code == 200)
    assert archive.json("audit", "verify")["flaws"] == []
