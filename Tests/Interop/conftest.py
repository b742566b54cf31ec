"""Fixtures: archives in folders of their own, and the server's log beside every failure."""

import fcntl
import itertools
import os
import shutil

import pytest

from support import dcmtk, synthetic
from support.accounts import add_account
from support.archive import BINARY, Archive
from support.exchange import Station

_number = itertools.count(1)


def pytest_collection_modifyitems(items):
    # The long ones last, so that plain mistakes show first.
    late = ("test_corpus", "test_crash", "test_huge")
    items.sort(key=lambda item: next((n + 1 for n, name in enumerate(late) if item.path.stem == name), 0))


def pytest_sessionstart(session):
    if not session.config.option.collectonly and not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build first (make build)", returncode=3)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for archive in {id(archive): archive for archive in Archive.started}.values():
            report.sections.append((f"server of {archive.data.name}", archive.tail()))
    return report


def pytest_runtest_teardown(item, nextitem):
    # Keep only what still runs: module archives serve the next test too.
    Archive.started[:] = [archive for archive in Archive.started if archive.alive]


@pytest.fixture
def make_archive(tmp_path):
    """Makes stopped archives; whatever still runs at the end is stopped and must exit 0."""
    made = []

    def make(config=None, name=None, prefix=()):
        made.append(Archive(tmp_path / (name or f"archive-{next(_number)}"), config, prefix))
        return made[-1]

    yield make
    _stop(made)


@pytest.fixture
def archive(make_archive):
    """A running archive of this test alone, with the default configuration."""
    return make_archive().start()


@pytest.fixture(scope="module")
def shared_archive(tmp_path_factory):
    """A running archive that the tests of one module share."""
    folder = tmp_path_factory.mktemp("shared")
    archive = Archive(folder / "archive").start()
    yield archive
    _stop([archive])


@pytest.fixture(scope="module")
def staffed(shared_archive):
    """An archive with one account of each role, each named after it."""
    for role in ("radiologist", "technician", "referring-physician", "integration", "clerk"):
        add_account(shared_archive, role, role)
    add_account(shared_archive, "chief", "administrator")
    return shared_archive


@pytest.fixture(scope="module")
def two_studies(staffed, module_folder):
    """Two studies of one instance each."""
    made = [synthetic.study(module_folder / name, instances=1, PatientID=f"SECRET-{name}") for name in ("a", "b")]
    for study in made:
        dcmtk.run("storescu", *dcmtk.peer(staffed), *study.files)
    return made


@pytest.fixture(scope="module")
def centre(shared_archive):
    """An archive to which others hand studies over."""
    return shared_archive


@pytest.fixture(scope="module")
def station(centre):
    """One of these, in Python."""
    return Station(centre)


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture
def turn(tmp_path_factory):
    """One test at a time, of all workers: what it leaves on the disk is gone before the next."""
    with open(tmp_path_factory.getbasetemp().parent / "turn.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def roomy(turn, tmp_path):
    """A folder for gigabytes; the first fixture of its test."""
    need, free = 7 << 30, shutil.disk_usage(tmp_path).free
    if free < need:
        message = f"needs {need >> 30} GiB of free disk, has {free / (1 << 30):.1f}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return tmp_path


def _stop(archives):
    failures = []
    for archive in archives:
        if archive.process is not None and archive.process.poll() is not None:
            failures.append(f"the server died with {archive.process.returncode}\n{archive.tail()}")
            archive.process.stdout.close()
        else:
            try:
                archive.stop()
            except AssertionError as error:
                failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.fixture
def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a file system of limited size")
