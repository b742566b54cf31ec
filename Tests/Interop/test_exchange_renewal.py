"""Tokens and certificates that are renewed while one archive hands studies over to another: nothing stops, nothing is lost."""

import contextlib
import os

import pytest

from support import forwarding
from support.certificates import Authority
from support.line import Line, Shape
from test_forwarding_line import imported

SLOW, FAST = Shape(2e6, 0.010), Shape(1e9, 0.0)


def put(path, octets):
    """As a renewal does: nobody reads half of it."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(octets)
    new.chmod(0o600)
    os.replace(new, path)


def show(centre, authority):
    """The centre is somebody whom this authority knows, from the next connection on."""
    for source, ending in zip(authority.pair("server"), (".pem", ".key")):
        put(centre.data / f"server{ending}", source.read_bytes())


def issue(centre):
    """(token, its number) of the station."""
    token = centre.run("token", "issue", "--account", "commune").stdout.strip()
    return token.encode() + b"\n", max(row["id"] for row in centre.json("token", "list"))


@pytest.fixture
def pair(make_archive, tmp_path):
    """A station, a centre that is reached by HTTPS only, the line, and the number of the token."""
    first = Authority(tmp_path / "first")
    centre = make_archive({"http": {"tls": {"certificate": "server.pem", "key": "server.key"}}}, name="centre")
    show(centre, first)
    centre.start()
    centre.run("account", "add", "commune", "--role", "station", "--no-password")
    station = make_archive(name="station").start()
    token, number = issue(centre)
    put(station.data / "centre.token", token)
    put(station.data / "ca.pem", first.ca.read_bytes())
    with Line(SLOW, centre.http_port) as line:
        station.run("destination", "add", "centre", "--phim", f"https://127.0.0.1:{line.port}", "--token-file",
                    "centre.token", "--ca", "ca.pem", "--lanes", 1)
        yield station, centre, line, number


@contextlib.contextmanager
def under_way(station, line, study, before=0):
    """A study stays under way while something is done; then all connections end, as they do, and the line is fast."""
    line.shape = SLOW
    forwarding.send(station, study, "centre")
    forwarding.eventually(lambda: forwarding.counter(station, "phim_forwarded_objects_total") >= before + 2)
    line.darken()
    assert forwarding.shipment(station, study)["state"] == "waiting"
    yield
    line.shape = FAST
    line.cut()
    line.lighten()


def waits_no_more(station, study):
    """It goes on by itself; only the wait until the next attempt is not waited for."""
    def look():
        forwarding.retry(station)
        return forwarding.shipment(station, study)["state"] == "committed"

    forwarding.eventually(look, say=lambda: forwarding.explain(station, study))


def test_files_that_are_renewed_while_a_study_goes(pair, tmp_path):
    station, centre, line, number = pair
    made = imported(station, tmp_path / "study", instances=16, rows=240)
    second = Authority(tmp_path / "second", name="The next authority")
    with under_way(station, line, made.uid):
        token, renewed = issue(centre)
        put(station.data / "centre.token", token)
        put(station.data / "ca.pem", second.ca.read_bytes())
        show(centre, second)
        centre.run("token", "revoke", number)
    waits_no_more(station, made.uid)
    assert forwarding.files(station) == forwarding.files(centre)

    # Another file: from the next object on, without waiting for a look at files.
    other = imported(station, tmp_path / "other", instances=12, rows=240)
    with under_way(station, line, other.uid, before=16):
        token, _ = issue(centre)
        put(station.data / "other.token", token)
        station.run("destination", "change", "centre", "--token-file", "other.token")
        centre.run("token", "revoke", renewed)
    waits_no_more(station, other.uid)
    assert forwarding.files(station) == forwarding.files(centre)
    said = station.log.read_text() + centre.log.read_text()
    assert "PRIVATE KEY" not in said and token.decode().strip() not in said and made.uid not in said
    station.assert_healthy()
