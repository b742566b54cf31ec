"""DICOM TLS with DCMTK on the other side (PS3.15 Annex B.12): who is let in, who is called, and who is not."""

import contextlib
import re
import socket
import ssl
import threading
import time

import pytest

from support import dcmtk, outbox, peers, synthetic
from support.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "Somebody else")


@pytest.fixture
def secure(make_archive, authority):
    """Makes running archives with a port for DICOM TLS; `archive.secure_port` is it."""

    def make(negotiation=30, **more):
        certificate, key = authority.pair("phim")
        section = {"port": 0, "certificate": str(certificate), "key": str(key), "ca": str(authority.ca), **more}
        archive = make_archive({"dicom": {"tls": section, "negotiationTimeout": negotiation}})
        archive.secure_port = archive.start(wait=False).wait_ready()["dicomTLSPort"]
        return archive

    return make


def tls(pair, ca, *more):
    return ["+tls", pair[1], pair[0], "+cf", ca, *more]


def called(archive):
    return ["-aet", "DCMTK", "-aec", "PHIM", "127.0.0.1", archive.secure_port]


def refusal(archive, *words, seconds=60):
    """Waits until the log says why nobody got in."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        text = archive.log.read_text(errors="replace")
        if all(word in text for word in words):
            return
        time.sleep(0.05)
    raise AssertionError(f"the log does not say {words}\n{archive.tail()}")


def test_objects_come_in_byte_for_byte(secure, authority, tmp_path):
    archive = secure()
    made = synthetic.study(tmp_path / "in", instances=20, rows=256)
    dcmtk.run("storescu", *tls(authority.pair("ct"), authority.ca), *called(archive), *made.files)
    assert len(archive.find("--study", made.uid, level="image")) == 20
    archive.run("export", "--study", made.uid, "--to", tmp_path / "out")
    def pixels(paths):
        return sorted(path.read_bytes()[-256 * 256 * 2:] for path in paths)
    assert pixels(made.files) == pixels(path for path in (tmp_path / "out").rglob("*") if path.stat().st_size > 100_000)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_both_versions_are_spoken(secure, authority, version):
    archive = secure()
    settings = ssl.create_default_context(cafile=authority.ca)
    settings.load_cert_chain(*authority.pair("modality"))
    settings.minimum_version = settings.maximum_version = ssl.TLSVersion[version]
    ae = peers.entity("MOD")
    ae.add_requested_context(peers.VERIFICATION)
    association = ae.associate("127.0.0.1", archive.secure_port, ae_title="PHIM", tls_args=(settings, "127.0.0.1"))
    assert association.is_established
    assert association.send_c_echo().Status == 0x0000
    association.release()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_caller_that_resumes_its_session_is_let_in_again(secure, authority, version):
    """As DCMTK, Java and OpenSSL do from their second association on."""
    archive = secure()
    settings = ssl.create_default_context(cafile=authority.ca)
    settings.load_cert_chain(*authority.pair("modality"))
    settings.minimum_version = settings.maximum_version = ssl.TLSVersion[version]
    kept = None
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", archive.secure_port), 60) as line:
            with settings.wrap_socket(line, server_hostname="127.0.0.1", session=kept) as session:
                # Everybody shows a certificate, every time.
                assert not session.session_reused
                session.sendall(associate_request())
                answer = session.recv(1)
                assert answer == b"\x02", answer
                kept = session.session or kept


def associate_request():
    """A-ASSOCIATE-RQ of C-ECHO (PS3.8 Section 9.3.2)."""
    def item(kind, body):
        return bytes([kind, 0]) + len(body).to_bytes(2, "big") + body
    context = item(0x20, b"\x01\0\0\0" + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2"))
    user = item(0x50, item(0x51, (16384).to_bytes(4, "big")) + item(0x52, b"1.2.3"))
    body = (b"\0\x01\0\0" + b"PHIM".ljust(16) + b"MODALITY".ljust(16) + bytes(32)
            + item(0x10, b"1.2.840.10008.3.1.1.1") + context + user)
    return b"\x01\0" + len(body).to_bytes(4, "big") + body


def test_old_versions_are_not(secure, authority):
    archive = secure()
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.load_verify_locations(authority.ca)
    settings.load_cert_chain(*authority.pair("modality"))
    settings.minimum_version, settings.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    settings.set_ciphers("DEFAULT:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", archive.secure_port), 60) as line:
        with pytest.raises(ssl.SSLError):
            settings.wrap_socket(line, server_hostname="127.0.0.1")
    refusal(archive, "no association", "no TLS")


def test_who_shows_no_certificate_is_not_let_in(secure, authority):
    archive = secure()
    dcmtk.run("echoscu", "+tla", "+cf", authority.ca, *called(archive), expect=1)
    refusal(archive, "no association", "peer did not return a certificate")
    dcmtk.run("echoscu", *tls(authority.pair("ct"), authority.ca), *called(archive))


def test_without_the_demand_anybody_may_encrypt(secure, authority):
    archive = secure(requireClientCertificate=False)
    dcmtk.run("echoscu", "+tla", "+cf", authority.ca, *called(archive))


def test_certificates_of_somebody_else_and_expired_ones_are_refused(secure, authority, stranger):
    archive = secure()
    dcmtk.run("echoscu", *tls(stranger.pair("foreign"), authority.ca), *called(archive), expect=1)
    refusal(archive, "unable to get local issuer certificate")
    dcmtk.run("echoscu", *tls(authority.pair("old", expired=True), authority.ca), *called(archive), expect=1)
    refusal(archive, "certificate has expired")


def test_plain_text_on_the_encrypted_port_and_silence_are_ended(secure, authority):
    archive = secure(negotiation=5)
    dcmtk.run("echoscu", "-ta", "10", *called(archive), expect=1)
    refusal(archive, "no association", "no TLS")
    # Says nothing at all, and half a handshake: both are given up after the negotiation timeout.
    silent = [socket.create_connection(("127.0.0.1", archive.secure_port), 60) for _ in range(2)]
    silent[1].sendall(b"\x16\x03\x01\x02\x00\x01")
    for line in silent:
        line.settimeout(60)
        # An alert may come before the end.
        while line.recv(1000):
            pass
        line.close()
    refusal(archive, "no TLS handshake in time")
    dcmtk.run("echoscu", *tls(authority.pair("ct"), authority.ca), *called(archive))
    # The plain port is not the encrypted one.
    dcmtk.run("echoscu", *tls(authority.pair("ct"), authority.ca), *dcmtk.peer(archive), expect=1)
    archive.assert_healthy()


def serial(archive, authority):
    """Of the certificate that is shown."""
    settings = ssl.create_default_context(cafile=authority.ca)
    settings.load_cert_chain(*authority.pair("modality"))
    with socket.create_connection(("127.0.0.1", archive.secure_port), 60) as line:
        with settings.wrap_socket(line, server_hostname="127.0.0.1") as session:
            return session.getpeercert()["serialNumber"]


def renewed(archive, authority, before):
    deadline = time.monotonic() + 60  # files are looked at every two seconds
    while (now := serial(archive, authority)) == before:
        assert time.monotonic() < deadline, "the old certificate is still shown"
        time.sleep(0.2)
    return now


def test_a_renewed_certificate_counts_without_restart(secure, authority):
    archive = secure()
    before = serial(archive, authority)
    authority.pair("phim")
    renewed(archive, authority, before)


def test_a_certificate_behind_links_is_seen_to_be_renewed(secure, authority, tmp_path):
    """As those leave it who renew certificates: a link to the file of the day."""
    links = [tmp_path / "live.pem", tmp_path / "live.key"]
    def point(stem):
        for link, file in zip(links, authority.pair(stem), strict=True):
            link.unlink(missing_ok=True)
            link.symlink_to(file)
    point("first")
    archive = secure(certificate=str(links[0]), key=str(links[1]))
    before = serial(archive, authority)
    # The file behind the link is another, and the link the same.
    authority.pair("first")
    before = renewed(archive, authority, before)
    point("second")
    before = renewed(archive, authority, before)
    # What cannot be read is told once and leaves what was.
    links[1].unlink()
    links[1].write_text("nothing")
    deadline = time.monotonic() + 60  # looked at when somebody calls
    while "renewed files are not taken over" not in archive.log.read_text():
        assert time.monotonic() < deadline and serial(archive, authority) == before
        time.sleep(0.2)
    time.sleep(5)
    assert serial(archive, authority) == before
    assert archive.log.read_text().count("renewed files are not taken over") == 1


def test_a_key_that_everybody_can_read_is_warned_of(secure, authority):
    certificate, key = authority.pair("open")
    key.chmod(0o644)
    archive = secure(certificate=str(certificate), key=str(key))
    refusal(archive, "can be read by everybody", "open.key")
    key.chmod(0o600)
    quiet = secure(certificate=str(certificate), key=str(key))
    assert "can be read by everybody" not in quiet.log.read_text()


@contextlib.contextmanager
def listening(tmp_path, pair, ca, *more):
    """storescp with TLS, known by what it stored."""
    with dcmtk.StoreSCP(tmp_path / "received", *tls(pair, ca, *more), aet="CENTRE") as scp:
        yield scp


def caller(make_archive, authority, port, **section):
    certificate, key = authority.pair("caller")
    settings = {"certificate": str(certificate), "key": str(key), "ca": str(authority.ca), **section}
    archive = make_archive({"dicom": {"tls": {k: v for k, v in settings.items() if v}}}).start()
    archive.run("peer", "add", "centre", "--ae-title", "CENTRE", "--host", "127.0.0.1", "--port", port, "--tls")
    return archive


def test_studies_leave_encrypted_and_untouched(make_archive, authority, tmp_path):
    with listening(tmp_path, authority.pair("centre"), authority.ca) as scp:
        archive = caller(make_archive, authority, scp.port)
        assert archive.json("peer", "list")[0]["tls"] is True
        archive.run("peer", "echo", "centre")
        made = synthetic.study(tmp_path / "in", instances=10, rows=256)
        archive.run("import", tmp_path / "in")
        assert archive.json("send", "--to", "centre", "--study", made.uid)["sent"] == 10
        # C-MOVE goes the same way.
        for file in scp.files():
            file.unlink()
        dcmtk.run("movescu", "-S", "-aem", "CENTRE", "-k", "QueryRetrieveLevel=STUDY", "-k",
                  f"StudyInstanceUID={made.uid}", *dcmtk.peer(archive))
        assert len(scp.files()) == 10
        pixels = {path.read_bytes()[-256 * 256 * 2:] for path in made.files}
        assert {path.read_bytes()[-256 * 256 * 2:] for path in scp.files()} == pixels


@pytest.mark.parametrize("flaw", ["foreign", "expired", "other host", "no certificate of ours", "plain"])
def test_a_peer_that_is_not_what_it_should_be_is_not_sent_to(make_archive, authority, stranger, tmp_path, flaw):
    pair = {"foreign": lambda: stranger.pair("centre"), "expired": lambda: authority.pair("centre", expired=True),
            "other host": lambda: authority.pair("centre", host="pacs.example.org")}.get(
                flaw, lambda: authority.pair("centre"))()
    said = {"foreign": "unable to get local issuer", "expired": "certificate has expired",
            "other host": "IP address mismatch", "plain": "TLS",
            # Its alert may be overtaken by the end of the connection.
            "no certificate of ours": "alert|closed"}[flaw]
    ours = {"certificate": None, "key": None} if flaw == "no certificate of ours" else {}
    options = [] if flaw == "plain" else tls(pair, authority.ca)
    with dcmtk.StoreSCP(tmp_path / "received", *options, aet="CENTRE") as scp:
        archive = caller(make_archive, authority, scp.port, **ours)
        done = archive.run("peer", "echo", "centre", expect=1)
        assert re.search(said, done.stderr), done.stderr
        made = synthetic.study(tmp_path / "in", instances=2)
        archive.run("import", tmp_path / "in")
        report = archive.json("send", "--to", "centre", "--study", made.uid, expect=1)
        assert report["sent"] == 0 and len(report["failed"]) == 2
        assert not scp.files()


def test_a_certificate_that_is_trusted_by_itself_needs_no_name(make_archive, authority, stranger, tmp_path):
    """As devices bring them: signed by themselves or their maker, naming nothing."""
    pair = stranger.pair("device", host=None)
    with listening(tmp_path, pair, authority.ca) as scp:
        archive = caller(make_archive, authority, scp.port, ca=str(pair[0]))
        archive.run("peer", "echo", "centre")


@pytest.mark.parametrize("sent_with", ["its authority", "nothing"])
def test_a_certificate_that_is_trusted_by_itself_is_known_in_whatever_company(
        make_archive, authority, stranger, tmp_path, sent_with):
    certificate, key = stranger.pair("company", host=None)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(certificate.read_bytes() + (stranger.ca.read_bytes() if sent_with == "its authority" else b""))
    with listening(tmp_path, (chain, key), authority.ca) as scp:
        archive = caller(make_archive, authority, scp.port, ca=str(certificate))
        archive.run("peer", "echo", "centre")


def test_a_name_counts_where_names_belong(make_archive, authority, tmp_path):
    """In Subject Alternative Name; the Common Name of the subject is a label."""
    for stem, host, known in (("named", "localhost", True), ("localhost", None, False)):
        with dcmtk.StoreSCP(tmp_path / stem, *tls(authority.pair(stem, host=host), authority.ca), aet="CENTRE") as scp:
            archive = caller(make_archive, authority, scp.port)
            archive.run("peer", "add", "named", "--ae-title", "CENTRE", "--host", "localhost", "--port", scp.port,
                        "--tls")
            done = archive.run("peer", "echo", "named", expect=0 if known else 1)
            assert known or "ostname mismatch" in done.stderr, done.stderr


def test_a_destination_with_an_authority_of_its_own_is_still_shown_our_certificate(
        make_archive, authority, stranger, tmp_path):
    with listening(tmp_path, stranger.pair("theirs"), authority.ca) as scp:
        archive = caller(make_archive, authority, scp.port)
        outbox.add_destination(archive, "far", peer="centre", tls=True, ca=stranger.ca)
        archive.run("destination", "test", "far")


def test_a_peer_that_hangs_up_in_the_middle(make_archive, authority, tmp_path):
    """The handshake works; then the line is cut, again and again: that is told, and nobody hangs."""
    settings = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca)
    settings.load_cert_chain(*authority.pair("centre"))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                line, _ = listener.accept()
                with settings.wrap_socket(line, server_side=True) as session:
                    session.recv(100)
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    archive = caller(make_archive, authority, listener.getsockname()[1])
    done = archive.run("peer", "echo", "centre", expect=1, timeout=60)
    assert "closed" in done.stderr
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_configuration_that_cannot_be_is_refused(make_archive, authority):
    certificate, key = authority.pair("phim")
    wrong = [
        ({"port": 0}, "a port needs a certificate"),
        ({"port": 0, "certificate": str(certificate), "key": str(key)}, "requireClientCertificate needs ca"),
        ({"port": 0, "certificate": "absent.pem", "key": str(key), "ca": str(authority.ca)}, "absent.pem"),
        ({"port": 0, "certificate": str(certificate), "key": str(authority.pair("other")[1]), "ca": str(authority.ca)},
         "private key"),
        # A key of another kind than the certificate's.
        ({"port": 0, "certificate": str(certificate), "key": str(authority.rsa_key("other-kind")),
          "ca": str(authority.ca)}, "private key is not that of the certificate"),
        ({"cipher": "NULL"}, "cipher"),
    ]
    for section, words in wrong:
        archive = make_archive({"dicom": {"tls": section}})
        archive.start(wait=False)
        assert archive.process.wait(120) != 0
        assert words in archive.log.read_text(), section
        archive.process.stdout.close()
        archive.process = None
