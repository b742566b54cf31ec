"""HTTPS by configuration: protocols, certificates that change while the server runs, what a browser is told."""

import shutil
import socket
import ssl
import subprocess

import pytest

from support import stow, synthetic
from support.forwarding import eventually


def certificate(folder, name, stem="server"):
    """A self-signed pair in PEM, made by openssl."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", folder / f"{stem}.key", "-out", folder / f"{stem}.pem"],
        check=True, capture_output=True)


def connect(archive, protocols=("http/1.1",), least=None, most=None):
    settings = ssl.create_default_context()
    settings.check_hostname, settings.verify_mode = False, ssl.CERT_NONE
    settings.set_alpn_protocols(list(protocols))
    if most:
        settings.minimum_version, settings.maximum_version = least or most, most
    line = socket.create_connection(("127.0.0.1", archive.http_port), 60)
    return settings.wrap_socket(line, server_hostname="localhost")


def name_of(archive):
    with connect(archive) as line:
        done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"],
                              input=line.getpeercert(binary_form=True), capture_output=True, check=True)
    return done.stdout.decode().strip().split("=")[-1].strip()


def ask(line, request):
    line.sendall(request)
    said = b""
    while piece := line.recv(65536):
        said += piece
    return said


@pytest.fixture
def encrypted(make_archive):
    archive = make_archive({"http": {"idleTimeout": 300, "tls": {"certificate": "server.pem", "key": "server.key"}}})
    certificate(archive.data, "first")
    ready = archive.start(wait=False).wait_ready()
    assert ready["httpScheme"] == "https"
    return archive


def curl(archive, *arguments):
    done = subprocess.run(["curl", "-sS", "--cacert", archive.data / "server.pem", *map(str, arguments)],
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_http_1_and_hsts(encrypted):
    with connect(encrypted) as line:
        assert line.selected_alpn_protocol() == "http/1.1"
        said = ask(line, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 ") and b"strict-transport-security: max-age=" in said.lower()


def test_http_2_stores_and_reads(encrypted, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    base = f"https://localhost:{encrypted.http_port}"
    version = curl(encrypted, "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", f"{base}/health/ready")
    assert version == b"2 200"
    dataset = synthetic.ct(rows=512)
    file = synthetic.part10(synthetic.encode(dataset), dataset.SOPClassUID, dataset.SOPInstanceUID)
    (tmp_path / "body").write_bytes(stow.multipart([file] * 20))
    headers = [part for name, value in stow.authorization(encrypted).items() for part in ("-H", f"{name}: {value}")]
    said = curl(encrypted, "--http2", "-H", f"Content-Type: {stow.TYPE}", *headers, "--data-binary",
                f"@{tmp_path / 'body'}", "-w", "\n%{http_version} %{http_code}", f"{base}/dicom-web/studies")
    assert said.endswith(b"\n2 200")
    assert encrypted.json("status")["instances"] == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_spoken(encrypted, version):
    with connect(encrypted, most=version) as line:
        assert line.version() == version.name.replace("_", ".")


def test_old_versions_are_refused(encrypted):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        connect(encrypted, least=ssl.TLSVersion.TLSv1_1, most=ssl.TLSVersion.TLSv1_1)


def test_plain_requests_and_noise_end(encrypted):
    for noise in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 1000, b"\x16\x03\x01\xff\xff" + b"\xff" * 100):
        with socket.create_connection(("127.0.0.1", encrypted.http_port), 15) as line:
            line.sendall(noise)
            line.shutdown(socket.SHUT_WR)
            try:
                assert b"200" not in line.recv(65536)
            except ConnectionResetError:
                pass
    assert name_of(encrypted) == "first"


def test_a_handshake_that_never_comes_ends(encrypted):
    with socket.create_connection(("127.0.0.1", encrypted.http_port), 5) as line:
        line.settimeout(60)
        assert line.recv(1) == b""
    assert name_of(encrypted) == "first"


def test_a_new_certificate_is_taken_without_a_restart(encrypted):
    with connect(encrypted) as old:
        certificate(encrypted.data, "second", "next")
        # The key comes later than the certificate: in between the old pair stays.
        (encrypted.data / "next.pem").replace(encrypted.data / "server.pem")
        eventually(lambda: "do not belong together" in encrypted.tail())
        assert name_of(encrypted) == "first"
        (encrypted.data / "next.key").replace(encrypted.data / "server.key")
        eventually(lambda: name_of(encrypted) == "second", say=encrypted.tail)
        said = ask(old, b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 200 ")
    assert "PRIVATE KEY" not in encrypted.tail()


def test_top_reads_an_encrypted_server(encrypted):
    assert "received" in encrypted.run("top", "--once").stdout.lower()


def test_a_certificate_that_cannot_be_used_is_said_at_the_start(make_archive):
    archive = make_archive({"http": {"tls": {"certificate": "absent.pem", "key": "absent.key"}}})
    done = archive.run("serve", "--dicom-host", "127.0.0.1", "--dicom-port", 0, "--http-port", 0, expect=2, timeout=120)
    assert "absent.pem" in done.stderr and "http.tls" in done.stderr


def test_listening_beyond_this_machine_without_encryption_warns(make_archive):
    archive = make_archive({"http": {"host": "0.0.0.0"}}, prefix=["unshare", "-n", "--"]).start()
    assert "without encryption" in archive.tail()
