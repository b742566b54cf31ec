"""The pool of workers: one that dies at its job, all of them held up, and more requests than may wait."""

import contextlib
import fcntl
import http.client
import os
import signal
import struct
import termios
import threading
import time

import pytest

from support import synthetic
from test_hostile_images import worker_of

WORKERS = 2
INSIDE = 4 + 256  # threads for images, and requests that may wait for one


@pytest.fixture
def archive(make_archive):
    """An archive that one address may open as many connections to as this takes."""
    return make_archive({"http": {"maxConnectionsPerAddress": 400}}).start()


@pytest.fixture
def picture(archive, tmp_path):
    """Path of a picture that can be drawn."""
    one = synthetic.ct(rows=64)
    archive.run("import", synthetic.write(tmp_path / "one.dcm", one))
    return (f"/dicom-web/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}"
            f"/instances/{one.SOPInstanceUID}/rendered")


def ask(archive, path):
    """A connection on which a picture was asked for and whose answer was not read."""
    connection = http.client.HTTPConnection("127.0.0.1", archive.http_port, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {archive.token()}", "Accept": "image/jpeg"})
    return connection


def answer(connection):
    got = connection.getresponse()
    return got.status, got.read(), got.headers


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def metric(archive, name):
    lines = archive.get("/metrics")[1].splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " ")), 0)


def has_job(worker):
    """Whether something that this process did not read yet lies in the pipe to it."""
    pipe = os.open(f"/proc/{worker}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0] > 0
    finally:
        os.close(pipe)


@contextlib.contextmanager
def held(processes):
    """These processes do not go on."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def test_a_worker_that_dies_at_its_job_costs_that_job_alone(archive, picture):
    assert answer(ask(archive, picture))[0] == 200
    [worker] = worker_of(archive)
    with held([worker]):
        unlucky = ask(archive, picture)
        statuses = []

        def others():
            # The idle worker is taken first: once there are two, the second one does these.
            statuses.extend(answer(ask(archive, picture))[0] for _ in range(5))

        until(lambda: has_job(worker))
        beside = [threading.Thread(target=others) for _ in range(3)]
        for thread in beside:
            thread.start()
        for thread in beside:
            thread.join()
        assert statuses == [200] * 15
        os.kill(worker, signal.SIGKILL)
        status, body, _ = answer(unlucky)
    assert (status, b"ended its decoder (signal 9)" in body) == (406, True)
    assert [answer(ask(archive, picture))[0] for _ in range(3)] == [200] * 3
    assert metric(archive, 'phim_codec_jobs_total{outcome="lost"}') == 1
    assert metric(archive, 'phim_codec_jobs_total{outcome="done"}') == 19
    assert metric(archive, "phim_codec_workers_started_total") >= 2


def test_more_pictures_than_may_wait_are_put_off_and_nothing_else_is(archive, picture):
    # Two at once until both workers are there.
    while len(worker_of(archive)) < WORKERS:
        for connection in [ask(archive, picture) for _ in range(8)]:
            assert answer(connection)[0] == 200
    with held(worker_of(archive)):
        waiting = [ask(archive, picture) for _ in range(INSIDE)]
        until(lambda: metric(archive, "phim_codec_waiting_requests") == 256)
        for _ in range(5):
            status, _, fields = answer(ask(archive, picture))
            assert (status, fields["Retry-After"]) == (503, "5")
        # The catalogue and what is stored do not wait for pictures.
        assert answer(ask(archive, "/dicom-web/studies"))[0] == 406
        assert answer(ask(archive, picture.replace("rendered", "metadata")))[0] == 406
    assert [answer(connection)[0] for connection in waiting] == [200] * INSIDE
    assert metric(archive, "phim_codec_waiting_requests") == 0
    archive.assert_healthy()
