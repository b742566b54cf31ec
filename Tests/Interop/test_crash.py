"""kill -9 at random moments under load: everything acknowledged is there, nothing else is half visible."""

import hashlib
import random
import struct
import subprocess
import tarfile
import threading

import pytest

from support import corpus, peers, synthetic, wire
from support.archive import BINARY
from support.synthetic import CT, EXPLICIT

ROUNDS = 52
SEED = 20240315
CONFIGURATION = {"storage": {"volumeSize": "32MiB", "streamThreshold": "1MiB"}}


class Ledger:
    """What was sent, and what of it was acknowledged with 0000H."""

    def __init__(self):
        self.sent, self.acknowledged = {}, set()
        self.lock = threading.Lock()

    def make(self, dice, study):
        """The next object: its identity and its bytes."""
        instance = synthetic.uid()
        size = dice.randrange(1_200_000, 2_500_000) if dice.random() < 0.01 else dice.randrange(1000, 40_000)
        data = synthetic.bare(instance, study, f"{study}.1", number=1, pixels=dice.randbytes(size // 2 * 2))
        with self.lock:
            self.sent[instance] = hashlib.sha256(data).digest()
        return instance, data

    def acknowledge(self, instance):
        with self.lock:
            self.acknowledged.add(instance)


def send_on_the_wire(port, ledger, study, dice):
    try:
        with wire.Wire(port, [(1, CT, [EXPLICIT])], timeout=20) as line:
            while True:
                instance, data = ledger.make(dice, study)
                if line.store(1, CT, instance, data).status == 0:
                    ledger.acknowledge(instance)
    except (OSError, wire.Closed, struct.error):
        pass  # the server was killed


def send_with_pynetdicom(port, ledger, study, dice):
    try:
        with peers.association(port, [(CT, [EXPLICIT])], timeout=5) as association:
            number = 0
            while association.is_established:
                number += 1
                instance, data = ledger.make(dice, study)
                if peers.store_bytes(association, 1, CT, instance, data, number)[0] == 0:
                    ledger.acknowledge(instance)
    except (AssertionError, OSError, RuntimeError):
        pass  # the server was killed


def start_senders(port, ledger, studies, dice):
    senders = [send_on_the_wire, send_on_the_wire, send_on_the_wire, send_with_pynetdicom]
    threads = []
    for sender, study in zip(senders, studies):
        own = random.Random(dice.random())
        threads.append(threading.Thread(target=sender, args=(port, ledger, study, own), daemon=True))
        threads[-1].start()
    return threads


def visible(port, study):
    """{SOP Instance UID} of a study by C-FIND, and the count that the study itself states."""
    study_key = synthetic.element(0x0020, 0x000D, "UI", study)
    with wire.Wire(port, [(1, wire.STUDY_FIND, [EXPLICIT])]) as line:
        image = synthetic.element(0x0008, 0x0018, "UI", "") + synthetic.element(0x0008, 0x0052, "CS", "IMAGE")
        image += study_key + synthetic.element(0x0020, 0x000E, "UI", f"{study}.1")
        line.socket.sendall(line.query_bytes(1, wire.C_FIND, wire.STUDY_FIND, image))
        answers = line.responses()
        assert answers[-1].status == 0
        instances = [corpus.identifiers(answer.data, EXPLICIT)[0][corpus.SOP_INSTANCE] for answer in answers[:-1]]
        count = synthetic.element(0x0020, 0x1208, "IS", "")
        line.socket.sendall(line.query_bytes(
            1, wire.C_FIND, wire.STUDY_FIND, synthetic.element(0x0008, 0x0052, "CS", "STUDY") + study_key + count))
        answers = line.responses()
        line.release()
    stated = 0
    if len(answers) > 1:
        at = answers[0].data.index(struct.pack("<HH2s", 0x0020, 0x1208, b"IS")) + 8
        length = struct.unpack_from("<H", answers[0].data, at - 2)[0]
        stated = int(answers[0].data[at : at + length])
    assert len(set(instances)) == len(instances)
    return set(instances), stated


def check_round(port, ledger, studies, acknowledged_before):
    """What this round's studies show after the restart."""
    seen = set()
    for study in studies:
        instances, stated = visible(port, study)
        assert stated == len(instances), f"study {study} states {stated} images and shows {len(instances)}"
        seen |= instances
    lost = ledger.acknowledged - acknowledged_before - seen
    assert not lost, f"{len(lost)} acknowledged instances are gone"
    assert seen <= set(ledger.sent)
    return seen


@pytest.mark.timeout(400)
def test_fifty_kills_under_load(make_archive, tmp_path):
    dice = random.Random(SEED)
    archive, ledger = make_archive(CONFIGURATION), Ledger()
    imported = synthetic.study(tmp_path / "import", instances=150)
    all_visible, pause = set(), threading.Event()
    archive.start()
    for number in range(ROUNDS):
        studies = [f"{synthetic.ROOT}.77.{number}.{sender}" for sender in range(4)]
        before = set(ledger.acknowledged)
        threads = start_senders(archive.dicom_port, ledger, studies, dice)
        importing = None
        if number % 8 == 3:  # an import in a process of its own dies with the server
            command = [BINARY, "import", "--data", archive.data, tmp_path / "import"]
            importing = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pause.wait(dice.uniform(0.15, 0.5))
        archive.kill()
        if importing:
            importing.kill()
            importing.wait()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        if number % 6 == 5:  # killed again while it recovers
            archive.start(wait=False)
            pause.wait(dice.uniform(0.0, 0.1))
            archive.kill()
        archive.start()
        all_visible |= check_round(archive.dicom_port, ledger, studies, before)
    print(f"{len(ledger.acknowledged)} acknowledged, {len(all_visible)} visible, {len(ledger.sent)} sent")
    assert len(ledger.acknowledged) > ROUNDS * 4, "too little load to prove anything"
    archive.run("import", tmp_path / "import")
    check_everything(archive, ledger, all_visible, imported, tmp_path)


def test_sigterm_under_load_loses_nothing(make_archive):
    """Running work is finished or cut off before its answer; what was answered is there, and the exit is clean."""
    dice = random.Random(SEED)
    archive, ledger = make_archive(CONFIGURATION).start(), Ledger()
    idle = wire.Wire(archive.dicom_port, [(1, wire.VERIFICATION, [EXPLICIT])])
    for number in range(3):
        studies = [f"{synthetic.ROOT}.78.{number}.{sender}" for sender in range(4)]
        before = set(ledger.acknowledged)
        threads = start_senders(archive.dicom_port, ledger, studies, dice)
        threading.Event().wait(0.4)
        archive.stop()  # asserts exit status 0 within ten seconds
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        archive.start()
        check_round(archive.dicom_port, ledger, studies, before)
    idle.close()
    assert archive.json("verify")["rot"] == []


def check_everything(archive, ledger, all_visible, imported, tmp_path):
    rows = archive.find(level="image")
    present = {row["SOPInstanceUID"] for row in rows}
    assert present == all_visible | set(imported.instances)
    assert ledger.acknowledged <= present
    assert archive.json("status")["conflicts"] == 0
    assert archive.json("verify", timeout=200)["rot"] == []
    check_retrieval(archive, ledger, all_visible)
    check_volumes(archive, ledger, all_visible)
    before = archive.image_keys()
    archive.run("rebuild-index", timeout=200)
    assert archive.image_keys() == before
    archive.assert_healthy()


def check_retrieval(archive, ledger, all_visible):
    """By C-GET, all of it: the bytes that were sent."""
    studies = sorted({row["StudyInstanceUID"] for row in archive.find() if ".77." in row["StudyInstanceUID"]})
    got = {}

    def on_store(message):
        got[message.command["AffectedSOPInstanceUID"]] = hashlib.sha256(message.data).digest()

    with wire.Wire(archive.dicom_port, [(1, wire.STUDY_GET, [EXPLICIT]), (3, CT, [EXPLICIT])],
                   roles=[(CT, 0, 1)], timeout=60) as line:
        for study in studies:
            keys = synthetic.element(0x0008, 0x0052, "CS", "STUDY") + synthetic.element(0x0020, 0x000D, "UI", study)
            line.socket.sendall(line.query_bytes(1, wire.C_GET, wire.STUDY_GET, keys))
            assert line.responses(on_store)[-1].status == 0
        line.release()
    assert set(got) == all_visible
    wrong = [instance for instance, digest in got.items() if digest != ledger.sent[instance]]
    assert not wrong, f"{len(wrong)} instances came back as other bytes"


def check_volumes(archive, ledger, all_visible):
    """By tar alone: every entry is whole, and every visible instance has its bytes."""
    found = set()
    for volume in archive.volumes():
        subprocess.run(["tar", "tf", volume], stdout=subprocess.DEVNULL, check=True)
        with tarfile.open(volume) as tar:
            for member in tar:
                instance = member.name.rsplit("/", 1)[-1][:-4]
                if instance not in ledger.sent:
                    continue
                raw = tar.extractfile(member).read()
                _, offset = corpus.meta(raw)
                assert hashlib.sha256(raw[offset:]).digest() == ledger.sent[instance], member.name
                found.add(instance)
    assert found == all_visible
