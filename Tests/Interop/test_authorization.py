"""Every resource against every kind of caller; what is expected is the table in support/authorization.py."""

import datetime
import http.client
import json
import re
import sqlite3
from pathlib import Path

import pytest
from support import synthetic
from support.authorization import (
    INSTANCE, LIMITED, OF_ONE_STUDY, OPEN, OTHERS, RIGHTS, ROLES, House, Place, anonymous, bearer, expected, holds,
)


@pytest.fixture(scope="module")
def house(shared_archive, module_folder):
    archive = shared_archive
    seen, hidden = (
        synthetic.study(module_folder, series=2, instances=2, PatientID="SAME", PatientName="Same^Patient")
        for _ in range(2)
    )
    archive.run("import", module_folder)
    callers = {}
    for role in ROLES:
        archive.run("account", "add", f"a {role}", "--role", role, "--no-password")
        callers[role] = bearer(archive.token(account=f"a {role}"))
    study = f"{archive.url}/api/v1/studies/{seen.uid}"
    granted = callers["radiologist"].post(f"{study}/grants", json={"account": "a referring-physician"}, timeout=60)
    assert granted.status_code == 204
    link = callers["radiologist"].post(f"{study}/links", json={}, timeout=60).json()["path"]
    assert seen.uid not in link
    callers["link"] = anonymous()
    assert callers["link"].get(archive.url + link, allow_redirects=False, timeout=60).status_code == 303
    return House(archive, seen, hidden, callers)


def test_every_resource_of_a_study_for_every_role(house):
    wrong = []
    for right, method, template, body in OF_ONE_STUDY:
        for kind, caller in house.callers.items():
            for study, is_seen in ((house.seen, True), (house.hidden, False)):
                want = expected(right, kind, is_seen)
                if want is None and method == "DELETE":
                    continue  # below
                status, _ = house.ask(caller, method, house.place(study).path(template), body)
                if not holds(status, want):
                    wrong.append(f"{kind} {method} {template} {'seen' if is_seen else 'hidden'}: {status}, not {want}")
    assert not wrong, "\n".join(wrong)


def test_every_other_resource_for_every_role(house):
    wrong = []
    for right, method, path, body in OTHERS:
        for kind, caller in house.callers.items():
            want = None if kind in RIGHTS[right] else 403
            status, answer = house.ask(caller, method, path, body)
            is_absent = status == 404 and ("nobody" in path or "999999" in path)
            if not holds(status, want) and not (want is None and is_absent):
                wrong.append(f"{kind} {method} {path}: {status}, not {want}")
            if kind in LIMITED and house.hidden.uid.encode() in answer:
                wrong.append(f"{kind} {method} {path} names the hidden study")
    assert not wrong, "\n".join(wrong)


def test_no_credential_or_a_bad_one_opens_nothing(house):
    archive = house.archive
    # One that has run out, as only the records can make it.
    expired = archive.run("token", "issue", "--account", "administrator", "--days", "1", "--name", "old").stdout.strip()
    day_before = int((datetime.datetime.now().timestamp() - 86400) * 1e6)
    with sqlite3.connect(archive.data / "records.sqlite") as records:
        records.execute("UPDATE token SET expiresAt = ? WHERE name = 'old'", (day_before,))
    revoked = archive.run("token", "issue", "--account", "administrator", "--name", "gone").stdout.strip()
    tokens = archive.json("token", "list")
    tokens = tokens if isinstance(tokens, list) else tokens["tokens"]
    archive.run("token", "revoke", *[str(token["id"]) for token in tokens if token["name"] == "gone"])
    good = archive.token()
    cookie = anonymous()
    cookie.cookies.set("phim", good)
    callers = {
        "nobody": anonymous(), "wrong": bearer("phim_" + "A" * 43), "empty": bearer(""), "expired": bearer(expired),
        "revoked": bearer(revoked), "cut short": bearer(good[:-1]), "lengthened": bearer(good + "A"),
        "in another case": bearer(good.swapcase()), "a token in the cookie": cookie,
    }
    basic = anonymous()
    basic.headers["Authorization"] = "Basic YWRtaW5pc3RyYXRvcjphZG1pbmlzdHJhdG9y"
    callers["basic"] = basic
    assert house.ask(bearer(good), "GET", "/api/v1/session")[0] == 200
    wrong = []
    place = house.place(house.seen)
    for name, caller in callers.items():
        everything = OF_ONE_STUDY + OTHERS if name in ("nobody", "revoked") else OF_ONE_STUDY[::5] + OTHERS[::4]
        for _, method, template, body in everything:
            status, answer = house.ask(caller, method, place.path(template), body)
            if status != 401 or house.seen.uid.encode() in answer:
                wrong.append(f"{name} {method} {template}: {status}")
    assert not wrong, "\n".join(wrong)


