"""Priorities: what a peer is given, what its requests say, places for emergencies, and what ingest must not hold up."""

import re
import subprocess
import threading
from pathlib import Path

import pytest

from support import dcmtk, peers, synthetic, wire
from support.archive import BINARY
from support.forwarding import eventually

MEDIUM, HIGH, LOW = 0, 1, 2
STORE = [(1, wire.CT, [wire.EXPLICIT])]
ECHO = [(1, wire.VERIFICATION, [wire.IMPLICIT])]
CONGESTION, LIMIT = (2, 3, 1), (2, 3, 2)  # result, source, reason (PS3.8 Table 9-21)


def peer(name, **more):
    return {"name": name.lower(), "aeTitle": name, "host": "127.0.0.1", "port": 104, **more}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """An archive that knows one peer of each priority and one of none."""
    from support.archive import Archive

    archive = Archive(tmp_path_factory.mktemp("priority") / "archive", {"peers": [
        peer("ER", priority="stat"), peer("WARD", priority="routine"), peer("OLD_PACS", priority="bulk"), peer("CT1"),
    ]}).start()
    yield archive
    archive.stop()


def stores(archive):
    """C-STORE requests so far, by priority."""
    found = re.findall(r'^phim_dimse_store_requests_total\{priority="(\w+)"\} (\d+)', archive.get("/metrics")[1], re.M)
    return {name: int(count) for name, count in found}


def store(line, priority, **values):
    """One C-STORE with this Priority (0000,0700); None leaves the element out."""
    dataset = synthetic.ct(**values)
    said = {} if priority is None else {"Priority": priority}
    line.socket.sendall(line.message(
        1, synthetic.encode(dataset), CommandField=wire.C_STORE, MessageID=line.next_id(), AffectedSOPClassUID=wire.CT,
        AffectedSOPInstanceUID=str(dataset.SOPInstanceUID), **said))
    assert line.read_message().status == 0
    return dataset


def rejection(archive, calling):
    """(result, source, reason) of the A-ASSOCIATE-RJ, or None when accepted."""
    try:
        wire.Wire(archive.dicom_port, ECHO, calling=calling).release()
    except wire.Closed as closed:
        assert closed.pdu and closed.pdu[0] == 3, f"neither accepted nor rejected: {closed}"
        return tuple(closed.pdu[1][1:4])
    return None


# Where the class comes from.


@pytest.mark.parametrize("calling, said, counted", [
    ("CT1", HIGH, "stat"), ("CT1", MEDIUM, "routine"), ("CT1", LOW, "routine"), ("CT1", None, "routine"),
    ("CT1", 9, "routine"),
    ("NOBODY", HIGH, "stat"), ("NOBODY", LOW, "routine"),
    ("ER", LOW, "stat"), ("ER", MEDIUM, "stat"),
    ("WARD", HIGH, "routine"), ("WARD", LOW, "routine"),
    ("OLD_PACS", HIGH, "bulk"), ("OLD_PACS", MEDIUM, "bulk"),
])
def test_what_the_peer_is_given_wins_then_the_request_counts(hospital, calling, said, counted):
    before = stores(hospital)
    with wire.Wire(hospital.dicom_port, STORE, calling=calling) as line:
        store(line, said)
        line.release()
    after = stores(hospital)
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)} == {
        counted: 1}


def test_a_stock_sender_is_routine_and_a_peer_added_meanwhile_counts(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=2)
    dcmtk.run("storescu", *dcmtk.peer(archive, calling="MODALITY"), *made.files)
    assert stores(archive).get("routine") == 2
    archive.run("peer", "add", "old", "--ae-title", "MODALITY", "--host", "127.0.0.1", "--port", 104,
                "--priority", "bulk")
    dcmtk.run("storescu", *dcmtk.peer(archive, calling="MODALITY"), *made.files)
    assert (stores(archive).get("routine"), stores(archive).get("bulk")) == (2, 2)


# The processor.


def lowered(process):
    """How many threads of a process run at the lower priority."""
    count = 0
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            stat = (task / "stat").read_text()
        except OSError:
            continue  # it has ended meanwhile
        count += stat[stat.rindex(")") + 2 :].split()[16] == "10"  # proc(5): field 19, nice
    return count


def test_only_the_threads_of_bulk_peers_give_way(hospital):
    lines = {name: wire.Wire(hospital.dicom_port, STORE, calling=name) for name in ("OLD_PACS", "CT1", "ER", "WARD")}
    for line in lines.values():
        store(line, HIGH)  # answered, so its thread has come to serving
    eventually(lambda: lowered(hospital.pid) == 1)
    lines.pop("OLD_PACS").release()
    with wire.Wire(hospital.dicom_port, STORE, calling="CT1") as line:
        store(line, LOW)
        # The other thread ends a moment after its release.
        eventually(lambda: lowered(hospital.pid) == 0, say="LOW is no reason")
        line.release()
    for line in lines.values():
        line.release()


