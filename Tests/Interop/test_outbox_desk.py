"""What people do with what is sent on: at the terminal and over JSON. The destination is away or a plain storescp."""

import json
import threading
import time

import pytest
from support import dcmtk, forwarding, synthetic
from support.archive import Archive
from support.forwarding import eventually

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """An archive with a destination that never answers, a rule that leads there, and three studies."""
    folder = tmp_path_factory.mktemp("desk")
    archive = Archive(folder / "archive").start()
    archive.run("destination", "add", "centre", "--phim", NOWHERE, "--rate", "mon-sun 00:00-24:00 2M")
    archive.run("route", "add", "ct", "--to", "centre", "--when", "modality=CT", "--legal-basis", "referral")
    archive.studies = [synthetic.study(folder / f"in{n}", instances=n + 1, StudyDate=time.strftime("%Y%m%d")) for n in range(3)]
    for number in range(3):
        archive.run("import", folder / f"in{number}")
    for study in archive.studies:
        eventually(lambda uid=study.uid: forwarding.ledger(archive, uid)["entries"])
    archive.api = archive.http()
    yield archive
    archive.stop()


def ask(archive, method, path, body=None, session=None):
    answer = (session or archive.api).request(method, archive.url + "/api/v1" + path, json=body, timeout=60)
    return answer.status_code, answer.json() if answer.content else None


def number(archive, which):
    return forwarding.shipment(archive, archive.studies[which].uid)["number"]


def test_the_backlog_says_what_waits_for_whom_and_why_no_further(desk):
    for told in (desk.json("outbox")["backlog"], ask(desk, "GET", "/outbox")[1]["backlog"]):
        [centre] = told
        assert (centre["studies"], centre["instances"]) == (3, 6)
        assert centre["line"]["name"] == "centre" and centre["line"]["allowance"] == "2M"
        assert [row["priority"] for row in centre["classes"]] == ["normal"] and "finishAt" not in centre
    eventually(lambda: forwarding.explain(desk, desk.studies[0].uid).count("\n") == 0)
    shown = desk.run("outbox").stdout
    assert "centre" in shown and "3 studies" in shown
    metrics = desk.get("/metrics")[1]
    assert 'phim_outbox_studies{destination="centre",priority="normal"} 3' in metrics
    assert "phim_outbox_oldest_seconds" in metrics and "phim_destination_up" in metrics


def test_every_turn_over_json_is_what_the_terminal_says(desk):
    one, two, three = (number(desk, which) for which in range(3))
    for action, field, value in (("hold", "isHeld", True), ("release", "isHeld", False), ("first", "state", "waiting"),
                                 ("last", "state", "waiting"), ("retry", "state", "waiting")):
        status, row = ask(desk, "POST", f"/outbox/shipments/{one}/{action}")
        assert status == 200 and row[field] == value, (action, row)
    assert ask(desk, "POST", f"/outbox/shipments/{two}/priority", {"priority": "stat"})[1]["priority"] == "stat"
    assert ask(desk, "POST", f"/outbox/shipments/{two}/priority", {"priority": "soon"})[0] == 400
    status, row = ask(desk, "POST", f"/outbox/shipments/{three}/drop", {"reason": "test images"})
    assert status == 200 and row["state"] == "dropped" and "test images" in row["why"]
    assert ask(desk, "POST", f"/outbox/shipments/{three}/drop", {})[0] == 409
    told = {row["number"]: row for row in desk.json("outbox", "list")}
    over = {row["number"]: row for row in ask(desk, "GET", "/outbox/shipments")[1]["shipments"]}
    assert {key: (row["state"], row["priority"]) for key, row in told.items()} == {
        key: (row["state"], row["priority"]) for key, row in over.items()}
    assert desk.json("outbox", "show", desk.studies[2].uid)["state"] == "dropped"
    desk.run("outbox", "retry", desk.studies[2].uid)
    assert desk.json("outbox", "show", three)["state"] == "waiting"
    for words in (f"shipment {one} held", f"shipment {two} is stat", f"shipment {three} dropped", f"shipment {three} tried again"):
        desk.trail("--kind", "administer", has=lambda row: row["detail"] == words)


def test_lists_have_bounds_at_the_terminal(desk):
    for limit in (-1, 0, 10_001, (1 << 63) - 1):
        for words in (("outbox", "list"), ("route", "try")):
            assert "--limit is 1 to 10000" in desk.run(*words, f"--limit={limit}", expect=64).stderr
    assert len(desk.json("outbox", "list", "--limit", 1)) == 1
    assert desk.json("route", "try", "--limit", 10_000)["looked"] == 3


def test_lists_come_in_pages_and_by_state(desk):
    first = ask(desk, "GET", "/outbox/shipments?limit=2")[1]
    rest = ask(desk, "GET", f"/outbox/shipments?limit=2&before={first['next']}")[1]
    assert len(first["shipments"]) == 2 and len(rest["shipments"]) == 1 and "next" not in rest
    assert ask(desk, "GET", "/outbox/shipments?state=committed")[1]["shipments"] == []
    uid = desk.studies[1].uid
    assert [row["studyInstanceUID"] for row in ask(desk, "GET", f"/outbox/shipments?study={uid}")[1]["shipments"]] == [uid]
    assert ask(desk, "GET", "/outbox/shipments?state=lost")[0] == 400
    assert ask(desk, "GET", "/outbox/shipments?colour=red")[0] == 400


