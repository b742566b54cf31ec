"""Archives that send on to others: destinations and rules, what the outbox says, and what both ends hold."""

import hashlib
import re
import tarfile
import time

from support import corpus

LONG = 180


def eventually(what, seconds=LONG, say="", pause=0.1):
    """The value of `what` once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, f"did not happen {say() if callable(say) else say}"
        time.sleep(pause)
    return value


# Destinations.


def words(options):
    """Options of a command: `lanes=2` is `--lanes 2`, a list is given several times, True is a flag."""
    found = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        for one in value if isinstance(value, list) else [value]:
            found += [option] if one is True else [option, str(one)]
    return found


def enrol(centre, station):
    """An account for a station at the centre; its token."""
    centre.run("account", "add", station, "--role", "station", "--generate")
    return centre.token(account=station)


def to_phim(archive, name, centre, station="commune", port=None, **options):
    """A destination that is another archive of this kind, over a line at `port` when one is given."""
    file = archive.data / f"{name}.token"
    if not file.exists():
        file.write_text(enrol(centre, station) + "\n")
        file.chmod(0o600)
    archive.run("destination", "add", name, "--phim", f"http://127.0.0.1:{port or centre.http_port}",
                "--token-file", file.name, *words(options))


def to_peer(archive, name, port, ae_title, **options):
    """A destination over associations, and the peer that it is."""
    archive.run("peer", "add", name, "--ae-title", ae_title, "--host", "127.0.0.1", "--port", port)
    archive.run("destination", "add", name, "--peer", name, *words(options))


def route(archive, name, to, *when, **options):
    conditions = [word for condition in when for word in ("--when", condition)]
    archive.run("route", "add", name, "--to", to, *conditions, *words(options))


# The outbox.


def send(archive, study, to, expect=0, **options):
    return archive.run("outbox", "send", study, "--to", to, *words(options), expect=expect)


def retry(archive, to="centre"):
    """Everything for a destination is tried at once, whatever wait it is in."""
    archive.run("outbox", "retry", "--to", to)


def explain(archive, study):
    return archive.run("outbox", "explain", study).stdout.strip()


def shipment(archive, study, to="centre"):
    """A study's row for one destination; None while there is none."""
    rows = [row["shipment"] for row in ledger(archive, study)["entries"] if row["shipment"]["destination"] == to]
    return rows[0] if rows else None


def ledger(archive, study):
    """Everything that the archive knows of a study's way."""
    return archive.json("outbox", "ledger", study)


def wait_for(archive, study, state, to="centre", seconds=LONG):
    """The study's row once it is in this state."""
    def look():
        row = shipment(archive, study, to)
        return row if row and row["state"] == state else None

    return eventually(look, seconds, lambda: f"({study} is not {state}: {explain(archive, study)})")


def backlog(archive, to="centre"):
    """Studies that wait for a destination."""
    return sum(row["studies"] for row in archive.json("outbox")["backlog"] if row["destination"] == to)


def drained(archive, to="centre", seconds=LONG):
    """Nothing waits any more."""
    eventually(lambda: backlog(archive, to) == 0, seconds, lambda: archive.run("outbox").stdout)


def counter(archive, name, **labels):
    """A counter or gauge of the server's metrics; 0 while it has none."""
    total = 0.0
    for said, value in re.findall(rf"^{name}(?:{{(.*?)}})? (\S+)$", archive.get("/metrics")[1], re.M):
        if all(f'{label}="{wanted}"' in said for label, wanted in labels.items()):
            total += float(value)
    return total


# What an archive holds, read by tar from its volumes: nothing of the archive is believed.


def _bodies(archive):
    for volume in archive.volumes():
        if not volume.stat().st_size:
            continue  # just made
        with tarfile.open(volume, "r:") as tar:
            for member in tar:
                if not member.name.startswith(".erased/"):
                    yield member.name.rsplit("/", 1)[-1][:-4], tar.extractfile(member).read()


def files(archive):
    """{SOP Instance UID: SHA-256 of the file}; every object is there once."""
    found = {}
    for instance, body in _bodies(archive):
        assert instance not in found, "an object is stored twice"
        found[instance] = hashlib.sha256(body).hexdigest()
    return found


def data_sets(archive):
    """{SOP Instance UID: SHA-256 of the data set}: what an association carries, whose ends write their own file headers."""
    found = {}
    for instance, body in _bodies(archive):
        assert instance not in found, "an object is stored twice"
        found[instance] = hashlib.sha256(body[corpus.meta(body)[1]:]).hexdigest()
    return found


def order(archive):
    """SOP Instance UIDs in the order in which they were stored."""
    return [instance for instance, _ in _bodies(archive)]


class Stores:
    """Counts how often each object sets out over a line of associations, and is answered: a tap for it.

    What is counted is the Affected SOP Instance UID (0000,1000) of C-STORE requests and responses (PS3.7 Section 9.3.1),
    which stands in the command sets, Implicit VR Little Endian. It has a length: a message of the number 16 ends in the same
    octets as its tag.
    """

    _COMMAND = re.compile(
        rb"\x00\x00\x00\x01\x02\x00\x00\x00(..).{0,64}?\x00\x00\x00\x10([\x01-\x40]\x00)\x00\x00", re.DOTALL)
    _FIELDS = {"up": b"\x01\x00", "down": b"\x01\x80"}

    def __init__(self):
        self.times, self._rest = {"up": {}, "down": {}}, {}

    def __call__(self, number, way, data):
        held = self._rest.pop((number, way), b"") + data
        done = 0
        for found in self._COMMAND.finditer(held):
            length = int.from_bytes(found[2], "little")
            if found[1] != self._FIELDS[way]:
                continue
            if found.end() + length > len(held):
                break
            instance = held[found.end():found.end() + length].rstrip(b"\0 ").decode("ascii", "replace")
            self.times[way][instance] = self.times[way].get(instance, 0) + 1
            done = found.end() + length
        self._rest[number, way] = held[max(done, len(held) - 256):]
        return data

    def again(self, way):
        """How often something set out, or was answered, that had been before."""
        return sum(times - 1 for times in self.times[way].values())