@pytest.mark.parametrize("arguments, expected", [([], 2), (["--priority", "bulk"], 2), (["--priority", "stat"], 0)])
def test_the_threads_that_read_for_an_import_give_way_unless_told_otherwise(archive, tmp_path, arguments, expected):
    synthetic.study(tmp_path / "in", instances=240, rows=128)
    process = subprocess.Popen(
        [BINARY, "import", *arguments, "--concurrency", "2", "--data", archive.data, tmp_path / "in"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        try:
            most = max(most, lowered(process.pid))
        except OSError:
            break  # it ended just now
    assert process.wait(60) == 0
    assert most == expected, "two read, and nobody else is lowered"
    assert archive.json("status")["instances"] == 240


# Places.


def test_a_full_server_has_places_for_stat_peers_and_only_so_many(make_archive):
    archive = make_archive({
        "dicom": {"maxAssociations": 2, "reservedAssociations": 1},
        "peers": [peer("ER", priority="stat"), peer("WARD", priority="routine")],
    }).start()
    lines = [wire.Wire(archive.dicom_port, ECHO, calling=f"PEER{number}") for number in range(2)]
    assert rejection(archive, "PEER3") == CONGESTION
    assert rejection(archive, "WARD") == CONGESTION
    with wire.Wire(archive.dicom_port, STORE, calling="ER") as urgent:
        store(urgent, MEDIUM)
        assert rejection(archive, "ER") == CONGESTION, "one place is reserved, and it is taken"
        assert [line.echo().status for line in lines] == [0, 0], "nobody had to go for it"
        urgent.release()
    # The place is free once the release is through.
    eventually(lambda: rejection(archive, "ER") is None, say="the reserved place never came back")
    assert rejection(archive, "PEER3") == CONGESTION
    for line in lines:
        line.release()
    archive.assert_healthy()


def test_no_places_need_be_reserved(make_archive):
    archive = make_archive({
        "dicom": {"maxAssociations": 1, "reservedAssociations": 0}, "peers": [peer("ER", priority="stat")]}).start()
    with wire.Wire(archive.dicom_port, ECHO, calling="PEER") as line:
        assert rejection(archive, "ER") == CONGESTION
        line.release()


def test_a_stat_peer_keeps_to_its_own_limit(make_archive):
    archive = make_archive({
        "dicom": {"maxAssociations": 1, "reservedAssociations": 4},
        "peers": [peer("ER", priority="stat", maxAssociations=1)],
    }).start()
    with wire.Wire(archive.dicom_port, ECHO, calling="ER") as line:
        assert line.echo().status == 0  # from here on it counts
        assert rejection(archive, "ER") == LIMIT
        line.release()


def test_a_stranger_in_the_name_of_a_stat_peer_gets_no_reserved_place(make_archive):
    archive = make_archive({
        "dicom": {"maxAssociations": 1, "trustLoopback": False},
        "peers": [peer("CT1"), {**peer("ER", priority="stat"), "host": "192.0.2.1"}],
    }).start()
    with wire.Wire(archive.dicom_port, ECHO, calling="CT1") as line:
        assert rejection(archive, "ER") == CONGESTION
        line.release()


# Interactive work.


def test_queries_and_retrievals_are_answered_while_eight_senders_pour(archive, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=2, PatientName="Waiting^For")
    dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
    halt, sent, failures = threading.Event(), [0] * 8, []

    def pour(number):
        try:
            with wire.Wire(archive.dicom_port, STORE, calling=f"POUR{number}", timeout=120) as line:
                study = synthetic.uid()
                while not halt.is_set():
                    store(line, LOW, study=study, rows=256)
                    sent[number] += 1
                line.release()
        except Exception as error:
            failures.append(f"sender {number}: {error!r}")

    senders = [threading.Thread(target=pour, args=(number,)) for number in range(8)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(5):
            before = sum(sent)
            assert peers.accepts(archive.dicom_port)
            with peers.association(archive.dicom_port, [(peers.STUDY_FIND, [wire.IMPLICIT])]) as query:
                matches, status = peers.find(query, "STUDY", StudyInstanceUID=made.uid, PatientName="")
                assert (status, len(matches)) == (0, 1)
            with peers.getter(archive.dicom_port, [(synthetic.CT, [synthetic.EXPLICIT])]) as (asking, received):
                outcome = peers.get(asking, StudyInstanceUID=made.uid)
                assert (outcome.status, outcome.completed) == (0, 2)
            assert set(received.data) == set(made.instances)
            assert not failures, failures
            while sum(sent) == before and any(sender.is_alive() for sender in senders):
                halt.wait(0.01)  # the answers came while objects went in, not instead of them
    finally:
        halt.set()
        for sender in senders:
            sender.join(120)
    assert not failures, failures
    assert archive.json("status")["instances"] == 2 + sum(sent)


# What is said of mistakes, and of what is set.


def test_priorities_are_listed(hospital):
    assert {each["name"]: each.get("priority") for each in hospital.json("peer", "list")} == {
        "er": "stat", "ward": "routine", "old_pacs": "bulk", "ct1": None}
    assert "PRIORITY" in hospital.run("peer", "list").stdout


def test_a_priority_that_does_not_exist_is_said(archive, tmp_path):
    done = archive.run("peer", "add", "x", "--ae-title", "A", "--host", "h", "--port", 104, "--priority", "urgent",
                       expect=None)
    assert done.returncode not in (0, 1) and "urgent" in done.stderr and "routine" in done.stderr
    done = archive.run("import", "--priority", "urgent", tmp_path, expect=None)
    assert done.returncode not in (0, 1) and "urgent" in done.stderr and "routine" in done.stderr
    assert archive.json("peer", "list") == []


@pytest.mark.parametrize("config, words", [
    ({"peers": [peer("ER", priority="urgent")]}, ["priority urgent", "stat, routine, bulk"]),
    ({"dicom": {"reservedAssociations": -1}}, ["dicom.reservedAssociations", "0 to"]),
    ({"dicom": {"reservedAssociations": "some"}}, ["dicom.reservedAssociations"]),
])
def test_a_mistake_in_the_configuration_is_named_and_nothing_starts(make_archive, config, words):
    archive = make_archive(config)
    archive.start(wait=False)
    assert archive.process.wait(90) == 2
    archive.process.stdout.close()
    archive.process = None
    assert all(word in archive.tail() for word in words), archive.tail()
