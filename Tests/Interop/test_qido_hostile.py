"""QIDO-RS: who may see what, and what hostile searches cannot do."""

import http.client

import pytest
import requests

from support import qido, synthetic
from support.qido import JSON, LIST, ask, studies_of


@pytest.fixture(scope="module")
def filled(shared_archive, module_folder):
    return qido.fill(shared_archive, module_folder)


@pytest.fixture
def session(filled):
    return filled.http()


# Who may see what.


def test_without_a_credential_nothing(filled):
    for path in ("/studies", "/series", "/instances", f"/studies/{filled.studies[0].uid}/series"):
        answer = requests.get(f"http://127.0.0.1:{filled.http_port}/dicom-web{path}", headers={"Accept": JSON})
        assert answer.status_code == 401
        assert "Nguy" not in answer.text


def test_a_scope_hides_other_studies_and_their_number(filled):
    account = filled.http()
    base = f"http://127.0.0.1:{filled.http_port}"
    study = filled.studies[1]
    made = account.post(f"{base}/api/v1/studies/{study.uid}/links", json={"seconds": 600})
    if made.status_code == 404:
        pytest.fail(f"links cannot be made: {made.text}")
    assert made.status_code in (200, 201), made.text
    visitor = follow(base, made.json())
    for path in ("/studies", f"/studies?{LIST}", "/studies?PatientName=*thi*", f"/studies?StudyInstanceUID={study.uid}"):
        answer = ask(filled, visitor, path)
        assert answer.status_code == 200, answer.text
        assert studies_of(answer.json()) == [study.uid]
        assert answer.headers["X-Total-Count"] == "1"
    other = filled.studies[0]
    assert ask(filled, visitor, f"/studies?StudyInstanceUID={other.uid}").status_code == 204
    assert ask(filled, visitor, f"/studies?00100020=BN000").status_code == 204
    assert len(ask(filled, visitor, "/series").json()) == 2
    assert len(ask(filled, visitor, "/instances").json()) == 6
    known, unknown = (ask(filled, visitor, f"/studies/{uid}/series") for uid in (other.uid, synthetic.uid()))
    assert known.status_code == unknown.status_code == 404 and known.text == unknown.text
    assert len(ask(filled, visitor, f"/studies/{study.uid}/series").json()) == 2


def follow(base, link):
    """A browser that has opened a link."""
    visitor = requests.Session()
    visitor.get(base + link["path"], timeout=60)
    return visitor


# Hostile searches.


@pytest.mark.parametrize("query, status", [
    ("&".join(f"includefield=0010{number:04X}" for number in range(10_000)), (400, 414, 431)),
    ("&".join(f"PatientName{number}=x" for number in range(10_000)), (400, 414, 431)),
    ("PatientName=%00", (400,)), ("PatientName=%C3%28", (400,)), ("PatientName=%", (400,)), ("%FF=1", (400,)),
    ("PatientName=" + "*?" * 3_000, (400,)), ("PatientName=" + "*a" * 2_000, (200, 204)),
    ("limit=99999999999999999999999", (400,)), ("offset=1000000000", (204,)),
    ("PatientID=%27%20OR%201=1--", (204,)), ("PatientID=%22%29%20UNION%20SELECT", (204,)),
    ("PatientName=%22*%22", (204,)), ("StudyInstanceUID=" + ",".join(["1.2"] * 5_000), (204,)),
    (".".join(["RequestAttributesSequence"] * 500) + "=x", (400,)),
    ("StudyDate=" + "-" * 3_000, (400,)), ("orderby=" + ",".join(["PatientName"] * 2_000), (400,)),
])
def test_hostile_queries(filled, session, query, status):
    # Letter by letter: a client that mends what it sends is no hostile one.
    line = http.client.HTTPConnection("127.0.0.1", filled.http_port, timeout=60)
    line.request("GET", f"/dicom-web/studies?{query}", headers={**session.headers, "Accept": JSON})
    answer = line.getresponse()
    body = answer.read()
    line.close()
    assert answer.status in status, body[:300]
    if answer.status >= 400:
        assert len(body) < 1_000
    filled.assert_healthy()


def test_a_url_of_a_mebibyte(filled, session):
    line = http.client.HTTPConnection("127.0.0.1", filled.http_port, timeout=60)
    try:
        line.request("GET", "/dicom-web/studies?PatientName=" + "a" * (1 << 20), headers=dict(session.headers))
        assert line.getresponse().status in (400, 414, 431)
    except (ConnectionError, http.client.HTTPException):
        pass  # hung up in the middle of it
    finally:
        line.close()
    filled.assert_healthy()
    assert filled.peak_memory() < 600 << 20


@pytest.mark.parametrize("path", [
    "/studies/..%2F..%2Fetc%2Fpasswd/series", "/studies/1.2.x/series", "/studies/%00/series", "/studies/*/series",
    "/studies/1.2/series/%2e%2e/instances", "/studies/" + "1" * 500 + "/series",
])
def test_paths_that_hold_no_uid(filled, session, path):
    request = requests.Request("GET", "http://x/").prepare()
    request.url = f"http://127.0.0.1:{filled.http_port}/dicom-web{path}"
    request.headers.update({**session.headers, "Accept": JSON})
    assert session.send(request).status_code in (400, 404)
    filled.assert_healthy()