def test_what_is_open_says_nothing_of_patients(house):
    for path in OPEN:
        status, answer = house.ask(anonymous(), "GET", path)
        assert status == 200, path
        for secret in (house.seen.uid, house.hidden.uid, "SAME", "Same^Patient", "a radiologist"):
            assert secret.encode() not in answer, path


def test_a_hidden_study_looks_like_one_that_does_not_exist(house):
    """Not one byte tells whether a guessed UID exists."""
    wrong = []
    hidden = house.place(house.hidden)
    absent = Place(synthetic.uid(), synthetic.uid(), synthetic.uid())
    for right, method, template, body in OF_ONE_STUDY:
        for kind in LIMITED:
            there = house.ask(house.callers[kind], method, hidden.path(template), body)
            nowhere = house.ask(house.callers[kind], method, absent.path(template), body)
            if there != nowhere:
                wrong.append(f"{kind} {method} {template}: {there} and {nowhere}")
    assert not wrong, "\n".join(wrong)


def test_names_of_two_studies_in_one_path(house):
    """The study that may be seen does not open series, instances and frames of the other."""
    mine, other = house.place(house.seen), house.place(house.hidden)
    mixed = [
        Place(mine.study, other.series, other.instance),
        Place(mine.study, mine.series, other.instance),
        Place(mine.study, other.series, mine.instance),
        Place(other.study, mine.series, mine.instance),
        # The instance of another series of the same study is no such instance either.
        Place(mine.study, mine.series, house.place(house.seen, 3).instance),
    ]
    wrong = []
    for right, method, template, _ in OF_ONE_STUDY:
        if right not in ("read", "search") or "{series}" not in template:
            continue
        for place in mixed:
            names_other_series = place.study == mine.study and place.series == mine.series
            if names_other_series and "{instance}" not in template:
                continue  # nothing is mixed in this one
            for kind in ("administrator", *LIMITED):
                status, answer = house.ask(house.callers[kind], method, place.path(template))
                is_empty = right == "search" and (status == 204 or answer == b"[]")
                if status != 404 and not is_empty:
                    wrong.append(f"{kind} {method} {template} {place}: {status}")
    assert not wrong, "\n".join(wrong)


def test_searches_find_what_may_be_seen(house):
    """However the other study is asked for: by its UIDs, by the patient, by nothing at all, page by page."""
    hidden, seen = house.place(house.hidden), house.place(house.seen)
    queries = [
        "", "?PatientID=SAME", "?PatientName=*SAME*", f"?StudyInstanceUID={hidden.study}",
        f"?StudyInstanceUID={seen.study},{hidden.study}", f"?StudyInstanceUID={seen.study}%5C{hidden.study}",
        "?includefield=all", "?limit=1&offset=1", "?limit=100&offset=0", "?StudyInstanceUID=*", "?fuzzymatching=true",
        "?StudyDate=19000101-", f"?0020000D={hidden.study}",
    ]
    deeper = [f"?SeriesInstanceUID={hidden.series}", f"?SOPInstanceUID={hidden.instance}"]
    paths = [f"/dicom-web/studies{query}" for query in queries]
    paths += [f"/dicom-web/series{query}" for query in queries + deeper[:1]]
    paths += [f"/dicom-web/instances{query}" for query in queries + deeper]
    paths += [f"/dicom-web/studies/{seen.study}/series{query}" for query in deeper[:1]]
    paths += [f"/dicom-web/studies/{seen.study}/instances{query}" for query in deeper]
    paths += [f"/dicom-web/studies/{seen.study}/instances?StudyInstanceUID={hidden.study}"]
    wrong = []
    for path in paths:
        for kind in LIMITED:
            for accept in ("application/dicom+json", 'multipart/related; type="application/dicom+xml"'):
                answer = house.callers[kind].get(house.archive.url + path, headers={"Accept": accept}, timeout=30)
                told = answer.text + str(answer.headers)
                if answer.status_code not in (200, 204, 400, 404, 406):
                    wrong.append(f"{kind} {path}: {answer.status_code}")
                if any(uid in told for uid in (hidden.study, hidden.series, hidden.instance)):
                    wrong.append(f"{kind} {path} tells of the other study")
                if path.startswith("/dicom-web/studies?") and int(answer.headers.get("X-Total-Count", 0)) > 1:
                    wrong.append(f"{kind} {path} counts the other study")
    assert not wrong, "\n".join(wrong)
    for kind in LIMITED:
        found = house.callers[kind].get(f"{house.archive.url}/dicom-web/studies", timeout=60).json()
        assert [study["0020000D"]["Value"] for study in found] == [[seen.study]]


