"""Hostile and broken input: refused or kept with a mark, never a crash, never a lost object, never a large buffer."""

import random
import re
import socket
import struct
import subprocess
import time
import zlib

import pytest

from support import peers, synthetic, wire
from support.synthetic import CT, EXPLICIT, IMPLICIT, bare, element

CONTEXTS = [(1, wire.VERIFICATION, [IMPLICIT]), (3, CT, [EXPLICIT]), (5, wire.STUDY_FIND, [EXPLICIT])]


def is_refusal(status):
    """Does not match, invalid instance, invalid value, cannot understand (PS3.7 Annex C, PS3.4 Table B.2-1)."""
    return status in (0xA900, 0x0117, 0x0106) or 0xC000 <= status <= 0xCFFF


@pytest.fixture(scope="module")
def guarded(shared_archive):
    """The shared archive with a study that must survive everything."""
    dataset = synthetic.ct(PatientID="SURVIVOR")
    raw = synthetic.encode(dataset)
    with wire.Wire(shared_archive.dicom_port, CONTEXTS) as line:
        assert line.store(3, CT, str(dataset.SOPInstanceUID), raw).status == 0
        line.release()
    shared_archive.survivor = (dataset, raw)
    return shared_archive


@pytest.fixture(autouse=True)
def still_well(guarded):
    """After every test: alive, healthy, flat in memory, and the earlier study intact."""
    yield
    guarded.assert_healthy()
    dataset, raw = guarded.survivor
    with peers.getter(guarded.dicom_port, [(CT, [EXPLICIT])]) as (association, received):
        outcome = peers.get(association, StudyInstanceUID=dataset.StudyInstanceUID)
    assert (outcome.status, outcome.completed) == (0, 1)
    assert received.data[dataset.SOPInstanceUID] == [(EXPLICIT, raw)]
    assert guarded.peak_memory() < 500 << 20


def store(archive, data, sop_class=CT, sop_instance=None, timeout=30):
    with wire.Wire(archive.dicom_port, CONTEXTS, timeout=timeout) as line:
        answer = line.store(3, sop_class, sop_instance or synthetic.uid(), data)
        line.release()
    return answer


def send_raw(archive, raw, linger=True):
    """Raw bytes at the port; what came back, up to the close."""
    with socket.create_connection(("127.0.0.1", archive.dicom_port), timeout=20) as plain:
        try:
            plain.sendall(raw)
            if linger:
                plain.shutdown(socket.SHUT_WR)
                answer = b""
                while piece := plain.recv(65536):
                    answer += piece
                return answer
        except TimeoutError:
            raise
        except OSError:
            pass  # the archive closed first
    return b""


GOOD = wire.associate_request(CONTEXTS)
GARBAGE = {
    "nothing": b"", "one byte": b"\x01", "text": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "zeros": b"\0" * 4096,
    "unknown PDU": struct.pack(">BBI", 0x77, 0, 4) + b"abcd",
    "release first": struct.pack(">BBII", 5, 0, 4, 0), "data first": struct.pack(">BBIIBB", 4, 0, 6, 2, 1, 3),
    "abort first": struct.pack(">BBII", 7, 0, 4, 0),
    "4 GB associate": struct.pack(">BBI", 1, 0, 0xFFFFFFFF) + GOOD[6:],
    "2 GB associate": struct.pack(">BBI", 1, 0, 0x7FFFFFFF) + GOOD[6:] * 10,
    "empty associate": struct.pack(">BBI", 1, 0, 0), "short associate": GOOD[:40],
    "protocol version 0": GOOD[:6] + b"\0\0" + GOOD[8:],
    "wrong application context": GOOD.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9"),
    "item longer than the PDU": GOOD[:76] + b"\xff\xff" + GOOD[78:],
    "no user information": struct.pack(">BBI", 1, 0, 68) + GOOD[6:74],
    "no contexts": wire.associate_request([]),
    "even context id": wire.associate_request([(2, wire.VERIFICATION, [IMPLICIT])]),
    "same context id twice": wire.associate_request([CONTEXTS[0], CONTEXTS[0]]),
    "300 contexts": wire.associate_request([(n % 256 | 1, wire.VERIFICATION, [IMPLICIT]) for n in range(300)]),
    "hostile abstract syntax": wire.associate_request([(1, "../" * 30, ["%s%n"])]),
    "long abstract syntax": wire.associate_request([(1, "1." * 2000 + "1", [IMPLICIT])]),
    "control characters in the title": wire.associate_request(CONTEXTS[:1], calling="\r\n\x1b[2J\x00"),
    "quotes in the title": wire.associate_request(CONTEXTS[:1], calling="'; DROP x;--"),
}


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE)
def test_garbage_instead_of_an_association(guarded, raw):
    answer = send_raw(guarded, raw)
    assert answer[:1] in (b"", b"\x02", b"\x03", b"\x07"), answer[:40].hex()


