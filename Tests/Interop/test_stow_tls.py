"""Studies sent on to a DICOMweb server over HTTPS: whom we believe, who we are, and certificates that are renewed."""

import os
import ssl
import time

import pytest

from support import forwarding, synthetic
from support.certificates import Authority
from support.stow_receiver import StowReceiver


@pytest.fixture
def known(tmp_path):
    return Authority(tmp_path / "known")


@pytest.fixture
def stranger(tmp_path):
    return Authority(tmp_path / "stranger", name="Somebody else's authority")


def encrypted(authority):
    """A server that talks to those only whom its authority knows."""
    receiver = StowReceiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.pair("server"))
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    # With a handshake at accept, one that fails would hold up the others.
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.server.handle_error = lambda *_: None
    receiver.url = receiver.url.replace("http:", "https:")
    return receiver


def give(archive, authority, stem, name="our"):
    """Puts our certificate and its key where the destination expects them, as a renewal does."""
    for source, ending in zip(authority.pair(stem, host="127.0.0.1"), (".pem", ".key")):
        made = archive.data / (name + ending + ".new")
        made.write_bytes(source.read_bytes())
        os.replace(made, archive.data / (name + ending))


def reason(archive, name="web"):
    return next(row["reason"] for row in archive.json("destination", "list") if row["name"] == name)


def sent(archive, made, receiver):
    forwarding.wait_for(archive, made.uid, "sent", "web")
    assert receiver.files[made.instances[0]] == made.files[0].read_bytes()


def test_who_we_are_and_whom_we_believe(archive, tmp_path, known, stranger):
    (archive.data / "ca.pem").write_bytes(stranger.ca.read_bytes())
    give(archive, known, "station")
    made = synthetic.study(tmp_path / "one", instances=1)
    archive.run("import", tmp_path / "one")
    with encrypted(known) as receiver:
        archive.run("destination", "add", "web", "--dicomweb", receiver.url, "--ca", "ca.pem", "--certificate", "our.pem",
                    "--key", "our.key")
        forwarding.send(archive, made.uid, "web")
        # Nothing goes to a server that we have no reason to believe.
        assert forwarding.eventually(lambda: reason(archive))
        assert not receiver.requests and forwarding.shipment(archive, made.uid, "web")["state"] == "waiting"
        # The right authority comes by itself, without a restart and without a word at the terminal.
        (archive.data / "ca.pem").write_bytes(known.ca.read_bytes())
        sent(archive, made, receiver)
        # It lets us in because of our certificate: with a stranger's nothing goes, and a renewed one is taken up.
        other = synthetic.study(tmp_path / "two", instances=1)
        archive.run("import", tmp_path / "two")
        give(archive, stranger, "station", name="other")
        archive.run("destination", "change", "web", "--certificate", "other.pem", "--key", "other.key")
        forwarding.send(archive, other.uid, "web")
        assert forwarding.eventually(lambda: reason(archive))
        assert other.instances[0] not in receiver.files
        give(archive, known, "station-renewed", name="other")
        sent(archive, other, receiver)
    for words in archive.log.read_text().splitlines():
        assert made.uid not in words and "PRIVATE KEY" not in words


def test_a_certificate_is_renewed_while_studies_go(archive, tmp_path, known):
    (archive.data / "ca.pem").write_bytes(known.ca.read_bytes())
    give(archive, known, "first")
    seen = []
    with encrypted(known) as receiver:
        post = receiver.post

        def noted(call):
            seen.append(dict(field[0] for field in call.connection.getpeercert()["subject"])["commonName"])
            post(call)

        receiver.post = noted
        archive.run("destination", "add", "web", "--dicomweb", receiver.url, "--ca", "ca.pem", "--certificate", "our.pem",
                    "--key", "our.key", "--lanes", 1)
        deadline = time.monotonic() + 240
        number = 0
        while "second" not in seen:
            assert time.monotonic() < deadline, seen
            number += 1
            made = synthetic.study(tmp_path / str(number), instances=1)
            archive.run("import", tmp_path / str(number))
            forwarding.send(archive, made.uid, "web")
            sent(archive, made, receiver)
            if number == 1:
                give(archive, known, "second")
            time.sleep(0.5)
        assert seen[0] == "first" and seen == sorted(seen)