def test_priors_and_events_are_of_what_may_be_seen(house):
    path = f"/api/v1/studies/{house.seen.uid}/priors"
    assert house.hidden.uid.encode() in house.ask(house.callers["radiologist"], "GET", path)[1]
    for kind in LIMITED:
        for path in (path, f"/api/v1/studies/{house.seen.uid}"):
            status, answer = house.ask(house.callers[kind], "GET", path)
            assert status == 200 and house.hidden.uid.encode() not in answer


def raw(house, kind, path):
    """A request whose path is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", house.archive.http_port, timeout=20)
    caller = house.callers[kind]
    fields = {name: caller.headers[name] for name in ("Authorization",) if name in caller.headers}
    if caller.cookies:
        fields["Cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in caller.cookies)
    connection.request("GET", path, headers=fields)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_paths_and_queries_that_try_to_name_another_study(house):
    mine, other = house.place(house.seen), house.place(house.hidden)
    base = "/dicom-web/studies"
    tail = f"series/{other.series}/instances/{other.instance}"
    wado = "requestType=WADO&seriesUID={series}&objectUID={instance}"
    tricks = [
        f"{base}/{mine.study}/../{other.study}/metadata", f"{base}/{mine.study}/%2e%2e/{other.study}/metadata",
        f"{base}/{mine.study}%2F..%2F{other.study}/metadata", f"{base}//{other.study}/metadata",
        f"{base}/{other.study}%20/metadata", f"{base}/%31{other.study[1:]}/metadata", f"{base}/{other.study}%00/metadata",
        f"{base}/{mine.study},{other.study}/metadata", f"{base}/{mine.study}%5C{other.study}/metadata",
        f"{base}/{mine.study}/metadata?StudyInstanceUID={other.study}", f"{base}/*/metadata", f"{base}/{other.study}./metadata",
        f"{base}/{mine.study}/{tail}/../../../../{other.study}/{tail}", f"//dicom-web/studies/{other.study}/metadata",
        f"{base}/{mine.study};study={other.study}/metadata", f"{base}/{mine.study}/series/*/metadata",
        f"{base}/{mine.study}/{tail}/bulkdata/..%2F..%2F{other.instance}/7FE00010",
        f"/wado?{other.path(wado)}&studyUID={mine.study}", f"/wado?{other.path(wado)}",
        f"/wado?{other.path(wado)}&studyUID={mine.study}&studyUID={other.study}",
        f"/wado?{other.path(wado)}&studyUID={other.study}&studyUID={mine.study}",
        f"/wado?requestType=WADO&studyUID={mine.study}&objectUID={other.instance}",
        f"/wado?requestType=WADO&studyUID={mine.study}&seriesUID={mine.series}&objectUID={other.instance}",
        f"/dicom-web/wado?{other.path(wado)}&studyUID={mine.study}",
        f"/api/v1/studies/{mine.study}%2F..%2F{other.study}", f"/api/v1/studies/{mine.study}/../{other.study}",
        f"/api/v1/events?study={other.study}&study={mine.study}", f"/api/v1/studies/%31{other.study[1:]}",
    ]
    wrong = []
    for path in tricks:
        for kind in LIMITED:
            if "events" in path:
                status, body = house.ask(house.callers[kind], "GET", path)
            else:
                status, body = raw(house, kind, path)
            named = [uid for uid in (other.study, other.series, other.instance) if uid.encode() in body]
            if named or (status == 200 and "StudyInstanceUID=" not in path):
                wrong.append(f"{kind} {path}: {status} {named}")
    assert not wrong, "\n".join(wrong)
    house.archive.assert_healthy()


def test_storing_needs_the_right_and_is_written_down(house):
    made = synthetic.ct(study=house.hidden.uid, PatientID="SAME")
    body = synthetic.part10(synthetic.encode(made), made.SOPClassUID, made.SOPInstanceUID)
    for kind in (*LIMITED, None):
        caller = house.callers[kind] if kind else anonymous()
        for path in ("/dicom-web/studies", f"/dicom-web/studies/{house.hidden.uid}"):
            assert house.ask(caller, "POST", path, body)[0] == (403 if kind else 401)
    assert not house.archive.find("--series", made.SeriesInstanceUID, level="series")
    assert house.ask(house.callers["technician"], "POST", "/dicom-web/studies", body)[0] == 200


def test_deleting_is_for_administrators(house):
    target = synthetic.ct()
    body = synthetic.part10(synthetic.encode(target), target.SOPClassUID, target.SOPInstanceUID)
    assert house.ask(house.callers["technician"], "POST", "/dicom-web/studies", body)[0] == 200
    path = f"/dicom-web/studies/{target.StudyInstanceUID}"
    for kind in house.callers:
        if kind != "administrator":
            assert house.ask(house.callers[kind], "DELETE", path)[0] == 403
    assert house.ask(house.callers["radiologist"], "GET", path + "/metadata")[0] == 200
    assert house.ask(house.callers["administrator"], "DELETE", path)[0] < 300
    assert house.ask(house.callers["administrator"], "GET", path + "/metadata")[0] == 404


def test_a_grant_that_is_withdrawn_and_a_link_that_is_revoked(house):
    archive, study = house.archive, f"/api/v1/studies/{house.hidden.uid}"
    archive.run("account", "add", "for a while", "--role", "referring-physician", "--no-password")
    caller, radiologist = bearer(archive.token(account="for a while")), house.callers["radiologist"]
    image = house.place(house.hidden).path("/dicom-web/studies/" + INSTANCE)
    assert house.ask(caller, "GET", image)[0] == 404
    assert house.ask(radiologist, "POST", study + "/grants", {"account": "for a while"})[0] == 204
    assert house.ask(caller, "GET", image)[0] == 200
    assert house.ask(radiologist, "DELETE", study + "/grants/for%20a%20while")[0] == 204
    assert house.ask(caller, "GET", image)[0] == 404
    made = json.loads(house.ask(radiologist, "POST", study + "/links", {})[1])
    guest = anonymous()
    assert house.ask(guest, "GET", made["path"])[0] == 303
    assert house.ask(guest, "GET", image)[0] == 200
    # The link of one study is not revoked through another.
    other = f"/api/v1/studies/{house.seen.uid}/links/{made['id']}"
    assert house.ask(radiologist, "DELETE", other)[0] == 404
    assert house.ask(guest, "GET", image)[0] == 200
    assert house.ask(radiologist, "DELETE", f"{study}/links/{made['id']}")[0] == 204
    assert house.ask(guest, "GET", image)[0] in (401, 404)
    assert house.ask(anonymous(), "GET", made["path"])[0] == 404


def test_where_images_go_is_for_administrators_and_in_the_trail(house):
    """A rule may name a peer: whoever may write rules does not make a destination of it."""
    archive = house.archive
    archive.run("peer", "add", "elsewhere", "--ae-title", "ELSEWHERE", "--host", "127.0.0.1", "--port", "9")

    def details(account, last):
        """What the trail says, once it says the last of it."""
        rows = archive.trail("--kind", "administer", "--account", account, has=lambda row: row["detail"] == last)
        return [row["detail"] for row in rows]

    wish = {"destination": "ELSEWHERE", "when": ["modality=CT"]}
    for kind in ("technician", "radiologist"):
        assert house.ask(house.callers[kind], "PUT", "/api/v1/routes/out", wish)[0] == 403
        assert house.ask(house.callers[kind], "PUT", "/api/v1/routes/out", {"destination": "nobody"})[0] == 404
    assert archive.json("destination", "list") == [] and archive.json("route", "list") == []
    chief = house.callers["administrator"]
    assert house.ask(chief, "PUT", "/api/v1/routes/out", wish)[0] == 200
    told = details("a administrator", "rule out to elsewhere")
    assert told.count("destination elsewhere is dimse peer elsewhere") == 1
    # Where there is one, rules are for those who forward.
    assert house.ask(house.callers["technician"], "PUT", "/api/v1/routes/out", {"priority": "bulk"})[0] == 200
    assert house.ask(house.callers["technician"], "PUT", "/api/v1/routes/more", wish)[0] == 200
    assert details("a technician", "rule more to elsewhere").count("rule more to elsewhere") == 1
    # The trail says which destination was made what, and which is gone.
    body = {"way": "phim", "url": "https://pacs.example.org"}
    assert house.ask(chief, "PUT", "/api/v1/destinations/centre", body)[0] == 200
    assert house.ask(chief, "DELETE", "/api/v1/destinations/centre")[0] == 204
    assert house.ask(chief, "DELETE", "/api/v1/destinations/elsewhere")[0] == 409
    told = details("a administrator", "destination centre removed")
    assert "destination centre is phim https://pacs.example.org" in told
    assert "destination elsewhere removed" not in told
    for rule in ("out", "more"):
        archive.run("route", "remove", rule)
    archive.run("destination", "remove", "elsewhere")
    archive.run("peer", "remove", "elsewhere")


def test_everything_is_in_the_trail(house):
    house.ask(house.callers["referring-physician"], "GET", f"/dicom-web/studies/{house.seen.uid}/metadata")
    house.ask(house.callers["referring-physician"], "GET", f"/dicom-web/studies/{house.hidden.uid}/metadata")
    for kind, study in (("read", house.seen), ("refused", house.hidden)):
        house.archive.trail("--kind", kind, has=lambda row: row.get("study") == study.uid)
    status, answer = house.ask(
        house.callers["administrator"], "GET", "/api/v1/audit?account=a%20referring-physician&limit=1000"
    )
    assert status == 200
    events = {(event["kind"], event.get("study")) for event in json.loads(answer)["events"]}
    assert ("read", house.seen.uid) in events
    assert ("refused", house.hidden.uid) in events
    assert ("read", house.hidden.uid) not in events
    assert house.archive.run("audit", "verify").returncode == 0


def test_the_table_knows_every_route():
    """A route that is added to the code without a line in the table above fails here."""
    sources = Path(__file__).resolve().parents[2] / "Sources"
    literal = re.compile(r"(?<!parameters)\.(get|post|put|patch|delete|head)\(\s*\"([^\"]*)\"")
    known = {"oidc", "oidc/sign-in", "oidc/callback", "session", "session/password", "link/:secret", "/ohif", "/ohif/**",
             "/dicom-microscopy-viewer/**", "/favicon.ico", "/site/:file", "server", "events", "",
             # Ways into the viewer ask for a sign-in themselves (test_deep_links.py); each action of a shipment is above.
             "/view/encounter/:number", "/view/accession/:number", "/view/link", "/IHEInvokeImageDisplay",
             "outbox/shipments/:id/\\(RouterPath(stringLiteral: name))"}
    templates = {re.sub(r"\?.*", "", template) for _, _, template, _ in OF_ONE_STUDY + OTHERS} | set(OPEN)
    shapes = {re.sub(r"\{\w+\}|nobody|999999|administrator", "*", template) for template in templates}
    unknown = []
    rooms = ("Portal", "DICOMweb", "Exchange")
    for file in sorted(path for room in rooms for path in (sources / room).rglob("*.swift")):
        for method, path in literal.findall(file.read_text()):
            shape = re.sub(r":\w+|\{\w+\}", "*", path).strip("/")
            if path not in known and not any(known_shape.endswith("/" + shape) for known_shape in shapes):
                unknown.append(f"{file.name}: {method} {path}")
    assert not unknown, "\n".join(unknown)