def test_an_association_cut_at_every_byte(guarded):
    for length in range(0, len(GOOD), 7):
        send_raw(guarded, GOOD[:length], linger=False)


def test_mutated_associations(guarded):
    dice = random.Random(20240315)
    for _ in range(60):
        raw = bytearray(GOOD)
        for _ in range(dice.randint(1, 6)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        send_raw(guarded, bytes(raw) + bytes(dice.randbytes(dice.randint(0, 200))))


def test_mutated_stores(guarded):
    """Seeded mutations over a whole exchange: association, command and data set."""
    dice = random.Random(20240316)
    for _ in range(60):
        with wire.Wire(guarded.dicom_port, CONTEXTS) as line:
            line.socket.settimeout(5)
            instance = synthetic.uid()
            raw = bytearray(line.store_bytes(3, CT, instance, bare(instance, "1.2.3.4", "1.2.3.5", pixels=b"ab" * 50)))
            for _ in range(dice.randint(1, 4)):
                raw[dice.randrange(len(raw))] = dice.randrange(256)
            try:
                line.socket.sendall(bytes(raw))
                line.socket.shutdown(socket.SHUT_WR)
                while line.socket.recv(65536):
                    pass
            except OSError:
                pass


def test_a_store_cut_off_at_any_point_leaves_nothing(guarded):
    instances = []
    for cut in (10, 100, 200, 400, 900, 1500):
        instance = synthetic.uid()
        instances.append(instance)
        with wire.Wire(guarded.dicom_port, CONTEXTS) as line:
            raw = line.store_bytes(3, CT, instance, bare(instance, "1.2.77", "1.2.78", pixels=b"ab" * 2000))
            line.socket.sendall(raw[:cut])
    with peers.association(guarded.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        assert peers.find(association, "STUDY", StudyInstanceUID="1.2.77")[0] == []


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFFFFF, 1 << 30])
def test_a_pdu_longer_than_agreed(guarded, length):
    with wire.Wire(guarded.dicom_port, CONTEXTS) as line:
        line.socket.sendall(struct.pack(">BBIIBB", 4, 0, length, length - 4, 3, 1) + b"\0" * 1000)
        line.socket.shutdown(socket.SHUT_WR)
        try:
            while line.socket.recv(65536):
                pass
        except OSError:
            pass


