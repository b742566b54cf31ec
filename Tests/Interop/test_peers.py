"""Who may call: knocks, admission without restart, and the limits per peer and in total."""

import contextlib
import selectors
import shlex
import socket
import struct
import subprocess

import pytest

from support import dcmtk, peers, synthetic, wire
from support.archive import BINARY
from support.forwarding import eventually

ECHO = [(1, wire.VERIFICATION, [wire.IMPLICIT])]


@pytest.fixture
def closed(make_archive):
    """An archive that trusts nobody, not even loopback."""
    return make_archive({"dicom": {"trustLoopback": False}}).start()


def rejection(port, **options):
    """(result, source, reason) of the A-ASSOCIATE-RJ, or None when accepted (PS3.8 Table 9-21)."""
    try:
        wire.Wire(port, ECHO, **options).release()
    except wire.Closed as closed:
        assert closed.pdu and closed.pdu[0] == 3, f"neither accepted nor rejected: {closed}"
        return tuple(closed.pdu[1][1:4])
    return None


def test_an_unknown_caller_knocks_and_is_admitted_without_restart(closed):
    assert rejection(closed.dicom_port, calling="STRANGER") == (1, 1, 3), "calling AE title not recognized"
    dcmtk.run("echoscu", *dcmtk.peer(closed, calling="STRANGER"), expect=1)
    knocks = closed.json("peer", "knocks")
    knock, = [knock for knock in knocks if knock["callingAETitle"] == "STRANGER"]
    assert knock["address"] == "127.0.0.1"
    assert knock["count"] == 2
    assert knock["reason"]
    assert "STRANGER" in closed.run("peer", "knocks").stdout

    command = shlex.split(knock["admit"])
    assert command[:3] == ["phim", "peer", "add"]
    if "--data" in command:
        at = command.index("--data")
        assert command[at + 1] == str(closed.data)
        del command[at : at + 2]
    closed.run(*command[1:])
    dcmtk.run("echoscu", *dcmtk.peer(closed, calling="STRANGER"))
    assert rejection(closed.dicom_port, calling="OTHER") == (1, 1, 3)

    name = closed.json("peer", "list")[0]["name"]
    assert closed.json("peer", "remove", name) == {"removed": name}
    assert rejection(closed.dicom_port, calling="STRANGER") == (1, 1, 3)


def test_a_stranger_cannot_store(closed, tmp_path):
    made = synthetic.study(tmp_path / "in", instances=1)
    dcmtk.run("storescu", *dcmtk.peer(closed, calling="STRANGER"), *made.files, expect=1)
    assert closed.json("status")["instances"] == 0


def test_a_known_title_from_another_address_is_not_that_peer(closed):
    closed.run("peer", "add", "ct", "--ae-title", "CT1", "--host", "127.0.0.77", "--port", 104)
    assert rejection(closed.dicom_port, calling="CT1") is not None
    knock, = closed.json("peer", "knocks")
    assert knock["callingAETitle"] == "CT1"
    follow(closed, knock["admit"])
    assert rejection(closed.dicom_port, calling="CT1") is None
    peer, = closed.json("peer", "list")
    assert (peer["name"], peer["host"]) == ("ct", "127.0.0.1")


def follow(archive, remedy):
    """Runs the commands of a remedy, as a technician would paste them."""
    for command in remedy.split(" && "):
        words = shlex.split(command)
        assert words[:2] == ["phim", "peer"]
        at = words.index("--data")
        assert words[at + 1] == str(archive.data)
        del words[at : at + 2]
        archive.run(*words[1:])


def test_a_remedy_does_not_collide_with_a_name_that_is_taken(closed):
    closed.run("peer", "add", "ct1", "--ae-title", "OTHER", "--host", "127.0.0.77", "--port", 104)
    assert rejection(closed.dicom_port, calling="CT1") is not None
    follow(closed, closed.json("peer", "knocks")[0]["admit"])
    assert rejection(closed.dicom_port, calling="CT1") is None


