"""pynetdicom as client and as move destination, with data sets kept as the bytes that crossed the wire."""

import contextlib
import hashlib
import logging
import threading
import time
from dataclasses import dataclass, field
from io import BytesIO

from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import _NON_PATIENT_OBJECT_CLASSES

# Private and future storage classes arrive here too.
_config.UNRESTRICTED_STORAGE_SERVICE = True
_config.LOG_HANDLER_LEVEL = "none"
for noisy in ("pynetdicom", "pydicom"):
    logging.getLogger(noisy).setLevel(logging.CRITICAL)

_serve_request = Association._serve_request


def _put_back_what_a_verb_waits_for(self, message, context_id):
    """pynetdicom's reactor can take a message just after a verb paused it; that message is the verb's answer."""
    if self.is_acceptor or self._reactor_checkpoint.is_set():
        return _serve_request(self, message, context_id)
    waiting = self.dimse.msg_queue
    with waiting.mutex:
        waiting.queue.appendleft((context_id, message))
        waiting.not_empty.notify()


Association._serve_request = _put_back_what_a_verb_waits_for

PATIENT_FIND, PATIENT_MOVE, PATIENT_GET = (f"1.2.840.10008.5.1.4.1.2.1.{n}" for n in (1, 2, 3))
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))
VERIFICATION = "1.2.840.10008.1.1"
PENDING = (0xFF00, 0xFF01)


def entity(title="PYNETDICOM", timeout=300):
    ae = AE(ae_title=title)
    ae.maximum_pdu_size = 131072
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = timeout
    return ae


@contextlib.contextmanager
def association(port, contexts, title="PYNETDICOM", called="PHIM", host="127.0.0.1", roles=(), negotiation=(),
                handlers=(), timeout=300):
    """`contexts`: (abstract syntax, [transfer syntaxes]); `roles`: SOP classes that this side serves."""
    ae = entity(title, timeout)
    requested = [build_context(abstract, syntaxes) for abstract, syntaxes in contexts]
    extended = [build_role(uid, scp_role=True) for uid in dict.fromkeys(roles)] + list(negotiation)
    association = ae.associate(host, port, requested, ae_title=called, ext_neg=extended, evt_handlers=list(handlers))
    assert association.is_established, f"no association as {title}"
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def accepts(port, title="PYNETDICOM", called="PHIM"):
    """Whether an association for verification is accepted, and an echo answered."""
    ae = entity(title)
    association = ae.associate("127.0.0.1", port, [build_context(VERIFICATION)], ae_title=called)
    if not association.is_established:
        return False
    status = association.send_c_echo().get("Status")
    association.release()
    return status == 0


def identifier(level, **keys):
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def find(association, level, model=STUDY_FIND, **keys):
    """(identifiers, final status)."""
    matches = []
    for status, answer in association.send_c_find(identifier(level, **keys), model):
        if status.get("Status") in PENDING:
            matches.append(answer)
    return matches, status.get("Status")


def store_bytes(association, context_id, sop_class, sop_instance, data, message_id):
    """One C-STORE whose data set is `data`, not re-encoded. (status or None, error comment)."""
    request = C_STORE()
    request.MessageID, request.Priority = message_id, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, sop_instance
    request.DataSet = BytesIO(data)
    # As pynetdicom's own send_c_store does: its reactor must stand still, or it takes the answer.
    association._reactor_checkpoint.clear()
    while not association._is_paused and association.is_alive():
        time.sleep(0.0001)
    try:
        if not association.is_established:
            return None, "the association ended before"
        association.dimse.send_msg(request, context_id)
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    if response is None:
        association.abort()
        return None, "the association ended instead of an answer"
    return response.Status, response.ErrorComment or ""


@dataclass
class Received:
    """Data sets as received: by SOP Instance UID, every (transfer syntax, bytes) that came."""

    data: dict = field(default_factory=dict)
    order: list = field(default_factory=list)
    originators: set = field(default_factory=set)
    keep_bytes: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on_store(self, event):
        request = event.request
        raw = request.DataSet.getvalue()
        with self.lock:
            instance = str(request.AffectedSOPInstanceUID)
            value = raw if self.keep_bytes else hashlib.sha256(raw).digest()
            self.data.setdefault(instance, []).append((str(event.context.transfer_syntax), value))
            self.order.append(instance)
            self.originators.add(request.MoveOriginatorApplicationEntityTitle)
        return 0x0000


@contextlib.contextmanager
def destination(title="MOVEDEST", contexts=(), on_store=None, port=0):
    """A move destination; without `contexts` it accepts every class in every transfer syntax."""
    received = Received()
    ae = entity(title)
    ae.maximum_associations = 20
    for abstract, syntaxes in contexts:
        ae.add_supported_context(abstract, syntaxes)
    unrestricted = _config.UNRESTRICTED_STORAGE_SERVICE
    _config.UNRESTRICTED_STORAGE_SERVICE = not contexts
    if not contexts:
        ae.add_supported_context(VERIFICATION)
        for abstract in _NON_PATIENT_OBJECT_CLASSES.values():  # storage too, in all but pynetdicom's name
            ae.add_supported_context(abstract, ALL_TRANSFER_SYNTAXES)

    def stored(event):
        status = on_store(event, received) if on_store else None
        return received.on_store(event) if status is None else status

    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, stored)])
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()
        _config.UNRESTRICTED_STORAGE_SERVICE = unrestricted


@dataclass
class Outcome:
    """The final answer of a retrieval."""

    status: int
    completed: int
    failed: int
    warning: int
    failed_instances: list
    comment: str
    pending: list

    @classmethod
    def of(cls, responses):
        pending = []
        names = [f"NumberOf{name}Suboperations" for name in ("Remaining", "Completed", "Failed", "Warning")]
        for status, answer in responses:
            counters = tuple(status.get(name, 0) for name in names)
            if status.get("Status") in PENDING:
                pending.append(counters)
        failed = answer.get("FailedSOPInstanceUIDList", []) if answer else []
        failed = [failed] if isinstance(failed, str) else [str(uid) for uid in failed or []]
        return cls(status.get("Status"), counters[1], counters[2], counters[3], failed,
                   status.get("ErrorComment", ""), pending)


def move(association, to, level="STUDY", model=STUDY_MOVE, **keys):
    return Outcome.of(association.send_c_move(identifier(level, **keys), to, model))


def get(association, level="STUDY", model=STUDY_GET, **keys):
    return Outcome.of(association.send_c_get(identifier(level, **keys), model))


@contextlib.contextmanager
def getter(port, storage, title="PYNETDICOM", on_store=None, model=STUDY_GET):
    """An association that takes C-GET sub-operations in the given (class, [syntaxes]) contexts."""
    received = Received()

    def stored(event):
        status = on_store(event, received) if on_store else None
        return received.on_store(event) if status is None else status

    contexts = [(model, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]), *storage]
    with association(port, contexts, title, roles=[abstract for abstract, _ in storage],
                     handlers=[(evt.EVT_C_STORE, stored)]) as established:
        yield established, received
