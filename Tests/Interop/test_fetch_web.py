"""Studies fetched over DICOMweb: from Orthanc, from another archive of this kind, and from a server that lies."""

import hashlib
import http.server
import json
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from support import orthanc, outbox, synthetic
from support.archive import Archive


def fetch(archive, source, *question, expect=0):
    return json.loads(archive.run("fetch", "--from", source, *question, "--json", expect=expect).stdout)


def here(archive, study):
    return sorted(row["SOPInstanceUID"] for row in archive.find("--study", study, level="image"))


def stored(archive, study, folder):
    """{SHA-256} of the data sets of a study as it is given back."""
    archive.run("export", "--study", study, "--to", folder)
    return {digest(path.read_bytes()) for path in folder.rglob("*") if path.is_file() and b"DICM" in path.read_bytes()[:132]
            and path.name != "DICOMDIR"}


def digest(raw):
    """Of the data set behind the meta information."""
    length = int.from_bytes(raw[140:144], "little")
    return hashlib.sha256(raw[144 + length:]).hexdigest()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(archive, Orthanc with DICOMweb)."""
    if not Path(orthanc.DICOMWEB).exists():
        pytest.fail("Orthanc's DICOMweb plugin is not installed (make setup-test)")
    folder = tmp_path_factory.mktemp("fetch-web")
    with orthanc.Namespace() as namespace:
        archive = Archive(folder / "archive", prefix=namespace.prefix).start()
        peer = None
        try:
            peer = orthanc.Orthanc(folder / "orthanc", namespace.prefix, {}, dicomweb=True)
            (archive.data / "login").write_text(peer.login)
            outbox.add_destination(archive, "orthanc", token_file="login",
                                   dicomweb=f"http://127.0.0.1:{peer.http_port}/dicom-web")
            yield archive, peer
        finally:
            if peer:
                peer.stop()
            archive.stop()


def test_from_orthanc_only_what_is_missing(pair, tmp_path):
    archive, peer = pair
    made = synthetic.study(tmp_path / "theirs", series=2, instances=4, PatientName=synthetic.VIETNAMESE,
                           PatientID="PID-7A", AccessionNumber="ACC12")
    for path in made.files:
        peer.call("POST", "/instances", path.read_bytes())
    archive.run("import", made.files[0], made.files[5])
    report, = fetch(archive, "orthanc", "--patient", "PID-7A", "--dry-run")
    assert (report["instances"], report["missing"], report["received"]) == (8, 6, 0)
    report, = fetch(archive, "orthanc", "--accession", "ACC12")
    assert (report["studyInstanceUID"], report["received"], report["failed"]) == (made.uid, 6, 0)
    assert here(archive, made.uid) == sorted(made.instances)
    assert stored(archive, made.uid, tmp_path / "out") == {digest(path.read_bytes()) for path in made.files}
    report, = fetch(archive, "orthanc", "--study", made.uid)
    assert (report["missing"], report["received"]) == (0, 0)


def test_what_is_not_there_is_said(pair):
    archive, _ = pair
    assert fetch(archive, "orthanc", "--patient", "NOBODY", expect=1) == []


def test_from_another_archive_of_this_kind(make_archive, tmp_path):
    centre, station = make_archive(name="centre").start(), make_archive(name="station").start()
    made = synthetic.study(tmp_path / "theirs", series=2, instances=3, rows=300)
    centre.run("import", tmp_path / "theirs")
    (station.data / "token").write_text(centre.token())
    outbox.add_destination(station, "centre", phim=f"http://127.0.0.1:{centre.http_port}", token_file="token")
    report, = fetch(station, "centre", "--study", made.uid)
    assert (report["received"], report["failed"]) == (6, 0)
    assert stored(station, made.uid, tmp_path / "out") == {digest(path.read_bytes()) for path in made.files}
    with outbox.records(station) as base:
        source = base.execute("SELECT source FROM externalStudy WHERE studyInstanceUID = ?", (made.uid,)).fetchone()
    assert source["source"] == "centre"


class Liar:
    """Lists the objects of a study, so many at a time, and gives each as a function of its bytes says."""

    def __init__(self, study, answers, cap=1_000):
        self.asked = []
        files = dict(zip(study.instances, study.files, strict=True))
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                address = urllib.parse.urlsplit(self.path)
                path, query = address.path, dict(urllib.parse.parse_qsl(address.query))
                outer.asked.append(path)
                if "/instances/" in path:
                    return answers[study.instances.index(path.rsplit("/", 1)[1])](self, files[path.rsplit("/", 1)[1]])
                if path.endswith("/instances"):
                    found = [{"00080018": {"vr": "UI", "Value": [str(uid)]},
                              "0020000E": {"vr": "UI", "Value": [study.series[0]]}} for uid in study.instances]
                elif path.endswith("/series"):
                    found = []
                else:
                    found = [{"0020000D": {"vr": "UI", "Value": [study.uid]}}]
                first = int(query.get("offset", 0))
                found = found[first:first + min(cap, int(query.get("limit", cap)))]
                give(self, json.dumps(found).encode(), "application/dicom+json")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def give(call, body, content_type, status=200, length=None):
    call.send_response(status)
    call.send_header("Content-Type", content_type)
    call.send_header("Content-Length", str(len(body) if length is None else length))
    call.end_headers()
    call.wfile.write(body)


TYPE = 'multipart/related; type="application/dicom"; boundary=cut'


def multipart(*bodies, closed=True):
    parts = b"".join(b"--cut\r\nContent-Type: application/dicom\r\n\r\n" + body + b"\r\n" for body in bodies)
    return parts + (b"--cut--\r\n" if closed else b"")


def test_a_server_that_lies_harms_nobody(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "made", instances=7)
    other = synthetic.study(tmp_path / "other", instances=1, PatientName="Somebody^Else")
    liar = Liar(made, [
        lambda call, file: give(call, multipart(file.read_bytes()), TYPE),
        lambda call, file: give(call, multipart(other.files[0].read_bytes()), TYPE),
        lambda call, file: give(call, multipart(file.read_bytes()[:-100], closed=False), TYPE),
        lambda call, file: give(call, b"<html>", "text/html"),
        lambda call, file: give(call, b"", "text/plain", 404),
        lambda call, file: give(call, multipart(b"no object at all" * 100), TYPE),
        lambda call, file: give(call, multipart(file.read_bytes()), TYPE),
    ])
    outbox.add_destination(archive, "liar", dicomweb=liar.url)
    report, = fetch(archive, "liar", "--study", made.uid, expect=1)
    assert (report["instances"], report["missing"], report["received"], report["failed"]) == (7, 7, 2, 5)
    assert report["reason"]
    assert here(archive, made.uid) == sorted([made.instances[0], made.instances[6]])
    assert archive.find("--study", other.uid, level="image") == []
    assert "Somebody" not in archive.log.read_text()
    liar.server.shutdown()


def test_a_server_that_gives_few_at_a_time_is_asked_on(make_archive, tmp_path):
    """Whatever it is asked for, it answers with three: all of them come."""
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "made", instances=7)
    few = Liar(made, [lambda call, file: give(call, multipart(file.read_bytes()), TYPE)] * 7, cap=3)
    outbox.add_destination(archive, "few", dicomweb=few.url)
    report, = fetch(archive, "few", "--study", made.uid)
    assert (report["instances"], report["missing"], report["received"], report["failed"]) == (7, 7, 7, 0)
    few.server.shutdown()


def test_an_order_brings_what_was_before_over_the_web(make_archive, tmp_path):
    centre = make_archive(name="centre").start()
    station = make_archive({"forwarding": {"priors": {"from": "centre"}}}, name="station").start()
    who = {"PatientID": "P-77", "PatientBirthDate": "19700131", "StudyDate": time.strftime("%Y") + "0101"}
    wanted = synthetic.study(tmp_path / "in" / "1", instances=3, **who)
    others = [synthetic.study(tmp_path / "in" / "2", instances=1, modalities=("MR",), **who),
              synthetic.study(tmp_path / "in" / "3", instances=1, **{**who, "PatientID": "P-78"})]
    centre.run("import", tmp_path / "in")
    (station.data / "token").write_text(centre.token())
    outbox.add_destination(station, "centre", dicomweb=f"http://127.0.0.1:{centre.http_port}/dicom-web", token_file="token")

    def follows():
        with outbox.records(station) as base:
            return base.execute("SELECT sequence FROM follower WHERE name = 'priors'").fetchone()

    def done():
        with outbox.records(station) as base:
            return base.execute("SELECT * FROM priorFetch WHERE state <> 'waiting'").fetchone()

    outbox.wait(station, follows)
    station.run("order", "add", "--patient-id", "P-77", "--name", "Test^Patient", "--birth-date", "19700131",
                "--modality", "CT")
    row = outbox.wait(station, done)
    assert (row["state"], row["studies"], row["instances"]) == ("done", 1, 3), dict(row)
    assert here(station, wanted.uid) == sorted(wanted.instances)
    assert not any(here(station, study.uid) for study in others)


@pytest.mark.parametrize("status", [401, 503])
def test_a_server_that_refuses_is_given_up_at_once(make_archive, tmp_path, status):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "made", instances=40)
    liar = Liar(made, [lambda call, file: give(call, b"", "text/plain", status)] * 40)
    outbox.add_destination(archive, "liar", dicomweb=liar.url)
    assert archive.run("fetch", "--from", "liar", "--study", made.uid, expect=1)
    assert len([path for path in liar.asked if "/instances/" in path]) < 20
    liar.server.shutdown()