def test_a_caller_who_asks_for_another_title_is_told_so(make_archive):
    archive = make_archive({"dicom": {"aeTitle": "OURS", "checkCalledAETitle": True}}).start()
    assert rejection(archive.dicom_port, called="THEIRS") is not None
    knock, = archive.json("peer", "knocks")
    assert "OURS" in knock["admit"] and "checkCalledAETitle" in knock["admit"]


@pytest.mark.parametrize("arguments, word", [
    (["--ae-title", "A", "--host", "::1", "--port", 104], "IPv6"),
    (["--ae-title", "SEVENTEEN_LETTERS", "--host", "h", "--port", 104], "AE title"),
    (["--ae-title", "A", "--host", "h", "--port", 104, "--max-associations", 0], "associations"),
])
def test_what_a_peer_cannot_be_is_said(archive, arguments, word):
    done = archive.run("peer", "add", "x", *arguments, expect=2)
    assert word in done.stderr
    assert archive.json("peer", "list") == []


def test_peers_of_the_configuration_file_are_known(make_archive):
    archive = make_archive({
        "dicom": {"trustLoopback": False},
        "peers": [{"name": "ct", "aeTitle": "CT1", "host": "127.0.0.1", "port": 104, "charset": "latin1"}],
    }).start()
    assert rejection(archive.dicom_port, calling="CT1") is None
    assert "ct" in [peer["name"] for peer in archive.json("peer", "list")]


def test_a_configuration_file_elsewhere(make_archive, tmp_path):
    (tmp_path / "other.yaml").write_text("dicom:\n  aeTitle: ELSEWHERE\n  checkCalledAETitle: true\n")
    archive = make_archive().start("--config", tmp_path / "other.yaml")
    assert rejection(archive.dicom_port, called="ELSEWHERE") is None
    assert rejection(archive.dicom_port, called="PHIM") == (1, 1, 7), "called AE title not recognized"


def test_a_broken_configuration_file_is_named_and_nothing_starts(make_archive, tmp_path):
    archive = make_archive({"dicom": {"maxAssociations": "many"}})
    archive.start(wait=False)
    assert archive.process.wait(90) not in (0, -11, -6, -4)
    archive.process.stdout.close()
    archive.process = None
    assert "maxAssociations" in archive.tail()


def test_the_first_start_writes_a_commented_configuration(archive):
    text = (archive.data / "phim.yaml").read_text()
    assert text.count("#") > 5
    assert "aeTitle" in text
    assert archive.restart().get("/health/ready")[0] == 200


def test_associations_in_total_are_limited(make_archive):
    archive = make_archive({"dicom": {"maxAssociations": 3, "maxAssociationsPerPeer": 3}}).start()
    lines = [wire.Wire(archive.dicom_port, ECHO, calling=f"PEER{n}") for n in range(3)]
    answer = rejection(archive.dicom_port, calling="PEER4")
    assert answer is not None and answer[0] == 2, "rejected for now, not for ever"
    lines.pop().release()
    # The slot frees once the release is through.
    eventually(lambda: rejection(archive.dicom_port, calling="PEER4") is None, say="the freed slot never came back")
    for line in lines:
        assert line.echo().status == 0
        line.release()


def test_associations_per_peer_are_limited(make_archive):
    known = [{"name": name.lower(), "aeTitle": name, "host": "127.0.0.1", "port": 104} for name in ("GREEDY", "MODEST")]
    archive = make_archive({"dicom": {"maxAssociations": 10, "maxAssociationsPerPeer": 2}, "peers": known}).start()
    lines = [wire.Wire(archive.dicom_port, ECHO, calling="GREEDY") for _ in range(2)]
    assert [line.echo().status for line in lines] == [0, 0]
    answer = rejection(archive.dicom_port, calling="GREEDY")
    assert answer is not None and answer[0] == 2
    assert rejection(archive.dicom_port, calling="MODEST") is None
    for line in lines:
        line.release()


def test_the_configured_pdu_size_is_announced(make_archive):
    archive = make_archive({"dicom": {"maxPDU": 32768}}).start()
    with wire.Wire(archive.dicom_port, ECHO) as line:
        assert line.peer_max_pdu == 32768
        line.release()


