"""DELETE by role, what each resource says it takes, and what pages of other sites may read."""

import fcntl
import hashlib
import http.client
import json
import xml.etree.ElementTree as ElementTree

import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from support import dcmtk, synthetic
from support.told import eventually

JSON = {"Accept": "application/dicom+json"}


def url(archive, path):
    return f"http://127.0.0.1:{archive.http_port}/dicom-web{path}"


# DELETE.


def test_dicomweb_client_deletes_at_every_level(archive, tmp_path):
    study = synthetic.study(tmp_path, series=2, instances=2)
    archive.run("import", *study.files)
    client = DICOMwebClient(url(archive, ""), headers={"Authorization": f"Bearer {archive.token()}"})
    client.delete_instance(study.uid, study.series[0], study.instances[0])
    assert len(client.search_for_instances(study.uid)) == 3
    client.delete_series(study.uid, study.series[1])
    assert len(client.search_for_instances(study.uid)) == 1
    client.delete_study(study.uid)
    assert client.search_for_studies() == []
    assert archive.json("status")["instances"] == 0
    archive.run("rebuild-index")  # what is gone stays gone
    assert client.search_for_studies() == []


@pytest.mark.parametrize("by_command", [False, True], ids=["over HTTP", "by command"])
def test_what_was_made_from_a_series_goes_with_it(archive, tmp_path, by_command):
    study = synthetic.study(tmp_path, instances=2)
    archive.run("import", *study.files)
    session = archive.http()
    assert len(session.get(url(archive, f"/studies/{study.uid}/metadata"), headers=JSON).json()) == 2

    def kept():
        return [path for path in (archive.data / "metadata").rglob("*") if path.is_file()]

    assert kept()
    if by_command:
        archive.run("delete", "--study", study.uid, "--yes")
    else:
        assert session.delete(url(archive, f"/studies/{study.uid}")).status_code == 204
    assert not kept()


def test_what_is_not_there_cannot_be_deleted(archive, tmp_path):
    one, other = synthetic.study(tmp_path, instances=1), synthetic.study(tmp_path, instances=1)
    archive.run("import", *one.files, *other.files)
    session = archive.http()
    for path in (f"/studies/{synthetic.uid()}", f"/studies/{one.uid}/series/{other.series[0]}",
                 f"/studies/{one.uid}/series/{one.series[0]}/instances/{other.instances[0]}",
                 f"/studies/{other.uid}/series/{one.series[0]}/instances/{one.instances[0]}",
                 "/studies/1.2.x", "/studies/*", "/studies/%00"):
        assert session.delete(url(archive, path)).status_code == 404, path
    assert archive.json("status")["instances"] == 2
    assert session.delete(url(archive, f"/studies/{one.uid}")).status_code == 204
    assert session.delete(url(archive, f"/studies/{one.uid}")).status_code == 404
    assert archive.json("status")["instances"] == 1


def test_only_an_administrator_deletes_and_the_trail_knows(archive, tmp_path):
    study = synthetic.study(tmp_path, instances=1)
    archive.run("import", *study.files)
    path = url(archive, f"/studies/{study.uid}")
    for role in ("radiologist", "technician", "integration", "referring-physician"):
        assert archive.http(role).delete(path).status_code in (403, 404), role
    assert requests.delete(path).status_code == 401
    assert archive.json("status")["instances"] == 1
    assert archive.http().delete(path).status_code == 204
    archive.run("audit", "verify")
    archive.trail(has=lambda row: row["kind"] == "delete" and row["study"] == study.uid)
    archive.trail(has=lambda row: row["kind"] == "refused")