@pytest.mark.parametrize("pdv", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_pdv_length_that_disagrees_with_its_pdu(guarded, pdv):
    with wire.Wire(guarded.dicom_port, CONTEXTS) as line:
        line.socket.sendall(struct.pack(">BBIIBB", 4, 0, 20, pdv, 3, 3) + b"\0" * 14)
        line.socket.shutdown(socket.SHUT_WR)
        try:
            while line.socket.recv(65536):
                pass
        except OSError:
            pass


COMMANDS = {
    "empty": b"", "no field": wire.encode_command(MessageID=1, CommandDataSetType=0x0101),
    "unknown field": wire.encode_command(CommandField=0x7777, MessageID=1, CommandDataSetType=0x0101),
    "a response nobody asked for": wire.encode_command(
        CommandField=0x8001, MessageIDBeingRespondedTo=9, Status=0, CommandDataSetType=0x0101),
    "value beyond the end": struct.pack("<HHI", 0, 0x0100, 0xFFFFFFF0) + b"\1\0",
    "store without UIDs": wire.encode_command(CommandField=1, MessageID=1, Priority=0, CommandDataSetType=0x0101),
    "echo that promises a data set": wire.encode_command(
        CommandField=0x30, MessageID=1, AffectedSOPClassUID=wire.VERIFICATION, CommandDataSetType=1),
    "random": random.Random(1).randbytes(300), "64 KiB": b"\0\0\2\0" * 16384,
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_broken_command_set(guarded, command):
    with wire.Wire(guarded.dicom_port, CONTEXTS, timeout=15) as line:
        line.socket.sendall(line.pdvs(3, command, True))
        line.socket.shutdown(socket.SHUT_WR)
        try:
            while line.socket.recv(65536):
                pass
        except OSError:
            pass


def test_a_command_set_without_end_is_bounded(guarded):
    with wire.Wire(guarded.dicom_port, CONTEXTS, timeout=15) as line:
        piece = line.pdvs(3, b"\0\0\2\0\0\0\0\0" * 4096, True, last=False)
        with pytest.raises(OSError):
            for _ in range(4096):  # 128 MiB in all; the archive gives up long before
                line.socket.sendall(piece)


def test_an_identifier_without_end_is_bounded(guarded):
    with wire.Wire(guarded.dicom_port, CONTEXTS, timeout=15) as line:
        line.socket.sendall(line.pdvs(5, wire.encode_command(
            CommandField=wire.C_FIND, MessageID=1, Priority=0, AffectedSOPClassUID=wire.STUDY_FIND,
            CommandDataSetType=1), True))
        piece = line.pdvs(5, b"\x08\0\x05\0CS\0\0" * 8192, False, last=False)
        try:
            for _ in range(2048):  # 128 MiB
                line.socket.sendall(piece)
            line.socket.sendall(line.pdvs(5, b"", False))
            answers = line.responses()
            assert answers[-1].status not in (0, None)
        except (OSError, wire.Closed):
            pass  # an abort is as right


def test_command_and_data_set_disagree(guarded):
    """PS3.4 Section B.2.3: the data set does not match the SOP class (or instance) of the command."""
    answer = store(guarded, bare("1.2.3.4.50", "1.2.3.51", "1.2.3.52"), sop_instance="1.2.3.4.59")
    assert answer.status == 0xA900 and answer.comment
    answer = store(guarded, bare("1.2.3.4.60", "1.2.3.51", "1.2.3.52", sop_class=synthetic.SECONDARY),
                   sop_instance="1.2.3.4.60")
    assert answer.status == 0xA900 and answer.comment


def test_what_is_refused_by_its_request_alone_is_counted(guarded):
    def count(series):
        found = re.search(rf"^{re.escape(series)} (\d+)$", guarded.get("/metrics")[1], re.M)
        return int(found[1]) if found else 0

    refusals = 'phim_ingest_refusals_total{reason="invalid_identifier"}'
    source = 'phim_source_refusals_total{source="WIRE"}'
    before = count(refusals), count(source)
    answer = store(guarded, bare("1.2.3.4.70", "1.2.3.71", "1.2.3.72"), sop_instance="1..2")
    assert is_refusal(answer.status)
    assert (count(refusals), count(source)) == (before[0] + 1, before[1] + 1)


HOSTILE = ["../../../etc/passwd", "1.2.3/../../4", "..", "/etc/passwd", "1.2." + "3" * 62, "1." * 60 + "1",
           "1.2.3\\1.2.4", "1..2", ".1.2", "1.2.", "a.b.c", "1.2.3;rm -rf", "1.2\r\n3", "", "1.2.3 4", "-1.2"]


@pytest.mark.parametrize("uid", HOSTILE, ids=repr)
def test_a_hostile_sop_instance_uid_is_refused(guarded, uid):
    try:
        answer = store(guarded, bare(uid, "1.2.3.51", "1.2.3.52"), sop_instance=uid or " ")
    except wire.Closed:
        assert uid == "", "only a command without the UID may end the association"
        return
    assert is_refusal(answer.status), f"{answer.status:04X}H"
    assert answer.comment
    outside = [path for path in guarded.data.rglob("*") if "passwd" in path.name or path.name.startswith("1.2")]
    assert outside == []


@pytest.mark.parametrize("uid", HOSTILE, ids=repr)
def test_a_hostile_study_uid_never_reaches_the_disk(guarded, uid):
    """Refused, or kept under a derived UID; in no case used as it is."""
    instance = synthetic.uid()
    answer = store(guarded, bare(instance, uid, uid), sop_instance=instance)
    assert answer.status == 0 or (is_refusal(answer.status) and answer.comment)
    for volume in guarded.volumes():
        names = subprocess.run(["tar", "tf", volume], capture_output=True, text=True, check=True).stdout.splitlines()
        assert all(name.count("/") == 2 and ".." not in name and not name.startswith("/") for name in names)


KEPT = {
    "no patient id": dict(patient=None), "empty patient id": dict(patient=""), "no name": dict(name=None),
    "no study and series UID": dict(study_uid=None, series_uid=None), "empty study UID": dict(study_uid=""),
    "unknown character set": dict(name=b"\xff\xfe\xfd", charset="ISO_IR 999"),
    "bytes outside the character set": dict(name=b"Nguy\xe1\xbb\x85n^V\xff", charset="ISO_IR 192"),
    "UTF-8 that says ASCII": dict(name="Nguyễn^Văn".encode()),
    "broken escape sequences": dict(name=b"\x1b$Bzz\x1b\x1b(", charset="\\ISO 2022 IR 87"),
    "illegal VR": dict(extra=struct.pack("<HH2sH", 0x0021, 0x0010, b"??", 2) + b"ab"),
    "letters in a number": dict(number="one"), "nonsense date": dict(date="2024-13-45 noon"),
    "very long name": dict(name="N" * 5000), "very long patient id": dict(patient="P" * 60000),
    "odd length": dict(extra=struct.pack("<HH2sH", 0x0021, 0x0010, b"LO", 3) + b"abc"),
    "trailing garbage": dict(pixels=b"ab", tail=b"\xff" * 777),
    "pixel data longer than the object": dict(tail=struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 1 << 30) + b"ab"),
    "a value of 4 GB before the pixels": dict(
        tail=struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, 0xFFFFFFFE) + b"ab"),
    "elements out of order": dict(tail=element(0x0008, 0x0005, "CS", "ISO_IR 100")),
    "nested a thousand deep": dict(tail=(struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
                                         + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * 1000),
    "nested 100 000 deep": dict(tail=(struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
                                      + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * 100_000),
    "a million empty elements": dict(tail=struct.pack("<HH2sH", 0x0041, 0x0010, b"LO", 0) * 1_000_000),
    "a sequence that never ends": dict(tail=struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
                                       + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 10_000),
}


@pytest.mark.parametrize("flaw", KEPT, ids=str)
def test_a_flaw_is_no_reason_to_refuse_an_image(guarded, flaw):
    """What a clinician would rather have is kept, byte-exact, and can be fetched."""
    values = dict(KEPT[flaw])
    tail, charset, date = values.pop("tail", b""), values.pop("charset", None), values.pop("date", None)
    instance = synthetic.uid()
    data = bare(instance, **{"study_uid": synthetic.uid(), "series_uid": synthetic.uid(), **values}) + tail
    if charset:
        data = element(0x0008, 0x0005, "CS", charset) + data
    if date:
        data = data.replace(element(0x0008, 0x0020, "DA", "20240315"), element(0x0008, 0x0020, "DA", date))
    answer = store(guarded, data, sop_instance=instance)
    assert answer.status == 0, f"{answer.status:04X}H {answer.comment}"
    row, = [row for row in guarded.find(level="image") if row["SOPInstanceUID"] == instance]
    with peers.getter(guarded.dicom_port, [(CT, [EXPLICIT])]) as (association, received):
        outcome = peers.get(association, "IMAGE", StudyInstanceUID=row["StudyInstanceUID"],
                            SeriesInstanceUID=row["SeriesInstanceUID"], SOPInstanceUID=instance)
    assert (outcome.status, outcome.completed) == (0, 1)
    got = received.data[instance][0][1]
    assert got + b"\0" * (len(got) % 2) == data + b"\0" * (len(data) % 2)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 512, b"\xff" * 5000, random.Random(3).randbytes(5000)])