def test_an_idle_association_is_closed(make_archive):
    archive = make_archive({"dicom": {"idleTimeout": 4}}).start()
    with wire.Wire(archive.dicom_port, ECHO, timeout=60) as line:
        assert line.echo().status == 0
        try:
            kind, _ = line.read_pdu()
            assert kind == 7, f"PDU {kind} instead of an abort"
        except (wire.Closed, ConnectionError):
            pass  # closed without a word is as good
    archive.assert_healthy()


def test_a_caller_that_never_negotiates_is_dropped(make_archive):
    archive = make_archive({"dicom": {"negotiationTimeout": 1}}).start()
    with socket.create_connection(("127.0.0.1", archive.dicom_port), timeout=60) as silent:
        assert silent.recv(1024)[:1] in (b"", b"\x07")
    with socket.create_connection(("127.0.0.1", archive.dicom_port), timeout=60) as half:
        half.sendall(struct.pack(">BBI", 1, 0, 200) + b"\0" * 20)
        assert half.recv(1024)[:1] in (b"", b"\x07")
    archive.assert_healthy()


def test_silent_callers_do_not_take_every_slot(make_archive):
    archive = make_archive({"dicom": {"maxAssociations": 4, "negotiationTimeout": 1}}).start()
    silent = [socket.create_connection(("127.0.0.1", archive.dicom_port)) for _ in range(4)]

    def gets_in():
        with contextlib.suppress(AssertionError, OSError):
            return rejection(archive.dicom_port, timeout=10) is None

    eventually(gets_in, say="silent callers hold every slot")
    for each in silent:
        each.close()


def test_a_host_that_connects_and_says_nothing_keeps_nobody_out(make_archive, tmp_path):
    """128 connections may be silent at a time; the oldest of the host that has the most of them makes way."""
    archive = make_archive({"dicom": {"negotiationTimeout": 600}}).start()
    made = synthetic.study(tmp_path / "in", instances=1)
    with contextlib.ExitStack() as opened, selectors.DefaultSelector() as told:
        modest = opened.enter_context(
            socket.create_connection(("127.0.0.1", archive.dicom_port), 60, source_address=("127.0.0.2", 0)))
        for _ in range(300):
            silent = opened.enter_context(socket.create_connection(("127.0.0.1", archive.dicom_port), 60))
            told.register(silent, selectors.EVENT_READ)
        for _ in range(300 + 1 - 128):
            ready = told.select(60)
            assert ready, "all those beyond the bound are closed"
            told.unregister(ready[0][0].fileobj)
        modest.sendall(wire.associate_request(ECHO))
        assert modest.recv(1) == b"\x02", "whoever was there before, from another host, is still heard"
        dcmtk.run("echoscu", *dcmtk.peer(archive))
        dcmtk.run("storescu", *dcmtk.peer(archive), *made.files)
        assert archive.json("status")["instances"] == 1
        archive.assert_healthy()


def test_help_teaches():
    for subcommand in ([], ["serve"], ["import"], ["export"], ["find"], ["send"], ["status"], ["verify"],
                       ["rebuild-index"], ["delete"], ["peer"], ["peer", "add"]):
        done = subprocess.run([BINARY, *subcommand, "--help"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and len(done.stdout) > 200, subcommand


def test_every_address_of_a_name_is_tried(make_archive, need_root, tmp_path):
    """Each of two listens at one of the two addresses of a name: whichever comes first, one of them is at the second."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.8 twin.example\n127.0.0.9 twin.example\n")
    mounted = ["unshare", "-m", "--", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
    archive = make_archive(prefix=mounted).start()
    for address in ("127.0.0.8", "127.0.0.9"):
        ae = peers.entity()
        ae.add_supported_context(peers.VERIFICATION)
        server = ae.start_server((address, 0), block=False)
        try:
            port = str(server.server_address[1])
            archive.run("peer", "add", address, "--ae-title", "TWIN", "--host", "twin.example", "--port", port)
            archive.run("peer", "echo", address)
        finally:
            server.shutdown()
        # Nobody is there any more, at none of both.
        assert "and 1 more" in archive.run("peer", "echo", address, expect=1).stderr