def test_rules_are_explained_tried_and_turned(desk):
    uid = desk.studies[0].uid
    ask(desk, "PUT", "/routes/mr", {"destination": "centre", "when": ["modality=MR"], "priority": "bulk"})
    told = {row["route"]: row for row in ask(desk, "GET", f"/routes/explain?study={uid}")[1]["routes"]}
    assert told["ct"]["applies"] and told["ct"]["why"] == "it fits modality=CT"
    assert not told["mr"]["applies"] and told["mr"]["why"] == "the study does not fit modality=MR"
    assert {row["route"]: row for row in desk.json("route", "explain", "--study", uid)} == told
    tried = ask(desk, "POST", "/routes/try", {"when": ["modality=CT"], "days": 2})[1]
    assert (tried["looked"], tried["studies"], tried["instances"], tried["byModality"]) == (3, 3, 6, {"CT": 3})
    assert desk.json("route", "try", "--when", "modality=CT", "--days", "2") == tried
    assert desk.json("route", "try", "--rule", "mr", "--days", "2")["keptOut"] == {"modality=MR": 3}
    assert ask(desk, "POST", "/routes/try", {"when": ["colour=red"]})[0] == 400
    desk.run("route", "off", "mr")
    assert ask(desk, "GET", "/routes/mr")[1]["isOn"] is False
    assert ask(desk, "DELETE", "/routes/mr")[0] == 204 and ask(desk, "DELETE", "/routes/mr")[0] == 404
    refused = desk.run("route", "add", "x", "--to", "nobody", expect=2).stderr
    assert "There is no such destination" in refused


def test_a_rule_may_name_a_peer(desk):
    desk.run("peer", "add", "pacs", "--ae-title", "PACS", "--host", "127.0.0.1", "--port", "9")
    said = desk.run("route", "add", "us", "--to", "pacs", "--when", "modality=US").stderr
    assert "one was made of the peer" in said
    assert desk.json("destination", "show", "pacs")["peer"] == "pacs"
    assert "routes lead there" in desk.run("destination", "remove", "pacs", expect=2).stderr
    desk.run("route", "remove", "us")
    desk.run("destination", "remove", "pacs")


def test_destinations_over_json_name_no_file_but_secrets(desk):
    for file in ("/etc/passwd", "records.sqlite", "secrets/../records.sqlite", "secrets/.hidden"):
        body = {"way": "phim", "url": NOWHERE, "tokenFile": file}
        assert ask(desk, "PUT", "/destinations/other", body)[0] == 400, file
    body = {"way": "phim", "url": NOWHERE, "tokenFile": "secrets/other", "timetable": ["daily 00:00-24:00 closed"]}
    status, made = ask(desk, "PUT", "/destinations/other", body)
    assert status == 200 and made["state"] == "closed" and made["tokenFile"] == "secrets/other"
    assert ask(desk, "PUT", "/destinations/other", {"timetable": ["whenever"]})[0] == 400
    assert ask(desk, "PUT", "/destinations/other", {"way": "dimse", "peer": "nobody"})[0] == 400
    technician = desk.http(role="technician")
    assert ask(desk, "PUT", "/destinations/other", {"url": "http://evil.example.org"}, technician)[0] == 403
    assert ask(desk, "POST", "/destinations/other/pause", None, technician)[1]["state"] == "paused"
    assert ask(desk, "POST", "/destinations/other/resume", None, technician)[1]["state"] == "closed"
    assert ask(desk, "DELETE", "/destinations/other")[0] == 204
    assert ask(desk, "GET", "/destinations/other")[0] == 404


def test_a_destination_is_tested(desk):
    away = desk.run("destination", "test", "centre", expect=1).stderr
    assert "it cannot be reached" in away
    desk.run("destination", "add", "self", "--dicomweb", desk.url + "/dicom-web")
    assert "does not know us" in desk.run("destination", "test", "self", expect=1).stderr
    (desk.data / "secrets").mkdir(exist_ok=True)
    (desk.data / "secrets" / "self").write_text(desk.token() + "\n")
    desk.run("destination", "change", "self", "--token-file", "secrets/self")
    assert desk.json("destination", "test", "self") == {"destination": "self", "isReached": True}
    desk.run("destination", "remove", "self")


