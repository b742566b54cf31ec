"""Echo, store, move and get with the tools of DCMTK and with pynetdicom."""

import concurrent.futures
import hashlib

import pydicom
import pytest

from support import dcmtk, peers, synthetic
from support.synthetic import CT, EXPLICIT, IMPLICIT


def data_set_digest(path):
    """SHA-256 of the data set of a Part 10 file, without its header."""
    raw = path.read_bytes()
    with open(path, "rb") as file:
        pydicom.filereader.read_preamble(file, force=False)
        pydicom.filereader.read_file_meta_info(path)
        length = pydicom.filereader._read_file_meta_info(file).FileMetaInformationGroupLength
    return hashlib.sha256(raw[132 + 12 + length :]).hexdigest()


def digests(paths):
    return sorted(data_set_digest(path) for path in paths)


@pytest.fixture(scope="module")
def study(shared_archive, module_folder):
    """Two series of five slices, already stored with storescu."""
    made = synthetic.study(module_folder / "study", series=2, instances=5, PatientID="RETRIEVE")
    dcmtk.run("storescu", *dcmtk.peer(shared_archive), *made.files)
    return made


def test_echo_from_dcmtk_and_pynetdicom(shared_archive):
    dcmtk.run("echoscu", *dcmtk.peer(shared_archive))
    assert peers.accepts(shared_archive.dicom_port)


def test_any_called_title_is_answered_by_default(shared_archive):
    dcmtk.run("echoscu", *dcmtk.peer(shared_archive, called="SOMETHING"))


@pytest.mark.parametrize("tool", ["storescu", "dcmsend"])
def test_a_folder_of_files_is_stored(shared_archive, tmp_path, tool):
    made = synthetic.study(tmp_path / "in", instances=40)
    options = ["+sd", "+r"] if tool == "storescu" else ["+sd", "+r", "-dn"]
    dcmtk.run(tool, *options, *dcmtk.peer(shared_archive), tmp_path / "in")
    rows = shared_archive.find("--study", made.uid, level="image")
    assert sorted(row["SOPInstanceUID"] for row in rows) == sorted(made.instances)


def test_the_same_file_twice_is_stored_once(shared_archive, study):
    before = shared_archive.json("status")
    dcmtk.run("storescu", *dcmtk.peer(shared_archive), *study.files)
    after = shared_archive.json("status")
    assert (after["instances"], after["studies"]) == (before["instances"], before["studies"])


def test_many_associations_at_once(shared_archive, tmp_path):
    studies = [synthetic.study(tmp_path / f"in-{n}", instances=10, PatientID=f"PAR{n}") for n in range(8)]
    send = lambda made: dcmtk.run("storescu", *dcmtk.peer(shared_archive), *made.files)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(send, studies))
    for made in studies:
        assert len(shared_archive.find("--study", made.uid, level="image")) == 10


def test_move_to_storescp_is_byte_exact_and_counts(shared_archive, study, tmp_path):
    with dcmtk.StoreSCP(tmp_path / "out") as target:
        shared_archive.run("peer", "add", "storescp", "--ae-title", target.aet, "--host", "127.0.0.1",
                           "--port", target.port)
        dcmtk.run("movescu", "-S", "-aem", target.aet, "-k", "QueryRetrieveLevel=STUDY",
                  "-k", f"StudyInstanceUID={study.uid}", *dcmtk.peer(shared_archive))
        assert digests(target.files()) == digests(study.files)
    shared_archive.run("peer", "remove", "storescp")


def test_get_to_getscu_is_byte_exact(shared_archive, study, tmp_path):
    (tmp_path / "out").mkdir()
    dcmtk.run("getscu", "-S", "+B", "-od", tmp_path / "out", "-k", "QueryRetrieveLevel=STUDY",
              "-k", f"StudyInstanceUID={study.uid}", *dcmtk.peer(shared_archive))
    assert digests((tmp_path / "out").iterdir()) == digests(study.files)


@pytest.mark.parametrize("level, count", [("STUDY", 10), ("SERIES", 5), ("IMAGE", 1)])
def test_get_at_every_level(shared_archive, study, level, count):
    keys = {"StudyInstanceUID": study.uid}
    if level != "STUDY":
        keys["SeriesInstanceUID"] = study.series[0]
    if level == "IMAGE":
        keys["SOPInstanceUID"] = study.instances[0]
    with peers.getter(shared_archive.dicom_port, [(CT, [EXPLICIT])]) as (association, received):
        outcome = peers.get(association, level, **keys)
    assert (outcome.status, outcome.completed, outcome.failed) == (0, count, 0)
    assert len(received.order) == count


def test_get_of_a_list_of_images(shared_archive, study):
    wanted = study.instances[1:4]
    with peers.getter(shared_archive.dicom_port, [(CT, [EXPLICIT])]) as (association, received):
        outcome = peers.get(association, "IMAGE", StudyInstanceUID=study.uid, SeriesInstanceUID=study.series[0],
                            SOPInstanceUID=wanted)
    assert outcome.status == 0
    assert sorted(received.data) == sorted(wanted)


def test_get_by_patient_in_patient_root(shared_archive, study):
    model = peers.PATIENT_GET
    with peers.getter(shared_archive.dicom_port, [(CT, [EXPLICIT])], model=model) as (association, received):
        outcome = peers.get(association, "PATIENT", model, PatientID="RETRIEVE")
    assert (outcome.status, outcome.completed) == (0, 10)


