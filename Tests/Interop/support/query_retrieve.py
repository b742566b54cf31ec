"""Archives of strangers that studies are fetched from: dcmqrscp, and a small one of pynetdicom without C-GET."""

import contextlib
import subprocess

import pydicom
import pydicom.multival
from pydicom.dataset import Dataset
from pynetdicom import build_context, evt

from support import dcmtk, peers
from support.synthetic import EXPLICIT, IMPLICIT


@contextlib.contextmanager
def dcmqrscp(folder, files, aet="QRSCP"):
    """DCMTK's query/retrieve server with these files; yields its port. It is told to whom it may send by C-MOVE."""
    store = folder / "store"
    store.mkdir(parents=True)
    port = dcmtk.free_port()
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\n"
        f"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\n{aet} {store} RW (1000, 1024mb) ANY\nAETable END\n")
    dcmtk.run("dcmqridx", store, *[_copied(file, store, number) for number, file in enumerate(files)])
    process = subprocess.Popen(
        ["/usr/bin/dcmqrscp", "-c", str(folder / "dcmqrscp.cfg")], env=dcmtk.ENVIRONMENT, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        dcmtk.wait_listening(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _copied(file, store, number):
    target = store / f"{number}.dcm"
    target.write_bytes(file.read_bytes())
    return target


class Hospital:
    """A server that answers C-FIND, and C-MOVE to one destination; `sent` and `asked` are what happened.

    `gets` makes it answer C-GET instead; without `lists` it matches no lists of UIDs.
    """

    def __init__(self, files, destination=None, gets=False, aet="HOSPITAL", lists=True, port=0):
        self.datasets = [pydicom.dcmread(file) for file in files]
        self.destination, self.lists, self.port = destination, lists, port
        self.sent, self.asked, self.associations = [], [], 0
        self.ae = peers.entity(aet)
        self.ae.supported_contexts = []
        self.ae.add_supported_context(peers.STUDY_FIND, [EXPLICIT, IMPLICIT])
        if gets:
            self.ae.add_supported_context(peers.STUDY_GET, [EXPLICIT, IMPLICIT])
            for sop_class in {dataset.SOPClassUID for dataset in self.datasets}:
                self.ae.add_supported_context(sop_class, EXPLICIT, scu_role=True, scp_role=True)
        else:
            self.ae.add_supported_context(peers.STUDY_MOVE, [EXPLICIT, IMPLICIT])
        self.ae.requested_contexts = [build_context(str(uid), EXPLICIT)
                                      for uid in {dataset.SOPClassUID for dataset in self.datasets}]

    def __enter__(self):
        handlers = [(evt.EVT_C_FIND, self._find), (evt.EVT_C_MOVE, self._move), (evt.EVT_C_GET, self._get),
                    (evt.EVT_ACCEPTED, self._accepted)]
        self._server = self.ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]
        return self

    def __exit__(self, *_):
        self._server.shutdown()

    def _accepted(self, _):
        self.associations += 1

    def _matching(self, query):
        keys = [element for element in query if element.keyword not in ("QueryRetrieveLevel", "SpecificCharacterSet")
                and element.VR != "SQ" and element.value not in ("", None)]
        for dataset in self.datasets:
            if all(self._agrees(dataset, element) for element in keys):
                yield dataset

    def _agrees(self, dataset, element):
        wanted = element.value if isinstance(element.value, (list, pydicom.multival.MultiValue)) else [element.value]
        if len(wanted) > 1 and not self.lists:
            return False
        return str(dataset.get(element.keyword, "")) in {str(value) for value in wanted}

    def _find(self, event):
        self.asked.append(event.identifier)
        level = event.identifier.QueryRetrieveLevel
        key = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        seen = set()
        for dataset in self._matching(event.identifier):
            uid = str(dataset[key].value)
            if uid in seen:
                continue
            seen.add(uid)
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            for element in event.identifier:
                if element.keyword == "ModalitiesInStudy":
                    answer.ModalitiesInStudy = dataset.Modality
                elif element.keyword in dataset:
                    answer.add(dataset[element.keyword])
            yield 0xFF00, answer
        yield 0x0000, None

    def _wanted(self, event):
        self.asked.append(event.identifier)
        found = list(self._matching(event.identifier))
        for dataset in found:
            self.sent.append(str(dataset.SOPInstanceUID))
        return found

    def _move(self, event):
        if self.destination is None:
            yield None, None
            return
        found = self._wanted(event)
        yield self.destination
        yield len(found)
        for dataset in found:
            yield 0xFF00, dataset

    def _get(self, event):
        found = self._wanted(event)
        yield len(found)
        for dataset in found:
            yield 0xFF00, dataset