def test_what_may_not_leave_says_so_and_goes_when_it_may(desk):
    uid = desk.studies[0].uid
    desk.run("destination", "add", "strict", "--phim", NOWHERE, "--needs-legal-basis")
    assert "no legal basis" in desk.run("outbox", "send", uid, "--to", "strict", expect=2).stderr
    status, problem = ask(desk, "POST", "/outbox/shipments", {"study": uid, "destination": "strict"})
    assert status == 409 and "no legal basis" in problem["detail"]
    sent = desk.json("outbox", "send", uid, "--to", "strict", "--legal-basis", "emergency", "--priority", "stat")
    assert (sent["state"], sent["priority"], sent["legalBasis"]) == ("waiting", "stat", "emergency")
    # Two destinations have it now.
    assert "say which with --to" in desk.run("outbox", "hold", uid, expect=2).stderr
    desk.run("outbox", "hold", uid, "--to", "strict")
    desk.run("outbox", "drop", uid, "--to", "strict")
    desk.run("destination", "remove", "strict")


def test_the_file_declares_and_takes_back(make_archive):
    section = {"destinations": [{"name": "centre", "phim": NOWHERE, "lanes": 3}], "routes": [{"name": "all", "to": "centre"}]}
    archive = make_archive({"forwarding": section}).start()
    assert archive.json("destination", "show", "centre")["isFromFile"] is True
    assert "configuration file" in archive.run("destination", "change", "centre", "--lanes", "1", expect=2).stderr
    assert "configuration file" in archive.run("route", "off", "all", expect=2).stderr
    assert ask(archive, "DELETE", "/routes/all", session=archive.http())[0] == 409
    archive.run("route", "add", "mine", "--to", "centre", "--off")
    archive.stop()
    (archive.data / "phim.yaml").write_text(json.dumps({"forwarding": {"destinations": section["destinations"]}}))
    archive.start()
    assert [row["name"] for row in archive.json("route", "list")] == ["mine"]
    archive.stop()
    wrong = {"forwarding": {"routes": [{"name": "all", "to": "nobody"}]}}
    (archive.data / "phim.yaml").write_text(json.dumps(wrong))
    archive.start(wait=False)
    assert archive.process.wait(90) == 2
    archive.kill()
    assert "no destination and no peer nobody" in archive.tail()


def test_nothing_is_given_up_without_proof(make_archive, tmp_path):
    archive = make_archive().start()
    made = synthetic.study(tmp_path / "in", instances=2)
    archive.run("import", tmp_path / "in")
    assert archive.json("purge", "--older-than", "0", "--dry-run")["plan"] == {
        "candidates": [], "stale": [], "awaited": 0, "kept": {}}
    assert "Nothing may go" in archive.run("purge", "--older-than", "0", "--yes").stderr
    assert "say how old" in archive.run("purge", expect=2).stderr
    assert len(archive.json("find", "--level", "image", "--study", made.uid)) == 2


def listen(archive, heard):
    """Takes down the names of live events until both ends of a way were told."""
    with archive.http().get(archive.url + "/api/v1/events", stream=True, timeout=60) as answer:
        for line in answer.iter_lines(decode_unicode=True):
            if line.startswith("event: "):
                heard.append(line[7:])
            if "committed" in heard:
                return


def test_what_the_centre_has_proven_may_go_and_is_still_found(make_archive, tmp_path):
    station, centre = make_archive().start(), make_archive().start()
    made = synthetic.study(tmp_path / "in", instances=3)
    station.run("import", tmp_path / "in")
    forwarding.to_phim(station, "centre", centre)
    heard = []
    listener = threading.Thread(target=listen, args=(station, heard), daemon=True)
    listener.start()
    eventually(lambda: "ready" in heard)
    held = forwarding.files(station)
    forwarding.send(station, made.uid, "centre")
    forwarding.wait_for(station, made.uid, "committed")
    listener.join(90)
    assert "committed" in heard
    assert heard.index("sent") < heard.index("committed")
    [receipt] = forwarding.ledger(station, made.uid)["entries"][0]["receipts"]
    assert receipt["kind"] == "signature" and station.run("outbox", "receipt", receipt["number"]).stdout.count(".") == 2
    # Too young, then held by somebody, then it goes.
    assert station.json("purge", "--older-than", "1", "--yes")["plan"]["kept"] == {"its retention is not over": 1}
    station.run("outbox", "hold", made.uid)
    assert station.json("purge", "--older-than", "0", "--yes")["plan"]["kept"] == {"a person holds it in the outbox": 1}
    station.run("outbox", "release", made.uid)
    gone = station.json("purge", "--older-than", "0", "--yes")["outcome"]
    assert (gone["studies"], gone["instances"], gone["failures"]) == (1, 3, {}) and gone["bytes"] > 0
    assert forwarding.files(station) == {} and forwarding.files(centre) == held
    assert station.json("find", "--level", "study") == []
    said = forwarding.explain(station, made.uid)
    assert "centre: committed, 3 of 3 sent" in said and "at centre, proven" in said and "given up here" in said
    status, ledger = ask(station, "GET", f"/studies/{made.uid}/shipments", session=station.http())
    assert status == 200 and ledger["givenUp"]["destination"] == "centre" and ledger["givenUp"]["isErased"]
    station.trail("--study", made.uid, has=lambda row: "given up; at centre" in row["detail"])
    station.assert_healthy()
