"""Every way by which a study leaves the archive, each with what a stranger then holds."""

import io
import zipfile

import pydicom
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from . import dcmtk, peers, synthetic

SYNTAXES = [synthetic.EXPLICIT, synthetic.IMPLICIT, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
            "1.2.840.10008.1.2.5"]


def _part10(raw, syntax, instance, sop_class=synthetic.CT):
    return pydicom.dcmread(io.BytesIO(synthetic.part10(raw, sop_class, instance, syntax)))


def get(archive, uid, syntaxes=SYNTAXES, sop_class=synthetic.CT):
    with peers.getter(archive.dicom_port, [(sop_class, [syntax]) for syntax in syntaxes]) as (association, received):
        outcome = peers.get(association, StudyInstanceUID=uid)
    return outcome, [_part10(raw, syntax, instance, sop_class)
                     for instance, came in received.data.items() for syntax, raw in came]


def move(archive, uid):
    with peers.destination() as (port, received):
        archive.run("peer", "add", "mover", "--ae-title", "MOVER", "--host", "127.0.0.1", "--port", port)
        try:
            with peers.association(archive.dicom_port, [(peers.STUDY_MOVE, [synthetic.EXPLICIT])]) as association:
                outcome = peers.move(association, "MOVER", StudyInstanceUID=uid)
            assert outcome.status == 0 and not outcome.failed
        finally:
            archive.run("peer", "remove", "mover")
    return [_part10(raw, syntax, instance) for instance, came in received.data.items() for syntax, raw in came]


def send(archive, uid):
    with peers.destination() as (port, received):
        archive.run("peer", "add", "target", "--ae-title", "TARGET", "--host", "127.0.0.1", "--port", port)
        try:
            archive.run("send", "--to", "target", "--study", uid)
        finally:
            archive.run("peer", "remove", "target")
    return [_part10(raw, syntax, instance) for instance, came in received.data.items() for syntax, raw in came]


def web(archive):
    session = archive.http()
    return DICOMwebClient(url=f"{archive.url}/dicom-web", session=session), session


def wado_uri(archive, uid):
    _, session = web(archive)
    files = []
    for row in archive.find("--study", uid, level="image"):
        answer = session.get(f"{archive.url}/wado", params={
            "requestType": "WADO", "studyUID": uid, "seriesUID": row["SeriesInstanceUID"],
            "objectUID": row["SOPInstanceUID"], "contentType": "application/dicom"})
        assert answer.status_code == 200, answer.text
        files.append(pydicom.dcmread(io.BytesIO(answer.content)))
    return files


def zipped(archive, uid, query=""):
    _, session = web(archive)
    answer = session.get(f"{archive.url}/dicom-web/studies/{uid}{query}", headers={"Accept": "application/zip"})
    assert answer.status_code == 200, answer.text
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    assert packed.testzip() is None
    return [packed.read(name) for name in packed.namelist()]


def exported(archive, uid, folder, *options):
    archive.run("export", "--study", uid, "--to", folder, *options)
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in ("README.TXT", "DICOMDIR")]


def objects(archive, uid, folder):
    """(way, data sets) for every way that gives whole objects."""
    client, _ = web(archive)
    outcome, got = get(archive, uid)
    assert outcome.status == 0 and not outcome.failed, outcome.comment
    yield "C-GET", got
    yield "C-MOVE", move(archive, uid)
    yield "phim send", send(archive, uid)
    yield "WADO-RS", client.retrieve_study(uid, media_types=(("application/dicom", "*"),))
    yield "WADO-URI", wado_uri(archive, uid)
    yield "zip", [pydicom.dcmread(io.BytesIO(raw)) for raw in zipped(archive, uid)]
    for kind in ("folder", "dicomdir"):
        files = exported(archive, uid, folder / f"{kind}-{synthetic.uid()}", "--format", kind)
        yield f"export {kind}", [pydicom.dcmread(path) for path in files]


def rows(archive, uid, folder):
    """(way, data sets) for every way that tells of a study without its pixels."""
    client, session = web(archive)
    yield "metadata JSON", [Dataset.from_json(item) for item in client.retrieve_study_metadata(uid)]
    yield "QIDO-RS", [Dataset.from_json(item) for item in client.search_for_studies(
        search_filters={"StudyInstanceUID": uid})]
    yield "C-FIND", dcmtk.find(archive, folder / "find", "STUDY", f"StudyInstanceUID={uid}", "PatientName",
                               "PatientID", "AccessionNumber")


def xml(archive, uid):
    _, session = web(archive)
    answer = session.get(f"{archive.url}/dicom-web/studies/{uid}/metadata",
                         headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert answer.status_code == 200
    return answer.content.decode()