def test_get_of_nothing_is_a_success_with_no_sub_operations(shared_archive):
    with peers.getter(shared_archive.dicom_port, [(CT, [EXPLICIT])]) as (association, received):
        outcome = peers.get(association, "STUDY", StudyInstanceUID="1.2.3.4.5.6.7.8.9")
    assert (outcome.status, outcome.completed, received.order) == (0, 0, [])


def test_get_without_role_selection_sends_nothing(shared_archive, study):
    contexts = [(peers.STUDY_GET, [EXPLICIT]), (CT, [EXPLICIT])]
    with peers.association(shared_archive.dicom_port, contexts) as association:
        outcome = peers.get(association, StudyInstanceUID=study.uid)
    assert outcome.completed == 0
    assert outcome.status not in (0x0000, None)


def test_get_without_a_context_for_the_class_fails_those_sub_operations(shared_archive, study):
    storage = [(synthetic.SECONDARY, [EXPLICIT])]
    with peers.getter(shared_archive.dicom_port, storage) as (association, received):
        outcome = peers.get(association, StudyInstanceUID=study.uid)
    assert outcome.status in (0xA702, 0xB000)
    assert (outcome.completed, outcome.failed, received.order) == (0, 10, [])
    assert sorted(outcome.failed_instances) == sorted(study.instances)


def test_get_with_a_refusing_receiver_lists_the_failed_one(shared_archive, study):
    refused = study.instances[2]
    refuse = lambda event, _: 0xA700 if event.request.AffectedSOPInstanceUID == refused else None
    with peers.getter(shared_archive.dicom_port, [(CT, [EXPLICIT])], on_store=refuse) as (association, received):
        outcome = peers.get(association, StudyInstanceUID=study.uid)
    assert (outcome.status, outcome.completed, outcome.failed) == (0xB000, 9, 1)
    assert outcome.failed_instances == [refused]


def test_move_counters_run_down_while_pending(shared_archive, study):
    with peers.destination("COUNTERS") as (port, received):
        shared_archive.run("peer", "add", "counters", "--ae-title", "COUNTERS", "--host", "127.0.0.1", "--port", port)
        with peers.association(shared_archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
            outcome = peers.move(association, "COUNTERS", StudyInstanceUID=study.uid)
    shared_archive.run("peer", "remove", "counters")
    assert (outcome.status, outcome.completed, outcome.failed, outcome.warning) == (0, 10, 0, 0)
    assert outcome.pending, "no pending answers"
    assert all(sum(counters) == 10 for counters in outcome.pending)
    remaining = [counters[0] for counters in outcome.pending]
    assert remaining == sorted(remaining, reverse=True)
    assert received.originators == {"PYNETDICOM"}


def test_move_with_a_refusing_receiver_lists_the_failed_one(shared_archive, study):
    refused = study.instances[4]
    refuse = lambda event, _: 0xA700 if event.request.AffectedSOPInstanceUID == refused else None
    with peers.destination("REFUSER", on_store=refuse) as (port, received):
        shared_archive.run("peer", "add", "refuser", "--ae-title", "REFUSER", "--host", "127.0.0.1", "--port", port)
        with peers.association(shared_archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
            outcome = peers.move(association, "REFUSER", StudyInstanceUID=study.uid)
    shared_archive.run("peer", "remove", "refuser")
    assert (outcome.status, outcome.completed, outcome.failed) == (0xB000, 9, 1)
    assert outcome.failed_instances == [refused]


def test_move_to_an_unknown_destination_is_a801(shared_archive, study):
    with peers.association(shared_archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
        assert peers.move(association, "NOBODY", StudyInstanceUID=study.uid).status == 0xA801


def test_move_to_a_destination_that_is_down_fails_every_sub_operation(shared_archive, study):
    port = dcmtk.free_port()
    shared_archive.run("peer", "add", "down", "--ae-title", "DOWN", "--host", "127.0.0.1", "--port", port)
    with peers.association(shared_archive.dicom_port, [(peers.STUDY_MOVE, [IMPLICIT])]) as association:
        outcome = peers.move(association, "DOWN", StudyInstanceUID=study.uid)
    shared_archive.run("peer", "remove", "down")
    assert outcome.status in (0xA702, 0xB000)
    assert outcome.completed == 0
    shared_archive.assert_healthy()


def test_peer_echo_reaches_storescp(shared_archive, tmp_path):
    with dcmtk.StoreSCP(tmp_path / "out") as target:
        shared_archive.run("peer", "add", "echoed", "--ae-title", target.aet, "--host", "127.0.0.1",
                           "--port", target.port)
        shared_archive.run("peer", "echo", "echoed")
        names = [peer["name"] for peer in shared_archive.json("peer", "list")]
        assert "echoed" in names
    assert shared_archive.run("peer", "echo", "echoed", expect=None).returncode != 0
    shared_archive.run("peer", "remove", "echoed")
    assert "echoed" not in [peer["name"] for peer in shared_archive.json("peer", "list")]


def test_send_pushes_a_study_to_a_peer(shared_archive, study, tmp_path):
    with dcmtk.StoreSCP(tmp_path / "out") as target:
        shared_archive.run("peer", "add", "pushed", "--ae-title", target.aet, "--host", "127.0.0.1",
                           "--port", target.port)
        shared_archive.run("send", "--to", "pushed", "--study", study.uid)
        assert digests(target.files()) == digests(study.files)
    shared_archive.run("peer", "remove", "pushed")
