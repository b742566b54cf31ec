"""Relational queries by extended negotiation, and C-CANCEL in find, move and get."""

import threading

import pytest
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from support import dcmtk, peers, synthetic, wire
from support.synthetic import CT, EXPLICIT, IMPLICIT

INSTANCES = 120


@pytest.fixture(scope="module")
def study(shared_archive, module_folder):
    made = synthetic.study(module_folder / "study", series=2, instances=INSTANCES // 2, rows=8, PatientID="REL1")
    shared_archive.run("import", module_folder / "study")
    return made


def relational(model):
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = model
    item.service_class_application_information = b"\x01\x01\x01"
    return item


def test_relational_find_skips_the_levels_above(shared_archive, study):
    """PS3.4 Section C.4.1.2.2.2, negotiated by PS3.4 Section C.5.1.1."""
    negotiation = [relational(peers.STUDY_FIND)]
    with peers.association(shared_archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])], negotiation=negotiation) as a:
        agreed = a.acceptor.sop_class_extended.get(peers.STUDY_FIND)
        assert agreed and agreed[0] == 1, f"relational queries not agreed: {agreed}"
        matches, status = peers.find(a, "IMAGE", PatientID="REL1", SOPInstanceUID="", InstanceNumber="7")
    assert status == 0
    assert len(matches) == 2


def test_without_negotiation_the_keys_above_count_or_are_demanded(shared_archive, study):
    """PS3.4 Section C.4.1.2.1: refused for want of the unique keys above, or answered by the keys of that level."""
    with peers.association(shared_archive.dicom_port, [(peers.STUDY_FIND, [IMPLICIT])]) as association:
        matches, status = peers.find(association, "IMAGE", SOPInstanceUID="", InstanceNumber="7")
    if status == 0:
        assert {match.InstanceNumber for match in matches} == {7} and len(matches) == 2
    else:
        assert matches == [] and (status == 0xA900 or 0xC000 <= status <= 0xCFFF)


def test_relational_get(shared_archive, study):
    negotiation = [relational(peers.STUDY_GET)]
    from pynetdicom import evt

    received = peers.Received()
    contexts = [(peers.STUDY_GET, [IMPLICIT]), (CT, [EXPLICIT])]
    with peers.association(shared_archive.dicom_port, contexts, roles=[CT], negotiation=negotiation,
                           handlers=[(evt.EVT_C_STORE, received.on_store)]) as association:
        outcome = peers.get(association, "IMAGE", SOPInstanceUID=study.instances[3])
    assert (outcome.status, received.order) == (0, [study.instances[3]])


def test_find_is_cancelled(shared_archive, study):
    """The cancel travels right behind the request, so it is there before the first answer."""
    keys = synthetic.element(0x0008, 0x0018, "UI", "") + synthetic.element(0x0008, 0x0052, "CS", "IMAGE")
    keys += synthetic.element(0x0020, 0x000D, "UI", study.uid)
    keys += synthetic.element(0x0020, 0x000E, "UI", study.series[0])
    with wire.Wire(shared_archive.dicom_port, [(1, wire.STUDY_FIND, [EXPLICIT])]) as line:
        request = line.query_bytes(1, wire.C_FIND, wire.STUDY_FIND, keys)
        line.socket.sendall(request + line.cancel_bytes(1, 1))
        answers = line.responses()
        assert answers[-1].status == 0xFE00
        assert len(answers) - 1 < INSTANCES // 2
        # The association stays usable, and a cancel that comes too late is ignored.
        line.socket.sendall(line.cancel_bytes(1, 1) + line.query_bytes(1, wire.C_FIND, wire.STUDY_FIND, keys))
        answers = line.responses()
        assert (answers[-1].status, len(answers) - 1) == (0x0000, INSTANCES // 2)
        line.release()


def test_get_is_cancelled(shared_archive, study):
    def cancel_after_three(event, received):
        if len(received.order) == 3:
            event.assoc.send_c_cancel(1, query_model=peers.STUDY_GET)

    with peers.getter(shared_archive.dicom_port, [(CT, [EXPLICIT])], on_store=cancel_after_three) as (a, received):
        outcome = peers.get(a, StudyInstanceUID=study.uid)
    assert outcome.status == 0xFE00
    assert 3 <= len(received.order) < INSTANCES
    assert outcome.completed == len(received.order)


def test_move_is_cancelled(shared_archive, study):
    cancelled = threading.Event()

    def wait_after_three(event, received):
        if len(received.order) == 3:
            assert cancelled.wait(120)

    with peers.destination("CANCELLER", on_store=wait_after_three) as (port, received):
        shared_archive.run("peer", "add", "canceller", "--ae-title", "CANCELLER", "--host", "127.0.0.1",
                           "--port", port)
        with peers.association(shared_archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
            responses, keys = [], peers.identifier("STUDY", StudyInstanceUID=study.uid)
            for status, answer in association.send_c_move(keys, "CANCELLER", peers.STUDY_MOVE):
                if not responses:
                    association.send_c_cancel(1, query_model=peers.STUDY_MOVE)
                    cancelled.set()
                responses.append((status, answer))
        cancelled.set()
    shared_archive.run("peer", "remove", "canceller")
    outcome = peers.Outcome.of(responses)
    assert outcome.status == 0xFE00
    assert len(received.order) < INSTANCES


def test_movescu_with_its_own_cancel(shared_archive, study, tmp_path):
    with dcmtk.StoreSCP(tmp_path / "out") as target:
        shared_archive.run("peer", "add", "tool", "--ae-title", target.aet, "--host", "127.0.0.1",
                           "--port", target.port)
        dcmtk.run("movescu", "-S", "--cancel", "2", "-aem", target.aet, "-k", "QueryRetrieveLevel=STUDY",
                  "-k", f"StudyInstanceUID={study.uid}", *dcmtk.peer(shared_archive), expect=None)
        assert len(target.files()) <= INSTANCES
    shared_archive.run("peer", "remove", "tool")
    shared_archive.assert_healthy()
