"""The outbox from outside: destinations and rules by commands, and what the records hold of a study."""

import contextlib
import sqlite3
import time

from support.forwarding import route, words


@contextlib.contextmanager
def records(archive):
    base = sqlite3.connect(archive.data / "records.sqlite", timeout=20)
    base.row_factory = sqlite3.Row
    try:
        with base:
            yield base
    finally:
        base.close()


def add_destination(archive, name, **options):
    """Options of `phim destination add`."""
    archive.run("destination", "add", name, *words({"lanes": 2, **options}))


def add_route(archive, name, destination, *when, **options):
    """Conditions and options of `phim route add`."""
    route(archive, name, destination, *when, **options)


def shipment(archive, study):
    """The row of a study in the ledger, None while there is none."""
    with records(archive) as base:
        row = base.execute("SELECT * FROM shipment WHERE studyInstanceUID = ?", (study,)).fetchone()
        return dict(row) if row else None


def shipped(archive, study):
    """{SOP Instance UID: digest} of what a destination has taken."""
    with records(archive) as base:
        rows = base.execute("SELECT s.* FROM shipped s JOIN shipment h ON h.id = s.shipment WHERE h.studyInstanceUID = ?",
                            (study,)).fetchall()
        return {row["sopInstanceUID"]: row["digest"] for row in rows}


def unshipped(archive, study):
    """{SOP Instance UID: what was said of it} of what it did not take."""
    with records(archive) as base:
        rows = base.execute("SELECT u.* FROM unshipped u JOIN shipment h ON h.id = u.shipment "
                            "WHERE h.studyInstanceUID = ?", (study,)).fetchall()
        return {row["sopInstanceUID"]: row["answer"] for row in rows}


def wait(archive, what, seconds=60):
    """Waits for a function to give something that is true, and gives it."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"it did not come to that\n{archive.tail()}"
        time.sleep(0.1)


def wait_sent(archive, study, seconds=60):
    def sent():
        row = shipment(archive, study)
        return row if row and row["state"] in ("sent", "committed") else None
    return wait(archive, sent, seconds)
