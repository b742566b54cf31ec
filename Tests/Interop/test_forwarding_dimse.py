"""Forwarding over associations to strangers: storescp, dcmqrscp and Orthanc as installed, pynetdicom, and another Phim."""

import hashlib
import subprocess
from pathlib import Path

import pydicom
import pytest

from support import corpus, dcmtk, forwarding, orthanc, peers, synthetic
from support.archive import Archive
from support.forwarding import eventually
from support.line import Line, Shape


def imported(archive, folder, **values):
    made = synthetic.study(folder / "study", **values)
    archive.run("import", folder / "study")
    return made


def digest(path):
    raw = Path(path).read_bytes()
    return hashlib.sha256(raw[corpus.meta(raw)[1]:]).hexdigest()


def test_to_storescp_bit_for_bit(archive, tmp_path):
    with dcmtk.StoreSCP(tmp_path / "got", "+xa") as scp:
        forwarding.to_peer(archive, "scp", scp.port, scp.aet)
        forwarding.route(archive, "all", "scp")
        made = imported(archive, tmp_path, series=2, instances=5)
        row = forwarding.wait_for(archive, made.uid, "sent", "scp")
        assert row["sentInstances"] == 10 and not row.get("committedAt")
        assert sorted(map(digest, scp.files())) == sorted(forwarding.data_sets(archive).values())
        assert "not proven" in forwarding.explain(archive, made.uid)


def test_who_takes_no_compressed_images_gets_others(archive, tmp_path):
    """storescp as installed takes uncompressed syntaxes only."""
    with dcmtk.StoreSCP(tmp_path / "got") as scp:
        forwarding.to_peer(archive, "scp", scp.port, scp.aet)
        forwarding.route(archive, "all", "scp")
        made = synthetic.study(tmp_path / "plain", instances=1, rows=64)
        packed = tmp_path / "packed" / "one.dcm"
        packed.parent.mkdir()
        dcmtk.run("dcmcjpls", made.files[0], packed)
        archive.run("import", packed.parent)
        forwarding.wait_for(archive, made.uid, "sent", "scp")
        got, = scp.files()
        assert pydicom.dcmread(got).PixelData == made.datasets[0].PixelData