def test_a_deletion_waits_for_no_digest_and_for_no_other_deletion(make_archive, tmp_path):
    """Sealed volumes are listed anew in background; only a rebuild of the index keeps what is to be deleted."""
    archive = make_archive({"storage": {"volumeSize": "1MiB", "streamThreshold": "64KiB"}}).start()
    studies = [synthetic.study(tmp_path / str(n), instances=1, rows=256) for n in range(4)]
    # Each is larger than the threshold, and so a sealed volume by itself.
    for study in studies:
        dcmtk.run("storescu", *dcmtk.peer(archive), *study.files)

    def volume(study):
        return next(path for path in archive.volumes() if study.uid.encode() in path.read_bytes()[:4096])

    def listed(path):
        manifest = path.with_suffix(".json")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return manifest.exists() and json.loads(manifest.read_text())["sha256"] == digest

    first, kept, third, last = (volume(study) for study in studies)
    for path in (first, kept, third, last):
        eventually(lambda path=path: listed(path))
    archive.run("delete", "--study", studies[0].uid, "--yes")
    assert listed(first), "a command lists what it changed before it ends"

    session = archive.http()
    with open(kept, "rb") as busy, open(archive.data / "maintenance.lock", "a") as lock:
        fcntl.flock(busy, fcntl.LOCK_EX)
        kept.with_suffix(".json").unlink()
        fcntl.flock(lock, fcntl.LOCK_SH)  # as other deletions hold it
        answer = session.delete(url(archive, f"/studies/{studies[2].uid}"), timeout=60)
        assert answer.status_code == 204, "it does not wait for a volume that others digest"
        eventually(lambda: listed(third))
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a rebuild holds it
        answer = session.delete(url(archive, f"/studies/{studies[3].uid}"), timeout=60)
        assert answer.status_code == 503 and "Retry-After" in answer.headers
    assert session.delete(url(archive, f"/studies/{studies[3].uid}")).status_code == 204


def test_hidden_copies_go_with_their_study(archive, tmp_path):
    """Two contents under one UID: both are deleted, and neither comes back."""
    study, series, instance = synthetic.uid(), synthetic.uid(), synthetic.uid()
    for number in (1, 2):
        dataset = synthetic.ct(study, series, instance, number=number)
        archive.run("import", synthetic.write(tmp_path / f"{number}.dcm", dataset), expect=None)
    assert archive.json("status")["conflicts"] == 1
    assert archive.http().delete(url(archive, f"/studies/{study}")).status_code == 204
    status = archive.json("status")
    assert (status["instances"], status["conflicts"]) == (0, 0)


# Capabilities.


@pytest.mark.parametrize("path, allowed", [
    ("", "GET, HEAD, OPTIONS"), ("/studies", "GET, POST, HEAD, OPTIONS"), ("/series", "GET, HEAD, OPTIONS"),
    ("/instances", "GET, HEAD, OPTIONS"), ("/studies/1.2", "GET, POST, DELETE, HEAD, OPTIONS"),
    ("/studies/1.2/series", "GET, HEAD, OPTIONS"), ("/studies/1.2/instances", "GET, HEAD, OPTIONS"),
    ("/studies/1.2/metadata", "GET, HEAD, OPTIONS"), ("/studies/1.2/series/1.3", "GET, DELETE, HEAD, OPTIONS"),
    ("/studies/1.2/series/1.3/instances/1.4", "GET, DELETE, HEAD, OPTIONS"),
    ("/studies/1.2/series/1.3/instances/1.4/frames/1", "GET, HEAD, OPTIONS"),
])
def test_options(shared_archive, path, allowed):
    answer = requests.options(url(shared_archive, path))
    assert answer.status_code == 204
    assert set(answer.headers["Allow"].split(", ")) == set(allowed.split(", "))


def test_options_of_the_server(shared_archive):
    line = http.client.HTTPConnection("127.0.0.1", shared_archive.http_port, timeout=60)
    line.request("OPTIONS", "*")
    answer = line.getresponse()
    assert answer.status == 204 and "GET" in answer.headers["Allow"]
    line.close()


@pytest.mark.parametrize("method, path", [
    ("DELETE", "/studies"), ("PUT", "/studies/1.2"), ("POST", "/series"), ("PATCH", "/studies/1.2/series/1.3"),
    ("POST", "/studies/1.2/series/1.3/instances/1.4/frames/1"),
])
def test_a_method_that_a_resource_does_not_take(shared_archive, method, path):
    answer = shared_archive.http().request(method, url(shared_archive, path))
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_description_of_the_service(shared_archive):
    answer = requests.get(url(shared_archive, "/"), headers={"Accept": "application/json"})
    assert answer.status_code == 200
    paths = {resource["path"]: resource["methods"] for resource in answer.json()["resources"]}
    assert "POST" in paths["/studies"] and "DELETE" in paths["/studies/{study}"]
    wadl = requests.get(url(shared_archive, "/"), headers={"Accept": "application/vnd.sun.wadl+xml"})
    assert wadl.headers["Content-Type"] == "application/vnd.sun.wadl+xml"
    root = ElementTree.fromstring(wadl.content)
    assert len(root.findall(".//{http://wadl.dev.java.net/2009/02}resource")) == len(paths)


