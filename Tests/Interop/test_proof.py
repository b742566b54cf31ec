"""Storage commitment as proof of what was forwarded, with pynetdicom as the archive that is asked (PS3.4 Annex J)."""

import threading
import time

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import build_context, build_role, evt

from support import dcmtk, outbox, peers, synthetic
from support.certificates import Authority
from support.synthetic import EXPLICIT, IMPLICIT, uid

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


class Centre:
    """Takes objects and requests for commitment; reports on the same association, or later on one of its own."""

    def __init__(self, archive, same=True, lacks=0):
        self.archive, self.same, self.lacks = archive, same, lacks
        self.stored, self.requests, self.answers = [], [], []
        self.ae = peers.entity("CENTRE")
        self.ae.add_supported_context(synthetic.CT, [EXPLICIT, IMPLICIT])
        self.ae.add_supported_context(COMMITMENT, [EXPLICIT, IMPLICIT], scu_role=True, scp_role=True)

    def __enter__(self):
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_N_ACTION, self._action)]
        self._server = self.ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]
        return self

    def __exit__(self, *_):
        self._server.shutdown()

    def _store(self, event):
        self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def _action(self, event):
        request = event.action_information
        self.requests.append(request)
        if self.same:
            threading.Thread(target=self._tell, args=(event.assoc, request), daemon=True).start()
        return 0x0000, None

    def _tell(self, association, request):
        time.sleep(0.2)  # behind the response to N-ACTION
        self.send(association, self.report(request))

    def report(self, request, transaction=None):
        lacking = self.lacks
        self.lacks = 0  # the next time all is there
        report = Dataset()
        report.TransactionUID = transaction or request.TransactionUID
        items = list(request.ReferencedSOPSequence)
        if lacking:
            report.FailedSOPSequence = Sequence([])
            for item in items[:lacking]:
                failed = Dataset()
                failed.ReferencedSOPClassUID = item.ReferencedSOPClassUID
                failed.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
                failed.FailureReason = 0x0112
                report.FailedSOPSequence.append(failed)
        if items[lacking:]:
            report.ReferencedSOPSequence = Sequence(items[lacking:])
        return report

    def send(self, association, report):
        kind = 2 if "FailedSOPSequence" in report else 1
        status, _ = association.send_n_event_report(report, kind, COMMITMENT, INSTANCE)
        self.answers.append(status.get("Status"))
        return self.answers[-1]

    def call(self, report, title="CENTRE"):
        """Reports on an association of its own, in the role of SCP."""
        association = peers.entity(title).associate(
            "127.0.0.1", self.archive.dicom_port, [build_context(COMMITMENT, [EXPLICIT])], ae_title="PHIM",
            ext_neg=[build_role(COMMITMENT, scu_role=False, scp_role=True)])
        assert association.is_established
        try:
            return self.send(association, report)
        finally:
            association.release()


def forwarding(archive, port, **settings):
    archive.run("peer", "add", "centre", "--ae-title", "CENTRE", "--host", "127.0.0.1", "--port", port)
    outbox.add_destination(archive, "centre", peer="centre", commit=True, **settings)
    outbox.add_route(archive, "all", "centre")


def sent(archive, tmp_path, count=4):
    made = synthetic.study(tmp_path / "in", instances=count)
    archive.run("import", tmp_path / "in")
    return made


def state(archive, study, wanted):
    def reached():
        row = outbox.shipment(archive, study)
        return row if row and row["state"] == wanted else None
    return outbox.wait(archive, reached, 90)


def test_told_on_the_same_association(archive, tmp_path):
    with Centre(archive) as centre:
        forwarding(archive, centre.port)
        made = sent(archive, tmp_path)
        row = state(archive, made.uid, "committed")
        request, = centre.requests
        assert {str(item.ReferencedSOPInstanceUID) for item in request.ReferencedSOPSequence} == set(made.instances)
        assert request.TransactionUID in row["proof"] and row["committedAt"]
        assert sorted(centre.stored) == sorted(made.instances)
        outbox.wait(archive, lambda: centre.answers == [0x0000])


def test_told_later_on_another_association(archive, tmp_path):
    with Centre(archive, same=False) as centre:
        forwarding(archive, centre.port)
        made = sent(archive, tmp_path)
        outbox.wait(archive, lambda: centre.requests, 90)
        assert outbox.shipment(archive, made.uid)["state"] == "sent"
        report = centre.report(centre.requests[0])
        # Only the peer that was asked may answer, and only what was asked.
        archive.run("peer", "add", "other", "--ae-title", "OTHER", "--host", "127.0.0.1", "--port", 104)
        assert centre.call(report, "OTHER") == 0x0115
        assert centre.call(report, "NOBODY") == 0x0115
        assert centre.call(centre.report(centre.requests[0], transaction=uid())) == 0x0115
        assert outbox.shipment(archive, made.uid)["state"] == "sent"
        assert centre.call(report) == 0x0000
        row = state(archive, made.uid, "committed")
        # Told again, because the first answer may have been lost: nothing changes.
        assert centre.call(report) == 0x0000
        assert outbox.shipment(archive, made.uid)["committedAt"] == row["committedAt"]


@pytest.mark.parametrize("same", [True, False], ids=["same association", "another association"])
def test_what_is_missing_there_is_sent_again(archive, tmp_path, same):
    with Centre(archive, same=same, lacks=1) as centre:
        forwarding(archive, centre.port)
        made = sent(archive, tmp_path)
        if not same:
            outbox.wait(archive, lambda: centre.requests, 90)
            assert centre.call(centre.report(centre.requests[0])) == 0x0000
            centre.same = True
        row = state(archive, made.uid, "committed")
        assert len(centre.requests) == 2 and len(centre.stored) == 5
        assert centre.requests[0].TransactionUID != centre.requests[1].TransactionUID
        assert str(centre.requests[1].TransactionUID) in row["proof"]


def test_reports_that_make_no_sense_are_refused(archive, tmp_path):
    with Centre(archive, same=False) as centre:
        forwarding(archive, centre.port)
        made = sent(archive, tmp_path)
        outbox.wait(archive, lambda: centre.requests, 90)
        empty = Dataset()
        empty.TransactionUID = centre.requests[0].TransactionUID
        assert centre.call(empty) == 0x0115
        nameless = centre.report(centre.requests[0])
        del nameless.TransactionUID
        assert centre.call(nameless) == 0x0115
        assert outbox.shipment(archive, made.uid)["state"] == "sent"
        archive.assert_healthy()


def test_who_gives_no_commitment_has_the_study_all_the_same(archive, tmp_path):
    with dcmtk.StoreSCP(tmp_path / "got", aet="CENTRE") as scp:
        forwarding(archive, scp.port)
        made = sent(archive, tmp_path)
        row = outbox.wait(archive, lambda: (found := state(archive, made.uid, "sent"))["answer"] and found)
        assert "no storage commitment" in row["answer"]
        assert len(scp.files()) == 4


def test_a_destination_by_tls_with_files_of_its_own(archive, tmp_path):
    authority = Authority(tmp_path / "authority")
    pair, (certificate, key) = authority.pair("centre"), authority.pair("station")
    with dcmtk.StoreSCP(tmp_path / "got", "+tls", pair[1], pair[0], "+cf", authority.ca, aet="CENTRE") as scp:
        forwarding(archive, scp.port, tls=True, ca=authority.ca, certificate=certificate, key=key)
        made = sent(archive, tmp_path)
        outbox.wait(archive, lambda: len(scp.files()) == 4, 90)
        assert outbox.wait_sent(archive, made.uid)["sentInstances"] == 4