def test_a_data_set_that_is_none_is_refused(guarded, data):
    answer = store(guarded, data)
    assert is_refusal(answer.status), f"{answer.status:04X}H"
    assert answer.comment


def test_a_sop_class_that_is_a_nest_of_sequences(guarded):
    """Kept on the command's word or refused with a reason."""
    answer = store(guarded, struct.pack("<HH2sHI", 8, 0x16, b"UN", 0, 0xFFFFFFFF) * 200)
    assert answer.status == 0 or (is_refusal(answer.status) and answer.comment)


def test_a_deflate_bomb_is_refused_or_kept_but_never_expanded(guarded):
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    instance = synthetic.uid()
    head = bare(instance, "1.2.3.61", "1.2.3.62") + struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, 0xF0000000)
    bomb = deflater.compress(head)
    for _ in range(64):
        bomb += deflater.compress(bytes(16 << 20))  # 1 GiB when expanded
    bomb += deflater.flush()
    with wire.Wire(guarded.dicom_port, [(1, CT, ["1.2.840.10008.1.2.1.99"])], timeout=60) as line:
        answer = line.store(1, CT, instance, bomb)
        assert answer.status == 0 or (is_refusal(answer.status) and answer.comment)


def test_a_flood_of_connections(guarded):
    plain = [socket.create_connection(("127.0.0.1", guarded.dicom_port)) for _ in range(300)]
    for each in plain:
        each.close()
    deadline = time.monotonic() + 60
    while not peers.accepts(guarded.dicom_port):
        assert time.monotonic() < deadline, "there is no room any more"
        time.sleep(0.1)


def test_no_patient_name_reaches_the_log(guarded):
    """Neither from good nor from broken objects (names used above)."""
    text = guarded.log.read_text(errors="replace")
    for name in ("Bare^Bone", "Test^Patient", "SURVIVOR", "Nguy"):
        assert name not in text
