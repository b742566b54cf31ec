"""The viewer API: a study in one answer, priors, loading hints, live events."""

import json
import resource
import socket
import time

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support import dcmtk, synthetic
from support.events import Listener

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


def send(archive, made):
    dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)


def volume(folder, count=6, **values):
    """A CT volume whose slices come in the wrong order."""
    made = synthetic.Study(synthetic.uid(), [], [])
    series = synthetic.uid()
    for number in range(1, count + 1):
        dataset = synthetic.ct(
            made.uid, series, number=number, ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, -5.0 * number], PixelSpacing=[0.7, 0.8], SliceThickness=5,
            WindowCenter=[40, -600], WindowWidth=[400, 1500], WindowCenterWidthExplanation=["MEDIASTINUM", "LUNG"],
            RescaleIntercept=-1024, RescaleSlope=1, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            FrameOfReferenceUID=made.uid + ".1", **values)
        made.datasets.append(dataset)
        made.files.append(synthetic.write(folder / made.uid[-12:] / f"{number}.dcm", dataset))
    return made


def key_objects(folder, made, marked):
    """A key object selection of some images of a study."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = KEY_OBJECTS, synthetic.uid()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = made.uid, synthetic.uid()
    dataset.PatientID, dataset.PatientName, dataset.Modality = "P1", "Test^Patient", "KO"
    dataset.SeriesNumber, dataset.InstanceNumber = 99, 1
    name = Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "113000", "DCM", "Of Interest"
    dataset.ConceptNameCodeSequence = Sequence([name])
    items = []
    for image in marked:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        item = Dataset()
        item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
        item.ReferencedSOPSequence = Sequence([reference])
        items.append(item)
    dataset.ContentSequence = Sequence(items)
    made.files.append(synthetic.write(folder / made.uid[-12:] / "ko.dcm", dataset))


def account(archive, name, role, grants=()):
    """An account without a password, and its token."""
    admin = archive.http()
    answer = admin.post(f"{archive.url}/api/v1/accounts", json={"name": name, "roles": [role], "hasPassword": False})
    assert answer.status_code == 201, answer.text
    for study in grants:
        granted = admin.post(f"{archive.url}/api/v1/studies/{study}/grants", json={"account": name})
        assert granted.status_code == 204, granted.text
    return archive.token(account=name)


# A study in one answer.


def test_a_study_in_one_answer(shared_archive, tmp_path):
    made = volume(tmp_path, PatientName=synthetic.VIETNAMESE, StudyDescription="CT ngực")
    key_objects(tmp_path, made, made.datasets[1:3])
    send(shared_archive, made)
    http = shared_archive.http()
    answer = http.get(f"{shared_archive.url}/api/v1/studies/{made.uid}")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/json"
    study = answer.json()
    assert study["patient"]["displayName"] == "Nguyễn Văn Đức" and study["description"] == "CT ngực"
    assert study["date"] == "2024-03-15" and study["time"] == "10:15:00" and study["instances"] == 7
    assert [series["kind"] for series in study["series"]] == ["image", "keyObjects"]
    series = study["series"][0]
    assert (series["modality"], series["bodyPart"], series["rows"], series["bitsStored"]) == ("CT", "CHEST", 32, 12)
    # From the feet to the head, whatever the instance numbers say.
    uids = [str(dataset.SOPInstanceUID) for dataset in made.datasets]
    assert [item["sopInstanceUID"] for item in series["items"]] == uids[::-1]
    assert [item["position"] for item in series["items"]] == [-30, -25, -20, -15, -10, -5]
    geometry = series["geometry"]
    assert geometry["plane"] == "axial" and geometry["order"] == "position" and geometry["isRegular"]
    assert geometry["sliceSpacing"] == 5 and geometry["pixelSpacing"] == [0.7, 0.8] and geometry["volumes"] == 1
    own = [window for window in series["windows"] if window["source"] == "object"]
    assert [(w["center"], w["width"], w["label"]["en"]) for w in own] == [(40, 400, "MEDIASTINUM"), (-600, 1500, "LUNG")]
    lung = next(w for w in series["windows"] if w["source"] == "standard" and w["label"]["en"] == "Lung")
    assert lung["label"]["vi"] == "Phổi" and lung["isSuggested"]
    assert [image["sopInstanceUID"] for image in study["keyImages"]] == uids[1:3]
    assert {image["title"] for image in study["keyImages"]} == {"Of Interest"}
    assert series["bytes"] == sum(item["bytes"] for item in series["items"])


def test_loading_hints_begin_in_the_middle_and_call_guesses_by_their_name(shared_archive, tmp_path):
    made = volume(tmp_path, count=5)
    send(shared_archive, made)
    series = shared_archive.http().get(f"{shared_archive.url}/api/v1/studies/{made.uid}").json()["series"][0]
    loading = series["loading"]
    assert loading["order"] == [2, 3, 1, 4, 0]
    assert [stage["name"] for stage in loading["stages"]] == ["thumbnail", "rendered", "full"]
    full = loading["stages"][2]
    assert full["isEstimate"] and full["transferSyntaxUID"] == "1.2.840.10008.1.2.4.202"
    assert all(stage["bytes"] > 0 for stage in loading["stages"])


def test_the_answer_is_short_when_nothing_has_changed_and_new_when_something_has(shared_archive, tmp_path):
    made = volume(tmp_path, count=3)
    send(shared_archive, made)
    http, url = shared_archive.http(), f"{shared_archive.url}/api/v1/studies/{made.uid}"
    first = http.get(url)
    tag = first.headers["ETag"]
    assert not tag.startswith("W/") and "private" in first.headers["Cache-Control"]
    again = http.get(url, headers={"If-None-Match": tag})
    assert again.status_code == 304 and again.content == b""
    assert first.headers.get("Content-Encoding") == "gzip"
    plain = http.get(url, headers={"Accept-Encoding": "identity"})
    assert plain.json() == first.json() and "Content-Encoding" not in plain.headers
    more = synthetic.ct(made.uid, str(made.datasets[0].SeriesInstanceUID), number=9)
    made.files = [synthetic.write(tmp_path / "more.dcm", more)]
    send(shared_archive, made)
    changed = http.get(url, headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.json()["instances"] == 4
    # One image without a place: the numbers decide now.
    assert changed.json()["series"][0]["geometry"]["order"] == "instanceNumber"


@pytest.mark.parametrize("uid", ["1.2.3", "nonsense", "1..2", "%00", "1.2%2F3", "9" * 65])
def test_what_is_not_here_is_not_found(shared_archive, uid):
    for path in (f"/api/v1/studies/{uid}", f"/api/v1/studies/{uid}/priors"):
        assert shared_archive.http().get(shared_archive.url + path).status_code in (400, 404)
        assert shared_archive.get(path)[0] in (400, 401, 404)
    shared_archive.assert_healthy()


def test_a_series_of_600_slices_warm(archive, tmp_path):
    made = volume(tmp_path, count=600)
    archive.run("import", tmp_path)
    http, url = archive.http(), f"{archive.url}/api/v1/studies/{made.uid}"
    times = []
    for _ in range(6):
        began = time.perf_counter()
        answer = http.get(url)
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200 and len(answer.json()["series"][0]["items"]) == 600
    print(f"600 slices: first {times[0] * 1000:.0f} ms, then {min(times[1:]) * 1000:.0f} ms,"
          f" {len(answer.content)} bytes of JSON")


# Priors.


def test_priors_are_those_of_the_patient_and_of_nobody_else(shared_archive, tmp_path):
    mark = synthetic.uid()[-8:]
    mine = dict(PatientID=f"MINE-{mark}", IssuerOfPatientID="BM")
    open_study = volume(tmp_path / "a", count=1, StudyDate="20240315", **mine)
    comparable = volume(tmp_path / "b", count=1, StudyDate="20240101", **mine)
    head = volume(tmp_path / "c", count=1, StudyDate="20230101", BodyPartExamined="HEAD", **mine)
    later = volume(tmp_path / "d", count=1, StudyDate="20250101", Modality="MR", **mine)
    other = volume(tmp_path / "e", count=1, PatientID=f"MINE-{mark}", IssuerOfPatientID="OTHER")
    nobody = [volume(tmp_path / name, count=1, PatientID="") for name in "fg"]
    for made in (open_study, comparable, head, later, other, *nobody):
        send(shared_archive, made)
    http = shared_archive.http()

    def priors(study, **parameters):
        answer = http.get(f"{shared_archive.url}/api/v1/studies/{study.uid}/priors", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    found = priors(open_study)["priors"]
    assert [prior["studyInstanceUID"] for prior in found] == [later.uid, comparable.uid, head.uid]
    assert [prior["isComparable"] for prior in found] == [False, True, False]
    assert [prior["daysBefore"] > 0 for prior in found] == [False, True, True]
    assert found[1]["daysBefore"] == 74
    assert priors(nobody[0])["priors"] == []
    limited = priors(open_study, limit=1)
    assert len(limited["priors"]) == 1 and limited["isTruncated"]
    for bad in ("0", "501", "x", "-1"):
        answer = http.get(f"{shared_archive.url}/api/v1/studies/{open_study.uid}/priors", params={"limit": bad})
        assert answer.status_code == 400
    # A referring physician sees those that were granted, a link none.
    token = account(shared_archive, f"dr-{mark}", "referring-physician", [open_study.uid, head.uid])
    status, text, _ = shared_archive.get(f"/api/v1/studies/{open_study.uid}/priors", token=token)
    assert status == 200 and [p["studyInstanceUID"] for p in json.loads(text)["priors"]] == [head.uid]
    assert shared_archive.get(f"/api/v1/studies/{later.uid}", token=token)[0] == 404
    assert shared_archive.get(f"/api/v1/studies/{later.uid}/priors", token=token)[0] == 404
    guest = link(shared_archive, open_study.uid)
    answer = guest.get(f"{shared_archive.url}/api/v1/studies/{open_study.uid}/priors")
    assert answer.status_code == 200 and answer.json()["priors"] == []
    assert guest.get(f"{shared_archive.url}/api/v1/studies/{open_study.uid}").status_code == 200
    assert guest.get(f"{shared_archive.url}/api/v1/studies/{head.uid}").status_code == 404


def link(archive, study):
    """A browser that has opened a link to a study."""
    import requests

    made = archive.http().post(f"{archive.url}/api/v1/studies/{study}/links", json={"seconds": 600})
    assert made.status_code == 201, made.text
    guest = requests.Session()
    guest.trust_env = False
    assert guest.get(archive.url + made.json()["path"], allow_redirects=False).status_code == 303
    return guest


# Live events.


def test_an_arrival_is_seen_within_seconds_and_nothing_of_other_studies(shared_archive, tmp_path):
    made, other = (synthetic.study(tmp_path / name, instances=3) for name in "ab")
    token = shared_archive.token()
    listener = Listener(shared_archive, f"?study={made.uid}", token)
    assert listener.status == 200 and listener.headers["content-type"] == "text/event-stream"
    ready = listener.until("ready")
    send(shared_archive, other)
    send(shared_archive, made)
    seen = 0
    while seen < 3:
        event = listener.until("stored")
        assert event.data["study"] == made.uid and event.data["series"] == made.series[0] and event.id > ready.id
        seen += event.data["instances"]
    assert seen == 3
    shared_archive.run("delete", "--study", made.uid, "--yes")
    assert listener.until("erased").data["instances"] == 3
    assert shared_archive.http().get(f"{shared_archive.url}/api/v1/studies/{made.uid}").status_code == 404
    listener.close()


def test_what_another_process_commits_is_heard(shared_archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=2)
    listener = Listener(shared_archive, f"?study={made.uid}", shared_archive.token())
    listener.until("ready")
    shared_archive.run("import", tmp_path / "in")
    assert listener.until("stored").data["study"] == made.uid
    listener.close()


def test_who_comes_back_misses_nothing(shared_archive, tmp_path):
    made = synthetic.study(tmp_path, instances=2)
    token = shared_archive.token()
    listener = Listener(shared_archive, f"?study={made.uid}", token)
    stood = listener.until("ready").id
    listener.close()
    send(shared_archive, made)
    back = Listener(shared_archive, f"?study={made.uid}", token, headers=[f"Last-Event-ID: {stood}"])
    missed = back.next()
    assert missed.name == "stored" and missed.id > stood
    assert back.until("ready").id >= missed.id
    back.close()
    # The same without listening on; and a number of another catalogue.
    once = Listener(shared_archive, f"?study={made.uid}&after={stood}&follow=false", token)
    raw = once.raw
    while b"event: ready" not in raw:
        raw += once.socket.recv(65536)
    assert b"event: stored" in raw
    once.close()
    lost = Listener(shared_archive, f"?study={made.uid}&after=999999999", token)
    assert lost.next().name == "reset"
    lost.close()


@pytest.mark.parametrize("query", ["?study=x", "?study=1..2", "?other=1", "?study=1.2&follow=maybe", "?study=1.2&after=-1",
                                   "?" + "&".join(f"study=1.2.{n}" for n in range(17))])
def test_nonsense_is_refused(shared_archive, query):
    assert shared_archive.http().get(f"{shared_archive.url}/api/v1/events{query}").status_code == 400
    assert shared_archive.get(f"/api/v1/events{query}")[0] == 401


def test_listening_needs_the_right_to_the_study(shared_archive, tmp_path):
    made, other = (synthetic.study(tmp_path / name, instances=1) for name in "ab")
    for study in (made, other):
        send(shared_archive, study)
    token = account(shared_archive, f"ear-{made.uid[-6:]}", "referring-physician", [made.uid])
    assert Listener(shared_archive, f"?study={made.uid}").status == 401
    assert Listener(shared_archive, f"?study={other.uid}", token).status == 404
    assert Listener(shared_archive, f"?study={made.uid}&study={other.uid}", token).status == 404
    # Without a study: everything in scope, and no more.
    listener = Listener(shared_archive, "", token)
    listener.until("ready")
    for study in (other, made):
        more = synthetic.ct(study.uid, study.series[0], number=7)
        dcmtk.run("storescu", *dcmtk.peer(shared_archive), synthetic.write(tmp_path / f"{study.uid}.dcm", more))
    assert listener.next().data["study"] == made.uid
    listener.close()


def test_a_withdrawn_right_ends_the_stream(shared_archive, tmp_path):
    made = synthetic.study(tmp_path, instances=1)
    send(shared_archive, made)
    name = f"gone-{made.uid[-6:]}"
    token = account(shared_archive, name, "referring-physician", [made.uid])
    listener = Listener(shared_archive, f"?study={made.uid}", token)
    listener.until("ready")
    taken = shared_archive.http().delete(f"{shared_archive.url}/api/v1/studies/{made.uid}/grants/{name}")
    assert taken.status_code == 204
    # With the next heartbeat.
    assert listener.until("end", seconds=120).data == {"reason": "access"}
    assert listener.next() is None
    listener.close()


def test_stopping_ends_listeners_those_too_that_do_not_read(make_archive, tmp_path):
    archive = make_archive().start()
    token = archive.token()
    listeners = [Listener(archive, "?study=1.2.3", token) for _ in range(20)]
    deaf = [Listener(archive, "?study=1.2.3", token, receive_buffer=4096) for _ in range(5)]
    for listener in listeners:
        listener.until("ready")
    archive.stop()  # asserts ten seconds and status 0
    for listener in listeners:
        assert listener.until("end", seconds=1).data == {"reason": "shutdown"}
    for listener in deaf:
        listener.close()


def test_many_listeners_cost_little_and_slow_ones_hold_nobody_up(make_archive, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    archive = make_archive().start()
    token = archive.token()
    first = Listener(archive, "", token)
    first.until("ready")
    before = archive.peak_memory()
    crowd = []
    try:
        for _ in range(199):
            crowd.append(Listener(archive, "", token, receive_buffer=4096))
        assert {listener.status for listener in crowd} == {200}
        made = synthetic.study(tmp_path, series=20, instances=5)
        send(archive, made)
        heard = 0
        while heard < 100:
            event = first.until("stored")
            heard += event.data["instances"]
        assert heard == 100
        archive.assert_healthy()
        grown = archive.peak_memory() - before
        assert grown < 64 << 20, f"{grown >> 20} MiB for 199 listeners and a study"
        print(f"199 listeners: {grown >> 10} KiB")
        # The door has a limit, and it is told politely.
        refused = None
        for _ in range(60):
            one = Listener(archive, "", token)
            crowd.append(one)
            if one.status != 200:
                refused = one
                break
        assert refused is not None and refused.status == 503 and "retry-after" in refused.headers
    except socket.timeout as error:
        raise AssertionError("a listener was held up") from error
    finally:
        for listener in crowd:
            listener.close()


# What the server says of itself.


def test_the_server_says_what_it_is_and_nothing_secret(shared_archive):
    status, text, _ = shared_archive.get("/api/v1/server")
    said = json.loads(text)
    assert status == 200 and said["name"] == "Phim" and "live-events" in said["features"] and "dicom" not in said
    signed_in = shared_archive.http().get(f"{shared_archive.url}/api/v1/server").json()
    assert signed_in["dicom"]["port"] == shared_archive.dicom_port
    status, page, kind = shared_archive.get("/api/v1/")
    assert status == 200 and kind.startswith("text/html") and "/api/v1/events" in page and "<script" not in page