def test_head_says_what_get_would(archive, tmp_path):
    archive.run("import", *synthetic.study(tmp_path, instances=1).files)
    session = archive.http()
    got, headed = (session.request(method, url(archive, "/studies"), headers=JSON) for method in ("GET", "HEAD"))
    assert headed.status_code == 200 and headed.content == b""
    for name in ("Content-Type", "X-Total-Count"):
        assert headed.headers[name] == got.headers[name]


# Pages of other sites.

ORIGIN, FRIEND, STRANGER = "https://viewer.example.org", "https://emr.example.org", "https://evil.example.org"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    from support.archive import Archive

    archive = Archive(tmp_path_factory.mktemp("opened") / "archive", {
        "http": {"allowedOrigins": [ORIGIN], "isolatePages": True}, "access": {"origins": [FRIEND]}}).start()
    yield archive
    archive.stop()


def preflight(archive, origin, path="/studies"):
    return requests.options(url(archive, path), headers={
        "Origin": origin, "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization, accept"})


def test_preflights(opened, shared_archive):
    answer = preflight(opened, ORIGIN)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]
    assert preflight(opened, FRIEND).headers["Access-Control-Allow-Credentials"] == "true"
    for archive, origin in ((opened, STRANGER), (opened, "null"), (shared_archive, ORIGIN)):
        assert not [name for name in preflight(archive, origin).headers if name.startswith("Access-Control")]


def test_answers_that_other_sites_may_read(opened):
    session = opened.http()
    answer = session.get(url(opened, "/studies"), headers={**JSON, "Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = answer.headers["Access-Control-Expose-Headers"]
    for name in ("ETag", "Warning", "X-Total-Count", "Content-Range"):
        assert name in exposed
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    refused = requests.get(url(opened, "/studies"), headers={**JSON, "Origin": ORIGIN})
    assert refused.status_code == 401 and refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    wrong = session.get(url(opened, "/studies?limit=x"), headers={**JSON, "Origin": ORIGIN})
    assert wrong.status_code == 400 and wrong.headers["Access-Control-Allow-Origin"] == ORIGIN
    stranger = session.get(url(opened, "/studies"), headers={**JSON, "Origin": STRANGER})
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_isolation(opened, shared_archive):
    page = requests.get(f"http://127.0.0.1:{opened.http_port}/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    answer = shared_archive.http().get(url(shared_archive, "/studies"), headers=JSON)
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Cross-Origin-Embedder-Policy" not in answer.headers


def test_addresses_begin_with_what_is_configured(make_archive, tmp_path):
    archive = make_archive({"http": {"publicURL": "https://pacs.example.org:8443"}}).start()
    dataset = synthetic.ct()
    archive.run("import", synthetic.write(tmp_path / "one.dcm", dataset))
    session, root = archive.http(), "https://pacs.example.org:8443/dicom-web"
    listed, = session.get(f"{archive.url}/dicom-web/studies", headers=JSON, timeout=30).json()
    assert listed["00081190"]["Value"] == [f"{root}/studies/{dataset.StudyInstanceUID}"]
    path = (f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
            f"/instances/{dataset.SOPInstanceUID}")
    found, = session.get(f"{archive.url}/dicom-web{path}/metadata", headers=JSON, timeout=30).json()
    address = found["7FE00010"]["BulkDataURI"]
    assert address.startswith(root + path)
    here = session.get(archive.url + address.removeprefix("https://pacs.example.org:8443"),
                       headers={"Accept": "application/octet-stream"}, timeout=30)
    assert here.status_code == 200 and here.content == dataset.PixelData
