"""Grants and links: one study opened to others."""

import re
import sqlite3

import pytest
import requests

from support import dcmtk, synthetic
from support.accounts import API, browser, eventually, trail


def test_a_grant_opens_one_study_to_one_account(staffed, two_studies):
    first, second = (study.uid for study in two_studies)
    sharer, reader = browser(staffed, "radiologist"), staffed.http(account="referring-physician")
    grants = f"{staffed.url}{API}/studies/{first}/grants"

    def readable():
        return [reader.get(f"{staffed.url}/dicom-web/studies/{uid}/metadata").status_code for uid in (first, second)]

    assert readable() == [404, 404]
    assert sharer.post(grants, json={"account": "nobody"}).status_code == 404
    assert sharer.post(grants, json={"account": "referring-physician"}).status_code == 204
    assert readable() == [200, 404]
    found = reader.get(f"{staffed.url}/dicom-web/studies").json()
    assert [study["0020000D"]["Value"][0] for study in found] == [first]
    assert [row["account"] for row in sharer.get(grants).json()] == ["referring-physician"]
    assert reader.post(grants, json={"account": "technician"}).status_code == 403, "who was granted cannot grant"
    assert sharer.delete(grants + "/referring-physician").status_code == 204
    assert readable() == [404, 404]
    kinds = [row["detail"] for row in trail(staffed, study=first, kind="share")]
    assert "granted to account referring-physician" in kinds
    assert "grant to account referring-physician withdrawn" in kinds


def test_a_link_opens_one_study_and_is_counted_and_revoked(staffed, two_studies):
    first, second = (study.uid for study in two_studies)
    sharer = browser(staffed, "radiologist")
    links = f"{staffed.url}{API}/studies/{first}/links"
    made = sharer.post(links, json={"seconds": 600, "mostUses": 2})
    assert made.status_code == 201
    path = made.json()["path"]
    assert first not in path and "SECRET" not in path and re.fullmatch(r"/link/[A-Za-z0-9_-]{43}", path)

    guest = browser(staffed)
    opened = guest.get(staffed.url + path, allow_redirects=False)
    assert opened.status_code == 303 and first in opened.headers["Location"]
    assert opened.headers["Referrer-Policy"] == "no-referrer" and opened.headers["Cache-Control"] == "no-store"
    me = guest.get(staffed.url + API + "/session").json()
    assert me["credential"] == "link" and me["scope"] == "granted" and me["rights"] == ["read", "readOrders", "search"]
    assert guest.get(f"{staffed.url}/dicom-web/studies/{first}/metadata").status_code == 200
    assert guest.get(f"{staffed.url}/dicom-web/studies/{second}/metadata").status_code == 404
    assert [s["0020000D"]["Value"][0] for s in guest.get(f"{staffed.url}/dicom-web/studies").json()] == [first]
    assert guest.post(links, json={}).status_code == 403, "a link does not beget links"
    assert guest.get(staffed.url + API + "/tokens").status_code == 403

    assert requests.get(staffed.url + path, allow_redirects=False, timeout=60).status_code == 303
    assert requests.get(staffed.url + path, allow_redirects=False, timeout=60).status_code == 404, "used up"
    row, = [row for row in sharer.get(links).json() if row["id"] == made.json()["id"]]
    assert row["useCount"] == 2 and row["sharedBy"] == "radiologist"

    other = f"{staffed.url}{API}/studies/{second}/links/{row['id']}"
    assert sharer.delete(other).status_code == 404, "of another study"
    assert sharer.delete(f"{links}/{row['id']}").status_code == 204
    assert guest.get(staffed.url + API + "/session").status_code == 401, "the session from it ends at once"
    staffed.trail("--study", first, "--kind", "read", has=lambda read: read["credential"] == f"link {row['id']}")


def test_a_link_ends_with_its_time(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "in", instances=1)
    dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
    url = f"{archive.url}{API}/studies/{made.uid}/links"
    chief = archive.http()
    assert chief.post(url, json={"seconds": 1}).status_code == 400
    assert chief.post(url, json={"seconds": 10**9}).status_code == 400
    assert chief.post(url, json={"mostUses": 0}).status_code == 400
    path = chief.post(url, json={"seconds": 60}).json()["path"]
    guest = browser(archive)
    assert guest.get(archive.url + path, allow_redirects=False).status_code == 303
    # An hour later, as far as the records can tell.
    with sqlite3.connect(archive.data / "records.sqlite", timeout=60) as records:
        records.execute("UPDATE link SET expiresAt = expiresAt - 3600000000")
    assert eventually(lambda: guest.get(archive.url + API + "/session").status_code == 401)
    assert requests.get(archive.url + path, allow_redirects=False, timeout=60).status_code == 404


@pytest.mark.parametrize("uid", ["1.2.3.4.5", "../../etc/passwd", "1.2%00", "x" * 100])
def test_nothing_is_shared_that_is_not_here(staffed, uid):
    sharer = browser(staffed, "radiologist")
    assert sharer.post(f"{staffed.url}{API}/studies/{uid}/links", json={}).status_code in (400, 404)
    assert sharer.get(f"{staffed.url}/link/{uid}").status_code in (400, 404)
