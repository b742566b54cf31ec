"""Clients that are slow on purpose, and too many of them: they are ended, others are served."""

import contextlib
import re
import socket
import time

import pytest

from support import stow, synthetic
from support.forwarding import eventually

FILE = synthetic.part10(synthetic.bare("1.2.3.4", "1.2.3.5", "1.2.3.6", pixels=b"\1\2" * 200_000), synthetic.CT, "1.2.3.4")


def metric(archive, name):
    text = archive.get("/metrics")[1]
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def ended(line, seconds):
    """What the server says before it hangs up; fails when it does not within this time."""
    line.settimeout(seconds)
    said = b""
    try:
        while piece := line.recv(65536):
            said += piece
    except (ConnectionResetError, BrokenPipeError):
        pass
    except TimeoutError:
        pytest.fail(f"still open after {seconds} s")
    return said


def test_a_header_that_never_ends(make_archive):
    """Slowloris: hundreds of connections that send a byte of a header now and then."""
    archive = make_archive({"http": {"idleTimeout": 2, "maxConnectionsPerAddress": 500}}).start()
    lines = []
    for _ in range(300):
        line = stow.raw(archive)
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        lines.append(line)
    for _ in range(3):
        time.sleep(0.3)
        for line in lines:
            with contextlib.suppress(OSError):  # it may be ended already
                line.sendall(b"a")
        archive.assert_healthy()
    for line in lines:
        ended(line, 60)
    archive.assert_healthy()
    assert metric(archive, "phim_http_connections_ended_total") >= 300


def test_a_body_that_trickles(make_archive):
    """Ten bytes a second: 408, while another upload on another connection goes through."""
    archive = make_archive().start()
    body = stow.multipart([FILE])
    with stow.raw(archive) as line:
        line.sendall(stow.head(archive, len(body)) + body[:1000])
        line.settimeout(1)
        said = b""
        deadline = time.monotonic() + 300
        for at in range(1000, 2000, 10):
            assert time.monotonic() < deadline
            try:
                line.sendall(body[at : at + 10])
                said = line.recv(65536)
                break
            except TimeoutError:
                assert stow.post(archive, stow.multipart([FILE])).status == 200
        assert said.startswith(b"HTTP/1.1 408 ") and b"too slowly" in said
    archive.assert_healthy()


def test_a_pause_is_no_offence(make_archive):
    """A line that stalls for some seconds in the middle goes on where it stopped."""
    archive = make_archive().start()
    body = stow.multipart([FILE])
    with stow.raw(archive) as line:
        line.sendall(stow.head(archive, len(body)) + body[:200_000])
        time.sleep(6)
        line.sendall(body[200_000:])
        assert line.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_one_address_does_not_take_all_connections(make_archive):
    archive = make_archive({"http": {"maxConnectionsPerAddress": 20, "maxConnections": 40}}).start()
    lines = [stow.raw(archive) for _ in range(20)]
    try:
        for line in lines:  # one that is answered has been counted
            line.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
        with stow.raw(archive) as one_more:
            said = ended(one_more, 60)
            assert said == b"" or said.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in said
        # Another address of this machine is another caller.
        with socket.create_connection(("127.0.0.1", archive.http_port), 60, source_address=("127.0.0.2", 0)) as other:
            other.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert ended(other, 60).startswith(b"HTTP/1.1 200 ")
    finally:
        for line in lines:
            line.close()

    def is_served():
        with contextlib.suppress(OSError):
            return archive.get("/health/live")[0] == 200

    eventually(is_served)


@pytest.mark.parametrize(("request_bytes", "status"), [
    (b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + b"x" * 100_000 + b"\r\n\r\n", b"431"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(5000)) + b"\r\n", b"431"),
    (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    (b"nonsense\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"400"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", b"4"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
])
def test_what_is_no_request(shared_archive, request_bytes, status):
    with stow.raw(shared_archive) as line:
        try:
            line.sendall(request_bytes)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        said = ended(line, 60)
        assert said.startswith(b"HTTP/1.1 " + status) or said == b"", said[:100]
    shared_archive.assert_healthy()


def test_expect_continue(shared_archive):
    """Clients such as .NET and curl wait to be asked for a long body."""
    body = stow.multipart([FILE])
    with stow.raw(shared_archive) as line:
        line.sendall(stow.head(shared_archive, len(body)).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert line.recv(100).startswith(b"HTTP/1.1 100 ")
        line.sendall(body)
        assert line.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_nobody_wants_is_not_read_for_ever(shared_archive):
    """A refused request whose sender goes on and on is hung up on."""
    with stow.raw(shared_archive) as line:
        line.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n")
        sent, piece = 0, bytes(1 << 20)
        with pytest.raises(OSError):
            while sent < 2 << 30:
                line.sendall(piece)
                sent += len(piece)
        assert sent < 512 << 20
    shared_archive.assert_healthy()


def test_one_who_does_not_read_his_answers(shared_archive):
    """Pipelined requests whose answers nobody takes: bounded here, and others are served."""
    before = shared_archive.peak_memory()
    with stow.raw(shared_archive) as line:
        line.settimeout(5)
        try:
            for _ in range(200):
                line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        except TimeoutError:
            pass
        shared_archive.assert_healthy()
    assert shared_archive.peak_memory() - before < 100 << 20


def test_shutting_down_with_an_upload_in_hand(make_archive):
    """An upload that ends soon is finished; one that does not is cut off in time."""
    archive = make_archive().start()
    body = stow.multipart([FILE])
    with stow.raw(archive) as soon, stow.raw(archive) as never:
        for line in (soon, never):
            line.sendall(stow.head(archive, len(body)).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
            assert line.recv(100).startswith(b"HTTP/1.1 100 ")  # it is in hand
            line.sendall(body[:100_000])
        archive.process.terminate()
        time.sleep(1)
        soon.sendall(body[100_000:])
        assert soon.recv(65536).startswith(b"HTTP/1.1 200 ")
        archive.stop()
    archive.start()
    assert archive.json("status")["instances"] == 1


def test_whole_studies_that_nobody_takes(archive, tmp_path):
    """Callers that ask for a study and take little of it cost neither memory nor anybody else's time."""
    study = synthetic.study(tmp_path, instances=24, rows=1400)
    size = sum(path.stat().st_size for path in study.files)
    archive.run("import", *study.files)
    session = archive.http()
    address = f"{archive.url}/dicom-web/studies/{study.uid}"
    whole = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    assert len(session.get(address, headers={"Accept": whole}, timeout=300).content) > size
    before = archive.peak_memory()
    lines = []
    for number in range(32):
        line = stow.raw(archive)
        accept = whole if number % 2 else "application/zip"
        fields = {"Host": "localhost", "Accept": accept, **stow.authorization(archive)}
        line.sendall("\r\n".join(
            [f"GET /dicom-web/studies/{study.uid} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]).encode())
        lines.append(line)
    for line in lines:
        line.settimeout(120)
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
    assert 32 * size > 1 << 30 and archive.peak_memory() - before < 256 << 20
    # Others are served meanwhile, with the same study too.
    assert session.get(f"{archive.url}/dicom-web/studies", timeout=60).status_code == 200
    assert len(session.get(address, headers={"Accept": whole}, timeout=300).content) > size
    for line in lines:
        line.close()
    archive.assert_healthy()