def test_to_dcmqrscp_and_found_there(archive, tmp_path):
    port, store = dcmtk.free_port(), tmp_path / "store"
    store.mkdir()
    (tmp_path / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nARCHIVE {store} RW (200, 1024mb) ANY\nAETable END\n")
    server = subprocess.Popen(["/usr/bin/dcmqrscp", "-c", str(tmp_path / "dcmqrscp.cfg")],
                              env=dcmtk.ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        dcmtk.wait_listening(port, server)
        forwarding.to_peer(archive, "old-archive", port, "ARCHIVE", lanes=3)
        forwarding.route(archive, "ct", "old-archive", "modality=CT")
        made = imported(archive, tmp_path, instances=6)
        forwarding.wait_for(archive, made.uid, "sent", "old-archive")
        with peers.association(port, [(peers.STUDY_FIND, [synthetic.IMPLICIT])], called="ARCHIVE") as line:
            found, _ = peers.find(line, "STUDY", StudyInstanceUID=made.uid, NumberOfStudyRelatedInstances="")
        assert [str(one.StudyInstanceUID) for one in found] == [made.uid]
        held = [path for path in store.iterdir() if path.suffix == ".dcm" or path.name.startswith("CT")]
        assert sorted(map(digest, held)) == sorted(forwarding.data_sets(archive).values())
    finally:
        server.terminate()
        server.wait(60)


def test_to_orthanc_which_commits(tmp_path):
    if not Path(orthanc.BINARY).exists():
        pytest.fail("Orthanc is not installed (make setup-test)")
    with orthanc.Namespace() as namespace:
        archive = Archive(tmp_path / "archive", prefix=namespace.prefix).start()
        peer = None
        try:
            peer = orthanc.Orthanc(tmp_path / "orthanc", namespace.prefix,
                                   {"phim": ["PHIM", "127.0.0.1", archive.dicom_port]})
            forwarding.to_peer(archive, "orthanc", peer.dicom_port, peer.aet, commit=True)
            forwarding.route(archive, "all", "orthanc")
            made = imported(archive, tmp_path, instances=7)
            row = forwarding.wait_for(archive, made.uid, "committed", "orthanc")
            assert row["proof"].startswith("storage commitment ")
            assert len(peer.find("Instance", StudyInstanceUID=made.uid)) == 7
            said = forwarding.explain(archive, made.uid)
            assert said.startswith("orthanc: committed, 7 of 7 sent, proven "), said
        finally:
            if peer:
                peer.stop()
            archive.stop()


def test_to_another_phim_which_commits(make_archive, tmp_path):
    sender, receiver = make_archive().start(), make_archive().start()
    receiver.run("peer", "add", "sender", "--ae-title", "PHIM", "--host", "127.0.0.1", "--port", sender.dicom_port)
    forwarding.to_peer(sender, "other", receiver.dicom_port, "PHIM", commit=True, lanes=2)
    forwarding.route(sender, "all", "other")
    made = imported(sender, tmp_path, series=2, instances=20)
    row = forwarding.wait_for(sender, made.uid, "committed", "other")
    assert row["proof"].startswith("storage commitment ")
    assert forwarding.data_sets(sender) == forwarding.data_sets(receiver)


def test_a_peer_that_moves_is_followed_and_one_that_is_removed_gets_nothing(archive, tmp_path):
    with dcmtk.StoreSCP(tmp_path / "old", "+xa") as old, dcmtk.StoreSCP(tmp_path / "new", "+xa") as new:
        forwarding.to_peer(archive, "scp", old.port, old.aet)
        forwarding.route(archive, "all", "scp")
        first = imported(archive, tmp_path / "1", instances=2)
        forwarding.wait_for(archive, first.uid, "sent", "scp")
        archive.run("peer", "remove", "scp")
        eventually(lambda: "there is no peer scp" in archive.run("destination", "show", "scp").stdout)
        second = imported(archive, tmp_path / "2", instances=2)
        eventually(lambda: "there is no peer scp" in forwarding.explain(archive, second.uid))
        archive.run("peer", "add", "scp", "--ae-title", new.aet, "--host", "127.0.0.1", "--port", new.port)
        forwarding.wait_for(archive, second.uid, "sent", "scp")
        assert (len(old.files()), len(new.files())) == (2, 2)

        # By TLS from now on: that peer speaks none, and hears nothing in plain text.
        archive.run("peer", "remove", "scp")
        eventually(lambda: "there is no peer scp" in archive.run("destination", "show", "scp").stdout)
        archive.run("peer", "add", "scp", "--ae-title", new.aet, "--host", "127.0.0.1", "--port", new.port, "--tls")
        third = imported(archive, tmp_path / "3", instances=2)
        eventually(lambda: "nothing gets through" in forwarding.explain(archive, third.uid))
        assert len(new.files()) == 2


def test_one_object_that_is_refused_holds_up_no_other(archive, tmp_path):
    made = synthetic.study(tmp_path / "study", instances=6)
    refused = made.instances[2]
    refusing = [True]

    def on_store(event, _):
        return 0xA900 if refusing[0] and str(event.request.AffectedSOPInstanceUID) == refused else None

    with peers.destination("FUSSY", on_store=on_store) as (port, got):
        forwarding.to_peer(archive, "fussy", port, "FUSSY")
        forwarding.route(archive, "all", "fussy")
        archive.run("import", tmp_path / "study")
        eventually(lambda: len(got.data) == 5)
        # While it is tried again, it is next in line.
        eventually(lambda: "1 not taken" in forwarding.explain(archive, made.uid),
                   say=lambda: forwarding.explain(archive, made.uid))
        refusing[0] = False
        archive.run("outbox", "retry", forwarding.shipment(archive, made.uid, "fussy")["number"])
        forwarding.wait_for(archive, made.uid, "sent", "fussy")
        assert set(got.data) == set(made.instances)
        assert all(len(copies) == 1 for copies in got.data.values())


def test_stat_overtakes_a_backlog_within_one_object(archive, tmp_path):
    """One association over a slow line: what was on its way when STAT was asked for is all that goes before it."""
    bulk = synthetic.study(tmp_path / "bulk", instances=40, rows=128)
    urgent = synthetic.study(tmp_path / "urgent", instances=3, rows=128)
    archive.run("import", tmp_path / "bulk")
    archive.run("import", tmp_path / "urgent")
    with peers.destination("SLOW") as (port, got), Line(Shape(1e6, 0.05), port) as line:
        forwarding.to_peer(archive, "slow", line.port, "SLOW", lanes=1)
        forwarding.send(archive, bulk.uid, "slow", priority="bulk")
        eventually(lambda: len(got.order) >= 3)
        # The line stands still while it is asked for.
        line.darken()
        forwarding.send(archive, urgent.uid, "slow", priority="stat")
        arrived = len(got.order)
        line.lighten()
        forwarding.wait_for(archive, urgent.uid, "sent", "slow")
        places = sorted(got.order.index(uid) for uid in urgent.instances)
        # One is on its way, and one more may have arrived without its answer.
        assert places[0] <= arrived + 2 and places[2] == places[0] + 2, (places, arrived)
        assert places[0] < 20, "no backlog was left to overtake"
        line.shape = Shape(100e6, 0.05)
        forwarding.wait_for(archive, bulk.uid, "sent", "slow")
        assert len(got.order) == 43
