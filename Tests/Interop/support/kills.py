"""An archive under full load that is killed at random points, and what must be true of it after each restart."""

import hashlib
import random
import struct
import subprocess
import tarfile
import threading

from support import corpus, peers, synthetic, wire
from support.archive import BINARY
from support.synthetic import CT, EXPLICIT

CONFIGURATION = {"storage": {"volumeSize": "32MiB", "streamThreshold": "1MiB"}}
SENDERS, STUDIES = 8, 2
CT_SLICE = 512 * 512 * 2
# Pixels are cut out of this: quick to make, and no two objects are alike because their UIDs differ.
NOISE = random.Random(1).randbytes(8 << 20)


class Ledger:
    """What was sent, and what of it was acknowledged with 0000H."""

    def __init__(self):
        self.sent, self.acknowledged = {}, set()
        self.change = threading.Condition()

    def make(self, dice, study, series):
        """The next object: its identity and its bytes. Small ones, CT slices, and a few that stream."""
        kind = dice.random()
        if kind < 0.01:
            size = dice.randrange(1_200_000, 2_500_000)
        elif kind < 0.25:
            size = CT_SLICE
        else:
            size = dice.randrange(1_000, 40_000)
        start = dice.randrange(0, len(NOISE) - size)
        instance = synthetic.uid()
        data = synthetic.bare(instance, study, series, number=1, pixels=NOISE[start : start + size // 2 * 2])
        digest = hashlib.sha256(data).digest()
        with self.change:
            self.sent[instance] = digest
        return instance, data

    def acknowledge(self, instance):
        with self.change:
            self.acknowledged.add(instance)
            self.change.notify_all()

    def wait(self, count, seconds):
        """Until `count` objects are acknowledged, or for so long."""
        with self.change:
            self.change.wait_for(lambda: len(self.acknowledged) >= count, seconds)


def send_on_the_wire(port, ledger, study, series, dice):
    try:
        with wire.Wire(port, [(1, CT, [EXPLICIT])], timeout=20) as line:
            while True:
                instance, data = ledger.make(dice, study, series)
                if line.store(1, CT, instance, data).status == 0:
                    ledger.acknowledge(instance)
    except (OSError, wire.Closed, struct.error):
        pass  # the server was killed


def send_with_pynetdicom(port, ledger, study, series, dice):
    try:
        with peers.association(port, [(CT, [EXPLICIT])], timeout=5) as association:
            number = 0
            while association.is_established:
                number += 1
                instance, data = ledger.make(dice, study, series)
                if peers.store_bytes(association, 1, CT, instance, data, number)[0] == 0:
                    ledger.acknowledge(instance)
    except (AssertionError, OSError, RuntimeError):
        pass  # the server was killed


def visible(port, study):
    """{SOP Instance UID} of a study by C-FIND, and the count that the study itself states."""
    study_key = synthetic.element(0x0020, 0x000D, "UI", study)
    level = lambda name: synthetic.element(0x0008, 0x0052, "CS", name)
    with wire.Wire(port, [(1, wire.STUDY_FIND, [EXPLICIT])]) as line:
        def find(identifier):
            line.socket.sendall(line.query_bytes(1, wire.C_FIND, wire.STUDY_FIND, identifier))
            answers = line.responses()
            assert answers[-1].status == 0
            return [answer.data for answer in answers[:-1]]

        found = find(level("STUDY") + study_key + synthetic.element(0x0020, 0x1208, "IS", ""))
        stated, instances = 0, []
        if found:
            at = found[0].index(struct.pack("<HH2s", 0x0020, 0x1208, b"IS")) + 8
            length = struct.unpack_from("<H", found[0], at - 2)[0]
            stated = int(found[0][at : at + length])
        for answer in find(level("SERIES") + study_key + synthetic.element(0x0020, 0x000E, "UI", "")):
            series = corpus.identifiers(answer, EXPLICIT)[0][corpus.SERIES]
            image = synthetic.element(0x0008, 0x0018, "UI", "") + level("IMAGE") + study_key
            instances += [corpus.identifiers(answer, EXPLICIT)[0][corpus.SOP_INSTANCE]
                          for answer in find(image + synthetic.element(0x0020, 0x000E, "UI", series))]
        line.release()
    assert len(set(instances)) == len(instances)
    return set(instances), stated


def retrieved(port, study):
    """{SOP Instance UID: digest of the data set} by C-GET."""
    got = {}

    def on_store(message):
        got[message.command["AffectedSOPInstanceUID"]] = hashlib.sha256(message.data).digest()

    with wire.Wire(port, [(1, wire.STUDY_GET, [EXPLICIT]), (3, CT, [EXPLICIT])], roles=[(CT, 0, 1)],
                   timeout=60) as line:
        keys = synthetic.element(0x0008, 0x0052, "CS", "STUDY") + synthetic.element(0x0020, 0x000D, "UI", study)
        line.socket.sendall(line.query_bytes(1, wire.C_GET, wire.STUDY_GET, keys))
        assert line.responses(on_store)[-1].status == 0
        line.release()
    return got


class KillRun:
    """Rounds of load and SIGKILL on one archive. `present` is what has been seen after a restart: it must stay."""

    def __init__(self, archive, folder, seed):
        self.archive, self.folder = archive, folder
        self.dice, self.ledger = random.Random(seed), Ledger()
        self.present = {}  # {study: {instance}}
        self.imports = []  # folders and studies that an import was cut short in
        self.pause = threading.Event()
        self.kills = self.rounds = 0

    # One round.

    def round(self, disturbance=None, kills_recovery=False):
        """Load, SIGKILL, restart, check. `disturbance` is a command that runs meanwhile and is killed as well."""
        self.rounds += 1
        studies = [f"{synthetic.ROOT}.77.{self.rounds}.{number}" for number in range(STUDIES)]
        before = len(self.ledger.acknowledged)
        threads = self.start_senders(studies)
        command, settle = (disturbance or self.nothing)()
        if self.dice.random() < 0.5:
            self.pause.wait(self.dice.uniform(0.02, 0.5))
        else:
            count = self.dice.randrange(1, 200)
            self.ledger.wait(before + count, 1)
            self.ledger.wait(before + min(count, 20), 20)  # some load on a slow machine, too
        self.archive.kill()
        if command and command.poll() is None:
            command.kill()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        self.kills += 1
        if kills_recovery:
            self.archive.start(wait=False)
            self.pause.wait(self.dice.uniform(0.0, 0.15))
            self.archive.kill()
            self.kills += 1
        self.archive.start()
        self.check_round(studies)
        settle(command)

    def start_senders(self, studies):
        threads = []
        for number in range(SENDERS):
            study = studies[number % STUDIES]
            sender = send_with_pynetdicom if number == SENDERS - 1 else send_on_the_wire
            arguments = (self.archive.dicom_port, self.ledger, study, f"{study}.{number}",
                         random.Random(self.dice.random()))
            threads.append(threading.Thread(target=sender, args=arguments, daemon=True))
            threads[-1].start()
        return threads

    def check_round(self, studies):
        """All acknowledged is there, what is there is whole, and the counts agree."""
        for study in studies:
            instances, stated = visible(self.archive.dicom_port, study)
            assert stated == len(instances), f"study {study} states {stated} images and shows {len(instances)}"
            got = retrieved(self.archive.dicom_port, study) if instances else {}
            assert set(got) == instances, f"{len(set(got) ^ instances)} instances found, not given, or vice versa"
            wrong = [instance for instance, digest in got.items() if digest != self.ledger.sent.get(instance)]
            assert not wrong, f"{len(wrong)} instances came back as other bytes"
            self.present[study] = instances
        seen = set().union(*self.present.values())
        lost = self.ledger.acknowledged - seen
        assert not lost, f"{len(lost)} acknowledged instances are gone"

    # What else goes on meanwhile: each gives a command, or None, and what to look at after the restart.

    def popen(self, *arguments):
        command = [str(BINARY), *map(str, arguments), "--data", str(self.archive.data)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    @staticmethod
    def ended(command):
        """The exit status; a command that was not killed must have succeeded."""
        complaint = command.communicate()[1].decode(errors="replace")
        assert command.returncode in (0, -9), f"exit status {command.returncode}: {complaint[-2000:]}"
        return command.returncode

    @staticmethod
    def nothing():
        return None, lambda command: None

    def importing(self):
        """An import in a process of its own."""
        place = self.folder / f"import-{self.rounds}"
        study = synthetic.study(place, instances=80)

        def settle(command):
            self.ended(command)
            found, stated = visible(self.archive.dicom_port, study.uid)
            assert found <= set(study.instances) and stated == len(found)
            self.present[study.uid] = found
            self.imports.append((place, study))

        return self.popen("import", place), settle

    def deleting(self):
        """A deletion: all of it or nothing."""
        candidates = sorted(study for study, instances in self.present.items() if instances)
        if not candidates:
            return self.nothing()
        study = self.dice.choice(candidates)

        def settle(command):
            status = self.ended(command)
            found, stated = visible(self.archive.dicom_port, study)
            assert stated == len(found)
            assert found in (set(), self.present[study]), "half a study was deleted"
            assert status != 0 or not found, "what was deleted is back"
            if not found:
                self.forget(study)

        return self.popen("delete", "--study", study, "--yes"), settle

    def rebuilding(self):
        """A rebuild of the index beside the live one."""
        return self.popen("rebuild-index"), self.ended

    def forget(self, study):
        self.ledger.acknowledged -= self.present.pop(study)
        self.imports = [one for one in self.imports if one[1].uid != study]

    # The whole archive.

    def audit(self, keep=1 << 30):
        """Everything is read and compared; afterwards all but the last `keep` studies are deleted."""
        for place, study in self.imports:
            self.archive.run("import", place)
            self.present[study.uid] = set(study.instances)
        self.imports = []
        self.compare()
        before = self.archive.image_keys()
        self.archive.run("rebuild-index", timeout=300)
        assert self.archive.image_keys() == before, "the index made anew is another"
        for study in list(self.present)[:-keep]:
            if self.present[study]:
                self.archive.run("delete", "--study", study, "--yes")
            self.forget(study)
        self.archive.assert_healthy()

    def compare(self):
        """Catalogue, volumes and ledger tell the same."""
        expected = set().union(*self.present.values())
        rows = self.archive.find(level="image")
        assert {row["SOPInstanceUID"] for row in rows} == expected
        assert len(rows) == len(expected)
        assert self.archive.json("status")["conflicts"] == 0
        verified = self.archive.json("verify", timeout=300)
        assert (verified["checked"], verified["rot"]) == (len(expected), [])
        assert self.in_volumes() == expected

    def in_volumes(self):
        """What tar alone finds in the volumes: every entry whole, none twice."""
        found = []
        for volume in self.archive.volumes():
            subprocess.run(["tar", "tf", volume], stdout=subprocess.DEVNULL, check=True)
            # Told that it is plain, or an empty volume is tried as lzma, which takes seconds.
            with tarfile.open(volume, "r:") as tar:
                for member in tar:
                    if member.name.startswith(".erased/"):
                        continue
                    instance = member.name.rsplit("/", 1)[-1][:-4]
                    found.append(instance)
                    if instance in self.ledger.sent:
                        raw = tar.extractfile(member).read()
                        _, offset = corpus.meta(raw)
                        assert hashlib.sha256(raw[offset:]).digest() == self.ledger.sent[instance], member.name
        assert len(found) == len(set(found))
        return set(found)
